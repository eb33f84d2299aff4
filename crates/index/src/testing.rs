//! Help for tests: random digests, and heaps that refuse on request.

use std::cell::Cell;

use record::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime};
use wire::{Digest, PartitionId};

use crate::entry::{Entry, Location, Marks};
use crate::heap::{Heap, Usage};
use crate::pool::Pool;

/// A pool and an account of its own.
#[derive(Default)]
pub(crate) struct TestHeap {
    pool: Pool,
    usage: Usage,
}

impl TestHeap {
    pub(crate) fn heap(&self) -> Heap<'_> {
        Heap { pool: &self.pool, usage: &self.usage }
    }
}

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
        marks: Marks::default(),
        location: Location(number),
    }
}

pub(crate) fn tombstone(number: u64, set: SetId) -> Entry {
    let mut entry = entry(number, set);
    entry.meta.tombstone = true;
    entry
}

thread_local! {
    /// Block allocations of this thread that succeed before one fails; `None`: all succeed.
    static GRANTED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Runs `act` with `granted` block allocations to succeed and all later ones to fail.
pub(crate) fn with_allocations<R>(granted: usize, act: impl FnOnce() -> R) -> R {
    GRANTED.set(Some(granted));
    let result = act();
    GRANTED.set(None);
    result
}

/// Whether the next block is to be refused.
pub(crate) fn refuses() -> bool {
    let granted = GRANTED.get();
    GRANTED.set(granted.map(|granted| granted.saturating_sub(1)));
    granted == Some(0)
}
