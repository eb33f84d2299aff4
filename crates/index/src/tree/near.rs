//! Searches that begin where another tree had the key.
//!
//! Trees whose entries are drawn from the same distribution, as the partitions of a secondary index,
//! have a key at about the same share of their entries, whatever that distribution is. A search from
//! there looks at a few neighbours, which can be loaded early because where they lie is known without
//! looking at a key.

use crate::block::Block;
use crate::search::{Key, Keyed, Span, key_at, search};
use crate::tree::{Position, Tree};

/// At what share of a tree's entries a key stands, from 0, the first, to 1, behind the last.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Quantile(pub(super) f32);

/// Entries on either side that are loaded early: at some hundred entries a key is among them two times
/// of three, and three times of four at the ends.
const NEARBY: usize = 8;

impl<T: Keyed + Copy> Tree<T> {
    /// The position of the first key that is not below `key`, which probably stands at `quantile`. Of
    /// several equal to `key`, some may be left out, but not all.
    pub(crate) fn lower_bound_near(&self, key: &Key<T::Rest>, quantile: Quantile) -> Position {
        let guess = self.position_at(quantile);
        let index = match self {
            // Equal keys may end the leaf before.
            Self::Directory(fences) => match search(fences, Span::WHOLE, key) {
                Ok(index) | Err(index) => index.saturating_sub(1),
            },
            _ => 0,
        };
        let Some(leaf) = self.leaf(index) else { return Position { leaf: 0, at: 0 } };
        let from = match guess.leaf.cmp(&index) {
            std::cmp::Ordering::Less => 0,
            std::cmp::Ordering::Equal => guess.at,
            std::cmp::Ordering::Greater => leaf.len(),
        };
        Position { leaf: index, at: lower_bound_from(leaf, from, key) }
    }

    /// At what share of the entries a position is.
    pub(crate) fn quantile_of(&self, position: Position) -> Quantile {
        let len_of = |index| self.leaf(index).map_or(0, Block::len);
        let before: usize = (0..position.leaf).map(len_of).sum();
        let all: usize = before + (position.leaf..self.leaf_count()).map(len_of).sum::<usize>();
        Quantile((before + position.at) as f32 / all.max(1) as f32)
    }

    /// Begins to load what says where the leaves are.
    pub(crate) fn prefetch_fences(&self) {
        if let Self::Directory(fences) = self {
            fences.prefetch_prefixes(0, fences.len() - 1);
            fences.prefetch(0);
            fences.prefetch(fences.len() - 1);
        }
    }

    /// Begins to load what [`Self::lower_bound_near`] will look at.
    pub(crate) fn prefetch_near(&self, quantile: Quantile) {
        let position = self.position_at(quantile);
        let Some(leaf) = self.leaf(position.leaf).filter(|leaf| !leaf.is_empty()) else { return };
        let last = leaf.len() - 1;
        let (from, to) = (position.at.saturating_sub(NEARBY), (position.at + NEARBY).min(last));
        leaf.prefetch_prefixes(from.min(last), to);
        leaf.prefetch_entries(from.min(last), to);
    }

    fn position_at(&self, Quantile(share): Quantile) -> Position {
        let all: usize = self.leaves().map(Block::len).sum();
        let mut at = (share * all as f32) as usize;
        for (index, leaf) in self.leaves().enumerate() {
            if at <= leaf.len() {
                return Position { leaf: index, at };
            }
            at -= leaf.len();
        }
        Position { leaf: self.leaf_count(), at: 0 }
    }

    fn leaves(&self) -> impl Iterator<Item = &Block<T>> {
        (0..).map_while(|index| self.leaf(index))
    }
}

/// The first entry whose key is not below `key`, searched from `guess` outward in growing steps.
fn lower_bound_from<T: Keyed>(block: &Block<T>, guess: usize, key: &Key<T::Rest>) -> usize {
    let is_below = |at| key_at(block, at).is_some_and(|found| found < *key);
    // All before `low` are below, none from `high` on is.
    let (mut low, mut high) = (0, block.len());
    let mut step = 1;
    let mut at = guess.min(high);
    if is_below(at) {
        low = at + 1;
        while low + step <= high {
            at = low + step - 1;
            if !is_below(at) {
                high = at;
                break;
            }
            (low, step) = (at + 1, step * 2);
        }
    } else {
        high = at;
        while high >= step {
            at = high - step;
            if is_below(at) {
                low = at + 1;
                break;
            }
            (high, step) = (at, step * 2);
        }
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if is_below(middle) { low = middle + 1 } else { high = middle }
    }
    low
}
