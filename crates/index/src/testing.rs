//! Help for tests: random digests, and an allocator that refuses on request.

#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use record::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime};
use wire::{Digest, PartitionId};

use crate::entry::{Entry, Location};

pub(crate) fn random_digest(random: &mut fastrand::Rng) -> Digest {
    Digest(std::array::from_fn(|_| random.u8(..)))
}

/// A random digest in the given partition.
pub(crate) fn digest_in(partition: PartitionId, random: &mut fastrand::Rng) -> Digest {
    let mut digest = random_digest(random);
    digest.0[0] = partition.index() as u8;
    digest.0[1] = digest.0[1] & 0xF0 | (partition.index() >> 8) as u8;
    digest
}

/// An entry that can be told from others by its number.
pub(crate) fn entry(number: u64, set: SetId) -> Entry {
    Entry {
        meta: RecordMeta {
            last_update_time: LastUpdateTime(number),
            void_time: VoidTime(number as u32 % 1000),
            generation: Generation(number as u16),
            set,
            ..RecordMeta::default()
        },
        location: Location(number),
    }
}

pub(crate) fn tombstone(number: u64, set: SetId) -> Entry {
    let mut entry = entry(number, set);
    entry.meta.tombstone = true;
    entry
}

thread_local! {
    /// Allocations of this thread that succeed before one fails; `None`: all succeed.
    static GRANTED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs `act` with `granted` allocations to succeed and all later ones to fail. `act` must not
/// allocate in a way that aborts on failure.
pub(crate) fn with_allocations<R>(granted: usize, act: impl FnOnce() -> R) -> R {
    GRANTED.set(Some(granted));
    let result = act();
    GRANTED.set(None);
    result
}

struct Refusing;

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

// SAFETY: everything is the system allocator's but for null results, which the contract allows.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match GRANTED.get() {
            Some(0) => return std::ptr::null_mut(),
            Some(granted) => GRANTED.set(Some(granted - 1)),
            None => {}
        }
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, base: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(base, layout) }
    }
}
