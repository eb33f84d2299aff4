//! Operations on the bits of a blob (`reference`: bits-hll.md, part A).
//!
//! Pure functions: the bin's value and the operation's value go in, an answer or a new value comes
//! out. Bit 0 is the highest of the first byte; negative offsets count from the end.
//!
//! `call` reads operations and checks what can be checked without the blob, `arithmetic`
//! calculates, `field` reads and writes numbers that begin at any bit. A range of bits is worked on
//! in parts of up to 64.

mod arithmetic;
mod call;
pub(crate) mod field;

#[cfg(test)]
mod tests;

use std::ops::Range;

use wire::{ParticleType, ResultCode};

use self::call::{
    About, BLOB_SIZE_BYTES_MAX, Bits, Modification, Number, Offset, Question, Resize,
};
use self::field::FIELD_BITS_MAX;
use crate::cdt::Modified;
use crate::operation::{Answer, Policy, integer_answer};
use crate::particle::StoredBytes;
use crate::scalar::Existing;

/// Runs an operation that reads. Allocates only what GET answers, and not even that where the
/// answer is whole bytes of the blob.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed or is none of a bit operation that reads, or
///   the offset is before the blob's first bit.
/// - `INCOMPATIBLE_TYPE`: the bin is not a blob.
/// - `OP_NOT_APPLICABLE`: the range is not within the blob.
pub fn read<'a>(
    (particle_type, blob): (ParticleType, &'a [u8]),
    operation: &[u8],
) -> Result<Answer<'a>, ResultCode> {
    let question = Question::parse(operation)?;
    if particle_type != ParticleType::BLOB {
        return Err(ResultCode::INCOMPATIBLE_TYPE);
    }
    let range = range(question.offset, question.size_bits, blob)?;
    if range.end > blob.len() * 8 {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    Ok(match question.about {
        About::Bits => (ParticleType::BLOB, bits(blob, range)),
        About::Count => integer_answer(
            field::parts(range).map(|part| part.load(blob).count_ones() as u64).sum(),
        ),
        About::First(wanted) => integer_answer(first(blob, range, wanted).cast_unsigned()),
        About::Last(wanted) => integer_answer(last(blob, range, wanted).cast_unsigned()),
        About::Number { is_signed } => {
            let number = field::load(blob, range.start, range.len());
            integer_answer(if is_signed {
                arithmetic::sign_extended(number, range.len()).cast_unsigned()
            } else {
                number
            })
        }
    })
}

/// Runs an operation that modifies. Allocates the new value and nothing else. Without a bin, RESIZE
/// and INSERT create one.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed or is none of a bit operation that modifies,
///   the offset is before the blob's first bit, REMOVE would remove what is not there, RESIZE is
///   not allowed to go that way, or the result would be larger than any message.
/// - `BIN_EXISTS`, `BIN_NOT_FOUND`: the policy forbids it.
/// - `INCOMPATIBLE_TYPE`: the bin is not a blob.
/// - `OP_NOT_APPLICABLE`: the range is not within the blob, or a sum does not fit.
///
/// Under the policy NO_FAIL nothing happens instead of an error that depends on the bin, unless it
/// is one of type, of an offset before the first bit, or of a result that is too large.
pub fn modify(existing: Existing<'_>, operation: &[u8]) -> Result<Modified, ResultCode> {
    let (modification, policy) = Modification::parse(operation)?;
    let changed = match existing {
        Some(_) if policy.has(Policy::CREATE_ONLY) => policy.refuse(ResultCode::BIN_EXISTS)?,
        Some((ParticleType::BLOB, blob)) => apply(blob, modification, policy)?,
        Some(_) => return Err(ResultCode::INCOMPATIBLE_TYPE),
        None if modification.creates() && !policy.has(Policy::UPDATE_ONLY) => {
            apply(&[], modification, policy)?
        }
        None => policy.refuse(ResultCode::BIN_NOT_FOUND)?,
    };
    Ok(Modified { bin: changed.map(|blob| (ParticleType::BLOB, blob)), ..Modified::NOTHING })
}

/// A blob after an operation; `None` if nothing happened.
type Changed = Result<Option<Vec<u8>>, ResultCode>;

fn apply(blob: &[u8], modification: Modification<'_>, policy: Policy) -> Changed {
    match modification {
        Modification::Resize { size_bytes, resize: how } => resize(blob, size_bytes, how, policy),
        Modification::Insert { offset, bytes } => insert(blob, offset, bytes),
        Modification::Remove { offset, size_bytes } => remove(blob, offset, size_bytes, policy),
        Modification::Overwrite { offset, size_bits, bits } => {
            let range = range(offset, size_bits, blob)?;
            let whole_bits = blob.len() * 8;
            let may_end_here = range.end <= whole_bits || policy.has(Policy::PARTIAL);
            if range.start >= whole_bits || !may_end_here {
                return policy.refuse(ResultCode::OP_NOT_APPLICABLE);
            }
            Ok(Some(overwrite(blob, range.start..range.end.min(whole_bits), bits)))
        }
        Modification::Number { offset, size_bits, number } => {
            let range = range(offset, size_bits, blob)?;
            if range.end > blob.len() * 8 {
                return policy.refuse(ResultCode::OP_NOT_APPLICABLE);
            }
            let old = field::load(blob, range.start, size_bits);
            let new = match number {
                Number::Set(number) => Some(number),
                Number::Add { operand, arithmetic } => arithmetic.add(old, operand, size_bits),
                Number::Subtract { operand, arithmetic } => {
                    arithmetic.subtract(old, operand, size_bits)
                }
            };
            let Some(new) = new else { return policy.refuse(ResultCode::OP_NOT_APPLICABLE) };
            let left_justified = (new << (FIELD_BITS_MAX - size_bits)).to_be_bytes();
            Ok(Some(overwrite(blob, range, Bits::Set(&left_justified))))
        }
    }
}

/// The bits that an operation is about; they may end past the blob.
fn range(offset: Offset, size_bits: usize, blob: &[u8]) -> Result<Range<usize>, ResultCode> {
    let start = match usize::try_from(offset) {
        Ok(start) => Some(start),
        Err(_) => usize::try_from(offset.unsigned_abs())
            .ok()
            .and_then(|before_end| (blob.len() * 8).checked_sub(before_end)),
    };
    let start = start.ok_or(ResultCode::PARAMETER)?;
    Ok(start..start + size_bits)
}

fn resize(blob: &[u8], size_bytes: usize, how: Resize, policy: Policy) -> Changed {
    let old_bytes = blob.len();
    if size_bytes == old_bytes {
        return Ok(None);
    }
    let is_growing = size_bytes > old_bytes;
    if (is_growing && how.shrink_only) || (!is_growing && how.grow_only) {
        return policy.refuse(ResultCode::PARAMETER);
    }
    if size_bytes >= BLOB_SIZE_BYTES_MAX {
        return Err(ResultCode::PARAMETER);
    }
    let kept_bytes = size_bytes.min(old_bytes);
    let mut resized = Vec::with_capacity(size_bytes);
    if how.from_front {
        resized.resize(size_bytes - kept_bytes, 0);
        resized.extend_from_slice(blob.split_at(old_bytes - kept_bytes).1);
    } else {
        resized.extend_from_slice(blob.split_at(kept_bytes).0);
        resized.resize(size_bytes, 0);
    }
    Ok(Some(resized))
}

fn insert(blob: &[u8], offset: Offset, bytes: &[u8]) -> Changed {
    let at = range(offset, bytes.len() * 8, blob)?.start / 8;
    let (front, back) = blob.split_at_checked(at).unwrap_or((blob, &[]));
    let gap = at - front.len();
    let size_bytes = blob.len() + gap + bytes.len();
    if size_bytes >= BLOB_SIZE_BYTES_MAX {
        return Err(ResultCode::PARAMETER);
    }
    let mut inserted = Vec::with_capacity(size_bytes);
    inserted.extend_from_slice(front);
    inserted.resize(at, 0);
    inserted.extend_from_slice(bytes);
    inserted.extend_from_slice(back);
    Ok(Some(inserted))
}

fn remove(blob: &[u8], offset: Offset, size_bytes: usize, policy: Policy) -> Changed {
    let start = range(offset, size_bytes * 8, blob)?.start / 8;
    let (front, back) = match blob.split_at_checked(start) {
        Some((front, [_, ..])) => (front, blob.get(start + size_bytes..)),
        _ => return policy.refuse(ResultCode::PARAMETER),
    };
    match back {
        Some(back) => Ok(Some([front, back].concat())),
        None if policy.has(Policy::PARTIAL) => Ok(Some(front.to_vec())),
        None => policy.refuse(ResultCode::PARAMETER),
    }
}

/// The blob with new bits in a range that is within it.
fn overwrite(blob: &[u8], range: Range<usize>, bits: Bits<'_>) -> Vec<u8> {
    let start = range.start;
    let mut new = blob.to_vec();
    for part in field::parts(range.clone()) {
        let old = part.load(blob);
        let operand = |bytes| field::load(bytes, part.at - start, part.size_bits);
        let number = match bits {
            Bits::Set(bytes) => operand(bytes),
            Bits::Or(bytes) => old | operand(bytes),
            Bits::Xor(bytes) => old ^ operand(bytes),
            Bits::And(bytes) => old & operand(bytes),
            Bits::Not => !old,
            Bits::ShiftLeft(by) => load_within(blob, &range, part.at + by, part.size_bits),
            Bits::ShiftRight(by) if by >= part.at - start + part.size_bits => 0,
            Bits::ShiftRight(by) => load_shifted_in(blob, start, part, by),
        };
        field::store(&mut new, part.at, part.size_bits, number);
    }
    new
}

/// What stands at bit `at`, which is not before the range; bits behind the range are 0.
fn load_within(blob: &[u8], range: &Range<usize>, at: usize, size_bits: usize) -> u64 {
    let inside = range.end.saturating_sub(at).min(size_bits);
    if inside == 0 { 0 } else { field::load(blob, at, inside) << (size_bits - inside) }
}

/// What comes to a part when the bits from `start` on move right, some of them into it.
fn load_shifted_in(blob: &[u8], start: usize, part: field::Part, by: usize) -> u64 {
    let from = part.at.saturating_sub(by).max(start);
    field::load(blob, from, part.at + part.size_bits - by - from)
}

/// The bits of a range, from the highest bit of the first byte on, filled up with zeros.
fn bits(blob: &[u8], range: Range<usize>) -> StoredBytes<'_> {
    let is_whole_bytes = range.start.is_multiple_of(8) && range.end.is_multiple_of(8);
    if let Some(bytes) = blob.get(range.start / 8..range.end / 8).filter(|_| is_whole_bytes) {
        return StoredBytes::Borrowed(bytes);
    }
    let mut bits = Vec::with_capacity(range.len().div_ceil(8));
    for at in range.clone().step_by(FIELD_BITS_MAX) {
        let size_bits = FIELD_BITS_MAX.min(range.end - at);
        let left_justified = field::load(blob, at, size_bits) << (FIELD_BITS_MAX - size_bits);
        bits.extend(left_justified.to_be_bytes().iter().take(size_bits.div_ceil(8)));
    }
    StoredBytes::Owned(bits)
}

/// Index in the range of the first bit that is `wanted`; -1 if there is none.
fn first(blob: &[u8], range: Range<usize>, wanted: bool) -> i64 {
    let start = range.start;
    field::parts(range)
        .find_map(|part| {
            let matches = matches(blob, part.at, part.size_bits, wanted);
            let index = matches.leading_zeros() as usize + part.size_bits - FIELD_BITS_MAX;
            (matches != 0).then_some((part.at + index - start) as i64)
        })
        .unwrap_or(-1)
}

/// Index in the range of the last bit that is `wanted`; -1 if there is none.
///
/// The original looks at whole bytes: where no bit of the range matches but one in front of it in
/// the same byte does, its answer is that bit's index, which is negative.
fn last(blob: &[u8], range: Range<usize>, wanted: bool) -> i64 {
    let first_looked_at = range.start - range.start % 8;
    let mut end = range.end;
    while end > first_looked_at {
        let size_bits = FIELD_BITS_MAX.min(end - first_looked_at);
        let matches = matches(blob, end - size_bits, size_bits, wanted);
        if matches != 0 {
            let at = end - 1 - matches.trailing_zeros() as usize;
            return at as i64 - range.start as i64;
        }
        end -= size_bits;
    }
    -1
}

/// A number whose set bits are where the blob has `wanted` ones.
fn matches(blob: &[u8], at: usize, size_bits: usize, wanted: bool) -> u64 {
    let number = field::load(blob, at, size_bits);
    if wanted { number } else { !number & field::low_bits(size_bits) }
}
