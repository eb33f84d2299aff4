//! Counting inside lists and maps: integers and doubles, and what adding one to the other gives.

use wire::ResultCode;

use crate::msgpack::{Element, Token, write};

/// A number inside a list or map.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Number {
    Integer(i64),
    Double(f64),
}

impl Number {
    /// Reads a delta: 1 if it is nil or left out.
    pub(crate) fn delta(delta: Option<Element<'_>>) -> Result<Self, ResultCode> {
        Ok(delta.map(Self::read).transpose()?.flatten().unwrap_or(Self::Integer(1)))
    }

    /// What an element becomes when this is added; what is missing becomes this. An element keeps
    /// its kind of number, and integers wrap.
    pub(crate) fn added_to(self, element: Option<Element<'_>>) -> Result<Self, ResultCode> {
        let Some(element) = element else { return Ok(self) };
        match Self::read(element)?.ok_or(ResultCode::PARAMETER)? {
            Self::Integer(value) => Ok(Self::Integer(value.wrapping_add(self.to_integer()))),
            Self::Double(value) => Ok(Self::Double(value + self.to_double())),
        }
    }

    /// The number with its sign turned.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Integer(value) => Self::Integer(value.wrapping_neg()),
            Self::Double(value) => Self::Double(-value),
        }
    }

    /// The number as an element.
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Integer(value) => write::integer(&mut out, value),
            Self::Double(value) => write::double(&mut out, value),
        }
        out
    }

    fn read(element: Element<'_>) -> Result<Option<Self>, ResultCode> {
        match element.reader().head()?.token {
            Token::Nil => Ok(None),
            Token::Unsigned(value) => Ok(Some(Self::Integer(value.cast_signed()))),
            Token::Negative(value) => Ok(Some(Self::Integer(value))),
            Token::Double(value) => Ok(Some(Self::Double(value))),
            _ => Err(ResultCode::PARAMETER),
        }
    }

    fn to_integer(self) -> i64 {
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;
        match self {
            Self::Integer(value) => value,
            Self::Double(value) if (-LIMIT..LIMIT).contains(&value) => value as i64,
            // What the original's processor makes of it.
            Self::Double(_) => i64::MIN,
        }
    }

    fn to_double(self) -> f64 {
        match self {
            Self::Integer(value) => value as f64,
            Self::Double(value) => value,
        }
    }
}
