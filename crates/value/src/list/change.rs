//! Operations that modify: adding, replacing, rearranging, and removing what `select` selects.

use std::borrow::Cow;

use wire::ResultCode;

use super::code;
use super::select::{self, Selector};
use crate::cdt::answer::{self, Answer, Request, ReturnType};
use crate::cdt::call::Call;
use crate::cdt::container::{List, Raw};
use crate::cdt::find;
use crate::cdt::guide::Guide;
use crate::cdt::number::Number;
use crate::cdt::path::{self, PADDING_MAX};
use crate::cdt::run::{Change, Changed};
use crate::cdt::select::Selection;
use crate::collection::{self, Kind};
use crate::msgpack::{Element, Flags, write};
use crate::order;

/// The list that an operation is to modify.
pub(super) struct ListTarget<'a> {
    /// `None` when it is missing.
    pub(super) list: Option<Raw<'a>>,
    pub(super) bin_exists: bool,
    /// See [`cdt::run::Target`](crate::cdt::run::Target).
    pub(super) keeps_hint: bool,
}

/// What an operation that adds may not do, and what follows if it would.
#[derive(Clone, Copy)]
struct WriteFlags(u64);

impl WriteFlags {
    fn is_unique(self) -> bool {
        self.0 & 0x01 != 0
    }

    fn is_bounded(self) -> bool {
        self.0 & 0x02 != 0
    }

    fn is_no_fail(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// Leave out the items that cannot be added, and add the others.
    fn is_partial(self) -> bool {
        self.is_no_fail() && self.0 & 0x08 != 0
    }

    /// The outcome of an operation that cannot add: an error, or no change.
    fn refuse(self, error: ResultCode, list: &List<'_>) -> Changed {
        if !self.is_no_fail() {
            return Err(error);
        }
        Ok((Change::CreatesEmpty { flags: list.flags, nested: false }, list.count_answer()))
    }
}

/// What a list is padded with.
const NIL: u8 = 0xc0;
/// An index beyond this cannot be added at.
const INDEX_MAX: i64 = i32::MAX as i64;

const SORT_DESCENDING: u64 = 1;
const SORT_DROP_DUPLICATES: u64 = 2;
/// Flags that a client may set: ordered, and the hint to persist an index.
const SETTABLE_FLAGS: u8 = 0x11;

impl<'a> ListTarget<'a> {
    /// Runs an operation.
    pub(super) fn modify(self, call: &Call<'a>) -> Changed {
        match call.code {
            code::SET_TYPE => self.set_type(call),
            code::APPEND => self.append(call, false),
            code::APPEND_ITEMS => self.append(call, true),
            code::INSERT => self.insert(call, false),
            code::INSERT_ITEMS => self.insert(call, true),
            code::SET => self.set(call),
            code::INCREMENT => self.increment(call),
            code::SORT => self.sort(call),
            // Parameters are not even looked at when there is nothing to remove from.
            code if code::REMOVING.contains(&code) => match &self.list {
                Some(list) => list.to_list()?.remove(call),
                None => Ok((Change::None, None)),
            },
            _ => Err(ResultCode::PARAMETER),
        }
    }

    /// The list, or the empty one that the operation begins with.
    fn list_or_new(&self, create_type: u64) -> Raw<'a> {
        let flags = self.stored_flags(create_type).unwrap_or(Flags::NONE);
        self.list.unwrap_or(Raw {
            kind: Kind::List,
            flags,
            count: 0,
            body: &[],
            guide: Guide::NONE,
        })
    }

    /// The flags that are stored for the ones that a client sent; `None` for unknown ones.
    fn stored_flags(&self, sent: u64) -> Option<Flags> {
        let [.., flags] = sent.to_be_bytes();
        let stored = if self.keeps_hint { Flags(flags) } else { Flags(flags).of_stored_list() };
        (flags & !SETTABLE_FLAGS == 0).then_some(stored)
    }

    fn set_type(self, call: &Call<'_>) -> Changed {
        let flags = call.parameters(1, 1)?.flags()?;
        let flags = self.stored_flags(flags).ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        let list = self.list_or_new(0);
        if flags == list.flags {
            return Ok((Change::CreatesEmpty { flags, nested: true }, None));
        }
        let mut list = list.to_list()?;
        if flags.is_ordered() {
            order::sort_by(&mut list.elements, |a, b| order::compare(*a, *b));
        }
        Ok((Change::Made(List::encode(flags, list.elements.into_iter())), None))
    }

    fn append(self, call: &Call<'a>, are_items: bool) -> Changed {
        let mut parameters = call.parameters(1, 3)?;
        let value = parameters.value()?;
        let create_type = parameters.flags_or_none()?;
        let flags = WriteFlags(parameters.flags_or_none()?);
        let stored = stored(value)?;
        let values = values(&stored, are_items)?;
        let list = self.list_or_new(create_type);
        if list.flags.is_ordered() {
            return list.to_list()?.add_ordered(values.to_list()?.elements, flags);
        }
        if flags.is_unique() || values.count == 0 {
            let values = values.to_list()?.elements;
            return list.to_list()?.insert_at(list.count as i64, &values, flags);
        }
        let count = list.count + values.count;
        let new = list.with(count, &[list.body, values.body]);
        Ok((Change::Made(new), answer::integer(count as i64)))
    }

    fn insert(self, call: &Call<'a>, are_items: bool) -> Changed {
        let mut parameters = call.parameters(2, 3)?;
        let (index, value) = (parameters.index()?, parameters.value()?);
        let flags = WriteFlags(parameters.flags_or_none()?);
        let stored = stored(value)?;
        let values = values(&stored, are_items)?.to_list()?.elements;
        let list = self.list_or_new(0).to_list()?;
        if list.is_ordered() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        list.insert_at(index, &values, flags)
    }

    fn set(self, call: &Call<'a>) -> Changed {
        let mut parameters = call.parameters(2, 3)?;
        let (index, value) = (parameters.index()?, parameters.value()?);
        let flags = WriteFlags(parameters.flags_or_none()?);
        let stored = stored(value)?;
        let value = Element::new(&stored)?;
        let list = self.list_or_new(0).to_list()?;
        if list.is_ordered() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let (change, _) = list.set_at(index, value, flags)?;
        Ok((change, None))
    }

    fn increment(self, call: &Call<'a>) -> Changed {
        let mut parameters = call.parameters(1, 4)?;
        let (index, delta) = (parameters.index()?, parameters.value_or_none()?);
        let create_type = parameters.flags_or_none()?;
        let flags = WriteFlags(parameters.flags_or_none()?);
        let list = self.list_or_new(create_type).to_list()?;
        let index = insertion_index(index, list.elements.len())?;
        let sum = Number::delta(delta)?.added_to(list.elements.get(index).copied())?;
        let bytes = sum.encode();
        let value = Element::new(&bytes)?;
        let (change, _) = if list.is_ordered() {
            list.replace_ordered(index, value, flags)?
        } else {
            list.set_at(index as i64, value, flags)?
        };
        // The sum is answered even where it was not to be stored.
        Ok((change, answer::element(value)?))
    }

    fn sort(self, call: &Call<'_>) -> Changed {
        if !self.bin_exists {
            return Err(ResultCode::INCOMPATIBLE_TYPE);
        }
        let flags = call.parameters(0, 1)?.flags_or_none()?;
        let mut list = self.list_or_new(0).to_list()?;
        if list.elements.len() < 2 {
            return Ok((Change::None, None));
        }
        if !list.is_ordered() {
            let is_descending = flags & SORT_DESCENDING != 0;
            order::sort_by(&mut list.elements, |a, b| {
                let ordering = order::compare(*a, *b);
                if is_descending { ordering.reverse() } else { ordering }
            });
        }
        if flags & SORT_DROP_DUPLICATES != 0 {
            // The original cannot drop duplicates of what does not ascend.
            if !list.elements.is_sorted_by(|a, b| order::compare(*a, *b).is_le()) {
                return Err(ResultCode::PARAMETER);
            }
            list.elements.dedup_by(|a, b| order::compare(*a, *b).is_eq());
        }
        Ok((Change::Made(List::encode(list.flags, list.elements.into_iter())), None))
    }
}

impl<'a> List<'a> {
    fn remove(&self, call: &Call<'_>) -> Changed {
        use ReturnType::{Count, Value};
        let selection = match call.code {
            code::POP | code::REMOVE => {
                let index = call.parameters(1, 1)?.index()?;
                let returns = if call.code == code::POP { Value } else { Count };
                self.by_index(Request::plain(returns, false), index, 1)?
            }
            code::POP_RANGE | code::REMOVE_RANGE => {
                let mut parameters = call.parameters(1, 2)?;
                let (index, count) = (parameters.index()?, parameters.count_or_all()?);
                let returns = if call.code == code::POP_RANGE { Value } else { Count };
                self.by_index(Request::plain(returns, true), index, count)?
            }
            code::TRIM => {
                let mut parameters = call.parameters(2, 2)?;
                let (index, count) = (parameters.index()?, parameters.count_or_all()?);
                let outside = Request { is_inverted: true, ..Request::plain(Count, true) };
                self.by_index(outside, index, count)?
            }
            code::CLEAR => return Ok((Change::Made(List::empty(self.flags)), None)),
            code::REMOVE_BY_INDEX => select::select(self, call, Selector::Index)?,
            code::REMOVE_BY_VALUE => select::select(self, call, Selector::Value)?,
            code::REMOVE_BY_RANK => select::select(self, call, Selector::Rank)?,
            code::REMOVE_ALL_BY_VALUE => select::select(self, call, Selector::AllByValue)?,
            code::REMOVE_BY_VALUE_LIST => select::select(self, call, Selector::ValueList)?,
            code::REMOVE_BY_INDEX_RANGE => select::select(self, call, Selector::IndexRange)?,
            code::REMOVE_BY_VALUE_INTERVAL => select::select(self, call, Selector::ValueInterval)?,
            code::REMOVE_BY_RANK_RANGE => select::select(self, call, Selector::RankRange)?,
            code::REMOVE_BY_VALUE_REL_RANK_RANGE => {
                select::select(self, call, Selector::RelativeRankRange)?
            }
            _ => return Err(ResultCode::PARAMETER),
        };
        Ok(self.without(selection))
    }

    fn without(&self, selection: Selection) -> (Change, Answer) {
        let Selection { answer, indexes } = selection;
        if indexes.is_empty() {
            return (Change::None, answer);
        }
        let mut removed = indexes.iter().copied().peekable();
        let left: Vec<Element<'a>> = (self.elements.iter().enumerate())
            .filter(|(index, _)| removed.next_if_eq(index).is_none())
            .map(|(_, element)| *element)
            .collect();
        (Change::Made(Self::encode(self.flags, left.into_iter())), answer)
    }

    fn count_answer(&self) -> Answer {
        answer::integer(self.elements.len() as i64)
    }

    /// Adds values at an index of an unordered list, and answers with the new count.
    fn insert_at(&self, index: i64, values: &[Element<'_>], flags: WriteFlags) -> Changed {
        let count = self.elements.len();
        if values.is_empty() {
            let change = Change::CreatesEmpty { flags: self.flags, nested: true };
            return Ok((change, self.count_answer()));
        }
        let index = insertion_index(index, count)?;
        if flags.is_bounded() && index > count {
            return flags.refuse(ResultCode::OP_NOT_APPLICABLE, self);
        }
        let values = match self.unique_values(values, flags) {
            Ok(values) => values,
            Err(error) => return flags.refuse(error, self),
        };
        let padding = index.saturating_sub(count);
        if padding > PADDING_MAX {
            return Err(ResultCode::RECORD_TOO_BIG);
        }
        let (head, tail) = self.elements.split_at(index.min(count));
        let count = count + padding + values.len();
        let mut new = Vec::new();
        write::list_start(&mut new, count, self.flags);
        head.iter().for_each(|element| new.extend_from_slice(element.bytes()));
        new.resize(new.len() + padding, NIL);
        values.iter().chain(tail).for_each(|element| new.extend_from_slice(element.bytes()));
        Ok((Change::Made(new), answer::integer(count as i64)))
    }

    /// The values that may be added to an unordered list, or why some may not. Whether the first
    /// value that may not is in the list already or repeated among the values decides.
    fn unique_values<'v, 's>(
        &self,
        values: &'s [Element<'v>],
        flags: WriteFlags,
    ) -> Result<Cow<'s, [Element<'v>]>, ResultCode> {
        if !flags.is_unique() {
            return Ok(Cow::Borrowed(values));
        }
        let mut known = self.elements.clone();
        order::sort_by(&mut known, |a, b| order::compare(*a, *b));
        let is_repeated = repetitions(values);
        let mut unique = Vec::with_capacity(values.len());
        for (&value, is_repeated) in values.iter().zip(is_repeated) {
            if !is_repeated && !contains(&known, value) {
                unique.push(value);
            } else if !flags.is_partial() {
                let is_known = contains(&known, value);
                return Err(if is_known {
                    ResultCode::ELEMENT_EXISTS
                } else {
                    ResultCode::OP_NOT_APPLICABLE
                });
            }
        }
        if unique.is_empty() { Err(ResultCode::ELEMENT_EXISTS) } else { Ok(Cow::Owned(unique)) }
    }

    /// Adds values to an ordered list where they belong, and answers with the new count.
    fn add_ordered(&self, mut values: Vec<Element<'_>>, flags: WriteFlags) -> Changed {
        if values.is_empty() {
            let change = Change::CreatesEmpty { flags: self.flags, nested: true };
            return Ok((change, self.count_answer()));
        }
        order::sort_by(&mut values, |a, b| order::compare(*a, *b));
        if flags.is_unique() {
            let count = values.len();
            values.dedup_by(|a, b| order::compare(*a, *b).is_eq());
            if values.len() < count && !flags.is_partial() {
                return flags.refuse(ResultCode::OP_NOT_APPLICABLE, self);
            }
            let count = values.len();
            values.retain(|value| !contains(&self.elements, *value));
            if values.len() < count && !flags.is_partial() {
                return flags.refuse(ResultCode::ELEMENT_EXISTS, self);
            }
        }
        let mut new = Vec::with_capacity(self.elements.len() + values.len());
        let mut start = 0;
        for value in values {
            let end = self.place_of(value).max(start);
            new.extend_from_slice(&self.elements[start..end]);
            new.push(value);
            start = end;
        }
        new.extend_from_slice(&self.elements[start..]);
        let answer = answer::integer(new.len() as i64);
        Ok((Change::Made(List::encode(self.flags, new.into_iter())), answer))
    }

    /// Puts a value at an index of an unordered list; beyond the end it is added.
    fn set_at(&self, index: i64, value: Element<'_>, flags: WriteFlags) -> Changed {
        if usize::try_from(index).is_ok_and(|index| index >= self.elements.len()) {
            return self.insert_at(index, &[value], flags);
        }
        let index = path::from_either_end(index, self.elements.len())
            .ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        let is_other_equal = |(at, element): (usize, &Element<'_>)| {
            at != index && order::compare(*element, value).is_eq()
        };
        if flags.is_unique() && self.elements.iter().enumerate().any(is_other_equal) {
            return flags.refuse(ResultCode::ELEMENT_EXISTS, self);
        }
        let mut new = self.elements.clone();
        new[index] = value;
        Ok((Change::Made(List::encode(self.flags, new.into_iter())), None))
    }

    /// Replaces an element of an ordered list, or adds one if the index is the next; the value goes
    /// where it belongs.
    fn replace_ordered(&self, index: usize, value: Element<'_>, flags: WriteFlags) -> Changed {
        if index > self.elements.len() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let equal = find::equal_range(&self.elements, value);
        if flags.is_unique() && !equal.is_empty() {
            if equal.start == index {
                return Ok((Change::None, None));
            }
            return flags.refuse(ResultCode::ELEMENT_EXISTS, self);
        }
        let mut new = self.elements.clone();
        if index < new.len() {
            new.remove(index);
        }
        let rank = new.partition_point(|element| order::compare(*element, value).is_lt());
        new.insert(rank, value);
        Ok((Change::Made(List::encode(self.flags, new.into_iter())), None))
    }
}

/// The stored form of a value that is to be added.
fn stored(value: Element<'_>) -> Result<Cow<'_, [u8]>, ResultCode> {
    Ok(collection::element_to_stored(value)?)
}

/// The values to add as a list: a stored one, or one of the stored value.
fn values(stored: &[u8], are_items: bool) -> Result<Raw<'_>, ResultCode> {
    if !are_items {
        return Ok(Raw {
            kind: Kind::List,
            flags: Flags::NONE,
            count: 1,
            body: stored,
            guide: Guide::NONE,
        });
    }
    Raw::parse(stored)?.filter(|raw| raw.kind == Kind::List).ok_or(ResultCode::PARAMETER)
}

/// Where an element is to be added; negative indexes count from the end.
fn insertion_index(index: i64, count: usize) -> Result<usize, ResultCode> {
    if index > INDEX_MAX {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    let from_front = if index < 0 { index.saturating_add_unsigned(count as u64) } else { index };
    usize::try_from(from_front).map_err(|_| ResultCode::OP_NOT_APPLICABLE)
}

/// For each value whether it equals one before it.
fn repetitions(values: &[Element<'_>]) -> Vec<bool> {
    let mut by_rank: Vec<usize> = (0..values.len()).collect();
    order::sort_by(&mut by_rank, |&a, &b| order::compare(values[a], values[b]));
    let mut is_repeated = vec![false; values.len()];
    for pair in by_rank.windows(2) {
        // The sort is stable: of equal values the one sent first comes first.
        is_repeated[pair[1]] = order::compare(values[pair[0]], values[pair[1]]).is_eq();
    }
    is_repeated
}

fn contains(sorted: &[Element<'_>], value: Element<'_>) -> bool {
    let below = sorted.partition_point(|element| order::compare(*element, value).is_lt());
    sorted.get(below).is_some_and(|element| order::compare(*element, value).is_eq())
}
