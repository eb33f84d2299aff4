//! A sorted run of entries in one allocation: the building stone of every index here.
//!
//! ```text
//! | prefix 0 | prefix 1 | ... | prefix capacity-1 | entry 0 | entry 1 | ... | entry capacity-1 |
//!   4 bytes each, dense: what a search reads        size_of::<T>() each, no padding between
//! ```
//!
//! Length and capacity stand in the handle, not in the allocation, so that a search knows where to
//! look before it has touched the block: one cache miss less. A block holds no pointer into itself
//! and can be moved or written out as bytes.
//!
//! All pointer arithmetic of the crate is here and in `pool`; what this file offers is safe. It
//! knows nothing of the order of its entries: the caller names the positions.

#![allow(unsafe_code)]

use std::marker::PhantomData;
use std::ptr::{self, NonNull};
use std::slice;

use crate::heap::{Heap, OutOfMemory};
use crate::pool::{ALIGN, Plan};
use crate::prefetch::prefetch;
use crate::size_class;

/// Bytes that memory is loaded in.
const LINE_BYTES: usize = 64;

/// Bytes of a prefix.
const PREFIX_BYTES: usize = size_of::<u32>();

/// Prefixes and entries, equally many. Its capacity is never zero. Returns its memory by
/// [`Block::free`] only: dropped, it leaks.
///
/// Packed so that the discriminant of an enum around it takes 4 bytes rather than 8.
#[repr(C, packed(4))]
pub(crate) struct Block<T> {
    base: NonNull<u8>,
    len: u16,
    capacity: u16,
    owns: PhantomData<T>,
}

// SAFETY: a block owns its allocation and entries as a `Vec<T>` does; nothing else points there.
unsafe impl<T: Send> Send for Block<T> {}
// SAFETY: `&Block<T>` gives out only `&T` and `&[u32]`.
unsafe impl<T: Sync> Sync for Block<T> {}

impl<T> Block<T> {
    /// Most entries of a block.
    pub(crate) const LEN_MAX: usize = u16::MAX as usize;

    /// Bytes of an entry with its prefix.
    const STRIDE: usize = {
        // With this, the entries behind any number of prefixes are aligned.
        assert!(align_of::<T>() <= PREFIX_BYTES && PREFIX_BYTES <= ALIGN);
        PREFIX_BYTES + size_of::<T>()
    };

    /// An empty block with room for at least `entries`.
    ///
    /// # Errors
    /// [`OutOfMemory`] when the allocator refuses or `entries` exceeds [`Self::LEN_MAX`].
    pub(crate) fn with_capacity(entries: usize, heap: Heap<'_>) -> Result<Self, OutOfMemory> {
        let entries = entries.max(1);
        if entries > Self::LEN_MAX {
            return Err(OutOfMemory);
        }
        let filled = size_class::round_up(entries * Self::STRIDE) / Self::STRIDE;
        let capacity = filled.min(Self::LEN_MAX) as u16;
        let base = heap.allocate(Self::bytes_of(capacity))?;
        Ok(Self { base, len: 0, capacity, owns: PhantomData })
    }

    /// Gives the memory back. Entries that own blocks themselves must have been taken out: what is
    /// left in the block is forgotten.
    pub(crate) fn free(self, heap: Heap<'_>) {
        // SAFETY: the memory came from this heap (all of a tree's blocks do), with this size, and
        // the block is consumed.
        unsafe { heap.free(self.base, self.size_bytes()) };
    }

    pub(crate) fn len(&self) -> usize {
        usize::from(self.len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the allocation.
    pub(crate) fn size_bytes(&self) -> usize {
        Self::bytes_of(self.capacity)
    }

    pub(crate) fn prefixes(&self) -> &[u32] {
        // SAFETY: the first `len` prefixes are initialised and live as long as `self` is borrowed.
        unsafe { slice::from_raw_parts(self.prefix_base(), self.len()) }
    }

    pub(crate) fn entries(&self) -> &[T] {
        // SAFETY: the first `len` entries are initialised and live as long as `self` is borrowed.
        unsafe { slice::from_raw_parts(self.entry_base(), self.len()) }
    }

    /// Both columns for writing.
    pub(crate) fn columns_mut(&mut self) -> (&mut [u32], &mut [T]) {
        let len = self.len();
        // SAFETY: the first `len` prefixes and entries are initialised, the columns do not overlap,
        // and `self` is borrowed exclusively.
        unsafe {
            (
                slice::from_raw_parts_mut(self.prefix_base(), len),
                slice::from_raw_parts_mut(self.entry_base(), len),
            )
        }
    }

    /// Makes room for `additional` more entries.
    ///
    /// # Errors
    /// [`OutOfMemory`]: the block is as it was.
    pub(crate) fn reserve(&mut self, additional: usize, heap: Heap<'_>) -> Result<(), OutOfMemory> {
        let needed = self.len() + additional;
        if needed <= usize::from(self.capacity) {
            return Ok(());
        }
        self.reallocate(needed, heap)
    }

    /// Takes a smaller size class when the entries would fit two classes below the present one; a
    /// class more than they need, so that the next insertions do not grow the block again. Keeps
    /// what it has when memory is short.
    pub(crate) fn shrink(&mut self, heap: Heap<'_>) {
        let needed = size_class::round_up(self.len() * Self::STRIDE);
        if needed <= size_class::below(size_class::below(self.size_bytes())) {
            // A refusal leaves a block that is larger than need be, nothing else.
            let _ = self.reallocate(size_class::above(needed) / Self::STRIDE, heap);
        }
    }

    /// Puts an entry at `at`, moving the later ones up.
    ///
    /// # Panics
    /// When `at` lies beyond the end or no room was reserved.
    pub(crate) fn insert(&mut self, at: usize, prefix: u32, entry: T) {
        let len = self.len();
        assert!(at <= len && self.len < self.capacity, "a reserved position within the block");
        // SAFETY: `at <= len < capacity`, so both columns have room for the tail one further on and
        // for the new element at `at`.
        unsafe {
            let prefixes = self.prefix_base().add(at);
            ptr::copy(prefixes, prefixes.add(1), len - at);
            prefixes.write(prefix);
            let entries = self.entry_base().add(at);
            ptr::copy(entries, entries.add(1), len - at);
            entries.write(entry);
        }
        self.len += 1;
    }

    /// Takes the entry at `at` out, moving the later ones down.
    ///
    /// # Panics
    /// When `at` is not in the block.
    pub(crate) fn remove(&mut self, at: usize) -> T {
        let len = self.len();
        assert!(at < len, "a position within the block");
        self.len -= 1;
        // SAFETY: `at < len`: the element is initialised and, being moved out, is overwritten by
        // the tail behind it, which lies within the initialised part.
        unsafe {
            let prefixes = self.prefix_base().add(at);
            ptr::copy(prefixes.add(1), prefixes, len - at - 1);
            let entries = self.entry_base().add(at);
            let entry = entries.read();
            ptr::copy(entries.add(1), entries, len - at - 1);
            entry
        }
    }

    /// Moves the entries from `from` on to the end of `into`.
    ///
    /// # Panics
    /// When `from` lies beyond the end or `into` has no room reserved.
    pub(crate) fn move_tail(&mut self, from: usize, into: &mut Self) {
        assert!(from <= self.len(), "a position within the block");
        let (count, end) = (self.len() - from, into.len());
        assert!(end + count <= usize::from(into.capacity), "room reserved for the tail");
        // SAFETY: `count` elements are initialised from `from` on, `into` has room for them behind
        // its last, and the blocks are distinct. The lengths below make the move a move.
        unsafe {
            let (source, target) = (self.prefix_base().add(from), into.prefix_base().add(end));
            ptr::copy_nonoverlapping(source, target, count);
            let (source, target) = (self.entry_base().add(from), into.entry_base().add(end));
            ptr::copy_nonoverlapping(source, target, count);
        }
        self.len -= count as u16;
        into.len += count as u16;
    }

    /// Begins to load entry `at` while the caller still searches the prefixes.
    pub(crate) fn prefetch(&self, at: usize) {
        prefetch(self.entry_base().wrapping_add(at));
    }

    /// Begins to load all of entry `at`, which may lie in two lines.
    pub(crate) fn prefetch_whole(&self, at: usize) {
        let entry = self.entry_base().wrapping_add(at).cast::<u8>();
        prefetch(entry);
        prefetch(entry.wrapping_add(size_of::<T>() - 1));
    }

    /// Begins to load the entries from one to another, both included.
    pub(crate) fn prefetch_entries(&self, from: usize, to: usize) {
        let begin = self.entry_base().wrapping_add(from).cast::<u8>();
        let last = (to + 1 - from) * size_of::<T>() - 1;
        (0..last).step_by(LINE_BYTES).for_each(|offset| prefetch(begin.wrapping_add(offset)));
        prefetch(begin.wrapping_add(last));
    }

    /// Begins to load these prefixes, of which there are no more than two lines hold.
    pub(crate) fn prefetch_prefixes(&self, from: usize, to: usize) {
        prefetch(self.prefix_base().wrapping_add(from));
        prefetch(self.prefix_base().wrapping_add(to));
    }

    /// Moves to where the pool wants it. Stays when memory is short.
    pub(crate) fn relocate(&mut self, plan: &Plan, heap: Heap<'_>) {
        if plan.condemns(self.base, self.size_bytes()) {
            let _ = self.reallocate(usize::from(self.capacity), heap);
        }
    }

    fn reallocate(&mut self, entries: usize, heap: Heap<'_>) -> Result<(), OutOfMemory> {
        let mut other = Self::with_capacity(entries, heap)?;
        self.move_tail(0, &mut other);
        std::mem::replace(self, other).free(heap);
        Ok(())
    }

    fn bytes_of(capacity: u16) -> usize {
        size_class::round_up(usize::from(capacity) * Self::STRIDE)
    }

    fn prefix_base(&self) -> *mut u32 {
        let base = self.base;
        base.as_ptr().cast()
    }

    fn entry_base(&self) -> *mut T {
        // SAFETY: the allocation holds `capacity` prefixes and, behind them, `capacity` entries.
        unsafe { self.prefix_base().add(usize::from(self.capacity)).cast() }
    }
}

impl<T: Copy> Block<T> {
    /// Drops the entries from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len().min(len) as u16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestHeap;

    fn filled(count: usize, heap: Heap<'_>) -> Block<[u8; 3]> {
        let mut block = Block::with_capacity(1, heap).unwrap();
        for number in 0..count {
            block.reserve(1, heap).unwrap();
            block.insert(number, number as u32, [number as u8; 3]);
        }
        block
    }

    #[test]
    fn mirrors_a_vec() {
        let owned = TestHeap::default();
        let heap = owned.heap();
        let mut random = fastrand::Rng::with_seed(1);
        let mut block = Block::<[u8; 35]>::with_capacity(0, heap).unwrap();
        let mut model: Vec<(u32, [u8; 35])> = Vec::new();
        for _ in 0..5_000 {
            if model.is_empty() || random.u8(..) < 140 {
                let at = random.usize(..=model.len());
                let (prefix, entry) = (random.u32(..), [random.u8(..); 35]);
                block.reserve(1, heap).unwrap();
                block.insert(at, prefix, entry);
                model.insert(at, (prefix, entry));
            } else {
                let at = random.usize(..model.len());
                assert_eq!(block.remove(at), model.remove(at).1);
                block.shrink(heap);
            }
            assert_eq!(heap.usage.bytes() as usize, block.size_bytes());
            assert!(block.prefixes().iter().eq(model.iter().map(|(prefix, _)| prefix)));
            assert!(block.entries().iter().eq(model.iter().map(|(_, entry)| entry)));
        }
        block.free(heap);
        assert_eq!(heap.usage.bytes(), 0);
    }

    #[test]
    fn tail_moves_between_blocks() {
        let owned = TestHeap::default();
        let heap = owned.heap();
        let mut left = filled(100, heap);
        let mut right = Block::with_capacity(60, heap).unwrap();
        left.move_tail(40, &mut right);
        assert_eq!((left.len(), right.len()), (40, 60));
        assert_eq!((left.prefixes()[39], right.prefixes()[0]), (39, 40));
        left.reserve(60, heap).unwrap();
        right.move_tail(0, &mut left);
        assert!(right.is_empty());
        let whole = filled(100, heap);
        assert_eq!((left.prefixes(), left.entries()), (whole.prefixes(), whole.entries()));
        [left, right, whole].into_iter().for_each(|block| block.free(heap));
        assert_eq!(heap.usage.bytes(), 0);
    }

    #[test]
    fn capacity_fills_a_size_class() {
        let owned = TestHeap::default();
        let block = Block::<[u8; 35]>::with_capacity(14, owned.heap()).unwrap();
        assert_eq!((block.size_bytes(), { block.capacity }), (640, 16));
        block.free(owned.heap());
    }

    #[test]
    fn too_many_entries_are_refused() {
        let owned = TestHeap::default();
        let largest = Block::<u32>::with_capacity(Block::<u32>::LEN_MAX, owned.heap()).unwrap();
        largest.free(owned.heap());
        let refused = Block::<u32>::with_capacity(Block::<u32>::LEN_MAX + 1, owned.heap());
        assert_eq!(refused.err(), Some(OutOfMemory));
        assert_eq!(owned.heap().usage.bytes(), 0);
    }
}
