//! What an operation answers: the return types, and values taken out of lists and maps.

use std::ops::Range;

use wire::{ParticleType, ResultCode};

use super::container::Map;
use crate::msgpack::{Element, Flags, Token, write};

/// The value an operation returns, as it goes into a reply; `None` where the reply has a null.
pub type Answer = Option<(ParticleType, Vec<u8>)>;

/// What to tell of the elements that an operation selects: the low 16 bits of its first parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReturnType {
    /// Nothing.
    None,
    /// Index, counted from the front or from the back.
    Index {
        /// From the back.
        reverse: bool,
    },
    /// Rank, counted from the smallest or from the greatest value.
    Rank {
        /// From the greatest.
        reverse: bool,
    },
    /// How many there are.
    Count,
    /// Of a map, their keys.
    Key,
    /// Their values.
    Value,
    /// Of a map, keys and values, as a map with these flags.
    Map(Flags),
    /// First index and count.
    IndexRange {
        /// Counted from the back.
        reverse: bool,
    },
    /// First rank and count.
    RankRange {
        /// Counted from the greatest.
        reverse: bool,
    },
    /// Whether there are any.
    Exists,
}

/// How an operation selects and what it returns.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// What to tell.
    pub return_type: ReturnType,
    /// Select everything else.
    pub is_inverted: bool,
    /// The operation can select several elements, so that it answers with lists.
    pub is_multi: bool,
}

/// Selects everything except what matches.
const INVERTED: u64 = 0x1_0000;
const RETURN_TYPE_MASK: u64 = 0xffff;

impl Request {
    /// Reads the return parameter of a list operation.
    ///
    /// # Errors
    /// `OP_NOT_APPLICABLE` for return types that lists do not have: keys, maps, unknown ones.
    pub fn of_list(parameter: u64, is_multi: bool) -> Result<Self, ResultCode> {
        match Self::of_map(parameter, is_multi)? {
            Self { return_type: ReturnType::Key | ReturnType::Map(_), .. } => {
                Err(ResultCode::OP_NOT_APPLICABLE)
            }
            request => Ok(request),
        }
    }

    /// Reads the return parameter of a map operation.
    ///
    /// # Errors
    /// `OP_NOT_APPLICABLE` for unknown return types.
    pub fn of_map(parameter: u64, is_multi: bool) -> Result<Self, ResultCode> {
        use ReturnType::*;
        let return_type = match parameter & RETURN_TYPE_MASK {
            0 => None,
            1 => Index { reverse: false },
            2 => Index { reverse: true },
            3 => Rank { reverse: false },
            4 => Rank { reverse: true },
            5 => Count,
            6 => Key,
            7 => Value,
            8 => Map(Flags::MAP_PRESERVE_ORDER),
            9 => IndexRange { reverse: false },
            10 => IndexRange { reverse: true },
            11 => RankRange { reverse: false },
            12 => RankRange { reverse: true },
            13 => Exists,
            16 => Map(Flags::NONE),
            17 => Map(Flags::MAP_KEY_ORDERED),
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        };
        Ok(Self { return_type, is_inverted: is_inverted(parameter), is_multi })
    }

    /// A request that answers in one way only.
    pub fn plain(return_type: ReturnType, is_multi: bool) -> Self {
        Self { return_type, is_inverted: false, is_multi }
    }

    /// The same with everything that matches selected.
    pub fn not_inverted(self) -> Self {
        Self { is_inverted: false, ..self }
    }

    /// Whether the answer is a start and a count.
    pub fn is_range(&self) -> bool {
        self.is_index_range() || self.is_rank_range()
    }

    /// Whether the answer is a first index and a count.
    pub fn is_index_range(&self) -> bool {
        matches!(self.return_type, ReturnType::IndexRange { .. })
    }

    /// Whether the answer is a first rank and a count.
    pub fn is_rank_range(&self) -> bool {
        matches!(self.return_type, ReturnType::RankRange { .. })
    }

    /// The answer when nothing is selected; `index` is where it would have been, or -1.
    pub fn nothing(&self, index: i64) -> Answer {
        match self.return_type {
            ReturnType::None => None,
            ReturnType::IndexRange { .. } | ReturnType::RankRange { .. } => empty_range(index),
            ReturnType::Count => integer(0),
            ReturnType::Exists => boolean(false),
            ReturnType::Key | ReturnType::Value if !self.is_multi => None,
            ReturnType::Map(flags) => pairs(flags, std::iter::empty()),
            _ if self.is_multi => integers([]),
            _ => integer(-1),
        }
    }

    /// The answer when a contiguous range of `total` indexes or ranks matches, for the return types
    /// that ask for numbers.
    ///
    /// # Errors
    /// `OP_NOT_APPLICABLE` when the return type is none of those, or a range and inverted.
    pub fn numbers(&self, matching: Range<usize>, total: usize) -> Result<Answer, ResultCode> {
        let selected = if self.is_inverted { total - matching.len() } else { matching.len() };
        Ok(match self.return_type {
            ReturnType::None => None,
            ReturnType::Count => integer(selected as i64),
            // Inverted it does not ask for the others, but whether there is no match.
            ReturnType::Exists => boolean(matching.is_empty() == self.is_inverted),
            ReturnType::Index { reverse } | ReturnType::Rank { reverse } => {
                if !self.is_multi && matching.is_empty() {
                    integer(-1)
                } else if !self.is_multi {
                    integer(counted(matching.start, total, reverse) as i64)
                } else if self.is_inverted {
                    number_list(&[0..matching.start, matching.end..total], total, reverse)
                } else {
                    number_list(&[matching], total, reverse)
                }
            }
            ReturnType::IndexRange { reverse } | ReturnType::RankRange { reverse }
                if !self.is_inverted =>
            {
                let start = if reverse { total - matching.end } else { matching.start };
                integers([start, matching.len()])
            }
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        })
    }

    /// The answer that names selected positions among `total`: all of them, or the first, -1 without any.
    pub fn positions(&self, positions: &[usize], total: usize, reverse: bool) -> Answer {
        let mut numbers = positions.iter().map(|&position| counted(position, total, reverse));
        if self.is_multi {
            return integers(numbers);
        }
        integer(numbers.next().map_or(-1, |number| number as i64))
    }

    /// The answer that gives selected elements: all of them, or the first, nothing without any.
    ///
    /// # Errors
    /// Those of [`element`].
    pub fn elements<'a>(
        &self,
        selected: impl IntoIterator<Item = Element<'a>>,
    ) -> Result<Answer, ResultCode> {
        if self.is_multi {
            return Ok(elements(selected));
        }
        selected.into_iter().next().map_or(Ok(None), element)
    }
}

/// Whether a return parameter asks for everything except what matches.
pub(crate) fn is_inverted(parameter: u64) -> bool {
    parameter & INVERTED != 0
}

/// A position among `total`, from the front or from the back.
pub fn counted(position: usize, total: usize, reverse: bool) -> usize {
    if reverse { total - 1 - position } else { position }
}

/// Ranges of positions as a list; each reversed range counts up from its end.
pub fn number_list(ranges: &[Range<usize>], total: usize, reverse: bool) -> Answer {
    integers(
        ranges
            .iter()
            .cloned()
            .flat_map(|range| if reverse { total - range.end..total - range.start } else { range }),
    )
}

/// An integer.
pub fn integer(value: i64) -> Answer {
    Some((ParticleType::INTEGER, value.to_be_bytes().to_vec()))
}

/// A boolean.
pub fn boolean(value: bool) -> Answer {
    Some((ParticleType::BOOL, vec![u8::from(value)]))
}

/// A list of integers.
pub fn integers(values: impl IntoIterator<Item = usize>) -> Answer {
    let mut body = Vec::new();
    let mut count = 0;
    for value in values {
        write::unsigned(&mut body, value as u64);
        count += 1;
    }
    list(count, &body)
}

/// A list of elements.
pub fn elements<'a>(elements: impl IntoIterator<Item = Element<'a>>) -> Answer {
    let mut body = Vec::new();
    let mut count = 0;
    for element in elements {
        body.extend_from_slice(element.bytes());
        count += 1;
    }
    list(count, &body)
}

/// A map of pairs, in the order given.
pub fn pairs<'a>(
    flags: Flags,
    pairs: impl ExactSizeIterator<Item = (Element<'a>, Element<'a>)>,
) -> Answer {
    Some((ParticleType::MAP, Map::encode(flags, pairs)))
}

fn empty_range(start: i64) -> Answer {
    let mut body = Vec::new();
    write::integer(&mut body, start);
    write::integer(&mut body, 0);
    list(2, &body)
}

fn list(count: usize, body: &[u8]) -> Answer {
    let mut bytes = Vec::with_capacity(body.len() + 5);
    write::list_header(&mut bytes, count);
    bytes.extend_from_slice(body);
    Some((ParticleType::LIST, bytes))
}

/// An element as a value of its own.
///
/// # Errors
/// `UNKNOWN` for an extension value: no particle type holds one.
pub fn element(element: Element<'_>) -> Result<Answer, ResultCode> {
    let head = element.reader().head().map_err(|_| super::DAMAGED)?;
    Ok(match head.token {
        Token::Nil => None,
        Token::Bool(value) => boolean(value),
        Token::Unsigned(value) => integer(value.cast_signed()),
        Token::Negative(value) => integer(value),
        Token::Double(value) => Some((ParticleType::FLOAT, value.to_be_bytes().to_vec())),
        Token::Bytes(payload) => Some(bytes(payload)),
        Token::List(_) => Some((ParticleType::LIST, element.bytes().to_vec())),
        Token::Map(_) => Some((ParticleType::MAP, element.bytes().to_vec())),
        Token::Ext(_) => return Err(ResultCode::UNKNOWN),
    })
}

fn bytes(payload: &[u8]) -> (ParticleType, Vec<u8>) {
    match payload.split_first() {
        None => (ParticleType::BLOB, Vec::new()),
        Some((&kind, text)) if ParticleType(kind) == ParticleType::STRING => {
            (ParticleType::STRING, text.to_vec())
        }
        // No cells: they are computed when a client writes the value.
        Some((&kind, text)) if ParticleType(kind) == ParticleType::GEOJSON => {
            (ParticleType::GEOJSON, [&[0, 0, 0], text].concat())
        }
        Some((_, data)) => (ParticleType::BLOB, data.to_vec()),
    }
}
