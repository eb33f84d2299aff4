//! Stored lists and maps, taken apart into elements and put together again.

use wire::ResultCode;

use super::DAMAGED;
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

/// A list or a map.
#[derive(Clone, Debug)]
pub(crate) enum Container<'a> {
    List(List<'a>),
    Map(Map<'a>),
}

impl<'a> Container<'a> {
    /// Takes a value apart; `None` when it is neither list nor map.
    pub(crate) fn parse(value: &'a [u8]) -> Result<Option<Self>, ResultCode> {
        Self::read(value).map_err(|Malformed| DAMAGED)
    }

    fn read(value: &'a [u8]) -> Result<Option<Self>, Malformed> {
        let mut reader = Reader::new(value);
        match reader.head()?.token {
            Token::List(count) => {
                let (flags, count) = order(&mut reader, count)?;
                let elements = (0..count).map(|_| reader.element()).collect::<Result<_, _>>()?;
                Ok(Some(Self::List(List { flags, elements })))
            }
            Token::Map(count) => {
                let (flags, pairs) = order(&mut reader, count)?;
                if pairs < count {
                    reader.element()?;
                }
                let pairs = (0..pairs)
                    .map(|_| Ok((reader.element()?, reader.element()?)))
                    .collect::<Result<_, _>>()?;
                Ok(Some(Self::Map(Map { flags, pairs })))
            }
            _ => Ok(None),
        }
    }
}

/// Reads the order extension, if there is one, and returns how many items follow it.
fn order(reader: &mut Reader<'_>, count: usize) -> Result<(Flags, usize), Malformed> {
    let ext = if count > 0 { reader.order_ext()? } else { None };
    Ok(ext.map_or((Flags::NONE, count), |head| (head.order_flags(), count - 1)))
}

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

    /// Whether the map says that it is ordered, in any way. The pairs of the others stand in the
    /// order of their keys as well, but the original does not rely on it, and here and there that
    /// shows.
    pub(crate) fn is_ordered(&self) -> bool {
        self.flags != Flags::NONE
    }
}
