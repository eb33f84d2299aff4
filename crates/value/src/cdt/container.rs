//! Stored lists and maps, in one piece or taken apart into elements, and put together again.

use wire::ResultCode;

use super::DAMAGED;
use super::guide::Guide;
use crate::collection::Kind;
use crate::msgpack::{Element, Flags, Malformed, Reader, Token, write};

/// A list and its elements.
#[derive(Clone, Debug, Default)]
pub(crate) struct List<'a> {
    pub(crate) flags: Flags,
    pub(crate) elements: Vec<Element<'a>>,
}

/// A map and its pairs, in the order of their keys.
#[derive(Clone, Debug, Default)]
pub(crate) struct Map<'a> {
    pub(crate) flags: Flags,
    pub(crate) pairs: Vec<(Element<'a>, Element<'a>)>,
}

/// A list or map not taken apart: what its header says, and the bytes of its elements or pairs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Raw<'a> {
    pub(crate) kind: Kind,
    pub(crate) flags: Flags,
    /// Elements or pairs.
    pub(crate) count: usize,
    pub(crate) body: &'a [u8],
    /// Of a map that is a bin's value, what is kept beside it.
    pub(crate) guide: Guide<'a>,
}

impl<'a> Raw<'a> {
    /// Reads a value's header; `INCOMPATIBLE_TYPE` when it is of another kind.
    pub(crate) fn of_kind(kind: Kind, value: &'a [u8]) -> Result<Self, ResultCode> {
        Self::parse(value)?.filter(|raw| raw.kind == kind).ok_or(ResultCode::INCOMPATIBLE_TYPE)
    }

    /// The same with what is kept beside it. If that says that the client hinted at an index, so do
    /// the flags from here on.
    pub(crate) fn guided(self, guide: Guide<'a>) -> Self {
        let hint = if guide.is_hinted() { Flags::PERSIST_INDEX } else { Flags::NONE };
        Self { flags: Flags(self.flags.0 | hint.0), guide, ..self }
    }

    /// Reads a value's header; `None` when it is neither list nor map.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Option<Self>, ResultCode> {
        Self::read(value).map_err(|Malformed| DAMAGED)
    }

    fn read(value: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(value);
        let (kind, items) = match reader.head()?.token {
            Token::List(count) => (Kind::List, count),
            Token::Map(count) => (Kind::Map, count),
            _ => return Ok(None),
        };
        let ext = if items > 0 { reader.order_ext()? } else { None };
        let (flags, count) = ext.map_or((Flags::NONE, items), |e| (e.order_flags(), items - 1));
        if kind == Kind::Map && count < items {
            reader.element()?;
        }
        Ok(Some(Self { kind, flags, count, body: reader.rest(), guide: Guide::NONE }))
    }

    /// Whether a map says that it is ordered, in any way. The pairs of the others stand in the
    /// order of their keys as well, but the original does not rely on it, and here and there that
    /// shows.
    pub(crate) fn is_ordered_map(&self) -> bool {
        self.flags != Flags::NONE
    }

    /// Takes a list apart.
    pub(crate) fn to_list(self) -> Result<List<'a>, ResultCode> {
        let mut reader = Reader::new(self.body);
        let elements = (0..self.count).map(|_| reader.element());
        let elements = elements.collect::<Result<_, _>>().map_err(|Malformed| DAMAGED)?;
        Ok(List { flags: self.flags, elements })
    }

    /// Takes a map apart.
    pub(crate) fn to_map(self) -> Result<Map<'a>, ResultCode> {
        let mut reader = Reader::new(self.body);
        let pairs = (0..self.count).map(|_| Ok((reader.element()?, reader.element()?)));
        let pairs = pairs.collect::<Result<_, Malformed>>().map_err(|Malformed| DAMAGED)?;
        Ok(Map { flags: self.flags, pairs })
    }

    /// The same with other elements or pairs: `parts`, one after the other.
    pub(crate) fn with(&self, count: usize, parts: &[&[u8]]) -> Vec<u8> {
        let size_bytes = parts.iter().map(|part| part.len()).sum::<usize>() + HEADER_BYTES_MAX;
        let mut out = Vec::with_capacity(size_bytes);
        match self.kind {
            Kind::List => write::list_start(&mut out, count, self.flags),
            Kind::Map => write::map_start(&mut out, count, self.flags),
        }
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out
    }
}

/// Bytes of the longest header: a count of four bytes, the order extension and its nil.
const HEADER_BYTES_MAX: usize = 9;

impl List<'_> {
    /// The stored form of a list.
    pub(crate) fn encode<'b>(
        flags: Flags,
        elements: impl ExactSizeIterator<Item = Element<'b>>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        write::list_start(&mut out, elements.len(), flags);
        elements.for_each(|element| out.extend_from_slice(element.bytes()));
        out
    }

    /// The stored form of a list without elements.
    pub(crate) fn empty(flags: Flags) -> Vec<u8> {
        Self::encode(flags, std::iter::empty())
    }

    pub(crate) fn is_ordered(&self) -> bool {
        self.flags.is_ordered()
    }
}

impl Map<'_> {
    /// The stored form of a map; the pairs must be in the order of their keys.
    pub(crate) fn encode<'b>(
        flags: Flags,
        pairs: impl ExactSizeIterator<Item = (Element<'b>, Element<'b>)>,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        write::map_start(&mut out, pairs.len(), flags);
        for (key, value) in pairs {
            out.extend_from_slice(key.bytes());
            out.extend_from_slice(value.bytes());
        }
        out
    }

    /// The stored form of a map without pairs.
    pub(crate) fn empty(flags: Flags) -> Vec<u8> {
        Self::encode(flags, std::iter::empty())
    }

    /// See [`Raw::is_ordered_map`].
    pub(crate) fn is_ordered(&self) -> bool {
        self.flags != Flags::NONE
    }
}
