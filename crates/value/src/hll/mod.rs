//! HyperLogLog sketches, plain or with minhash bits (`reference`: bits-hll.md, part B).
//!
//! Pure functions: the bin's value and the operation's value go in, an answer or a new value comes
//! out.
//!
//! `call` reads operations, `sketch` holds the layout and what happens to registers, `estimate`
//! calculates from them, `murmur3` hashes elements.

mod call;
mod estimate;
mod murmur3;
mod sketch;

#[cfg(test)]
mod tests;

use wire::{ParticleType, ResultCode};

use self::call::{Modification, Question, Sketches};
use self::sketch::{Shape, Sketch, SketchBuf};
use crate::cdt::Modified;
use crate::msgpack::{Flags, write};
use crate::operation::{Answer, Policy, integer_answer};
use crate::particle::StoredBytes;
use crate::scalar::Existing;

/// Whether the bytes are a sketch: known flags, legal numbers of bits, and the size these make.
pub fn is_valid(sketch: &[u8]) -> bool {
    Sketch::parse(sketch).is_some()
}

/// Runs an operation that reads. Allocates at most one sketch of the answer's size.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed or is none of a sketch operation that reads,
///   or a sketch in it is none, or there are more than two to intersect and their minhash bits
///   differ or are missing.
/// - `INCOMPATIBLE_TYPE`: the bin is not a sketch.
/// - `UNKNOWN`: the bin's sketch is damaged.
/// - `OP_NOT_APPLICABLE`: there are more than two sketches to intersect with the bin's, which has
///   other minhash bits.
pub fn read(
    existing: (ParticleType, &[u8]),
    operation: &[u8],
) -> Result<Answer<'static>, ResultCode> {
    let call = call::Call::parse(operation, call::QUESTIONS)?;
    let sketch = stored_sketch(existing)?;
    Ok(match call.question()? {
        Question::Count => integer_answer(sketch.count()),
        Question::Union(others) => (
            ParticleType::HLL,
            StoredBytes::Owned(estimate::union(others.and(sketch)).into_bytes()),
        ),
        Question::UnionCount(others) => integer_answer(estimate::union_count(others.and(sketch))),
        Question::IntersectCount(others) => {
            check_minhash(others, sketch)?;
            integer_answer(estimate::intersect_count(others.and(sketch)))
        }
        Question::Similarity(others) => {
            check_minhash(others, sketch)?;
            let similarity = estimate::similarity(others.and(sketch));
            (ParticleType::FLOAT, StoredBytes::Word(similarity.to_be_bytes()))
        }
        Question::Describe => (ParticleType::LIST, StoredBytes::Owned(description(sketch.shape))),
        Question::MayContain(elements) => integer_answer(
            elements
                .iter()
                .all(|element| sketch.may_contain(element.for_shape(sketch.shape)))
                .into(),
        ),
    })
}

/// Runs an operation that modifies. Allocates the new value and the answer. Without a bin, INIT,
/// ADD and UNION create one.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed or is none of a sketch operation that
///   modifies, or a sketch in it is none.
/// - `INCOMPATIBLE_TYPE`: the bin is not a sketch.
/// - `UNKNOWN`: the bin's sketch is damaged.
/// - `BIN_EXISTS`, `BIN_NOT_FOUND`: the policy forbids it, or the operation needs a bin. Under the
///   policy NO_FAIL nothing happens instead.
/// - `OP_NOT_APPLICABLE`: the index bits of a new sketch are missing, there would be too many bits,
///   or fewer than the policy allows or than can be folded.
pub fn modify(existing: Existing<'_>, operation: &[u8]) -> Result<Modified, ResultCode> {
    let call = call::Call::parse(operation, call::MODIFICATIONS)?;
    let old = existing.map(stored_sketch).transpose()?;
    let (modification, policy) = call.modification()?;
    let forbidden = match old {
        Some(_) if policy.has(Policy::CREATE_ONLY) => Some(ResultCode::BIN_EXISTS),
        None if policy.has(Policy::UPDATE_ONLY) => Some(ResultCode::BIN_NOT_FOUND),
        _ => None,
    };
    match forbidden {
        Some(code) => Ok(policy.refuse(code)?.unwrap_or(Modified::NOTHING)),
        None => apply(old, modification, policy),
    }
}

fn apply(
    old: Option<Sketch<'_>>,
    modification: Modification<'_>,
    policy: Policy,
) -> Result<Modified, ResultCode> {
    let mut answer = None;
    let new = match modification {
        Modification::Init { index_bits, minhash_bits } => {
            SketchBuf::new(initial_shape(old, index_bits, minhash_bits)?)
        }
        Modification::Add { elements, index_bits, minhash_bits } => {
            let mut new = match old {
                Some(old) => old.to_buf(),
                None => SketchBuf::new(initial_shape(None, index_bits, minhash_bits)?),
            };
            let added = elements.iter().filter(|element| new.add(element.for_shape(new.shape())));
            answer = Some(added.count() as u64);
            new
        }
        Modification::Union(others) => union(old, others, policy)?,
        Modification::RefreshCount => {
            let mut new = old.ok_or(ResultCode::BIN_NOT_FOUND)?.to_buf();
            answer = Some(new.refresh_count());
            new
        }
        Modification::Fold { index_bits } => {
            fold(old.ok_or(ResultCode::BIN_NOT_FOUND)?, index_bits)?
        }
    };
    Ok(Modified {
        bin: Some((ParticleType::HLL, new.into_bytes())),
        answer: answer.map(|number| (ParticleType::INTEGER, number.to_be_bytes().to_vec())),
        guide: Vec::new(),
    })
}

fn stored_sketch((particle_type, value): (ParticleType, &[u8])) -> Result<Sketch<'_>, ResultCode> {
    if particle_type != ParticleType::HLL {
        return Err(ResultCode::INCOMPATIBLE_TYPE);
    }
    Sketch::parse(value).ok_or(ResultCode::UNKNOWN)
}

/// Bits that are not given stay as they are. A new sketch has no minhash bits then, and index bits
/// must be given.
fn initial_shape(
    old: Option<Sketch<'_>>,
    index_bits: Option<u8>,
    minhash_bits: Option<u8>,
) -> Result<Shape, ResultCode> {
    let index_bits = index_bits.or(old.map(|old| old.shape.index_bits()));
    let minhash_bits = minhash_bits.or(old.map(|old| old.shape.minhash_bits())).unwrap_or(0);
    index_bits
        .and_then(|index_bits| Shape::new(index_bits, minhash_bits))
        .ok_or(ResultCode::OP_NOT_APPLICABLE)
}

fn union(
    old: Option<Sketch<'_>>,
    others: Sketches<'_>,
    policy: Policy,
) -> Result<SketchBuf, ResultCode> {
    let Some(old) = old else { return Ok(estimate::union(others.iter())) };
    let common = Shape::common(others.iter().map(|other| other.shape));
    let loses_index = old.shape.index_bits() > common.index_bits();
    let loses_minhash =
        old.shape.minhash_bits() != 0 && old.shape.minhash_bits() != common.minhash_bits();
    if (loses_index || loses_minhash) && !policy.has(Policy::ALLOW_FOLD) {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    Ok(estimate::union(others.and(old)))
}

fn fold(old: Sketch<'_>, index_bits: Option<u8>) -> Result<SketchBuf, ResultCode> {
    let target = index_bits.filter(|&target| target <= old.shape.index_bits());
    let shape = match target.and_then(|target| Shape::new(target, 0)) {
        Some(shape) if old.shape.minhash_bits() == 0 => shape,
        _ => return Err(ResultCode::OP_NOT_APPLICABLE),
    };
    if shape == old.shape {
        // Untouched, with its cached count.
        return Ok(old.to_buf());
    }
    let mut folded = SketchBuf::new(shape);
    folded.merge(old);
    Ok(folded)
}

/// What can only be estimated for two sketches takes minhash bits in all of them for more.
fn check_minhash(others: Sketches<'_>, sketch: Sketch<'_>) -> Result<(), ResultCode> {
    let common = Shape::common(others.iter().map(|other| other.shape)).minhash_bits();
    if others.count() <= 2 {
        Ok(())
    } else if common == 0 {
        Err(ResultCode::PARAMETER)
    } else if common != sketch.shape.minhash_bits() {
        Err(ResultCode::OP_NOT_APPLICABLE)
    } else {
        Ok(())
    }
}

/// The msgpack list of index bits and minhash bits.
fn description(shape: Shape) -> Vec<u8> {
    let mut list = Vec::new();
    write::list_start(&mut list, 2, Flags::NONE);
    write::unsigned(&mut list, shape.index_bits().into());
    write::unsigned(&mut list, shape.minhash_bits().into());
    list
}
