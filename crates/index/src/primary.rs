//! The primary index of one namespace: its sprigs and their statistics.

use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::RwLock;
use wire::digest::PARTITIONS;
use wire::{Digest, PartitionId};

use crate::entry::{
    Entry, Location, PackedEntry, RecordKey, SPRIGS, SPRIGS_PER_PARTITION, SprigId,
};
use crate::guard::{ReadGuard, WriteGuard};
use crate::heap::{Heap, Usage};
use crate::pool::Pool;
use crate::prefetch::prefetch;
use crate::set_index::SetIndexes;
use crate::tree::Tree;
use crate::zeroed::zeroed_array;

/// A sprig: the lock of its records, and their entries.
pub(crate) type Sprig = RwLock<Tree<PackedEntry>>;

// Three words: a lock, a pointer, and length, capacity and kind of what it points to.
const _: () = assert!(size_of::<Sprig>() == 24);

/// Maps the digests of a namespace's records to their entries.
pub struct PrimaryIndex {
    sprigs: Box<[Sprig; SPRIGS]>,
    partitions: Box<[PartitionUse; PARTITIONS]>,
    pub(crate) sets: SetIndexes,
    pool: Pool,
}

/// What a partition holds.
#[derive(Default)]
pub(crate) struct PartitionUse {
    entries: AtomicU32,
    tombstones: AtomicU32,
    graves: AtomicU32,
    blocks: Usage,
}

/// Bytes of a partition that holds any record, beside the blocks with its entries.
const PARTITION_HEAD_BYTES: u64 =
    (SPRIGS_PER_PARTITION * size_of::<Sprig>() + size_of::<PartitionUse>()) as u64;

/// Numbers of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Entries, tombstones among them.
    pub entries: u64,
    /// Traces of durable deletes.
    pub tombstones: u64,
    /// Traces of other deletes, which are no entries to anybody but the storage engine.
    pub graves: u64,
}

impl Counts {
    /// Records that are not tombstones: what statistics call objects.
    pub fn objects(self) -> u64 {
        self.entries.saturating_sub(self.tombstones)
    }
}

impl Default for PrimaryIndex {
    fn default() -> Self {
        Self::new()
    }
}

impl PrimaryIndex {
    /// An index without entries. Takes address space only: memory is touched as records arrive.
    pub fn new() -> Self {
        Self {
            sprigs: zeroed_array(),
            partitions: zeroed_array(),
            sets: SetIndexes::default(),
            pool: Pool::default(),
        }
    }

    /// Locks the record with this digest for reading. Readers of a sprig run in parallel; waits for
    /// a writer.
    pub fn read(&self, digest: &Digest) -> ReadGuard<'_> {
        ReadGuard::new(self.sprig(SprigId::of(digest)).read(), digest)
    }

    /// [`Self::read`], or `None` where it would wait.
    pub fn try_read(&self, digest: &Digest) -> Option<ReadGuard<'_>> {
        Some(ReadGuard::new(self.sprig(SprigId::of(digest)).try_read()?, digest))
    }

    /// Locks the record with this digest for reading and writing, present or not. Waits for others
    /// in the sprig.
    pub fn write(&self, digest: &Digest) -> WriteGuard<'_> {
        WriteGuard::new(self, self.sprig(SprigId::of(digest)).write(), digest)
    }

    /// [`Self::write`], or `None` where it would wait.
    pub fn try_write(&self, digest: &Digest) -> Option<WriteGuard<'_>> {
        Some(WriteGuard::new(self, self.sprig(SprigId::of(digest)).try_write()?, digest))
    }

    /// Begins to load what finding these records will touch, and tells where each of them probably
    /// is stored, for the caller to load as well. The cache misses of all of them overlap, while
    /// those of one search after another add up: worth it for several records, no more than a few
    /// dozen. Locks one sprig after another for moments; waits for no writer.
    pub fn prefetch(&self, digests: &[Digest], mut is_stored_at: impl FnMut(Location)) {
        for digest in digests {
            prefetch(std::ptr::from_ref(self.sprig(SprigId::of(digest))));
        }
        let sprig_of = |digest| self.sprig(SprigId::of(digest)).try_read();
        let each = || digests.iter().filter_map(|digest| Some((digest, sprig_of(digest)?)));
        for (digest, sprig) in each() {
            sprig.prefetch_prefixes(&RecordKey::of(digest));
        }
        for (digest, sprig) in each() {
            sprig.prefetch_entry(&RecordKey::of(digest));
        }
        for (digest, sprig) in each() {
            if let Some(entry) = sprig.probable(&RecordKey::of(digest)) {
                is_stored_at(entry.unpack().location);
            }
        }
    }

    /// Entries of a partition.
    pub fn counts(&self, partition: PartitionId) -> Counts {
        let counted = self.partition(partition);
        Counts {
            entries: u64::from(counted.entries.load(Ordering::Relaxed)),
            tombstones: u64::from(counted.tombstones.load(Ordering::Relaxed)),
            graves: u64::from(counted.graves.load(Ordering::Relaxed)),
        }
    }

    /// Entries of the namespace: a sum over its partitions, some microseconds.
    pub fn total_counts(&self) -> Counts {
        PartitionId::all().map(|partition| self.counts(partition)).fold(
            Counts::default(),
            |sum, counts| Counts {
                entries: sum.entries + counts.entries,
                tombstones: sum.tombstones + counts.tombstones,
                graves: sum.graves + counts.graves,
            },
        )
    }

    /// Entries of the namespace, tombstones among them. See [`Self::total_counts`].
    pub fn len(&self) -> u64 {
        self.total_counts().entries
    }

    /// Whether the namespace has no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Memory of the primary index in bytes: blocks of entries, and the heads of the partitions
    /// that hold any. Set indexes are counted by [`Self::set_index_used_bytes`].
    pub fn used_bytes(&self) -> u64 {
        let blocks = self.partitions.iter().map(|partition| partition.blocks.bytes());
        blocks.filter(|&bytes| bytes > 0).map(|bytes| bytes + PARTITION_HEAD_BYTES).sum()
    }

    /// Memory taken from the system for the entries of the primary index and of the set indexes, in
    /// bytes: what blocks use, and free room between and behind them.
    pub fn held_bytes(&self) -> u64 {
        self.pool.held_bytes()
    }

    /// Moves entries together where much room is free between them, and gives the rest back to the
    /// system. Returns at once when there is little to gain. Meant for a background thread, about
    /// once a second; locks one sprig at a time for a microsecond or so.
    pub fn compact(&self) {
        let Some(plan) = self.pool.plan() else { return };
        for partition in PartitionId::all() {
            let heap = self.heap(partition);
            if heap.usage.bytes() == 0 {
                continue;
            }
            for sprig in SprigId::all(partition) {
                self.sprig(sprig).write().relocate(&plan, heap);
            }
        }
        self.sets.relocate(&plan, &self.pool);
    }

    pub(crate) fn sprig(&self, sprig: SprigId) -> &Sprig {
        &self.sprigs[sprig.index()]
    }

    /// Where a partition's blocks come from.
    pub(crate) fn heap(&self, partition: PartitionId) -> Heap<'_> {
        Heap { pool: &self.pool, usage: &self.partition(partition).blocks }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Accounts for an entry that became another, appeared or disappeared.
    pub(crate) fn count_change(
        &self,
        partition: PartitionId,
        before: Option<&Entry>,
        after: Option<&Entry>,
    ) {
        let counted = self.partition(partition);
        let is_grave = |entry: Option<&Entry>| entry.is_some_and(Entry::is_grave);
        let is_entry = |entry: Option<&Entry>| entry.is_some() && !is_grave(entry);
        adjust(&counted.entries, is_entry(before), is_entry(after));
        adjust(&counted.graves, is_grave(before), is_grave(after));
        // A tombstone that was buried is none any more.
        let is_tombstone = |entry: Option<&Entry>| {
            entry.is_some_and(|entry| entry.meta.tombstone && !entry.is_grave())
        };
        adjust(&counted.tombstones, is_tombstone(before), is_tombstone(after));
    }

    fn partition(&self, partition: PartitionId) -> &PartitionUse {
        &self.partitions[partition.index()]
    }
}

impl Drop for PrimaryIndex {
    fn drop(&mut self) {
        for partition in PartitionId::all() {
            let heap = Heap { pool: &self.pool, usage: &self.partitions[partition.index()].blocks };
            if heap.usage.bytes() == 0 {
                continue;
            }
            for sprig in SprigId::all(partition) {
                self.sprigs[sprig.index()].get_mut().clear(heap);
            }
        }
        self.sets.clear(&self.pool);
    }
}

/// Moves `count` by one when something came or went.
fn adjust(count: &AtomicU32, before: bool, after: bool) {
    match (before, after) {
        (false, true) => _ = count.fetch_add(1, Ordering::Relaxed),
        (true, false) => _ = count.fetch_sub(1, Ordering::Relaxed),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
