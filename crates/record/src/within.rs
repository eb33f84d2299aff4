//! Operations that work within a value: on the bits of a blob, on a sketch.

use value::cdt::Modified;
use value::operation::Answer;
use value::scalar::Existing;
use value::{bits, hll};
use wire::{Op, OpCode, ParticleType, ResultCode};

use crate::apply::unsupported;

/// Runs an operation that reads a bin which exists.
///
/// # Errors
/// Those of [`bits::read`] and [`hll::read`].
pub(crate) fn read<'a>(
    op: &Op<'_>,
    bin: (ParticleType, &'a [u8]),
) -> Result<Answer<'a>, ResultCode> {
    match op.code {
        OpCode::BITS_READ => {
            check_bits_type(op)?;
            bits::read(bin, op.value)
        }
        OpCode::HLL_READ => hll::read(bin, op.value),
        code => Err(unsupported(code)),
    }
}

/// Runs an operation that modifies a bin or creates it.
///
/// # Errors
/// Those of [`bits::modify`] and [`hll::modify`].
pub(crate) fn modify(op: &Op<'_>, existing: Existing<'_>) -> Result<Modified, ResultCode> {
    match op.code {
        OpCode::BITS_MODIFY => {
            check_bits_type(op)?;
            bits::modify(existing, op.value)
        }
        OpCode::HLL_MODIFY => hll::modify(existing, op.value),
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
