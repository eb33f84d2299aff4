//! Finding elements by their rank among elements that are not sorted.
//!
//! Elements that compare as equal share no rank: one comes before the other. Which one, and in
//! which order a range of ranks is listed, follows from how the original searches, with a heap that
//! gives up the elements from the nearer end. Clients can see it, so the search here is the same.

use std::cmp::Ordering;
use std::ops::Range;

/// Indexes of the elements with these ranks. They descend when the range is nearer to the smallest
/// element, else they ascend. The range must lie within the `total` elements, which are compared by
/// their indexes.
pub(crate) fn indexes_by_rank(
    total: usize,
    ranks: Range<usize>,
    compare: impl Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let above = total - ranks.end;
    let (first, discarded) = if is_near_smallest(total, &ranks) {
        (Ordering::Less, ranks.start)
    } else {
        (Ordering::Greater, above)
    };
    let mut heap = Heap { compare, first, indexes: (0..total).collect() };
    heap.build();
    let mut taken: Vec<usize> =
        (0..discarded + ranks.len()).filter_map(|_| heap.pop()).skip(discarded).collect();
    taken.reverse();
    taken
}

/// Like [`indexes_by_rank`], but they always ascend.
pub(crate) fn ascending_by_rank(
    total: usize,
    ranks: Range<usize>,
    compare: impl Fn(usize, usize) -> Ordering,
) -> Vec<usize> {
    let descends = is_near_smallest(total, &ranks);
    let mut indexes = indexes_by_rank(total, ranks, compare);
    if descends {
        indexes.reverse();
    }
    indexes
}

fn is_near_smallest(total: usize, ranks: &Range<usize>) -> bool {
    ranks.start <= total - ranks.end
}

/// A binary heap of element indexes; the top one compares as `first` against the others.
struct Heap<C> {
    compare: C,
    first: Ordering,
    indexes: Vec<usize>,
}

impl<C: Fn(usize, usize) -> Ordering> Heap<C> {
    fn build(&mut self) {
        for position in (0..self.indexes.len() / 2).rev() {
            self.sift_down(position);
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let last = self.indexes.pop()?;
        let Some(top) = self.indexes.first_mut() else { return Some(last) };
        let popped = std::mem::replace(top, last);
        self.sift_down(0);
        Some(popped)
    }

    fn sift_down(&mut self, mut position: usize) {
        loop {
            let left = 2 * position + 1;
            if left >= self.indexes.len() {
                return;
            }
            let has_right = left + 1 < self.indexes.len();
            let takes_right = has_right && self.compare(left, left + 1) == self.first.reverse();
            let child = if takes_right { left + 1 } else { left };
            if self.compare(child, position) != self.first {
                return;
            }
            self.indexes.swap(child, position);
            position = child;
        }
    }

    fn compare(&self, left: usize, right: usize) -> Ordering {
        (self.compare)(self.indexes[left], self.indexes[right])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranked(values: &[u8], ranks: Range<usize>) -> Vec<u8> {
        let compare = |a: usize, b: usize| values[a].cmp(&values[b]);
        let indexes = indexes_by_rank(values.len(), ranks, compare);
        indexes.into_iter().map(|index| values[index]).collect()
    }

    #[test]
    fn ranges_near_the_smallest_descend_others_ascend() {
        let values = [5, 3, 9, 1, 7];
        assert_eq!(ranked(&values, 0..2), [3, 1]);
        assert_eq!(ranked(&values, 1..4), [7, 5, 3]);
        assert_eq!(ranked(&values, 3..5), [7, 9]);
        assert_eq!(ranked(&values, 0..5), [9, 7, 5, 3, 1]);
        assert_eq!(ranked(&values, 2..2), []);
        assert_eq!(ranked(&[], 0..0), []);
    }

    #[test]
    fn each_rank_has_one_element() {
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..500 {
            let values: Vec<u8> = (0..random.usize(1..30)).map(|_| random.u8(..8)).collect();
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let start = random.usize(..values.len());
            let end = random.usize(start..=values.len());
            let mut found = ranked(&values, start..end);
            found.sort_unstable();
            assert_eq!(found, sorted[start..end], "{values:?} {start}..{end}");
        }
    }
}
