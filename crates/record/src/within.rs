//! Operations that work within a value: a list or map, the bits of a blob, a sketch.

use value::cdt::{Bin, Modified, Stored};
use value::operation::Answer;
use value::{StoredBytes, bits, cdt, hll};
use wire::{Op, OpCode, ParticleType, ResultCode};

use crate::apply::unsupported;

/// Runs an operation that reads a bin which exists. `None`: there is nothing to answer.
///
/// # Errors
/// Those of [`cdt::read`], [`bits::read`] and [`hll::read`].
pub(crate) fn read<'a>(op: &Op<'_>, bin: Stored<'a>) -> Result<Option<Answer<'a>>, ResultCode> {
    match op.code {
        OpCode::CDT_READ => {
            let answer = cdt::read(bin, op.value)?;
            Ok(answer.map(|(particle_type, value)| (particle_type, StoredBytes::Owned(value))))
        }
        OpCode::BITS_READ => {
            check_bits_type(op)?;
            bits::read(bin.into(), op.value).map(Some)
        }
        OpCode::HLL_READ => hll::read(bin.into(), op.value).map(Some),
        code => Err(unsupported(code)),
    }
}

/// Runs an operation that modifies a bin or creates it.
///
/// # Errors
/// Those of [`cdt::modify`], [`bits::modify`] and [`hll::modify`].
pub(crate) fn modify(op: &Op<'_>, bin: Bin<'_>) -> Result<Modified, ResultCode> {
    match op.code {
        OpCode::CDT_MODIFY => cdt::modify(bin, op.value),
        OpCode::BITS_MODIFY => {
            check_bits_type(op)?;
            bits::modify(bin.map(Stored::into), op.value)
        }
        OpCode::HLL_MODIFY => hll::modify(bin.map(Stored::into), op.value),
        code => Err(unsupported(code)),
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
