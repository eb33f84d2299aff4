//! Searches that begin where another tree had the key.
//!
//! Trees whose entries are drawn from the same distribution, as the partitions of a secondary index,
//! have a key at about the same share of their entries, whatever that distribution is. A search from
//! there looks at a few neighbours, which can be loaded early because where they lie is known without
//! looking at a key.

use crate::block::Block;
use crate::search::{Key, Keyed, Span, key_at, search};
use crate::tree::{Position, Tree};

/// Where a key is likely to stand in a tree, as learned from others.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Likely {
    /// Entries before the key, of all trees together in which it was sought.
    pub(super) before: u64,
    /// Entries of these trees.
    pub(super) all: u64,
    /// Whether the last one had more than one leaf.
    pub(super) has_fences: bool,
}

/// Entries on either side that are loaded early. In the middle of 250 entries a key is among them four
/// times of five, and more often towards the ends.
const NEARBY: usize = 10;

impl Likely {
    /// Whether trees are likely to have fences.
    pub(crate) fn has_fences(self) -> bool {
        self.has_fences
    }

    /// Takes in where a key stands in a tree.
    pub(crate) fn learn<T: Keyed + Copy>(&mut self, tree: &Tree<T>, position: Position) {
        let before: usize = tree.leaves().take(position.leaf).map(Block::len).sum();
        self.before += (before + position.at) as u64;
        self.all += tree.len() as u64;
        self.has_fences = matches!(tree, Tree::Directory(_));
    }

    /// How many of so many entries are likely to stand before the key.
    fn before_of(self, entries: usize) -> usize {
        (self.before as f32 / self.all.max(1) as f32 * entries as f32) as usize
    }
}

impl<T: Keyed + Copy> Tree<T> {
    /// The position of the first key that is not below `key`. Of several equal to `key`, some may be
    /// left out, but not all.
    pub(crate) fn lower_bound_near(&self, key: &Key<T::Rest>, likely: Likely) -> Position {
        let guess = self.position_of(likely);
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

    /// Begins to load what says where the leaves are.
    pub(crate) fn prefetch_fences(&self) {
        if let Self::Directory(fences) = self {
            fences.prefetch_prefixes(0, fences.len() - 1);
            fences.prefetch(0);
            fences.prefetch(fences.len() - 1);
        }
    }

    /// Begins to load what [`Self::lower_bound_near`] will look at.
    pub(crate) fn prefetch_near(&self, likely: Likely) {
        let position = self.position_of(likely);
        let Some(leaf) = self.leaf(position.leaf).filter(|leaf| !leaf.is_empty()) else { return };
        let last = leaf.len() - 1;
        let (from, to) = (position.at.saturating_sub(NEARBY), (position.at + NEARBY).min(last));
        leaf.prefetch_prefixes(from.min(last), to);
        leaf.prefetch_entries(from.min(last), to);
    }

    fn position_of(&self, likely: Likely) -> Position {
        let mut at = likely.before_of(self.len());
        for (index, leaf) in self.leaves().enumerate() {
            if at <= leaf.len() {
                return Position { leaf: index, at };
            }
            at -= leaf.len();
        }
        Position { leaf: self.leaf_count(), at: 0 }
    }

    /// Number of entries.
    fn len(&self) -> usize {
        self.leaves().map(Block::len).sum()
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
