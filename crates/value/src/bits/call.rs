//! Bit operations as they are sent (`reference`: bits-hll.md, A2 to A5).

use wire::ResultCode;

use super::field::FIELD_BITS_MAX;
use crate::operation::{Arguments, Policy};

/// What a message can carry, and by that every offset and size.
pub(super) const BLOB_SIZE_BYTES_MAX: usize = 128 << 20;
const BLOB_SIZE_BITS_MAX: u64 = BLOB_SIZE_BYTES_MAX as u64 * 8;

/// Where an operation begins, in bits; a negative one counts from the blob's end.
pub(super) type Offset = i64;

/// An operation that modifies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Modification<'a> {
    Resize { size_bytes: usize, resize: Resize },
    Insert { offset: Offset, bytes: &'a [u8] },
    Remove { offset: Offset, size_bytes: usize },
    Overwrite { offset: Offset, size_bits: usize, bits: Bits<'a> },
    Number { offset: Offset, size_bits: usize, number: Number },
}

/// New bits of a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bits<'a> {
    Set(&'a [u8]),
    Or(&'a [u8]),
    Xor(&'a [u8]),
    And(&'a [u8]),
    Not,
    ShiftLeft(usize),
    ShiftRight(usize),
}

/// A new number in a range, to be cut to its size.
#[derive(Clone, Copy, Debug)]
pub(super) enum Number {
    Set(u64),
    Add { operand: u64, arithmetic: Arithmetic },
    Subtract { operand: u64, arithmetic: Arithmetic },
}

/// What is to be done when the new size is not the old one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resize {
    pub(super) from_front: bool,
    pub(super) grow_only: bool,
    pub(super) shrink_only: bool,
}

/// How to calculate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arithmetic {
    pub(super) is_signed: bool,
    pub(super) overflow: Overflow,
}

/// What is to be done with a result that does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overflow {
    Fail,
    Saturate,
    Wrap,
}

/// An operation that reads, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub(super) offset: Offset,
    pub(super) size_bits: usize,
    pub(super) about: About,
}

/// What to tell of a range.
#[derive(Clone, Copy, Debug)]
pub(super) enum About {
    Bits,
    Count,
    First(bool),
    Last(bool),
    Number { is_signed: bool },
}

impl<'a> Modification<'a> {
    pub(super) fn parse(operation: &'a [u8]) -> Result<(Self, Policy), ResultCode> {
        const CREATING: u64 = Policy::CREATE_ONLY | Policy::UPDATE_ONLY | Policy::NO_FAIL;
        const CHANGING: u64 = Policy::UPDATE_ONLY | Policy::NO_FAIL | Policy::PARTIAL;
        const CALCULATING: u64 = Policy::UPDATE_ONLY | Policy::NO_FAIL;
        let (code, mut arguments) = Arguments::parse(operation)?;
        let args = &mut arguments;
        let (modification, policy) = match code {
            0 => {
                let size_bytes = size(args, 0..=BLOB_SIZE_BYTES_MAX as u64)?;
                let policy = args.policy(CREATING)?;
                (Self::Resize { size_bytes, resize: Resize::parse(args)? }, policy)
            }
            1 => {
                let offset = byte_offset(args)?;
                let bytes = args.bytes()?;
                if bytes.is_empty() {
                    return Err(ResultCode::PARAMETER);
                }
                (Self::Insert { offset, bytes }, args.policy(CREATING)?)
            }
            2 => {
                let offset = byte_offset(args)?;
                let size_bytes = size(args, 1..=BLOB_SIZE_BYTES_MAX as u64)?;
                (Self::Remove { offset, size_bytes }, args.policy(CHANGING)?)
            }
            3..=9 => {
                let offset = bit_offset(args)?;
                let size_bits = size(args, 1..=BLOB_SIZE_BITS_MAX)?;
                let bits = Bits::parse(code, size_bits, args)?;
                (Self::Overwrite { offset, size_bits, bits }, args.policy(CHANGING)?)
            }
            10..=12 => {
                let offset = bit_offset(args)?;
                let size_bits = size(args, 1..=FIELD_BITS_MAX as u64)?;
                let operand = args.integer()?;
                let policy = args.policy(CALCULATING)?;
                let number = match code {
                    10 => Number::Add { operand, arithmetic: Arithmetic::parse(args)? },
                    11 => Number::Subtract { operand, arithmetic: Arithmetic::parse(args)? },
                    _ => Number::Set(operand),
                };
                (Self::Number { offset, size_bits, number }, policy)
            }
            _ => return Err(ResultCode::PARAMETER),
        };
        arguments.finish()?;
        Ok((modification, policy))
    }

    /// Whether the operation can do without a bin.
    pub(super) fn creates(&self) -> bool {
        matches!(self, Self::Resize { .. } | Self::Insert { .. })
    }
}

impl<'a> Bits<'a> {
    fn parse(code: u32, size_bits: usize, args: &mut Arguments<'a>) -> Result<Self, ResultCode> {
        match code {
            7 => return Ok(Self::Not),
            8 => return Ok(Self::ShiftLeft(size(args, 0..=BLOB_SIZE_BITS_MAX)?)),
            9 => return Ok(Self::ShiftRight(size(args, 0..=BLOB_SIZE_BITS_MAX)?)),
            _ => {}
        }
        let operand = args.bytes()?;
        if operand.len().saturating_mul(8) < size_bits {
            return Err(ResultCode::PARAMETER);
        }
        match code {
            3 => Ok(Self::Set(operand)),
            4 => Ok(Self::Or(operand)),
            5 => Ok(Self::Xor(operand)),
            6 => Ok(Self::And(operand)),
            _ => Err(ResultCode::PARAMETER),
        }
    }
}

impl Resize {
    fn parse(args: &mut Arguments<'_>) -> Result<Self, ResultCode> {
        const FROM_FRONT: u64 = 1;
        const GROW_ONLY: u64 = 2;
        const SHRINK_ONLY: u64 = 4;
        let flags = subflags(args, FROM_FRONT | GROW_ONLY | SHRINK_ONLY)?;
        let (grow_only, shrink_only) = (flags & GROW_ONLY != 0, flags & SHRINK_ONLY != 0);
        if grow_only && shrink_only {
            return Err(ResultCode::PARAMETER);
        }
        Ok(Self { from_front: flags & FROM_FRONT != 0, grow_only, shrink_only })
    }
}

const SIGNED: u64 = 1;

impl Arithmetic {
    fn parse(args: &mut Arguments<'_>) -> Result<Self, ResultCode> {
        const SATURATE: u64 = 2;
        const WRAP: u64 = 4;
        let flags = subflags(args, SIGNED | SATURATE | WRAP)?;
        let overflow = match flags & (SATURATE | WRAP) {
            0 => Overflow::Fail,
            SATURATE => Overflow::Saturate,
            WRAP => Overflow::Wrap,
            _ => return Err(ResultCode::PARAMETER),
        };
        Ok(Self { is_signed: flags & SIGNED != 0, overflow })
    }
}

impl Question {
    pub(super) fn parse(operation: &[u8]) -> Result<Self, ResultCode> {
        let (code, mut arguments) = Arguments::parse(operation)?;
        let args = &mut arguments;
        let offset = bit_offset(args)?;
        let size_bits_max = if code == 54 { FIELD_BITS_MAX as u64 } else { BLOB_SIZE_BITS_MAX };
        let size_bits = size(args, 1..=size_bits_max)?;
        let about = match code {
            50 => About::Bits,
            51 => About::Count,
            52 => About::First(args.boolean()?),
            53 => About::Last(args.boolean()?),
            54 => About::Number { is_signed: subflags(args, SIGNED)? != 0 },
            _ => return Err(ResultCode::PARAMETER),
        };
        arguments.finish()?;
        Ok(Self { offset, size_bits, about })
    }
}

fn byte_offset(args: &mut Arguments<'_>) -> Result<Offset, ResultCode> {
    Ok(offset(args, BLOB_SIZE_BYTES_MAX as u64)? * 8)
}

fn bit_offset(args: &mut Arguments<'_>) -> Result<Offset, ResultCode> {
    offset(args, BLOB_SIZE_BITS_MAX)
}

fn offset(args: &mut Arguments<'_>, max: u64) -> Result<Offset, ResultCode> {
    match args.integer()?.cast_signed() {
        // The original cannot tell how far this is from 0, keeps its low 32 bits, and goes on.
        i64::MIN => Ok(0),
        offset if offset.unsigned_abs() <= max => Ok(offset),
        _ => Err(ResultCode::PARAMETER),
    }
}

fn size(
    args: &mut Arguments<'_>,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<usize, ResultCode> {
    let size = args.integer()?;
    match usize::try_from(size) {
        Ok(in_memory) if allowed.contains(&size) => Ok(in_memory),
        _ => Err(ResultCode::PARAMETER),
    }
}

fn subflags(args: &mut Arguments<'_>, known: u64) -> Result<u64, ResultCode> {
    let flags = args.optional_integer()?.unwrap_or_default();
    if flags & !known == 0 { Ok(flags) } else { Err(ResultCode::PARAMETER) }
}
