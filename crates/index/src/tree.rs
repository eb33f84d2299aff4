//! An ordered set of entries that is one block while small and a directory of blocks beyond.
//!
//! Up to [`LEAF_BYTES_MAX`] a tree is a single leaf. A full leaf splits in halves under a
//! directory, whose entries ("fences") hold the lowest key of each leaf. Leaves take only the
//! memory that they need, so a split costs no space; they never exceed the limit, so an insertion
//! moves a few kilobytes at most, whatever the number and the distribution of the keys.
//!
//! Invariants: keys ascend within a leaf and from leaf to leaf; a fence equals the first key of its
//! leaf; no leaf is empty; a directory has at least two leaves, or one after an allocation failed.

mod near;

use std::ops::ControlFlow;

pub(crate) use self::near::Likely;
use crate::block::Block;
use crate::heap::{Heap, OutOfMemory};
use crate::pool::Plan;
use crate::search::{Key, Keyed, Span, key_at, prefetch_prefixes, probable, search};

/// Largest leaf. The allocator's largest class below page granularity; 367 records.
pub(crate) const LEAF_BYTES_MAX: usize = 14_336;

/// A tree over entries `T`. All bytes zero are an empty one: see `zeroed`.
#[repr(u32)]
#[derive(Default)]
pub(crate) enum Tree<T: Keyed> {
    /// No entry, no memory.
    #[default]
    Empty = 0,
    /// All entries in one block.
    Leaf(Block<T>) = 1,
    /// Several leaves, ascending.
    Directory(Block<Fence<T>>) = 2,
}

/// A leaf in a directory, with the lowest key in it (its prefix in the directory's column).
pub(crate) struct Fence<T: Keyed> {
    leaf: Block<T>,
    rest: T::Rest,
}

impl<T: Keyed> Keyed for Fence<T> {
    type Rest = T::Rest;

    fn rest(&self) -> T::Rest {
        self.rest
    }
}

/// Where an entry is or belongs: valid until the tree changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Position {
    leaf: usize,
    at: usize,
}

impl<T: Keyed + Copy> Tree<T> {
    /// Most entries of a leaf.
    const LEAF_LEN_MAX: usize = LEAF_BYTES_MAX / (size_of::<u32>() + size_of::<T>());

    /// The position of `key`, or the one where it belongs. Among equal keys any may be found.
    pub(crate) fn locate(&self, key: &Key<T::Rest>) -> Result<Position, Position> {
        let Some((index, leaf, span)) = self.leaf_of(key) else {
            return Err(Position { leaf: 0, at: 0 });
        };
        match search(leaf, span, key) {
            Ok(at) => Ok(Position { leaf: index, at }),
            Err(at) => Err(Position { leaf: index, at }),
        }
    }

    /// The leaf where `key` is or belongs, its number, and the span of its keys; `None` if empty.
    #[inline]
    fn leaf_of(&self, key: &Key<T::Rest>) -> Option<(usize, &Block<T>, Span)> {
        match self {
            Self::Empty => None,
            Self::Leaf(leaf) => Some((0, leaf, Span::WHOLE)),
            Self::Directory(fences) => {
                let index = match search(fences, Span::WHOLE, key) {
                    Ok(index) => index,
                    Err(after) => after.saturating_sub(1),
                };
                Some((index, &fences.entries()[index].leaf, span_of(fences, index)))
            }
        }
    }

    /// Begins to load the prefixes that [`Self::locate`] will look at.
    pub(crate) fn prefetch_prefixes(&self, key: &Key<T::Rest>) {
        if let Some((_, leaf, span)) = self.leaf_of(key) {
            prefetch_prefixes(leaf, span, key.prefix);
        }
    }

    /// Begins to load the entry that [`Self::probable`] will return.
    pub(crate) fn prefetch_entry(&self, key: &Key<T::Rest>) {
        if let Some((_, leaf, span)) = self.leaf_of(key)
            && let Some(at) = probable(leaf, span, key.prefix)
        {
            leaf.prefetch_whole(at);
        }
    }

    /// An entry that is nearly always that of `key`, if there is one.
    pub(crate) fn probable(&self, key: &Key<T::Rest>) -> Option<&T> {
        let (_, leaf, span) = self.leaf_of(key)?;
        leaf.entries().get(probable(leaf, span, key.prefix)?)
    }

    pub(crate) fn get(&self, position: Position) -> Option<&T> {
        self.leaf(position.leaf)?.entries().get(position.at)
    }

    /// The entry at `position`, to be changed in anything but its key.
    pub(crate) fn get_mut(&mut self, position: Position) -> Option<&mut T> {
        self.leaf_mut(position.leaf)?.columns_mut().1.get_mut(position.at)
    }

    /// Puts an entry where [`Self::locate`] said that its key belongs. Returns where it is now.
    ///
    /// # Errors
    /// [`OutOfMemory`]: no entry was added.
    pub(crate) fn insert(
        &mut self,
        position: Position,
        prefix: u32,
        entry: T,
        heap: Heap<'_>,
    ) -> Result<Position, OutOfMemory> {
        if let Self::Empty = self {
            *self = Self::Leaf(Block::with_capacity(1, heap)?);
        }
        let mut position = position;
        if self.leaf(position.leaf).is_some_and(|leaf| leaf.len() >= Self::LEAF_LEN_MAX) {
            let half = self.split(position.leaf, heap)?;
            if position.at > half {
                position = Position { leaf: position.leaf + 1, at: position.at - half };
            }
        }
        let leaf = self.leaf_mut(position.leaf).expect("a located leaf exists");
        leaf.reserve(1, heap)?;
        leaf.insert(position.at, prefix, entry);
        if position.at == 0 {
            self.refresh_fence(position.leaf);
        }
        Ok(position)
    }

    /// Takes the entry at `position` out.
    pub(crate) fn remove(&mut self, position: Position, heap: Heap<'_>) -> Option<T> {
        self.get(position)?;
        let removed = self.leaf_mut(position.leaf)?.remove(position.at);
        self.settle(position.leaf, heap);
        Some(removed)
    }

    /// Visits entries downward from `from` (included when present), or from the last.
    pub(crate) fn visit_down(
        &self,
        from: Option<&Key<T::Rest>>,
        mut visit: impl FnMut(Key<T::Rest>, &T) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (last, mut end) = match from.map(|key| self.locate(key)) {
            None => (self.leaf_count().saturating_sub(1), usize::MAX),
            Some(Ok(position)) => (position.leaf, position.at + 1),
            Some(Err(position)) => (position.leaf, position.at),
        };
        for leaf in (0..=last).rev().filter_map(|index| self.leaf(index)) {
            let end_here = end.min(leaf.len());
            let columns = leaf.prefixes()[..end_here].iter().zip(&leaf.entries()[..end_here]);
            for (&prefix, entry) in columns.rev() {
                visit(Key { prefix, rest: entry.rest() }, entry)?;
            }
            end = usize::MAX;
        }
        ControlFlow::Continue(())
    }

    /// Visits entries upward from `from`, included when present. Of several equal to `from`, some may
    /// be left out, but not all.
    pub(crate) fn visit_up<B>(
        &self,
        from: &Key<T::Rest>,
        visit: impl FnMut(Key<T::Rest>, &T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let (Ok(start) | Err(start)) = self.locate(from);
        self.visit_from(start, visit)
    }

    /// Visits entries upward from a position on.
    pub(crate) fn visit_from<B>(
        &self,
        start: Position,
        mut visit: impl FnMut(Key<T::Rest>, &T) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut at = start.at;
        for leaf in (start.leaf..).map_while(|index| self.leaf(index)) {
            for (&prefix, entry) in leaf.prefixes().iter().zip(leaf.entries()).skip(at) {
                visit(Key { prefix, rest: entry.rest() }, entry)?;
            }
            at = 0;
        }
        ControlFlow::Continue(())
    }

    /// Visits the entries of one leaf upward from `from` on. Returns the first key of the next
    /// leaf, from which to go on.
    pub(crate) fn visit_leaf(
        &self,
        from: &Key<T::Rest>,
        mut visit: impl FnMut(Key<T::Rest>, &T),
    ) -> Option<Key<T::Rest>> {
        let (Ok(start) | Err(start)) = self.locate(from);
        let leaf = self.leaf(start.leaf)?;
        for (&prefix, entry) in leaf.prefixes().iter().zip(leaf.entries()).skip(start.at) {
            visit(Key { prefix, rest: entry.rest() }, entry);
        }
        key_at(self.leaf(start.leaf + 1)?, 0)
    }

    /// Visits the entries of one leaf upward from `from` on and removes those that `keep` refuses.
    /// Returns the first key of the next leaf, from which to go on.
    pub(crate) fn retain_in_leaf(
        &mut self,
        from: &Key<T::Rest>,
        heap: Heap<'_>,
        mut keep: impl FnMut(Key<T::Rest>, &mut T) -> bool,
    ) -> Option<Key<T::Rest>> {
        let (Ok(start) | Err(start)) = self.locate(from);
        let next = self.leaf(start.leaf + 1).and_then(|leaf| key_at(leaf, 0));
        let leaf = self.leaf_mut(start.leaf)?;
        let len = leaf.len();
        let (prefixes, entries) = leaf.columns_mut();
        let mut kept = start.at;
        for at in start.at..len {
            let (prefix, mut entry) = (prefixes[at], entries[at]);
            if keep(Key { prefix, rest: entry.rest() }, &mut entry) {
                (prefixes[kept], entries[kept]) = (prefix, entry);
                kept += 1;
            }
        }
        if kept < len {
            leaf.truncate(kept);
            self.settle(start.leaf, heap);
        }
        next
    }

    /// Moves its blocks to where the pool wants them.
    pub(crate) fn relocate(&mut self, plan: &Plan, heap: Heap<'_>) {
        if let Self::Directory(fences) = self {
            fences.relocate(plan, heap);
        }
        for index in 0..self.leaf_count() {
            if let Some(leaf) = self.leaf_mut(index) {
                leaf.relocate(plan, heap);
            }
        }
    }

    /// Gives all memory back.
    pub(crate) fn clear(&mut self, heap: Heap<'_>) {
        match std::mem::take(self) {
            Self::Empty => {}
            Self::Leaf(leaf) => leaf.free(heap),
            Self::Directory(mut fences) => {
                while !fences.is_empty() {
                    fences.remove(fences.len() - 1).leaf.free(heap);
                }
                fences.free(heap);
            }
        }
    }

    fn leaf_count(&self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Leaf(_) => 1,
            Self::Directory(fences) => fences.len(),
        }
    }

    fn leaf(&self, index: usize) -> Option<&Block<T>> {
        match self {
            Self::Empty => None,
            Self::Leaf(leaf) => (index == 0).then_some(leaf),
            Self::Directory(fences) => fences.entries().get(index).map(|fence| &fence.leaf),
        }
    }

    fn leaf_mut(&mut self, index: usize) -> Option<&mut Block<T>> {
        match self {
            Self::Empty => None,
            Self::Leaf(leaf) => (index == 0).then_some(leaf),
            Self::Directory(fences) => {
                fences.columns_mut().1.get_mut(index).map(|fence| &mut fence.leaf)
            }
        }
    }

    /// Splits leaf `index` in halves and returns how many entries stayed. Either half has room for
    /// one more.
    fn split(&mut self, index: usize, heap: Heap<'_>) -> Result<usize, OutOfMemory> {
        self.grow_directory(heap)?;
        let Self::Directory(fences) = self else { unreachable!("a directory was just made") };
        let leaf = &mut fences.columns_mut().1[index].leaf;
        let half = leaf.len() / 2;
        let mut upper = Block::with_capacity(leaf.len() - half + 1, heap)?;
        leaf.move_tail(half, &mut upper);
        leaf.shrink(heap);
        let Key { prefix, rest } = key_at(&upper, 0).expect("half of a full leaf is not empty");
        fences.insert(index + 1, prefix, Fence { leaf: upper, rest });
        Ok(half)
    }

    /// Makes room for one more fence, over a single leaf a directory.
    fn grow_directory(&mut self, heap: Heap<'_>) -> Result<(), OutOfMemory> {
        match self {
            Self::Empty => Ok(()),
            Self::Directory(fences) => fences.reserve(1, heap),
            Self::Leaf(leaf) => {
                let mut fences = Block::with_capacity(2, heap)?;
                let Key { prefix, rest } = key_at(leaf, 0).expect("a leaf is not empty");
                let Self::Leaf(leaf) = std::mem::take(self) else { unreachable!("matched above") };
                fences.insert(0, prefix, Fence { leaf, rest });
                *self = Self::Directory(fences);
                Ok(())
            }
        }
    }

    /// Restores the invariants after entries left leaf `index`.
    fn settle(&mut self, index: usize, heap: Heap<'_>) {
        match self {
            Self::Empty => {}
            Self::Leaf(leaf) if leaf.is_empty() => {
                if let Self::Leaf(leaf) = std::mem::take(self) {
                    leaf.free(heap);
                }
            }
            Self::Leaf(leaf) => leaf.shrink(heap),
            Self::Directory(fences) => {
                Self::settle_directory(fences, index, heap);
                self.refresh_fence(index);
                self.collapse(heap);
            }
        }
    }

    /// Does without a directory of less than two leaves.
    fn collapse(&mut self, heap: Heap<'_>) {
        match std::mem::take(self) {
            Self::Directory(mut fences) if fences.len() < 2 => {
                if !fences.is_empty() {
                    *self = Self::Leaf(fences.remove(0).leaf);
                }
                fences.free(heap);
            }
            as_it_was => *self = as_it_was,
        }
    }

    /// Frees leaf `index` when it is empty, joins it with a neighbour when both are small.
    fn settle_directory(fences: &mut Block<Fence<T>>, index: usize, heap: Heap<'_>) {
        let len_of = |at: usize| fences.entries().get(at).map(|fence| fence.leaf.len());
        let small_pair = |left: usize| {
            Some(len_of(left)? + len_of(left + 1)?).filter(|&sum| sum <= Self::LEAF_LEN_MAX / 2)
        };
        if len_of(index) == Some(0) {
            fences.remove(index).leaf.free(heap);
            fences.shrink(heap);
        } else if small_pair(index).is_some() {
            Self::join(fences, index, heap);
        } else if index > 0 && small_pair(index - 1).is_some() {
            // The right leaf may have lost its first entry: harmless, its fence goes.
            Self::join(fences, index - 1, heap);
        } else {
            fences.columns_mut().1[index].leaf.shrink(heap);
        }
    }

    /// Moves the leaf right of `left` into it. Leaves both alone when memory is short.
    fn join(fences: &mut Block<Fence<T>>, left: usize, heap: Heap<'_>) {
        let additional = fences.entries()[left + 1].leaf.len();
        if fences.columns_mut().1[left].leaf.reserve(additional, heap).is_err() {
            return;
        }
        let mut right = fences.remove(left + 1).leaf;
        right.move_tail(0, &mut fences.columns_mut().1[left].leaf);
        right.free(heap);
        fences.shrink(heap);
    }

    /// Sets the fence of leaf `index` to its first key.
    fn refresh_fence(&mut self, index: usize) {
        let Self::Directory(fences) = self else { return };
        let (prefixes, entries) = fences.columns_mut();
        if let (Some(prefix), Some(fence)) = (prefixes.get_mut(index), entries.get_mut(index))
            && let Some(first) = key_at(&fence.leaf, 0)
        {
            (*prefix, fence.rest) = (first.prefix, first.rest);
        }
    }
}

/// The prefixes that leaf `index` of a directory can hold.
fn span_of<T: Keyed>(fences: &Block<Fence<T>>, index: usize) -> Span {
    let prefixes = fences.prefixes();
    let low = if index == 0 { 0 } else { prefixes[index] };
    Span { low, high: prefixes.get(index + 1).copied().unwrap_or(u32::MAX) }
}

#[cfg(test)]
mod tests;
