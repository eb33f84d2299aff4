//! Expressions as operations of a request (`reference`: expressions.md, section 7).

use value::msgpack::{Reader, Token};
use wire::{ParticleType, ResultCode};

use crate::Invalid;
use crate::eval::Evaluation;
use crate::program::Program;
use crate::values::Particle;
use crate::view::RecordView;
use value::StoredBytes;

/// An operation that evaluates an expression.
#[derive(Debug)]
pub struct Operation<'a> {
    program: Program<'a>,
    flags: u64,
}

/// The bin must not be there.
const CREATE_ONLY: u64 = 1;
/// The bin must be there.
const UPDATE_ONLY: u64 = 2;
/// Nil deletes the bin.
const ALLOW_DELETE: u64 = 4;
/// What the flags above forbid is left undone without an error.
const POLICY_NO_FAIL: u64 = 8;
/// An unknown value is left unread or unwritten without an error.
const EVAL_NO_FAIL: u64 = 16;

const MODIFY_FLAGS: u64 = CREATE_ONLY | UPDATE_ONLY | ALLOW_DELETE | POLICY_NO_FAIL | EVAL_NO_FAIL;

/// What an operation does to its bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<'v> {
    /// Nothing.
    Keep,
    /// It goes.
    Remove,
    /// It takes this type and these stored bytes.
    Set(ParticleType, StoredBytes<'v>),
}

impl<'a> Operation<'a> {
    /// Builds an operation that reads, from its value.
    ///
    /// # Errors
    /// [`Invalid`] if it is not a list of an expression and flags, if flags are set that are not for
    /// reading, or if the expression is invalid.
    pub fn to_read(value: &'a [u8]) -> Result<Self, Invalid> {
        Self::build(value, EVAL_NO_FAIL)
    }

    /// Builds an operation that writes, from its value.
    ///
    /// # Errors
    /// Those of [`Self::to_read`].
    pub fn to_modify(value: &'a [u8]) -> Result<Self, Invalid> {
        Self::build(value, MODIFY_FLAGS)
    }

    fn build(value: &'a [u8], known_flags: u64) -> Result<Self, Invalid> {
        let mut reader = Reader::new(value);
        let Token::List(1..=2) = reader.head()?.token else { return Err(Invalid) };
        let expression = reader.element()?;
        // Like the original: flags that are no integer are none.
        let flags = match reader.head().map(|head| head.token) {
            Ok(Token::Unsigned(flags)) => flags,
            Ok(Token::Negative(flags)) => flags.cast_unsigned(),
            _ => 0,
        };
        if flags & !known_flags != 0 {
            return Err(Invalid);
        }
        Ok(Self { program: Program::build(expression.bytes())?, flags })
    }

    /// The value to reply; `None` is nil, also in place of a value that is unknown and may be.
    ///
    /// # Errors
    /// `OP_NOT_APPLICABLE` if the value is unknown.
    pub fn read<'v>(&'v self, record: &'v dyn RecordView) -> Result<Particle<'v>, ResultCode> {
        Ok(self.evaluate(record)?.unwrap_or_default())
    }

    /// What becomes of the bin with this name.
    ///
    /// # Errors
    /// - `BIN_EXISTS`, `BIN_NOT_FOUND`: the bin is there and must not be, or the other way round.
    /// - `OP_NOT_APPLICABLE`: the value is unknown, or it is nil and the bin may not be deleted.
    pub fn modify<'v>(
        &'v self,
        record: &'v dyn RecordView,
        bin: &[u8],
    ) -> Result<Change<'v>, ResultCode> {
        let exists = record.bin(bin).is_some();
        let (forbidding, result) = match exists {
            true => (CREATE_ONLY, ResultCode::BIN_EXISTS),
            false => (UPDATE_ONLY, ResultCode::BIN_NOT_FOUND),
        };
        if self.has(forbidding) {
            return if self.has(POLICY_NO_FAIL) { Ok(Change::Keep) } else { Err(result) };
        }
        match self.evaluate(record)? {
            None => Ok(Change::Keep),
            Some(Some((particle_type, value))) => Ok(Change::Set(particle_type, value)),
            Some(None) if !exists => Ok(Change::Keep),
            Some(None) if self.has(ALLOW_DELETE) => Ok(Change::Remove),
            // The original looks at whether there are flags at all, not at which.
            Some(None) if self.flags != 0 => Ok(Change::Keep),
            Some(None) => Err(ResultCode::OP_NOT_APPLICABLE),
        }
    }

    /// The value; `None` if it is unknown and may be.
    fn evaluate<'v>(
        &'v self,
        record: &'v dyn RecordView,
    ) -> Result<Option<Particle<'v>>, ResultCode> {
        let value = Evaluation::of_record(&self.program, record).run();
        match value.and_then(|value| value.into_particle()) {
            Ok(particle) => Ok(Some(particle)),
            Err(_) if self.has(EVAL_NO_FAIL) => Ok(None),
            Err(_) => Err(ResultCode::OP_NOT_APPLICABLE),
        }
    }

    fn has(&self, flag: u64) -> bool {
        self.flags & flag != 0
    }
}
