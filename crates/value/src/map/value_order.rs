//! Selecting by value in a map that keeps an order of its values: one that is ordered by key and
//! value, and whose index the client asked to be persisted.
//!
//! The original looks values up in that order, and answers in it. Without it, it walks through the
//! pairs and answers in the order of their keys; so both ways can be told apart.

use super::select::Wanted;
use crate::cdt::answer::{self, Request, ReturnType};
use crate::cdt::container::Map;
use crate::cdt::find::{Found, equal_range};
use crate::cdt::select::{Selected, Selection};
use crate::msgpack::{Element, Flags};
use crate::order;

impl Map<'_> {
    /// Whether the map keeps an order of its values. That of a single pair needs not be kept.
    pub(super) fn has_value_order(&self) -> bool {
        const KEPT: u8 = Flags::MAP_VALUE_ORDERED.0 | Flags::PERSIST_INDEX.0;
        self.flags.0 & KEPT == KEPT && self.pairs.len() > 1
    }

    /// Indexes of the pairs in the order of their values; where these are equal, of their keys.
    pub(super) fn indexes_by_value(&self) -> Vec<usize> {
        let mut by_value: Vec<usize> = (0..self.pairs.len()).collect();
        order::sort_by(&mut by_value, |&a, &b| order::compare(self.pairs[a].1, self.pairs[b].1));
        by_value
    }

    /// Selects pairs by value; the request can be inverted, as it should be checked to be.
    pub(super) fn by_value_order(&self, request: Request, wanted: Wanted<'_>) -> Selected {
        let total = self.pairs.len();
        let by_value = self.indexes_by_value();
        let values: Vec<Element<'_>> = by_value.iter().map(|&index| self.pairs[index].1).collect();
        let place = |value| equal_range(&values, value).start;
        let mut ranks = match wanted {
            Wanted::Equal(value) => equal_range(&values, value),
            Wanted::Interval(begin, None) => place(begin)..total,
            Wanted::Interval(begin, Some(end)) => place(begin)..place(end).max(place(begin)),
        };
        if !request.is_multi {
            ranks.end = ranks.end.min(ranks.start + 1);
        }
        self.by_ranks(request, &by_value[ranks.clone()], ranks)
    }

    /// Selects the pairs with any of several values. The request asks for no range.
    pub(super) fn by_value_list_order(&self, request: Request, wanted: &[Element<'_>]) -> Selected {
        let total = self.pairs.len();
        let by_value = self.indexes_by_value();
        let values: Vec<Element<'_>> = by_value.iter().map(|&index| self.pairs[index].1).collect();
        let found = Found::among_sorted(&values, wanted);
        let ranks = found.indexes(request.is_inverted);
        let mut indexes: Vec<usize> = ranks.iter().map(|&rank| by_value[rank]).collect();
        indexes.sort_unstable();
        let answer = match request.return_type {
            ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
                self.elements_answer(request, &indexes)?
            }
            ReturnType::Index { reverse } if !request.is_inverted => {
                let ranks = found.ranks()?.iter().cloned().flatten();
                answer::integers(ranks.map(|rank| answer::counted(by_value[rank], total, reverse)))
            }
            ReturnType::Rank { reverse } if !request.is_inverted => {
                answer::number_list(found.ranks()?, total, reverse)
            }
            ReturnType::Index { reverse } => request.positions(&indexes, total, reverse),
            ReturnType::Rank { reverse } => self.ranks_answer(request, &indexes, reverse),
            _ => request.not_inverted().numbers(0..indexes.len(), total)?,
        };
        Ok(Selection { answer, indexes })
    }
}
