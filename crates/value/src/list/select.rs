//! Operations that select elements: everything that reads, and everything that removes.

use std::cmp::Ordering;
use std::ops::Range;

use wire::ResultCode;

use super::code;
use crate::cdt::answer::{self, Answer, Request, ReturnType};
use crate::cdt::call::{self, Call};
use crate::cdt::container::List;
use crate::cdt::{path, rank};
use crate::msgpack::Element;
use crate::order;

/// Elements that an operation selected.
pub(super) struct Selection {
    /// What it answers.
    pub(super) answer: Answer,
    /// Their indexes, ascending.
    pub(super) indexes: Vec<usize>,
}

/// How many elements more than there are an operation on an ordered list may answer with, when the
/// values that it looks for repeat. Without a bound a small request could ask for any amount.
const REPEATED_COUNT_MAX: usize = 1 << 20;

type Selected = Result<Selection, ResultCode>;

/// Runs an operation that reads.
pub(super) fn read(list: &List<'_>, call: &Call<'_>) -> Result<Answer, ResultCode> {
    let selection = match call.code {
        code::SIZE => return Ok(answer::integer(list.elements.len() as i64)),
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
            return Ok(Selection { answer: request.nothing(range.start), indexes });
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
            _ if request.is_inverted => {
                Request { is_inverted: false, ..request }.numbers(0..indexes.len(), total)?
            }
            _ => request.numbers(range, total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// Selects the elements equal to a value: all of them, or the first.
    fn by_value(&self, request: Request, value: Element<'_>) -> Selected {
        check_inversion(request)?;
        if self.is_ordered() {
            let (start, count) = self.equal_range(value);
            if count == 0 && !request.is_multi {
                return Ok(Selection { answer: request.nothing(0), indexes: Vec::new() });
            }
            let count = if request.is_multi { count } else { 1 };
            return self.by_index(request, start as i64, count as u64);
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
            ReturnType::Index { reverse } => self.index_list_answer(request, &indexes, reverse),
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
        let found = rank::indexes_by_rank(&self.elements, ranks.clone());
        let mut is_selected = vec![request.is_inverted; total];
        for index in &found {
            is_selected[*index] = !request.is_inverted;
        }
        let indexes: Vec<usize> = (0..total).filter(|index| is_selected[*index]).collect();
        if indexes.is_empty() {
            return Ok(Selection { answer: request.nothing(ranks.start), indexes });
        }
        let answer = match request.return_type {
            ReturnType::Index { reverse } => self.index_list_answer(request, &indexes, reverse),
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
                self.by_index(Request { is_inverted: false, ..request }, 0, total as u64)
            } else {
                Ok(Selection { answer: request.nothing(0), indexes: Vec::new() })
            };
        }
        let found = if self.is_ordered() { self.find_each(values) } else { self.find_all(values) };
        let is_selected = found.is_found.iter().map(|is_found| *is_found != request.is_inverted);
        let indexes: Vec<usize> =
            is_selected.enumerate().filter_map(|(index, is)| is.then_some(index)).collect();
        let answer = match request.return_type {
            ReturnType::Index { reverse } | ReturnType::Rank { reverse }
                if self.is_ordered() && !request.is_inverted =>
            {
                answer::number_list(found.bounded_ranks(total)?, total, reverse)
            }
            ReturnType::Value if self.is_ordered() && !request.is_inverted => {
                let ranks = found.bounded_ranks(total)?.iter().cloned();
                answer::elements(ranks.flat_map(|range| &self.elements[range]).copied())
            }
            ReturnType::Rank { reverse } if !self.is_ordered() => {
                found.ranks_answer(request, total, reverse)
            }
            ReturnType::Index { reverse } | ReturnType::Rank { reverse } => {
                self.index_list_answer(request, &indexes, reverse)
            }
            ReturnType::Value => self.values_answer(request, &indexes)?,
            _ => Request { is_inverted: false, ..request }.numbers(0..indexes.len(), total)?,
        };
        Ok(Selection { answer, indexes })
    }

    /// In an ordered list, finds the range of each value.
    fn find_each(&self, values: &[Element<'_>]) -> Found {
        let ranks: Vec<Range<usize>> = values
            .iter()
            .map(|value| {
                let (start, count) = self.equal_range(*value);
                start..start + count
            })
            .collect();
        // Of how many ranges more begin than end at each index.
        let mut steps = vec![0_isize; self.elements.len() + 1];
        for range in &ranks {
            steps[range.start] += 1;
            steps[range.end] -= 1;
        }
        let mut depth = 0;
        let is_found = steps.iter().take(self.elements.len()).map(|step| {
            depth += step;
            depth > 0
        });
        Found { is_found: is_found.collect(), by_rank: Vec::new(), ranks }
    }

    /// In an unordered list, finds which elements equal one of the values, and the ranks of these.
    fn find_all(&self, values: &[Element<'_>]) -> Found {
        let mut by_rank: Vec<usize> = (0..values.len()).collect();
        order::sort_by(&mut by_rank, |&a, &b| order::compare(values[a], values[b]));
        let mut is_found = vec![false; self.elements.len()];
        let mut equal = vec![0; values.len()];
        // Elements below the value at a place of `by_rank` and not below the one before it.
        let mut below = vec![0; values.len() + 1];
        for (index, &element) in self.elements.iter().enumerate() {
            let place =
                by_rank.partition_point(|&value| order::compare(values[value], element).is_le());
            below[place] += 1;
            // Of equal values the last one counts as found.
            if let Some(&value) = place.checked_sub(1).and_then(|place| by_rank.get(place))
                && order::compare(values[value], element).is_eq()
            {
                equal[value] += 1;
                is_found[index] = true;
            }
        }
        let mut ranks = vec![0..0; values.len()];
        let mut rank = 0;
        for (place, &value) in by_rank.iter().enumerate() {
            rank += below[place];
            ranks[value] = rank..rank + equal[value];
        }
        Found { is_found, ranks, by_rank }
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

    /// In an ordered list, where the elements equal to a value begin and how many they are.
    pub(super) fn equal_range(&self, value: Element<'_>) -> (usize, usize) {
        let start = self.rank_of(value);
        let rest = &self.elements[start..];
        (start, rest.partition_point(|element| order::compare(*element, value).is_eq()))
    }

    /// In an ordered list, where to add a value. Among equal elements it is the place at which the
    /// original's search comes upon one of them; equal values can be told apart by their order
    /// extensions.
    pub(super) fn place_of(&self, value: Element<'_>) -> usize {
        let (mut start, mut end) = (0, self.elements.len());
        while start < end {
            let middle = (start + end) / 2;
            match order::compare(value, self.elements[middle]) {
                Ordering::Equal => return middle,
                Ordering::Greater => start = middle + 1,
                Ordering::Less => end = middle,
            }
        }
        start
    }

    fn indexes_where(&self, mut is_wanted: impl FnMut(&Element<'a>) -> bool) -> Vec<usize> {
        let elements = self.elements.iter().enumerate();
        elements.filter_map(|(index, element)| is_wanted(element).then_some(index)).collect()
    }

    fn values_answer(&self, request: Request, indexes: &[usize]) -> Result<Answer, ResultCode> {
        let mut values = indexes.iter().filter_map(|&index| self.elements.get(index).copied());
        if request.is_multi {
            Ok(answer::elements(values))
        } else {
            values.next().map_or(Ok(None), answer::element)
        }
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

    fn index_list_answer(&self, request: Request, indexes: &[usize], reverse: bool) -> Answer {
        let total = self.elements.len();
        let mut numbers = indexes.iter().map(|&index| answer::counted(index, total, reverse));
        if request.is_multi {
            return answer::integers(numbers);
        }
        answer::integer(numbers.next().map_or(-1, |number| number as i64))
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

/// Where several values were found.
struct Found {
    /// For each element whether it equals one of them.
    is_found: Vec<bool>,
    /// For each value the ranks of the elements that equal it.
    ranks: Vec<Range<usize>>,
    /// In an unordered list, the values in their order.
    by_rank: Vec<usize>,
}

impl Found {
    /// The ranks, unless they repeat beyond any use.
    fn bounded_ranks(&self, total: usize) -> Result<&[Range<usize>], ResultCode> {
        let count = self.ranks.iter().map(Range::len).fold(0, usize::saturating_add);
        if count > total.saturating_add(REPEATED_COUNT_MAX) {
            return Err(ResultCode::RECORD_TOO_BIG);
        }
        Ok(&self.ranks)
    }

    fn ranks_answer(&self, request: Request, total: usize, reverse: bool) -> Answer {
        let ranks = self.ranks.iter().cloned().flatten();
        if !request.is_inverted {
            return answer::integers(ranks.map(|rank| answer::counted(rank, total, reverse)));
        }
        // What lies between the ranks that were found.
        let mut gaps = Vec::new();
        let mut start = 0;
        for range in self.by_rank.iter().map(|&value| &self.ranks[value]) {
            if !range.is_empty() {
                gaps.push(start..range.start);
                start = range.end;
            }
        }
        gaps.push(start..total);
        answer::number_list(&gaps, total, reverse)
    }
}

/// A selection by value or rank can only be inverted if it can be of several elements.
fn check_inversion(request: Request) -> Result<(), ResultCode> {
    if request.is_inverted && !request.is_multi {
        Err(ResultCode::OP_NOT_APPLICABLE)
    } else {
        Ok(())
    }
}

/// The positions that an index or rank and a count mean. For one that must be there, the start has
/// to lie within `total`; otherwise whatever lies outside is cut off.
fn range(index: i64, count: u64, total: usize, is_multi: bool) -> Result<Range<usize>, ResultCode> {
    if !is_multi {
        let start = path::from_either_end(index, total).ok_or(ResultCode::OP_NOT_APPLICABLE)?;
        return Ok(start..start + 1);
    }
    let from_front = if index < 0 { index.saturating_add_unsigned(total as u64) } else { index };
    let limit = |position: u64| usize::try_from(position).map_or(total, |at| at.min(total));
    let (start, end) = match u64::try_from(from_front) {
        Ok(start) => (start, start.saturating_add(count)),
        // The part before the front counts as well.
        Err(_) => (0, count.saturating_sub(from_front.unsigned_abs())),
    };
    Ok(limit(start)..limit(end))
}

/// A rank and count relative to a rank.
fn relative(rank: i64, count: u64, base: usize) -> (i64, u64) {
    let rank = rank.saturating_add_unsigned(base as u64);
    if rank < 0 { (0, count.saturating_sub(rank.unsigned_abs())) } else { (rank, count) }
}
