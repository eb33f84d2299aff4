//! What operations on blobs and on sketches have in common: how they are sent, their policy flags
//! (`reference`: bits-hll.md, A1, A4, B2 and B5).
//!
//! An operation's value is the msgpack list `[code, argument, …]`; arguments at the end may be left
//! out. Bytes behind the list are ignored, everything else that is wrong with it is a `PARAMETER`
//! error.

use wire::{ParticleType, ResultCode};

use crate::cdt::Modified;
use crate::msgpack::{Malformed, Reader, Token};
use crate::particle::StoredBytes;

/// What an operation that reads answers: the type and the bytes of the reply's value.
pub type Answer<'a> = (ParticleType, StoredBytes<'a>);

impl Modified {
    /// Nothing happened.
    pub(crate) const NOTHING: Self = Self { bin: None, guide: Vec::new(), answer: None };
}

/// An integer as a reply carries it.
pub(crate) fn integer_answer<'a>(value: u64) -> Answer<'a> {
    (ParticleType::INTEGER, StoredBytes::Word(value.to_be_bytes()))
}

/// Flags that say when an operation may do something, and what happens when it may not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy(u64);

impl Policy {
    /// Fail if the bin exists.
    pub(crate) const CREATE_ONLY: u64 = 1;
    /// Fail if the bin is missing.
    pub(crate) const UPDATE_ONLY: u64 = 2;
    /// Where the operation cannot be applied, do nothing instead of failing.
    pub(crate) const NO_FAIL: u64 = 4;
    /// Of bits: change what is there of a range that extends past the blob's end.
    pub(crate) const PARTIAL: u64 = 8;
    /// Of sketches: a union may lower the bin's number of registers, or drop its minhash bits.
    pub(crate) const ALLOW_FOLD: u64 = 8;

    /// Checks flags that a client sent against those that the operation knows.
    pub(crate) fn new(flags: u64, known: u64) -> Result<Self, ResultCode> {
        const CONTRADICTION: u64 = Policy::CREATE_ONLY | Policy::UPDATE_ONLY;
        if flags & !known != 0 || flags & CONTRADICTION == CONTRADICTION {
            return Err(ResultCode::PARAMETER);
        }
        Ok(Self(flags))
    }

    pub(crate) fn has(self, flag: u64) -> bool {
        self.0 & flag != 0
    }

    /// The operation cannot be applied: nothing happens, or it fails with `code`.
    pub(crate) fn refuse<T>(self, code: ResultCode) -> Result<Option<T>, ResultCode> {
        if self.has(Self::NO_FAIL) { Ok(None) } else { Err(code) }
    }
}

/// The arguments of an operation, read one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arguments<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Arguments<'a> {
    /// Reads an operation's code. The original keeps 32 bits of it.
    pub(crate) fn parse(operation: &'a [u8]) -> Result<(u32, Self), ResultCode> {
        let mut reader = Reader::new(operation);
        let count = list_header(&mut reader)?;
        let mut arguments = Self { left: count, reader };
        let code = arguments.integer()?;
        Ok((code as u32, arguments))
    }

    /// All arguments are read; more are an error.
    pub(crate) fn finish(self) -> Result<(), ResultCode> {
        if self.left == 0 { Ok(()) } else { Err(ResultCode::PARAMETER) }
    }

    /// An integer; a negative one as its two's complement.
    pub(crate) fn integer(&mut self) -> Result<u64, ResultCode> {
        match self.scalar()? {
            Token::Unsigned(value) => Ok(value),
            Token::Negative(value) => Ok(value.cast_unsigned()),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// An integer that may be left out.
    pub(crate) fn optional_integer(&mut self) -> Result<Option<u64>, ResultCode> {
        if self.left == 0 { Ok(None) } else { self.integer().map(Some) }
    }

    /// Policy flags that may be left out; they must be among the `known` ones.
    pub(crate) fn policy(&mut self, known: u64) -> Result<Policy, ResultCode> {
        Policy::new(self.optional_integer()?.unwrap_or_default(), known)
    }

    /// A boolean.
    pub(crate) fn boolean(&mut self) -> Result<bool, ResultCode> {
        match self.scalar()? {
            Token::Bool(value) => Ok(value),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// A string or blob without its leading particle type, whichever it is.
    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], ResultCode> {
        payload(self.scalar()?)
    }

    /// An argument that is a list of at least one element, or, if `one_will_do`, one element as it
    /// is. Each element passes through `check`; they can be read again from what is returned.
    pub(crate) fn elements<T>(
        &mut self,
        one_will_do: bool,
        check: impl Fn(&mut Reader<'a>) -> Result<T, ResultCode>,
    ) -> Result<Elements<'a>, ResultCode> {
        self.take()?;
        let before = self.reader;
        let count = match list_header(&mut self.reader) {
            Ok(count) => count,
            Err(_) if one_will_do => {
                self.reader = before;
                1
            }
            Err(code) => return Err(code),
        };
        if count == 0 {
            return Err(ResultCode::PARAMETER);
        }
        let elements = Elements { count, reader: self.reader };
        for _ in 0..count {
            check(&mut self.reader)?;
        }
        Ok(elements)
    }

    fn scalar(&mut self) -> Result<Token<'a>, ResultCode> {
        self.take()?;
        Ok(self.reader.head().map_err(malformed)?.token)
    }

    fn take(&mut self) -> Result<(), ResultCode> {
        self.left = self.left.checked_sub(1).ok_or(ResultCode::PARAMETER)?;
        Ok(())
    }
}

/// Elements of an argument, each of which was checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elements<'a> {
    pub(crate) count: usize,
    pub(crate) reader: Reader<'a>,
}

/// The bytes of a string or blob behind its leading particle type.
pub(crate) fn payload(token: Token<'_>) -> Result<&[u8], ResultCode> {
    match token {
        Token::Bytes([_, bytes @ ..]) => Ok(bytes),
        _ => Err(ResultCode::PARAMETER),
    }
}

pub(crate) fn malformed(_: Malformed) -> ResultCode {
    ResultCode::PARAMETER
}

fn list_header(reader: &mut Reader<'_>) -> Result<usize, ResultCode> {
    match reader.head().map_err(malformed)?.token {
        Token::List(count) => Ok(count),
        _ => Err(ResultCode::PARAMETER),
    }
}
