//! Operations that work within a value: a list or map, the bits of a blob, a sketch.

use value::cdt::{Modified, Stored};
use value::operation::Answer;
use value::{StoredBytes, bits, cdt, hll};
use wire::{Op, OpCode, ParticleType, ResultCode};

/// Runs an operation that reads a bin which exists. `None`: there is nothing to answer.
///
/// # Errors
/// Those of [`cdt::read`], [`bits::read`] and [`hll::read`].
pub(crate) fn read<'a>(op: &Op<'_>, bin: Stored<'a>) -> Result<Option<Answer<'a>>, ResultCode> {
    let value = (bin.particle_type, bin.value);
    match op.code {
        OpCode::CDT_READ => {
            let answer = cdt::read(bin, op.value)?;
            Ok(answer.map(|(particle_type, value)| (particle_type, StoredBytes::Owned(value))))
        }
        OpCode::BITS_READ => {
            check_bits_type(op)?;
            bits::read(value, op.value).map(Some)
        }
        OpCode::HLL_READ => hll::read(value, op.value).map(Some),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Runs an operation that modifies a bin or creates it.
///
/// # Errors
/// Those of [`cdt::modify`], [`bits::modify`] and [`hll::modify`].
pub(crate) fn modify(op: &Op<'_>, existing: Option<Stored<'_>>) -> Result<Modified, ResultCode> {
    let value = existing.map(|bin| (bin.particle_type, bin.value));
    match op.code {
        OpCode::CDT_MODIFY => cdt::modify(existing, op.value),
        OpCode::BITS_MODIFY => {
            check_bits_type(op)?;
            bits::modify(value, op.value)
        }
        OpCode::HLL_MODIFY => hll::modify(value, op.value),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Bit operations are sent as blobs, which is checked before anything else of them. All others may
/// be sent as anything.
fn check_bits_type(op: &Op<'_>) -> Result<(), ResultCode> {
    match op.particle_type {
        ParticleType::BLOB => Ok(()),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
