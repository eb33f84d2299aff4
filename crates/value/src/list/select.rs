//! Operations that select elements: everything that reads, and everything that removes.

use std::ops::Range;

use wire::ResultCode;

use super::code;
use crate::cdt::answer::{self, Answer, Request, ReturnType};
use crate::cdt::call::{self, Call};
use crate::cdt::container::List;
use crate::cdt::find::{self, Found};
use crate::cdt::rank;
use crate::cdt::select::{Selected, Selection, check_inversion, range, relative};
use crate::msgpack::Element;
use crate::order;

/// Runs an operation that reads.
pub(super) fn read(list: &List<'_>, call: &Call<'_>) -> Result<Answer, ResultCode> {
    let selection = match call.code {
        code::GET => {
            let index = call.parameters(1, 1)?.index()?;
            list.by_index(Request::plain(ReturnType::Value, false), index, 1)
        }
        code::GET_RANGE => {
            let mut parameters = call.parameters(1, 2)?;
            let (index, count) = (parameters.index()?, parameters.count_or_all()?);
            list.by_index(Request::plain(ReturnType::Value, true), index, count)
        }
        code::GET_BY_INDEX => select(list, call, Selector::Index),
        code::GET_BY_VALUE => select(list, call, Selector::Value),
        code::GET_BY_RANK => select(list, call, Selector::Rank),
        code::GET_ALL_BY_VALUE => select(list, call, Selector::AllByValue),
        code::GET_BY_VALUE_LIST => select(list, call, Selector::ValueList),
        code::GET_BY_INDEX_RANGE => select(list, call, Selector::IndexRange),
        code::GET_BY_VALUE_INTERVAL => select(list, call, Selector::ValueInterval),
        code::GET_BY_RANK_RANGE => select(list, call, Selector::RankRange),
        code::GET_BY_VALUE_REL_RANK_RANGE => select(list, call, Selector::RelativeRankRange),
        _ => Err(ResultCode::PARAMETER),
    };
    Ok(selection?.answer)
}

/// How an operation with a return parameter selects. Each exists to read and to remove.
#[derive(Clone, Copy, Debug)]
pub(super) enum Selector {
    Index,
    Value,
    Rank,
    AllByValue,
    ValueList,
    IndexRange,
    ValueInterval,
    RankRange,
    RelativeRankRange,
}

/// Reads an operation's parameters and selects.
pub(super) fn select(list: &List<'_>, call: &Call<'_>, selector: Selector) -> Selected {
    use Selector::*;
    let (min, max) = match selector {
        Index | Value | Rank | AllByValue | ValueList => (2, 2),
        IndexRange | ValueInterval | RankRange => (2, 3),
        RelativeRankRange => (3, 4),
    };
    let mut parameters = call.parameters(min, max)?;
    let returns = parameters.flags()?;
    let request = |is_multi| Request::of_list(returns, is_multi);
    match selector {
        Index => {
            let index = parameters.index()?;
            list.by_index(request(false)?, index, 1)
        }
        Rank => {
            let rank = parameters.index()?;
            list.by_rank(request(false)?, rank, 1)
        }
        Value => {
            let value = parameters.value()?;
            list.by_value(request(false)?, value)
        }
        AllByValue => {
            let value = parameters.value()?;
            list.by_value(request(true)?, value)
        }
        ValueList => {
            let values = parameters.value()?;
            let request = request(true);
            if request.is_ok_and(|request| request.is_range()) {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            let values = call::value_list(values)?;
            list.by_value_list(request?, &values)
        }
        IndexRange => {
            let (index, count) = (parameters.index()?, parameters.count_or_all()?);
            list.by_index(request(true)?, index, count)
        }
        RankRange => {
            let (rank, count) = (parameters.index()?, parameters.count_or_all()?);
            list.by_rank(request(true)?, rank, count)
        }
        ValueInterval => {
            let (begin, end) = (parameters.value()?, parameters.value_or_none()?);
            list.by_value_interval(request(true)?, begin, end)
        }
        RelativeRankRange => {
            let (value, rank) = (parameters.value()?, parameters.index()?);
            let count = parameters.count_or_all()?;
            let (rank, count) = relative(rank, count, list.rank_of(value));
            list.by_rank(request(true)?, rank, count)
        }
    }
}

impl<'a> List<'a> {
    /// Selects by index: one element, which must be there, or a range cut to what is there.
    pub(super) fn by_index(&self, request: Request, index: i64, count: u64) -> Selected {
        let total = self.elements.len();
        let range = range(index, count, total, request.is_multi)?;
        let ranges = if request.is_inverted {
            if !request.is_multi || request.is_range() {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            if range.is_empty() {
                [0..total, total..total]
            } else {
                [0..range.start, range.end..total]
            }
        } else {
            [range.clone(), total..total]
        };
        let indexes: Vec<usize> = ranges.iter().cloned().flatten().collect();
        if indexes.is_empty() {
            return Ok(Selection::nothing(request, range.start as i64));
        }
        let answer = match request.return_type {
            ReturnType::Rank { reverse } if !self.is_ordered() => {
                self.ranks_answer(request, &indexes, reverse)
            }
            ReturnType::Index { reverse } | ReturnType::Rank { reverse } => {
                self.numbers_answer(request, &ranges, reverse)
            }
            ReturnType::Value => self.values_answer(request, &indexes)?,
            ReturnType::RankRange { .. } if !self.is_ordered() => {
                return Err(ResultCode::OP_NOT_APPLICABLE);
            }
            // Numbers that the two parts of an inverted range share.
            _ if request.is_inverted => request.not_inverted().numbers(0..indexes.len(), total)?,
            _ => request.numbers(range, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the elements equal to a value: all of them, or the first.
    fn by_value(&self, request: Request, value: Element<'_>) -> Selected {
        check_inversion(request)?;
        if self.is_ordered() {
            let equal = find::equal_range(&self.elements, value);
            if equal.is_empty() && !request.is_multi {
                return Ok(Selection::nothing(request, 0));
            }
            let count = if request.is_multi { equal.len() } else { 1 };
            return self.by_index(request, equal.start as i64, count as u64);
        }
        let equal = |element: &Element<'_>| order::compare(*element, value).is_eq();
        let found = if request.is_multi {
            self.indexes_where(|element| equal(element) != request.is_inverted)
        } else {
            self.elements.iter().position(equal).into_iter().collect()
        };
        self.by_matches(request, self.rank_of(value), found)
    }

    /// Selects the elements from one value up to another or to the end.
    fn by_value_interval(
        &self,
        request: Request,
        begin: Element<'_>,
        end: Option<Element<'_>>,
    ) -> Selected {
        if self.is_ordered() {
            let start = self.rank_of(begin);
            let end = match end {
                None => self.elements.len(),
                Some(end) if order::compare(begin, end).is_ge() => start,
                Some(end) => self.rank_of(end),
            };
            return self.by_index(request, start as i64, end.saturating_sub(start) as u64);
        }
        let found = self.indexes_where(|element| {
            let is_inside = order::compare(*element, begin).is_ge()
                && end.is_none_or(|end| order::compare(*element, end).is_lt());
            is_inside != request.is_inverted
        });
        self.by_matches(request, self.rank_of(begin), found)
    }

    /// Answers for elements of an unordered list that were found by value, the first of which has
    /// or would have this rank.
    fn by_matches(&self, request: Request, rank: usize, indexes: Vec<usize>) -> Selected {
        let total = self.elements.len();
        let answer = match request.return_type {
            ReturnType::Index { reverse } => request.positions(&indexes, total, reverse),
            ReturnType::Value => self.values_answer(request, &indexes)?,
            ReturnType::IndexRange { .. } => return Err(ResultCode::OP_NOT_APPLICABLE),
            _ => {
                let matching =
                    if request.is_inverted { total - indexes.len() } else { indexes.len() };
                request.numbers(rank..rank + matching, total)?
            }
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects by rank: one element, which must be there, or a range cut to what is there.
    fn by_rank(&self, request: Request, rank: i64, count: u64) -> Selected {
        check_inversion(request)?;
        if self.is_ordered() {
            return self.by_index(request, rank, count);
        }
        let total = self.elements.len();
        let ranks = range(rank, count, total, request.is_multi)?;
        let found = rank::indexes_by_rank(total, ranks.clone(), |a, b| {
            order::compare(self.elements[a], self.elements[b])
        });
        let mut is_selected = vec![request.is_inverted; total];
        for index in &found {
            is_selected[*index] = !request.is_inverted;
        }
        let indexes: Vec<usize> = (0..total).filter(|index| is_selected[*index]).collect();
        if indexes.is_empty() {
            return Ok(Selection::nothing(request, ranks.start as i64));
        }
        let answer = match request.return_type {
            ReturnType::Index { reverse } => request.positions(&indexes, total, reverse),
            ReturnType::Value if request.is_inverted => self.values_answer(request, &indexes)?,
            ReturnType::Value => self.values_answer(request, &found)?,
            ReturnType::IndexRange { .. } => return Err(ResultCode::OP_NOT_APPLICABLE),
            _ => request.numbers(ranks, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the elements equal to any of several values.
    fn by_value_list(&self, request: Request, values: &[Element<'_>]) -> Selected {
        let total = self.elements.len();
        if values.is_empty() {
            return if request.is_inverted {
                self.by_index(request.not_inverted(), 0, total as u64)
            } else {
                Ok(Selection::nothing(request, 0))
            };
        }
        let found = if self.is_ordered() {
            Found::among_sorted(&self.elements, values)
        } else {
            let with_ranks = matches!(request.return_type, ReturnType::Rank { .. });
            Found::among(&self.elements, values, with_ranks)
        };
        let indexes = found.indexes(request.is_inverted);
        let answer = match request.return_type {
            ReturnType::Index { reverse } | ReturnType::Rank { reverse }
                if self.is_ordered() && !request.is_inverted =>
            {
                answer::number_list(found.ranks()?, total, reverse)
            }
            ReturnType::Value if self.is_ordered() && !request.is_inverted => {
                let ranks = found.ranks()?.iter().cloned();
                answer::elements(ranks.flat_map(|range| &self.elements[range]).copied())
            }
            ReturnType::Rank { reverse } if !self.is_ordered() => {
                found.ranks_answer(request.is_inverted, reverse)
            }
            ReturnType::Index { reverse } | ReturnType::Rank { reverse } => {
                request.positions(&indexes, total, reverse)
            }
            ReturnType::Value => self.values_answer(request, &indexes)?,
            _ => request.not_inverted().numbers(0..indexes.len(), total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// How many elements are less than a value.
    fn rank_of(&self, value: Element<'_>) -> usize {
        let is_less = |element: &&Element<'_>| order::compare(**element, value).is_lt();
        if self.is_ordered() {
            self.elements.partition_point(|element| is_less(&element))
        } else {
            self.elements.iter().filter(is_less).count()
        }
    }

    /// In an ordered list, where to add a value.
    pub(super) fn place_of(&self, value: Element<'_>) -> usize {
        let place =
            find::search(self.elements.len(), |index| order::compare(value, self.elements[index]));
        place.unwrap_or_else(|place| place)
    }

    fn indexes_where(&self, mut is_wanted: impl FnMut(&Element<'a>) -> bool) -> Vec<usize> {
        let elements = self.elements.iter().enumerate();
        elements.filter_map(|(index, element)| is_wanted(element).then_some(index)).collect()
    }

    fn values_answer(&self, request: Request, indexes: &[usize]) -> Result<Answer, ResultCode> {
        request.elements(indexes.iter().filter_map(|&index| self.elements.get(index).copied()))
    }

    fn numbers_answer(&self, request: Request, ranges: &[Range<usize>], reverse: bool) -> Answer {
        let total = self.elements.len();
        match ranges.first() {
            Some(range) if !request.is_multi => {
                answer::integer(answer::counted(range.start, total, reverse) as i64)
            }
            _ => answer::number_list(ranges, total, reverse),
        }
    }

    /// The ranks of elements of an unordered list, in the order of their indexes. Equal elements
    /// have the same. When all are asked for, the original just counts; so does this.
    fn ranks_answer(&self, request: Request, indexes: &[usize], reverse: bool) -> Answer {
        let total = self.elements.len();
        if indexes.len() == total {
            let all = 0..total;
            return self.numbers_answer(request, std::slice::from_ref(&all), reverse);
        }
        if let (false, Some(&index)) = (request.is_multi, indexes.first()) {
            let rank = self.rank_of(self.elements[index]);
            return answer::integer(answer::counted(rank, total, reverse) as i64);
        }
        let mut sorted = self.elements.clone();
        order::sort_by(&mut sorted, |a, b| order::compare(*a, *b));
        answer::integers(indexes.iter().map(|&index| {
            let element = self.elements[index];
            let rank = sorted.partition_point(|other| order::compare(*other, element).is_lt());
            answer::counted(rank, total, reverse)
        }))
    }
}
