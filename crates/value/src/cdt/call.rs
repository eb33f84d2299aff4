//! An operation's value: operation code, parameters, perhaps a context around them.
//!
//! The usual form is the msgpack list `[code, parameter, …]`, or `[0xff, context, [code, parameter,
//! …]]` for a nested list or map. Very old clients send two bytes of code and then, if there are
//! any, a list of the parameters. Whatever is malformed is a `PARAMETER` error.

use wire::ResultCode;

use crate::msgpack::{Element, Malformed, Reader, Token};

/// First item of an operation with a context.
const CONTEXT: u64 = 0xff;
/// From this code on, operations are map operations; those below are list operations.
const MAP_OPERATIONS_FROM: u64 = 64;
/// Items that a parameter list of values may have.
const PARAMETER_LIST_COUNT_MAX: usize = 1 << 20;

/// An operation code with its parameters not yet read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) code: u64,
    count: usize,
    reader: Reader<'a>,
}

impl From<Malformed> for ResultCode {
    /// Malformed operation values; stored values have a code of their own.
    fn from(_: Malformed) -> Self {
        ResultCode::PARAMETER
    }
}

impl<'a> Call<'a> {
    /// Reads an operation's value up to its parameters.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Self, ResultCode> {
        match *value {
            [0, code, ref parameters @ ..] => Self::parse_legacy(code.into(), parameters),
            _ => Self::read(&mut Reader::new(value)),
        }
    }

    fn parse_legacy(code: u64, parameters: &'a [u8]) -> Result<Self, ResultCode> {
        let mut reader = Reader::new(parameters);
        let count = if parameters.is_empty() { 0 } else { list_count(&mut reader)? };
        Ok(Self { code, count, reader })
    }

    /// Reads `[code, …` at a reader's position.
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, ResultCode> {
        let count = list_count(reader)?.checked_sub(1).ok_or(ResultCode::PARAMETER)?;
        // Like the original, do not look at the upper half.
        let code = integer(reader)? & u64::from(u32::MAX);
        Ok(Self { code, count, reader: *reader })
    }

    /// The context and what follows it, if the call has a context.
    pub(crate) fn context(&self) -> Result<Option<Reader<'a>>, ResultCode> {
        match (self.code, self.count) {
            (CONTEXT, 2) => Ok(Some(self.reader)),
            (CONTEXT, _) => Err(ResultCode::PARAMETER),
            _ => Ok(None),
        }
    }

    /// Whether the operation works on maps.
    pub(crate) fn is_for_map(&self) -> bool {
        self.code >= MAP_OPERATIONS_FROM
    }

    /// Begins to read the parameters, of which there must be `min` to `max`.
    pub(crate) fn parameters(&self, min: usize, max: usize) -> Result<Parameters<'a>, ResultCode> {
        if !(min..=max).contains(&self.count) {
            return Err(ResultCode::PARAMETER);
        }
        Ok(Parameters { left: self.count, reader: self.reader })
    }
}

/// Parameters in the order in which they were sent; those left out at the end have defaults.
pub(crate) struct Parameters<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> Parameters<'a> {
    /// An index, a rank.
    pub(crate) fn index(&mut self) -> Result<i64, ResultCode> {
        Ok(self.flags()?.cast_signed())
    }

    /// Flags that must be there, of any integer form.
    pub(crate) fn flags(&mut self) -> Result<u64, ResultCode> {
        self.next().ok_or(ResultCode::PARAMETER)?;
        integer(&mut self.reader)
    }

    /// Flags that may be left out.
    pub(crate) fn flags_or_none(&mut self) -> Result<u64, ResultCode> {
        self.next().map_or(Ok(0), |()| integer(&mut self.reader))
    }

    /// A count; left out, as many as there are.
    pub(crate) fn count_or_all(&mut self) -> Result<u64, ResultCode> {
        self.next().map_or(Ok(u32::MAX.into()), |()| integer(&mut self.reader))
    }

    /// A value to compare with.
    pub(crate) fn value(&mut self) -> Result<Element<'a>, ResultCode> {
        self.value_or_none()?.ok_or(ResultCode::PARAMETER)
    }

    /// A value that may be left out.
    pub(crate) fn value_or_none(&mut self) -> Result<Option<Element<'a>>, ResultCode> {
        self.next().map(|()| Ok(self.reader.element()?)).transpose()
    }

    fn next(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

/// The values of a parameter that is a list of values.
pub(crate) fn value_list(list: Element<'_>) -> Result<Vec<Element<'_>>, ResultCode> {
    let mut reader = list.reader();
    let count = list_count(&mut reader)?;
    if count > PARAMETER_LIST_COUNT_MAX {
        return Err(ResultCode::PARAMETER);
    }
    Ok((0..count).map(|_| reader.element()).collect::<Result<_, _>>()?)
}

/// Reads a list's header.
pub(crate) fn list_count(reader: &mut Reader<'_>) -> Result<usize, ResultCode> {
    match reader.head()?.token {
        Token::List(count) => Ok(count),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Reads an integer; negative ones as two's complement.
pub(crate) fn integer(reader: &mut Reader<'_>) -> Result<u64, ResultCode> {
    match reader.head()?.token {
        Token::Unsigned(value) => Ok(value),
        Token::Negative(value) => Ok(value.cast_unsigned()),
        _ => Err(ResultCode::PARAMETER),
    }
}
