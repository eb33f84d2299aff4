//! Finding several values at once among the elements of a list, or the keys or values of a map.

use std::cmp::Ordering;
use std::ops::Range;

use wire::ResultCode;

use super::answer::{self, Answer};
use crate::msgpack::Element;
use crate::order;

/// How many elements more than there are an operation may answer with, when the values that it
/// looks for repeat. Without a bound a small request could ask for any amount.
const REPEATED_COUNT_MAX: usize = 1 << 20;

/// Where several values were found.
pub(crate) struct Found {
    /// For each element whether it equals one of them.
    is_found: Vec<bool>,
    /// For each value the ranks of the elements that equal it.
    ranks: Vec<Range<usize>>,
    /// Among elements that are not sorted, the values in their order.
    by_rank: Vec<usize>,
}

impl Found {
    /// Finds the range of each value among elements that ascend.
    pub(crate) fn among_sorted(elements: &[Element<'_>], values: &[Element<'_>]) -> Self {
        let range = |value: &Element<'_>| equal_range(elements, *value);
        let ranks: Vec<Range<usize>> = values.iter().map(range).collect();
        // Of how many ranges more begin than end at each index.
        let mut steps = vec![0_isize; elements.len() + 1];
        for range in &ranks {
            steps[range.start] += 1;
            steps[range.end] -= 1;
        }
        let mut depth = 0;
        let is_found = steps.iter().take(elements.len()).map(|step| {
            depth += step;
            depth > 0
        });
        Self { is_found: is_found.collect(), by_rank: Vec::new(), ranks }
    }

    /// Finds which elements equal one of the values; if wanted, also the ranks of these.
    pub(crate) fn among(
        elements: &[Element<'_>],
        values: &[Element<'_>],
        with_ranks: bool,
    ) -> Self {
        let mut by_rank: Vec<usize> = (0..values.len()).collect();
        order::sort_by(&mut by_rank, |&a, &b| order::compare(values[a], values[b]));
        let compare = |element: Element<'_>, place: usize| {
            by_rank.get(place).map_or(Ordering::Less, |&at| order::compare(element, values[at]))
        };
        if !with_ranks {
            let is_found = |element: &Element<'_>| {
                search(by_rank.len(), |place| compare(*element, place)).is_ok()
            };
            let is_found = elements.iter().map(is_found).collect();
            return Self { is_found, ranks: Vec::new(), by_rank };
        }
        let mut is_found = vec![false; elements.len()];
        let mut equal = vec![0; values.len()];
        // Elements below the value at a place of `by_rank` and not below the one before it.
        let mut below = vec![0; values.len() + 1];
        for (index, &element) in elements.iter().enumerate() {
            let (place, is_equal) = search_last(by_rank.len(), |place| compare(element, place));
            below[place] += 1;
            // Of equal values the last one counts as found.
            let value = place.checked_sub(1).and_then(|place| by_rank.get(place));
            if let (Some(&value), true) = (value, is_equal) {
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
        Self { is_found, ranks, by_rank }
    }

    /// Indexes of the elements that were found, or of the others; ascending.
    pub(crate) fn indexes(&self, is_inverted: bool) -> Vec<usize> {
        let is_selected = self.is_found.iter().map(|is_found| *is_found != is_inverted);
        is_selected.enumerate().filter_map(|(index, is)| is.then_some(index)).collect()
    }

    /// For each value the ranks of its elements; refused if they repeat beyond any use.
    pub(crate) fn ranks(&self) -> Result<&[Range<usize>], ResultCode> {
        let total = self.is_found.len();
        let count = self.ranks.iter().map(Range::len).fold(0, usize::saturating_add);
        if count > total.saturating_add(REPEATED_COUNT_MAX) {
            return Err(ResultCode::RECORD_TOO_BIG);
        }
        Ok(&self.ranks)
    }

    /// Among elements that are not sorted: the ranks of those found, in the order of the values, or
    /// the ranks of the others.
    pub(crate) fn ranks_answer(&self, is_inverted: bool, reverse: bool) -> Answer {
        let total = self.is_found.len();
        let ranks = self.ranks.iter().cloned().flatten();
        if !is_inverted {
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

/// Searches what ascends for something; `compare` tells how that compares with the one at an index.
/// Returns the index of one that is equal, or where it belongs.
///
/// Which one is found among equal ones, and whether any is found where the order is none, follows
/// from where the original looks: the wildcard equals everything, and values can compare as equal
/// although they differ in their order extensions.
pub(crate) fn search(total: usize, compare: impl Fn(usize) -> Ordering) -> Result<usize, usize> {
    let (mut start, mut end) = (0, total);
    let mut at = total / 2;
    while start < end {
        match compare(at) {
            Ordering::Equal => return Ok(at),
            Ordering::Greater => (start, at) = (at + 1, (at + end) / 2),
            Ordering::Less => (end, at) = (at, (at + start) / 2),
        }
        at = at.max(start);
    }
    Err(start)
}

/// Like [`search`], but returns how many are less or equal, and whether any is equal.
fn search_last(total: usize, compare: impl Fn(usize) -> Ordering) -> (usize, bool) {
    let (mut start, mut end) = (0, total);
    let mut at = total / 2;
    let mut is_found = false;
    while start < end {
        let ordering = compare(at);
        is_found |= ordering.is_eq();
        match ordering {
            Ordering::Greater | Ordering::Equal => (start, at) = (at + 1, (at + end) / 2),
            Ordering::Less => (end, at) = (at, (at + start) / 2),
        }
        at = at.max(start);
    }
    (start, is_found)
}

/// Where the elements equal to a value stand among elements that ascend.
pub(crate) fn equal_range(elements: &[Element<'_>], value: Element<'_>) -> Range<usize> {
    let start = elements.partition_point(|element| order::compare(*element, value).is_lt());
    let equal = &elements[start..];
    start..start + equal.partition_point(|element| order::compare(*element, value).is_eq())
}
