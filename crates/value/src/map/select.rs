//! Operations that select pairs: everything that reads, and everything that removes.

use std::ops::Range;

use wire::ResultCode;

use super::answers::all;
use super::code;
use crate::cdt::answer::{self, Request, ReturnType, is_inverted};
use crate::cdt::call::{self, Call};
use crate::cdt::container::Map;
use crate::cdt::find::Found;
use crate::cdt::rank;
use crate::cdt::select::{
    Selected, Selection, check_inversion, not_inverted_range, others, range, relative,
};
use crate::msgpack::{Element, Flags};
use crate::order;

/// How an operation selects. Each exists to read and to remove. By a single key is another matter:
/// see `single`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selector {
    Index,
    Value,
    Rank,
    AllByValue,
    KeyList,
    ValueList,
    KeyInterval,
    IndexRange,
    ValueInterval,
    RankRange,
    RelativeIndexRange,
    RelativeRankRange,
}

impl Selector {
    /// How the operation with this code, one that reads, selects.
    pub(super) fn of_reading(code: u64) -> Option<Self> {
        Some(match code {
            code::GET_BY_INDEX => Self::Index,
            code::GET_BY_VALUE => Self::Value,
            code::GET_BY_RANK => Self::Rank,
            code::GET_ALL_BY_VALUE => Self::AllByValue,
            code::GET_BY_KEY_INTERVAL => Self::KeyInterval,
            code::GET_BY_INDEX_RANGE => Self::IndexRange,
            code::GET_BY_VALUE_INTERVAL => Self::ValueInterval,
            code::GET_BY_RANK_RANGE => Self::RankRange,
            code::GET_BY_KEY_LIST => Self::KeyList,
            code::GET_BY_VALUE_LIST => Self::ValueList,
            code::GET_BY_KEY_REL_INDEX_RANGE => Self::RelativeIndexRange,
            code::GET_BY_VALUE_REL_RANK_RANGE => Self::RelativeRankRange,
            _ => return None,
        })
    }

    /// How the operation with this code, one that removes, selects.
    pub(super) fn of_removing(code: u64) -> Option<Self> {
        Some(match code {
            code::REMOVE_BY_INDEX => Self::Index,
            code::REMOVE_BY_VALUE => Self::Value,
            code::REMOVE_BY_RANK => Self::Rank,
            code::REMOVE_BY_KEY_LIST => Self::KeyList,
            code::REMOVE_ALL_BY_VALUE => Self::AllByValue,
            code::REMOVE_BY_VALUE_LIST => Self::ValueList,
            code::REMOVE_BY_KEY_INTERVAL => Self::KeyInterval,
            code::REMOVE_BY_INDEX_RANGE => Self::IndexRange,
            code::REMOVE_BY_VALUE_INTERVAL => Self::ValueInterval,
            code::REMOVE_BY_RANK_RANGE => Self::RankRange,
            code::REMOVE_BY_KEY_REL_INDEX_RANGE => Self::RelativeIndexRange,
            code::REMOVE_BY_VALUE_REL_RANK_RANGE => Self::RelativeRankRange,
            _ => return None,
        })
    }

    fn parameter_counts(self) -> (usize, usize) {
        use Selector::*;
        match self {
            Index | Value | Rank | AllByValue | KeyList | ValueList => (2, 2),
            KeyInterval | IndexRange | ValueInterval | RankRange => (2, 3),
            RelativeIndexRange | RelativeRankRange => (3, 4),
        }
    }
}

/// Values that an operation looks for.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'v> {
    Equal(Element<'v>),
    /// From one up to another or to the end.
    Interval(Element<'v>, Option<Element<'v>>),
}

impl Wanted<'_> {
    fn begin(&self) -> Element<'_> {
        match *self {
            Self::Equal(value) | Self::Interval(value, _) => value,
        }
    }

    fn includes(&self, element: Element<'_>) -> bool {
        match *self {
            Self::Equal(value) => order::compare(element, value).is_eq(),
            Self::Interval(begin, end) => {
                order::compare(element, begin).is_ge()
                    && end.is_none_or(|end| order::compare(element, end).is_lt())
            }
        }
    }
}

/// Reads an operation's parameters and selects.
pub(super) fn select(map: &Map<'_>, call: &Call<'_>, selector: Selector) -> Selected {
    use Selector::*;
    let (min, max) = selector.parameter_counts();
    let mut parameters = call.parameters(min, max)?;
    let returns = parameters.flags()?;
    let request = |is_multi| Request::of_map(returns, is_multi);
    match selector {
        Index => {
            let index = parameters.index()?;
            map.by_index(request(false)?, index, 1)
        }
        Rank => {
            let rank = parameters.index()?;
            map.by_rank(request(false)?, rank, 1)
        }
        Value => {
            let value = parameters.value()?;
            map.by_value(request(false)?, Wanted::Equal(value))
        }
        AllByValue => {
            let value = parameters.value()?;
            map.by_value(request(true)?, Wanted::Equal(value))
        }
        KeyList => {
            let keys = call::value_list(parameters.value()?)?;
            if request(true).is_err() && keys.is_empty() && !is_inverted(returns) {
                return Ok(Selection::unanswered());
            }
            map.by_key_list(request(true)?, &keys)
        }
        ValueList => {
            let values = call::value_list(parameters.value()?)?;
            if request(true).is_err() && values.is_empty() && !is_inverted(returns) {
                return Ok(Selection::unanswered());
            }
            map.by_value_list(request(true)?, &values)
        }
        KeyInterval => {
            let (begin, end) = (parameters.value()?, parameters.value_or_none()?);
            map.by_key_interval(request(true)?, begin, end)
        }
        IndexRange => {
            let (index, count) = (parameters.index()?, parameters.count_or_all()?);
            map.by_index(request(true)?, index, count)
        }
        ValueInterval => {
            let (begin, end) = (parameters.value()?, parameters.value_or_none()?);
            map.by_value(request(true)?, Wanted::Interval(begin, end))
        }
        RankRange => {
            let (rank, count) = (parameters.index()?, parameters.count_or_all()?);
            map.by_rank(request(true)?, rank, count)
        }
        RelativeIndexRange => {
            let (key, index) = (parameters.value()?, parameters.index()?);
            let (index, count) = relative(index, parameters.count_or_all()?, map.place_of_key(key));
            map.by_index(request(true)?, index, count)
        }
        RelativeRankRange => {
            let (value, rank) = (parameters.value()?, parameters.index()?);
            let (rank, count) = relative(rank, parameters.count_or_all()?, map.rank_of(value));
            map.by_rank(request(true)?, rank, count)
        }
    }
}

impl Map<'_> {
    /// Selects by index: one pair, which must be there, or a range cut to what is there.
    fn by_index(&self, request: Request, index: i64, count: u64) -> Selected {
        let total = self.pairs.len();
        let range = range(index, count, total, request.is_multi)?;
        if request.is_rank_range() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let (request, range) = not_inverted_range(request, range, total)?;
        if range.is_empty() {
            return Ok(Selection::nothing(request, range.start as i64));
        }
        let indexes: Vec<usize> = if request.is_inverted {
            (0..range.start).chain(range.end..total).collect()
        } else {
            range.clone().collect()
        };
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            // When all are asked for, the original just counts.
            ReturnType::Rank { reverse } if indexes.len() < total => {
                self.ranks_answer(request, &indexes, reverse)
            }
            ReturnType::Exists if self.is_ordered() => answer::boolean(true),
            _ => request.numbers(range, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the pairs whose keys lie between one and another or the end.
    fn by_key_interval(
        &self,
        request: Request,
        begin: Element<'_>,
        end: Option<Element<'_>>,
    ) -> Selected {
        if request.is_rank_range() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let total = self.pairs.len();
        let start = self.place_of_key(begin);
        if self.is_ordered() {
            let end = end.map_or(total, |end| self.place_of_key(end));
            return self.by_index(request, start as i64, end.saturating_sub(start) as u64);
        }
        let wanted = Wanted::Interval(begin, end);
        let matching = self.indexes_where(|(key, _)| wanted.includes(*key));
        let range = start..start + matching.len();
        let indexes = if request.is_inverted { others(&matching, total) } else { matching };
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            ReturnType::Rank { reverse } => self.ranks_answer(request, &indexes, reverse),
            _ => request.numbers(range, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects pairs by value: all that are wanted, or the first of them.
    fn by_value(&self, request: Request, wanted: Wanted<'_>) -> Selected {
        if request.is_index_range() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        check_inversion(request)?;
        let total = self.pairs.len();
        if total == 0 {
            return Ok(Selection::nothing(request, -1));
        }
        if self.has_value_order() {
            return self.by_value_order(request, wanted);
        }
        let mut matching = self.indexes_where(|(_, value)| wanted.includes(*value));
        if !request.is_multi {
            matching.truncate(1);
        }
        let rank = self.rank_of(wanted.begin());
        if matching.is_empty() {
            return if request.is_inverted {
                all(self, request.not_inverted())
            } else {
                Ok(Selection::nothing(request, rank as i64))
            };
        }
        let ranks = rank..rank + matching.len();
        let indexes = if request.is_inverted { others(&matching, total) } else { matching };
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            ReturnType::Index { reverse } => request.positions(&indexes, total, reverse),
            _ => request.numbers(ranks, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects by rank: one pair, which must be there, or a range cut to what is there.
    fn by_rank(&self, request: Request, rank: i64, count: u64) -> Selected {
        let total = self.pairs.len();
        let ranks = range(rank, count, total, request.is_multi)?;
        if request.is_index_range() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        let (request, ranks) = not_inverted_range(request, ranks, total)?;
        if ranks.is_empty() {
            return Ok(Selection::nothing(request, ranks.start as i64));
        }
        let found =
            rank::ascending_by_rank(total, ranks.clone(), |a, b| self.compare_by_value(a, b));
        self.by_ranks(request, &found, ranks)
    }

    /// Selects the pairs with these ranks, which were found at these indexes, in the order of their
    /// ranks.
    pub(super) fn by_ranks(
        &self,
        request: Request,
        found: &[usize],
        ranks: Range<usize>,
    ) -> Selected {
        let total = self.pairs.len();
        let mut indexes = found.to_vec();
        indexes.sort_unstable();
        if request.is_inverted {
            indexes = others(&indexes, total);
        }
        let by_index =
            request.is_inverted || request.return_type == ReturnType::Map(Flags::MAP_KEY_ORDERED);
        let answered = if by_index { &indexes } else { found };
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, answered)?
            }
            ReturnType::Index { reverse } => request.positions(answered, total, reverse),
            _ => request.numbers(ranks, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the pairs with any of several keys.
    fn by_key_list(&self, request: Request, keys: &[Element<'_>]) -> Selected {
        if request.is_range() || matches!(request.return_type, ReturnType::Rank { .. }) {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        if keys.is_empty() {
            return self.all_or_nothing(request);
        }
        let own: Vec<Element<'_>> = self.pairs.iter().map(|(key, _)| *key).collect();
        let is_ordered = self.is_ordered();
        let found = if is_ordered {
            Found::among_sorted(&own, keys)
        } else {
            let with_ranks = matches!(request.return_type, ReturnType::Index { .. });
            Found::among(&own, keys, with_ranks)
        };
        let total = own.len();
        let indexes = found.indexes(request.is_inverted);
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            ReturnType::Index { reverse } if !is_ordered => {
                found.ranks_answer(request.is_inverted, reverse)
            }
            ReturnType::Index { reverse } if !request.is_inverted => {
                answer::number_list(found.ranks()?, total, reverse)
            }
            ReturnType::Index { reverse } => request.positions(&indexes, total, reverse),
            _ => request.not_inverted().numbers(0..indexes.len(), total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the pairs with any of several values.
    fn by_value_list(&self, request: Request, values: &[Element<'_>]) -> Selected {
        if request.is_range() {
            return Err(ResultCode::OP_NOT_APPLICABLE);
        }
        if values.is_empty() {
            return self.all_or_nothing(request);
        }
        // The values of a single pair always are in order.
        if self.has_value_order() || self.pairs.len() <= 1 {
            return self.by_value_list_order(request, values);
        }
        let own: Vec<Element<'_>> = self.pairs.iter().map(|(_, value)| *value).collect();
        let with_ranks = matches!(request.return_type, ReturnType::Rank { .. });
        let found = Found::among(&own, values, with_ranks);
        let indexes = found.indexes(request.is_inverted);
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            ReturnType::Rank { reverse } => found.ranks_answer(request.is_inverted, reverse),
            ReturnType::Index { reverse } => request.positions(&indexes, own.len(), reverse),
            _ => request.not_inverted().numbers(0..indexes.len(), own.len())?,
        };
        Ok(Selection { answer, indexes })
    }

    /// What an empty list of keys or values selects.
    fn all_or_nothing(&self, request: Request) -> Selected {
        if request.is_inverted {
            all(self, request.not_inverted())
        } else {
            Ok(Selection::nothing(request, 0))
        }
    }
}
