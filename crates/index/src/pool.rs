//! Memory for blocks, kept dense.
//!
//! As an index grows, every sprig moves from size class to size class, and what it leaves behind is
//! of a size that soon nobody asks for. A general allocator cannot close such holes: measured, a
//! third on top of the memory in use. Blocks can be moved, since only their handle points to them;
//! so this pool fills low addresses first and names the blocks beyond them ([`Pool::plan`]), which
//! their owners then move down ([`crate::PrimaryIndex::compact`]).
//!
//! Each size class has segments of equal slots. A segment without blocks goes back to the
//! allocator. Blocks larger than the largest class come from the allocator directly.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;

use parking_lot::Mutex;
#[cfg(target_os = "linux")]
use rustix::mm::{Advice, madvise};

use crate::heap::OutOfMemory;
use crate::size_class;

/// Alignment of every block.
pub(crate) const ALIGN: usize = 16;

/// Largest class with segments.
const CLASS_BYTES_MAX: usize = 14_336;
const CLASSES: usize = size_class::ordinal(CLASS_BYTES_MAX) + 1;

/// Segments are powers of two between these, about a sixteenth of what the class has already.
const SEGMENT_BYTES_MIN: usize = 64 << 10;
const SEGMENT_BYTES_MAX: usize = 2 << 20;
const SEGMENT_SHARE: usize = 16;

/// A class is compacted when more than this part of its slots is free.
const WASTE_SHARE: usize = 16;

/// Blocks of one namespace's indexes.
pub(crate) struct Pool {
    classes: [Mutex<Class>; CLASSES],
}

/// Segments of slots of one size, ascending by address.
#[derive(Default)]
struct Class {
    segments: Vec<Segment>,
    /// All segments before this one are full.
    first_with_room: usize,
    slots: usize,
    live: usize,
}

/// A run of slots. Free slots that were used before are chained: each holds the number of the next.
struct Segment {
    base: NonNull<u8>,
    bytes: usize,
    slots: u32,
    live: u32,
    /// Slots from here on were never used, so that their pages need not be touched.
    fresh: u32,
    free: u32,
}

/// No slot: the end of the chain of free ones.
const NONE: u32 = u32::MAX;

// SAFETY: a segment owns its memory.
unsafe impl Send for Segment {}

/// Blocks that should move down: those of a class from an address on.
pub(crate) struct Plan {
    from: [usize; CLASSES],
}

impl Default for Pool {
    fn default() -> Self {
        Self { classes: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Pool {
    /// Memory for a block of `bytes`, which must be a size class. Uninitialised.
    pub(crate) fn allocate(&self, bytes: usize) -> Result<NonNull<u8>, OutOfMemory> {
        match self.classes.get(size_class::ordinal(bytes)) {
            Some(class) => class.lock().allocate(bytes),
            // SAFETY: larger than the largest class, so not of size zero.
            None => NonNull::new(unsafe { alloc(layout(bytes)) }).ok_or(OutOfMemory),
        }
    }

    /// Takes a block's memory back.
    ///
    /// # Safety
    /// [`Self::allocate`] of this pool gave `base` for `bytes`, and nobody uses it any more.
    pub(crate) unsafe fn free(&self, base: NonNull<u8>, bytes: usize) {
        match self.classes.get(size_class::ordinal(bytes)) {
            Some(class) => class.lock().free(base, bytes),
            // SAFETY: by the caller's promise, `allocate` got it with this layout.
            None => unsafe { dealloc(base.as_ptr(), layout(bytes)) },
        }
    }

    /// Bytes of all segments, used or not.
    pub(crate) fn held_bytes(&self) -> u64 {
        let held = |class: &Mutex<Class>| {
            class.lock().segments.iter().map(|segment| segment.bytes as u64).sum::<u64>()
        };
        self.classes.iter().map(held).sum()
    }

    /// Which blocks to move, if there is enough to gain.
    pub(crate) fn plan(&self) -> Option<Plan> {
        let from = std::array::from_fn(|ordinal| self.classes[ordinal].lock().surplus_from());
        from.iter().any(|&from| from != usize::MAX).then_some(Plan { from })
    }
}

impl Plan {
    /// Whether the block at `base` should move.
    pub(crate) fn condemns(&self, base: NonNull<u8>, bytes: usize) -> bool {
        let from = self.from.get(size_class::ordinal(bytes));
        from.is_some_and(|&from| base.addr().get() >= from)
    }
}

impl Class {
    fn allocate(&mut self, slot_bytes: usize) -> Result<NonNull<u8>, OutOfMemory> {
        while self.segments.get(self.first_with_room).is_some_and(Segment::is_full) {
            self.first_with_room += 1;
        }
        if self.first_with_room == self.segments.len() {
            self.add_segment(slot_bytes)?;
        }
        let slot = self.segments[self.first_with_room].take(slot_bytes);
        self.live += 1;
        Ok(slot)
    }

    fn free(&mut self, slot: NonNull<u8>, slot_bytes: usize) {
        let at = self.segments.partition_point(|segment| segment.base <= slot) - 1;
        self.segments[at].give_back(slot, slot_bytes);
        self.live -= 1;
        self.first_with_room = self.first_with_room.min(at);
        if self.segments[at].live == 0 {
            self.slots -= self.segments.remove(at).slots as usize;
        }
    }

    fn add_segment(&mut self, slot_bytes: usize) -> Result<(), OutOfMemory> {
        self.segments.try_reserve(1).map_err(|_| OutOfMemory)?;
        let share = (self.slots * slot_bytes / SEGMENT_SHARE).max(1);
        let bytes = (1 << share.ilog2()).clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        let segment = Segment::new(bytes, slot_bytes)?;
        let at = self.segments.partition_point(|other| other.base < segment.base);
        self.slots += segment.slots as usize;
        self.segments.insert(at, segment);
        self.first_with_room = at;
        Ok(())
    }

    /// The address from which on segments are not needed, had all blocks moved down.
    fn surplus_from(&self) -> usize {
        if (self.slots - self.live) * WASTE_SHARE <= self.slots {
            return usize::MAX;
        }
        let mut needed = self.live;
        for segment in &self.segments {
            if needed == 0 {
                return segment.base.addr().get();
            }
            needed = needed.saturating_sub(segment.slots as usize);
        }
        usize::MAX
    }
}

impl Segment {
    fn new(bytes: usize, slot_bytes: usize) -> Result<Self, OutOfMemory> {
        // SAFETY: a segment is not of size zero.
        let base = NonNull::new(unsafe { alloc(segment_layout(bytes)) }).ok_or(OutOfMemory)?;
        prefer_huge_page(base, bytes);
        let slots = (bytes / slot_bytes) as u32;
        Ok(Self { base, bytes, slots, live: 0, fresh: 0, free: NONE })
    }

    fn is_full(&self) -> bool {
        self.live == self.slots
    }

    /// A slot of a segment that is not full.
    fn take(&mut self, slot_bytes: usize) -> NonNull<u8> {
        assert!(!self.is_full(), "the segment has room");
        let number = if self.free == NONE { self.fresh } else { self.free };
        // SAFETY: a chained slot's number and that of the first fresh one are below `slots`.
        let slot = unsafe { self.base.add(number as usize * slot_bytes) };
        if self.free == NONE {
            self.fresh += 1;
        } else {
            // SAFETY: a slot in the chain is unused and holds the number of the next.
            self.free = unsafe { slot.cast::<u32>().read() };
        }
        self.live += 1;
        slot
    }

    fn give_back(&mut self, slot: NonNull<u8>, slot_bytes: usize) {
        let offset = slot.addr().get() - self.base.addr().get();
        debug_assert!(
            offset.is_multiple_of(slot_bytes) && offset < self.bytes,
            "a slot of this segment"
        );
        // SAFETY: the slot is in this segment, aligned and at least 16 bytes, and unused from now
        // on.
        unsafe { slot.cast::<u32>().write(self.free) };
        self.free = (offset / slot_bytes) as u32;
        self.live -= 1;
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // A segment with blocks is leaked rather than pulled away from under them.
        if self.live == 0 {
            // SAFETY: made by `new` with this layout; no slot is in use.
            unsafe { dealloc(self.base.as_ptr(), segment_layout(self.bytes)) };
        }
    }
}

/// Asks the system to back a segment of the largest size by one huge page: a look-up in a large
/// index then spares most of its page table walks. Where the system does not care, nothing is lost.
fn prefer_huge_page(base: NonNull<u8>, bytes: usize) {
    #[cfg(target_os = "linux")]
    if bytes == SEGMENT_BYTES_MAX {
        // SAFETY: the range is a whole segment, just allocated; the advice changes no content.
        let _ = unsafe { madvise(base.as_ptr().cast(), bytes, Advice::LinuxHugepage) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (base, bytes);
}

/// The largest segments are aligned to their size, so that each can be one huge page.
fn segment_layout(bytes: usize) -> Layout {
    let align = if bytes == SEGMENT_BYTES_MAX { SEGMENT_BYTES_MAX } else { ALIGN };
    Layout::from_size_align(bytes, align).expect("sizes of segments are constants")
}

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, ALIGN).expect("segments and blocks are far below the limit")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Allocates and frees at random, checks that no two blocks overlap, and frees all.
    #[test]
    fn blocks_do_not_overlap() {
        let pool = Pool::default();
        let mut random = fastrand::Rng::with_seed(51);
        let mut blocks: Vec<(NonNull<u8>, usize, u8)> = Vec::new();
        for step in 0..20_000 {
            if blocks.is_empty() || random.u8(..) < if step < 10_000 { 180 } else { 90 } {
                let bits = random.u8(3..15);
                let bytes = size_class::round_up(random.usize(1..1 << bits));
                let (base, mark) = (pool.allocate(bytes).unwrap(), random.u8(..));
                // SAFETY: just allocated with this size.
                unsafe { base.write_bytes(mark, bytes) };
                blocks.push((base, bytes, mark));
            } else {
                let (base, bytes, mark) = blocks.swap_remove(random.usize(..blocks.len()));
                // SAFETY: allocated and filled above, freed once.
                unsafe {
                    let content = std::slice::from_raw_parts(base.as_ptr(), bytes);
                    assert!(content.iter().all(|&byte| byte == mark));
                    pool.free(base, bytes);
                }
            }
        }
        for (base, bytes, _) in blocks {
            // SAFETY: allocated above, freed once.
            unsafe { pool.free(base, bytes) };
        }
        assert_eq!(pool.held_bytes(), 0);
    }

    #[test]
    fn plan_names_what_lies_beyond_the_need() {
        let pool = Pool::default();
        let mut blocks: Vec<_> = (0..2_000).map(|_| pool.allocate(640).unwrap()).collect();
        assert!(pool.plan().is_none(), "a full class has nothing to gain");
        let mut random = fastrand::Rng::with_seed(52);
        random.shuffle(&mut blocks);
        for base in blocks.drain(1_000..) {
            // SAFETY: allocated above, freed once.
            unsafe { pool.free(base, 640) };
        }
        let held = pool.held_bytes();
        let plan = pool.plan().expect("half of the slots are free");
        for base in &mut blocks {
            if plan.condemns(*base, 640) {
                let new = pool.allocate(640).unwrap();
                assert!(new < *base);
                // SAFETY: allocated above, freed once.
                unsafe { pool.free(*base, 640) };
                *base = new;
            }
        }
        assert!(pool.held_bytes() <= held / 2 + SEGMENT_BYTES_MIN as u64);
        for base in blocks {
            // SAFETY: allocated above, freed once.
            unsafe { pool.free(base, 640) };
        }
    }
}
