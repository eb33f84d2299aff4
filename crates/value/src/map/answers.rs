//! What is to be answered of pairs that were selected, and where keys and values stand.

use std::cmp::Ordering;

use wire::ResultCode;

use crate::cdt::answer::{self, Answer, Request, ReturnType};
use crate::cdt::container::Map;
use crate::cdt::find;
use crate::cdt::select::{Selected, Selection};
use crate::msgpack::Element;
use crate::order;

/// Selects all pairs.
pub(super) fn all(map: &Map<'_>, request: Request) -> Selected {
    let total = map.pairs.len();
    let indexes: Vec<usize> = (0..total).collect();
    let answer = match request.return_type {
        ReturnType::Key | ReturnType::Value | ReturnType::Map(_) => {
            map.elements_answer(request, &indexes)?
        }
        _ => request.numbers(0..total, total)?,
    };
    Ok(Selection { answer, indexes })
}

impl<'a> Map<'a> {
    /// Keys, values or pairs, in the order of the indexes.
    pub(super) fn elements_answer(
        &self,
        request: Request,
        indexes: &[usize],
    ) -> Result<Answer, ResultCode> {
        let selected = indexes.iter().map(|&index| self.pairs[index]);
        match request.return_type {
            ReturnType::Map(flags) => Ok(answer::pairs(flags, selected)),
            ReturnType::Key => request.elements(selected.map(|(key, _)| key)),
            _ => request.elements(selected.map(|(_, value)| value)),
        }
    }

    /// The ranks of pairs. Unlike elements of a list, no two share one: where values are equal, keys
    /// decide.
    pub(super) fn ranks_answer(
        &self,
        request: Request,
        indexes: &[usize],
        reverse: bool,
    ) -> Answer {
        let total = self.pairs.len();
        if let (false, Some(&index)) = (request.is_multi, indexes.first()) {
            let is_less = |other: &usize| self.compare_by_value(*other, index).is_lt();
            let rank = (0..total).filter(is_less).count();
            return answer::integer(answer::counted(rank, total, reverse) as i64);
        }
        let mut ranks = vec![0; total];
        for (rank, index) in self.indexes_by_value().into_iter().enumerate() {
            ranks[index] = rank;
        }
        answer::integers(indexes.iter().map(|&index| answer::counted(ranks[index], total, reverse)))
    }

    /// Compares two pairs by value and then by key.
    pub(super) fn compare_by_value(&self, left: usize, right: usize) -> Ordering {
        let (left, right) = (self.pairs[left], self.pairs[right]);
        order::compare(left.1, right.1).then_with(|| order::compare(left.0, right.0))
    }

    /// The index of a key, or of the first greater key.
    pub(crate) fn find_key(&self, key: Element<'_>) -> Result<usize, usize> {
        if self.is_ordered() {
            let compare = |index: usize| order::compare(key, self.pairs[index].0);
            return find::search(self.pairs.len(), compare);
        }
        let equals = |(own, _): &(Element<'a>, Element<'a>)| order::compare(*own, key).is_eq();
        let place =
            || self.pairs.iter().filter(|(own, _)| order::compare(*own, key).is_lt()).count();
        self.pairs.iter().position(equals).ok_or_else(place)
    }

    /// The index of a key, or of the first greater one.
    pub(super) fn place_of_key(&self, key: Element<'_>) -> usize {
        if self.is_ordered() {
            return self.find_key(key).unwrap_or_else(|place| place);
        }
        self.pairs.iter().filter(|(own, _)| order::compare(*own, key).is_lt()).count()
    }

    /// How many values are less than a value.
    pub(super) fn rank_of(&self, value: Element<'_>) -> usize {
        self.pairs.iter().filter(|(_, own)| order::compare(*own, value).is_lt()).count()
    }

    pub(super) fn indexes_where(
        &self,
        mut is_wanted: impl FnMut(&(Element<'a>, Element<'a>)) -> bool,
    ) -> Vec<usize> {
        let pairs = self.pairs.iter().enumerate();
        pairs.filter_map(|(index, pair)| is_wanted(pair).then_some(index)).collect()
    }
}
