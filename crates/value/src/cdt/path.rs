//! The way to a nested list or map: a context (`reference`: cdt.md, section 9).
//!
//! A context is a list of pairs, a step's type and its value. Steps can create what is missing: the
//! first one that finds nothing must say so, and then all that follow create as well.

use std::borrow::Cow;

use wire::{ParticleType, ResultCode};

use super::container::{List, Raw};
use super::guide::{Guide, Splice};
use super::run::Change;
use super::seek::{Place, seek};
use super::{Bin, Stored, call, rank};
use crate::collection::{self, Kind};
use crate::msgpack::{Element, Flags, Reader, write};
use crate::order;

/// Elements that a list is padded with at most. More would not fit into any record.
pub(crate) const PADDING_MAX: usize = 8 << 20;

/// What a step's type consists of.
const BY_MASK: u64 = 0x0f;
const LIST: u64 = 0x10;
const MAP: u64 = 0x20;
const CREATE_ORDER_MASK: u64 = 0xc0;
const CREATE_UNBOUNDED_LIST: u64 = 0x80;
const CREATE_ORDERED_LIST: u64 = 0xc0;
const CREATE_KEY_ORDERED_MAP: u64 = 0x80;
const CREATE_KEY_VALUE_ORDERED_MAP: u64 = 0xc0;
const CREATE_PERSIST_INDEX: u64 = 0x100;

/// A context followed: the containers on the way and what is at its end.
#[derive(Debug)]
pub(crate) struct Path<'a> {
    levels: Vec<Level<'a>>,
    missing: Vec<MissingLevel<'a>>,
    /// What is kept beside the bin's value.
    guide: Guide<'a>,
    /// The value at the end; `None` when it must be created.
    pub(crate) end: Option<Element<'a>>,
}

#[derive(Debug)]
struct Level<'a> {
    container: Raw<'a>,
    slot: Slot<'a>,
}

/// Where the next value stands, or will stand, in a list or map.
#[derive(Debug)]
enum Slot<'a> {
    /// There is one already.
    Taken(Element<'a>),
    /// There is one already, in an ordered list, at this index: a new one may belong elsewhere.
    TakenInOrder(List<'a>, usize),
    /// At the end of the list, after so many nils.
    ListEnd { padding: usize },
    /// Where it belongs in an ordered list.
    InOrder(List<'a>),
    /// Under a new key, which belongs there.
    NewKey(Cow<'a, [u8]>, Place<'a>),
}

/// A container that has to be created, with nothing but the next value.
#[derive(Debug)]
enum MissingLevel<'a> {
    List { flags: Flags, padding: usize },
    Map { flags: Flags, key: Cow<'a, [u8]> },
}

#[derive(Clone, Copy)]
enum By {
    Index,
    Rank,
    Key,
    Value,
}

/// A step's type.
#[derive(Clone, Copy)]
struct Step {
    by: By,
    bits: u64,
}

impl<'a> Path<'a> {
    /// Reads a context and follows it into a bin.
    ///
    /// # Errors
    /// `PARAMETER` when the context is malformed or the bin is neither list nor map,
    /// `OP_NOT_APPLICABLE` when a step leads nowhere and cannot create.
    pub(crate) fn follow(
        bin: Bin<'a>,
        reader: &mut Reader<'a>,
        may_create: bool,
    ) -> Result<Self, ResultCode> {
        let end = match bin {
            Some(Stored {
                particle_type: ParticleType::LIST | ParticleType::MAP, value, ..
            }) => Some(Element::stored(value)),
            None if may_create => None,
            _ => return Err(ResultCode::PARAMETER),
        };
        let guide = bin.map_or(Guide::NONE, |bin| bin.guide);
        let mut path = Self { levels: Vec::new(), missing: Vec::new(), guide, end };
        let count = call::list_count(reader)?;
        if count == 0 || count % 2 == 1 {
            return Err(ResultCode::PARAMETER);
        }
        for _ in 0..count / 2 {
            path.step(reader, may_create)?;
        }
        Ok(path)
    }

    fn step(&mut self, reader: &mut Reader<'a>, may_create: bool) -> Result<(), ResultCode> {
        let is_first = self.levels.is_empty() && self.missing.is_empty();
        let step = match Step::read(reader) {
            Err(_) if self.end.is_none() && !is_first => return Err(ResultCode::OP_NOT_APPLICABLE),
            step => step?,
        };
        let Some(value) = self.end else {
            // The step at which creation begins must say that it creates. Where it found a list or
            // map to create in, that was the step before. Nothing below can persist an index.
            if is_first && !step.creates() || !is_first && step.bits & CREATE_PERSIST_INDEX != 0 {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            self.missing.push(step.missing_level(reader)?);
            return Ok(());
        };
        let container = Raw::parse(value.bytes())?.ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        let container = if is_first { container.guided(self.guide) } else { container };
        let slot = match container.kind {
            Kind::List if step.bits & MAP == 0 => {
                step.slot_in_list(container.to_list()?, reader)?
            }
            Kind::Map if step.bits & LIST == 0 => step.slot_in_map(&container, reader)?,
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        };
        self.end = match &slot {
            Slot::Taken(element) => Some(*element),
            Slot::TakenInOrder(list, index) => list.elements.get(*index).copied(),
            _ if may_create => None,
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        };
        self.levels.push(Level { container, slot });
        Ok(())
    }

    /// Whether nothing on the way is there, not even the bin.
    pub(crate) fn is_all_missing(&self) -> bool {
        self.levels.is_empty()
    }

    /// Puts a new value at the path's end and returns what becomes of the bin, and the kind of its
    /// value.
    pub(crate) fn put(&self, value: Vec<u8>) -> (Change, Kind) {
        let value = self.missing.iter().rev().fold(value, |value, level| level.around(&value));
        let Some((first, rest)) = self.levels.split_first() else {
            let is_list = matches!(self.missing.first(), Some(MissingLevel::List { .. }));
            return (Change::Made(value), if is_list { Kind::List } else { Kind::Map });
        };
        let value = rest.iter().rev().fold(value, |value, level| match level.with(&value) {
            Change::Made(value) | Change::Spliced(value, _) => value,
            Change::None | Change::CreatesEmpty { .. } => value,
        });
        (first.with(&value), first.container.kind)
    }
}

impl Step {
    fn read(reader: &mut Reader<'_>) -> Result<Self, ResultCode> {
        let bits = call::integer(reader)?;
        let by = match bits & BY_MASK {
            0 => By::Index,
            1 => By::Rank,
            2 => By::Key,
            3 => By::Value,
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        };
        let is_typed = bits & (LIST | MAP) != 0;
        if !is_typed && bits & (CREATE_ORDER_MASK | CREATE_PERSIST_INDEX) != 0 {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        Ok(Self { by, bits })
    }

    fn creates(self) -> bool {
        self.bits & CREATE_ORDER_MASK != 0
    }

    fn list_flags(self) -> Flags {
        match self.bits & CREATE_ORDER_MASK {
            CREATE_ORDERED_LIST => Flags::LIST_ORDERED,
            _ => Flags::NONE,
        }
    }

    /// With the hint to persist an index, which only a step into a missing bin can have.
    fn map_flags(self) -> Flags {
        let order = match self.bits & CREATE_ORDER_MASK {
            CREATE_KEY_ORDERED_MAP => Flags::MAP_KEY_ORDERED,
            CREATE_KEY_VALUE_ORDERED_MAP => Flags::MAP_KEY_VALUE_ORDERED,
            _ => Flags::NONE,
        };
        let is_hinted = self.bits & CREATE_PERSIST_INDEX != 0;
        Flags(order.0 | if is_hinted { Flags::PERSIST_INDEX.0 } else { 0 })
    }

    fn pads(self) -> bool {
        self.bits & CREATE_ORDER_MASK == CREATE_UNBOUNDED_LIST
    }

    fn missing_level<'a>(self, reader: &mut Reader<'a>) -> Result<MissingLevel<'a>, ResultCode> {
        match (self.bits & (LIST | MAP), self.by) {
            (LIST, By::Index) => {
                let index = position(reader)?;
                let flags = self.list_flags();
                let padding = match usize::try_from(index) {
                    Ok(_) if flags.is_ordered() => 0,
                    Ok(0) => 0,
                    Ok(padding) if self.pads() && padding <= PADDING_MAX => padding,
                    Err(_) if index == -1 => 0,
                    _ => return Err(ResultCode::OP_NOT_APPLICABLE),
                };
                Ok(MissingLevel::List { flags, padding })
            }
            (MAP, By::Key) => {
                Ok(MissingLevel::Map { flags: self.map_flags(), key: new_key(value(reader)?)? })
            }
            _ => Err(ResultCode::OP_NOT_APPLICABLE),
        }
    }

    fn slot_in_list<'a>(
        self,
        list: List<'a>,
        reader: &mut Reader<'a>,
    ) -> Result<Slot<'a>, ResultCode> {
        let count = list.elements.len();
        let index = match self.by {
            By::Rank if !list.is_ordered() => {
                let rank = from_either_end(position(reader)?, count)
                    .ok_or(ResultCode::OP_NOT_APPLICABLE)?;
                let index = rank::indexes_by_rank(count, rank..rank + 1, |a, b| {
                    order::compare(list.elements[a], list.elements[b])
                });
                index.first().copied()
            }
            By::Index | By::Rank => {
                let index = position(reader)?;
                match from_either_end(index, count) {
                    None if self.creates() => return self.slot_at_list_end(list, index),
                    index => index,
                }
            }
            By::Value => {
                let value = value(reader)?;
                list.elements.iter().position(|&e| order::compare(e, value).is_eq())
            }
            By::Key => None,
        };
        let index = index.ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        if list.is_ordered() {
            return Ok(Slot::TakenInOrder(list, index));
        }
        list.elements.get(index).copied().map(Slot::Taken).ok_or(ResultCode::OP_NOT_APPLICABLE)
    }

    fn slot_at_list_end<'a>(self, list: List<'a>, index: i64) -> Result<Slot<'a>, ResultCode> {
        if list.is_ordered() {
            return Ok(Slot::InOrder(list));
        }
        let count = list.elements.len();
        let beyond = usize::try_from(index).ok().and_then(|index| index.checked_sub(count));
        let padding = match beyond {
            _ if count == 0 && index == -1 => 0,
            Some(0) => 0,
            Some(padding) if self.pads() && padding <= PADDING_MAX => padding,
            _ => return Err(ResultCode::OP_NOT_APPLICABLE),
        };
        Ok(Slot::ListEnd { padding })
    }

    fn slot_in_map<'a>(
        self,
        map: &Raw<'a>,
        reader: &mut Reader<'a>,
    ) -> Result<Slot<'a>, ResultCode> {
        let value = match self.by {
            By::Key => {
                let key = value(reader)?;
                let place = seek(map, key)?;
                match place.pair {
                    None if self.creates() => return Ok(Slot::NewKey(new_key(key)?, place)),
                    pair => pair.map(|(_, value)| value),
                }
            }
            By::Index => {
                let index = from_either_end(position(reader)?, map.count);
                let pairs = map.to_map()?.pairs;
                index.and_then(|index| pairs.get(index)).map(|(_, value)| *value)
            }
            By::Rank => {
                let rank = from_either_end(position(reader)?, map.count);
                let mut pairs = map.to_map()?.pairs;
                order::sort_by(&mut pairs, |a, b| order::compare(a.1, b.1));
                rank.and_then(|rank| pairs.get(rank)).map(|(_, value)| *value)
            }
            By::Value => {
                let wanted = value(reader)?;
                let mut values = map.to_map()?.pairs.into_iter().map(|(_, value)| value);
                values.find(|value| order::compare(*value, wanted).is_eq())
            }
        };
        value.map(Slot::Taken).ok_or(ResultCode::OP_NOT_APPLICABLE)
    }
}

impl Level<'_> {
    /// The container with a new value at its slot.
    fn with(&self, value: &[u8]) -> Change {
        let Raw { count, body, .. } = self.container;
        Change::Made(match &self.slot {
            Slot::Taken(old) => {
                let start = old.bytes().as_ptr().addr() - body.as_ptr().addr();
                let at = start..start + old.bytes().len();
                let new = self.container.with(count, &[&body[..start], value, &body[at.end..]]);
                return Change::Spliced(new, Splice { at, size_bytes: value.len() });
            }
            Slot::NewKey(key, place) => {
                return place.replaced(&self.container, Some((key, value)));
            }
            Slot::TakenInOrder(list, index) => {
                let mut list = list.clone();
                list.elements.remove(*index);
                list_with(list, value)
            }
            Slot::InOrder(list) => list_with(list.clone(), value),
            Slot::ListEnd { padding } => {
                let nils = Element::NIL.bytes().repeat(*padding);
                self.container.with(count + padding + 1, &[body, &nils, value])
            }
        })
    }
}

/// An ordered list with a value more.
fn list_with<'a>(mut list: List<'a>, value: &'a [u8]) -> Vec<u8> {
    // The value was made here; should it not be one after all, it is stored where it belongs.
    let Ok(value) = Element::new(value) else { return value.to_vec() };
    let index = list.elements.partition_point(|&element| order::compare(element, value).is_lt());
    list.elements.insert(index, value);
    List::encode(list.flags, list.elements.into_iter())
}

impl MissingLevel<'_> {
    /// A new container around a value.
    fn around(&self, value: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::List { flags, padding } => {
                write::list_start(&mut out, padding + 1, *flags);
                (0..*padding).for_each(|_| write::nil(&mut out));
            }
            Self::Map { flags, key } => {
                write::map_start(&mut out, 1, *flags);
                out.extend_from_slice(key);
            }
        }
        out.extend_from_slice(value);
        out
    }
}

/// The index that a number means, counted from the front or, if negative, from the back.
pub(crate) fn from_either_end(index: i64, count: usize) -> Option<usize> {
    let from_front = if index < 0 { index.checked_add_unsigned(count as u64)? } else { index };
    usize::try_from(from_front).ok().filter(|index| *index < count)
}

/// Reads a step's index or rank.
fn position(reader: &mut Reader<'_>) -> Result<i64, ResultCode> {
    let position = call::integer(reader).map_err(|_| ResultCode::OP_NOT_APPLICABLE)?;
    Ok(position.cast_signed())
}

/// Reads a step's key or value.
fn value<'a>(reader: &mut Reader<'a>) -> Result<Element<'a>, ResultCode> {
    reader.element().map_err(|_| ResultCode::OP_NOT_APPLICABLE)
}

/// The stored form of a key that is to be created. The original takes any value, even one that no
/// other way leads to as a key.
fn new_key(key: Element<'_>) -> Result<Cow<'_, [u8]>, ResultCode> {
    collection::element_to_stored(key).map_err(|_| ResultCode::OP_NOT_APPLICABLE)
}
