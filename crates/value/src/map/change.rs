//! Operations that modify: adding and replacing pairs, counting, and removing what `select`
//! selects.

use std::cmp::Ordering;

use wire::ResultCode;

use super::select::{self, Selector};
use super::{code, single};
use crate::cdt::answer::{self, Answer};
use crate::cdt::call::{Call, Parameters};
use crate::cdt::container::{Map, Raw};
use crate::cdt::guide::Guide;
use crate::cdt::number::Number;
use crate::cdt::run::{Change, Changed};
use crate::cdt::select::Selection;
use crate::collection::{self, Kind};
use crate::msgpack::Flags;
use crate::order;

/// The map that an operation is to modify.
pub(super) struct MapTarget<'a> {
    /// `None` when it is missing.
    pub(super) map: Option<Raw<'a>>,
    /// Whether it is the bin itself: only there can an index be persisted.
    pub(super) is_bin: bool,
    /// See [`Target`](crate::cdt::run::Target).
    pub(super) keeps_hint: bool,
}

/// What an operation that adds may not do, and what follows if it would.
#[derive(Clone, Copy)]
pub(super) struct WriteFlags {
    no_overwrite: bool,
    no_create: bool,
    no_fail: bool,
    /// With `no_fail`: leave out the pairs that cannot be added, and add the others.
    partial: bool,
}

impl WriteFlags {
    const ADD: Self = Self { no_overwrite: true, ..Self::ANY };
    const REPLACE: Self = Self { no_create: true, ..Self::ANY };
    const ANY: Self =
        Self { no_overwrite: false, no_create: false, no_fail: false, partial: false };

    fn read(flags: u64) -> Self {
        Self {
            no_overwrite: flags & 0x01 != 0,
            no_create: flags & 0x02 != 0,
            no_fail: flags & 0x04 != 0,
            partial: flags & 0x08 != 0,
        }
    }

    /// Why a pair cannot be added, if so.
    pub(super) fn refusal(self, key_exists: bool) -> Option<ResultCode> {
        match key_exists {
            true if self.no_overwrite => Some(ResultCode::ELEMENT_EXISTS),
            false if self.no_create => Some(ResultCode::ELEMENT_NOT_FOUND),
            _ => None,
        }
    }

    /// The outcome of an operation that cannot add: an error, or no change.
    pub(super) fn refuse(self, error: ResultCode, map: &Raw<'_>) -> Changed {
        if !self.no_fail {
            return Err(error);
        }
        Ok((Change::CreatesEmpty { flags: map.flags, nested: false }, count_answer(map)))
    }
}

/// Flags that a client may set: the orders, and the hint to persist an index.
const SETTABLE_FLAGS: u8 = 0x13;

impl<'a> MapTarget<'a> {
    /// Runs an operation.
    pub(super) fn modify(self, call: &Call<'a>) -> Changed {
        match call.code {
            code::SET_TYPE => self.set_type(call),
            code::ADD => {
                let mut parameters = call.parameters(2, 3)?;
                self.put(&mut parameters, |_| Ok(WriteFlags::ADD))
            }
            code::PUT => {
                let mut parameters = call.parameters(2, 4)?;
                self.put(&mut parameters, |p| Ok(WriteFlags::read(p.flags_or_none()?)))
            }
            code::REPLACE => {
                let mut parameters = call.parameters(2, 2)?;
                self.put(&mut parameters, |_| Ok(WriteFlags::REPLACE))
            }
            code::ADD_ITEMS => {
                let mut parameters = call.parameters(1, 2)?;
                self.put_items(&mut parameters, |_| Ok(WriteFlags::ADD))
            }
            code::PUT_ITEMS => {
                let mut parameters = call.parameters(1, 3)?;
                self.put_items(&mut parameters, |p| Ok(WriteFlags::read(p.flags_or_none()?)))
            }
            code::REPLACE_ITEMS if self.map.is_none() => Err(ResultCode::ELEMENT_NOT_FOUND),
            code::REPLACE_ITEMS => {
                let mut parameters = call.parameters(1, 1)?;
                self.put_items(&mut parameters, |_| Ok(WriteFlags::REPLACE))
            }
            code::INCREMENT => self.increment(call, |delta| delta),
            code::DECREMENT => self.increment(call, Number::negated),
            _ => self.remove(call),
        }
    }

    /// The flags that are stored for the ones that a client sent; `None` for unknown ones.
    fn stored_flags(&self, sent: u64) -> Option<Flags> {
        let [.., flags] = sent.to_be_bytes();
        (flags & !SETTABLE_FLAGS == 0).then_some(Flags(flags))
    }

    /// The map, or the empty one that the operation begins with.
    fn map_or_new(&self, create_type: u64) -> Raw<'a> {
        let sent = self.stored_flags(create_type).unwrap_or(Flags::NONE);
        let is_ordered = sent.of_stored_map() != Flags::NONE;
        // A new map that is not ordered loses the hint.
        let flags = if self.is_bin && is_ordered { sent } else { sent.of_stored_map() };
        self.map.unwrap_or(Raw { kind: Kind::Map, flags, count: 0, body: &[], guide: Guide::NONE })
    }

    fn set_type(self, call: &Call<'_>) -> Changed {
        let flags = call.parameters(1, 1)?.flags()?;
        let flags = self.stored_flags(flags).ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        let flags = if self.is_bin || self.keeps_hint { flags } else { flags.of_stored_map() };
        let map = self.map_or_new(0);
        Ok((Change::Made(Raw { flags, ..map }.with(map.count, &[map.body])), None))
    }

    fn remove(self, call: &Call<'_>) -> Changed {
        let selector = Selector::of_removing(call.code);
        if selector.is_none() && !matches!(call.code, code::CLEAR | code::REMOVE_BY_KEY) {
            return Err(ResultCode::PARAMETER);
        }
        // Parameters are not even looked at when there is nothing to remove from.
        let Some(map) = self.map else { return Ok((Change::None, None)) };
        match selector {
            Some(selector) => {
                let map = map.to_map()?;
                let selection = select::select(&map, call, selector)?;
                Ok(map.without(selection))
            }
            None if call.code == code::REMOVE_BY_KEY => single::remove(&map, call),
            None => Ok((Change::Made(map.with(0, &[])), None)),
        }
    }

    fn put(
        self,
        parameters: &mut Parameters<'a>,
        flags: impl FnOnce(&mut Parameters<'a>) -> Result<WriteFlags, ResultCode>,
    ) -> Changed {
        let (key, value) = (parameters.value()?, parameters.value()?);
        let create_type = parameters.flags_or_none()?;
        let flags = flags(parameters)?;
        single::put(&self.map_or_new(create_type), key, value, flags)
    }

    fn increment(self, call: &Call<'a>, signed: fn(Number) -> Number) -> Changed {
        let mut parameters = call.parameters(1, 3)?;
        let (key, delta) = (parameters.value()?, parameters.value_or_none()?);
        let create_type = parameters.flags_or_none()?;
        single::add(&self.map_or_new(create_type), key, signed(Number::delta(delta)?))
    }

    fn put_items(
        self,
        parameters: &mut Parameters<'a>,
        flags: impl FnOnce(&mut Parameters<'a>) -> Result<WriteFlags, ResultCode>,
    ) -> Changed {
        let items = parameters.value()?;
        let create_type = parameters.flags_or_none()?;
        let flags = flags(parameters)?;
        let items = collection::element_to_stored(items)?;
        let Some(items) = Raw::parse(&items)?.filter(|items| items.kind == Kind::Map) else {
            return Err(ResultCode::PARAMETER);
        };
        let map = self.map_or_new(create_type);
        if items.count == 0 {
            let hinted = self.stored_flags(create_type).unwrap_or(Flags::NONE);
            let flags = if self.keeps_hint { hinted } else { map.flags };
            return Ok((Change::CreatesEmpty { flags, nested: true }, count_answer(&map)));
        }
        with_items(&map, &items.to_map()?, flags)
    }
}

fn count_answer(map: &Raw<'_>) -> Answer {
    answer::integer(map.count as i64)
}

/// Puts all pairs of another map, which are in the order of their keys as well.
fn with_items(map: &Raw<'_>, items: &Map<'_>, flags: WriteFlags) -> Changed {
    // The original finds out too late that an empty map has none of the keys.
    let adds_all = map.count == 0 && flags.no_fail && flags.partial;
    let old = map.to_map()?;
    let mut new = Vec::with_capacity(old.pairs.len() + items.pairs.len());
    let mut own = old.pairs.iter().copied().peekable();
    for &(key, value) in &items.pairs {
        while let Some(pair) = own.next_if(|(k, _)| order::compare(*k, key).is_lt()) {
            new.push(pair);
        }
        let existing = own.next_if(|(k, _)| order::compare(*k, key) == Ordering::Equal);
        match flags.refusal(existing.is_some()) {
            Some(error) if !flags.no_fail || !flags.partial => return flags.refuse(error, map),
            Some(_) if !adds_all => new.extend(existing),
            _ => new.push((key, value)),
        }
    }
    new.extend(own);
    let answer = answer::integer(new.len() as i64);
    Ok((Change::Made(Map::encode(map.flags, new.into_iter())), answer))
}

impl Map<'_> {
    fn without(&self, selection: Selection) -> (Change, Answer) {
        let Selection { answer, indexes } = selection;
        if indexes.is_empty() {
            return (Change::None, answer);
        }
        let mut removed = indexes.iter().copied().peekable();
        let left: Vec<_> = (self.pairs.iter().enumerate())
            .filter(|(index, _)| removed.next_if_eq(index).is_none())
            .map(|(_, pair)| *pair)
            .collect();
        (Change::Made(Self::encode(self.flags, left.into_iter())), answer)
    }
}
