//! Set indexes: for a set that asked for one, the handles of its live records by partition.
//!
//! A scan of a small set in a large namespace then reads the set's records only. An index stores
//! handles, not locations: a scan looks each one up in the primary index, which stays the only
//! truth, so an entry costs 8 bytes (16 in the original, `reference/storage-and-index.md` §8).
//!
//! An index begins empty and is populated in the background, sprig by sprig, while writers go on.
//! Who changes a record holds its sprig's write lock, who populates a sprig its read lock: a sprig
//! is either not yet populated, and writers leave its handles alone, or it is, and they keep it in
//! step. Several records can share a handle; each has its own entry.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use record::SetId;
use wire::digest::PARTITIONS;
use wire::{Digest, PartitionId};

use crate::entry::{Entry, PackedEntry, SPRIGS, SprigId};
use crate::handle::{Handle, HandleRest};
use crate::heap::{Heap, OutOfMemory, Usage};
use crate::pool::{Plan, Pool};
use crate::primary::PrimaryIndex;
use crate::scan::{ScanItem, ScanProgress};
use crate::search::Key;
use crate::tree::Tree;

/// How far a set index is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetIndexState {
    /// The set has none.
    Absent,
    /// Some partitions are not populated yet: scans cannot use it.
    Populating,
    /// It holds every live record of the set.
    Ready,
}

/// The set indexes of a namespace, ascending by set. Few sets have one; most namespaces have none.
#[derive(Default)]
pub(crate) struct SetIndexes(ArcSwap<Vec<Arc<SetIndex>>>);

struct SetIndex {
    set: SetId,
    partitions: Box<[RwLock<SetPartition>]>,
    /// Sprigs populated, of the namespace's [`SPRIGS`].
    populated: AtomicU32,
    blocks: Usage,
}

/// A set's records in a partition.
#[derive(Default)]
struct SetPartition {
    handles: Tree<HandleRest>,
    /// A bit for each populated sprig.
    populated: u16,
    /// The index was dropped; what is here now is nothing to go by.
    closed: bool,
}

/// Handles that a scan takes at a time.
const SCAN_BATCH: usize = 128;

impl Entry {
    /// The set whose index holds the record: none for tombstones and graves, which no client can scan.
    pub(crate) fn indexed_set(&self) -> SetId {
        if self.is_live() { self.meta.set } else { SetId::NONE }
    }
}

impl SetIndexes {
    /// Takes note of a record that became a live one of `set`. The caller holds its write lock.
    pub(crate) fn add(&self, set: SetId, digest: &Digest, pool: &Pool) -> Result<(), OutOfMemory> {
        self.with(set, |index| index.add(digest, pool)).unwrap_or(Ok(()))
    }

    /// Takes note of a record that no longer is a live one of `set`. The caller holds its write
    /// lock.
    pub(crate) fn remove(&self, set: SetId, digest: &Digest, pool: &Pool) {
        self.with(set, |index| index.remove(digest, pool));
    }

    /// Moves blocks to where the pool wants them.
    pub(crate) fn relocate(&self, plan: &Plan, pool: &Pool) {
        for index in self.0.load().iter() {
            for partition in &index.partitions {
                partition.write().handles.relocate(plan, index.heap(pool));
            }
        }
    }

    /// Gives all memory back.
    pub(crate) fn clear(&self, pool: &Pool) {
        self.0.load().iter().for_each(|index| index.close(pool));
    }

    fn with<R>(&self, set: SetId, act: impl FnOnce(&SetIndex) -> R) -> Option<R> {
        if set == SetId::NONE {
            return None;
        }
        let indexes = self.0.load();
        let at = indexes.binary_search_by_key(&set, |index| index.set).ok()?;
        indexes.get(at).map(|index| act(index))
    }
}

impl SetIndex {
    fn new(set: SetId) -> Self {
        Self {
            set,
            partitions: (0..PARTITIONS).map(|_| RwLock::default()).collect(),
            populated: AtomicU32::new(0),
            blocks: Usage::default(),
        }
    }

    fn is_ready(&self) -> bool {
        self.populated.load(Ordering::Acquire) as usize == SPRIGS
    }

    fn used_bytes(&self) -> u64 {
        let heads = self.partitions.len() * size_of::<RwLock<SetPartition>>();
        heads as u64 + self.blocks.bytes()
    }

    fn partition(&self, partition: PartitionId) -> &RwLock<SetPartition> {
        &self.partitions[partition.index()]
    }

    fn heap<'a>(&'a self, pool: &'a Pool) -> Heap<'a> {
        Heap { pool, usage: &self.blocks }
    }

    /// Gives all memory back. Those who still hold the index find it closed.
    fn close(&self, pool: &Pool) {
        for partition in &self.partitions {
            let mut partition = partition.write();
            (partition.populated, partition.closed) = (0, true);
            partition.handles.clear(self.heap(pool));
        }
    }

    fn add(&self, digest: &Digest, pool: &Pool) -> Result<(), OutOfMemory> {
        let mut partition = self.partition(digest.partition()).write();
        if partition.is_populated(SprigId::of(digest)) {
            partition.insert(Handle::of(digest), self.heap(pool))?;
        }
        Ok(())
    }

    fn remove(&self, digest: &Digest, pool: &Pool) {
        let mut partition = self.partition(digest.partition()).write();
        if partition.is_populated(SprigId::of(digest)) {
            partition.remove(Handle::of(digest), self.heap(pool));
        }
    }

    /// Enters the set's records in a sprig of which the caller holds the lock, unless they are
    /// there.
    fn populate(
        &self,
        sprig: SprigId,
        records: &Tree<PackedEntry>,
        pool: &Pool,
    ) -> Result<(), OutOfMemory> {
        let mut partition = self.partition(sprig.partition()).write();
        if partition.is_populated(sprig) || partition.closed {
            return Ok(());
        }
        let flow = records.visit_down(None, |key, packed| {
            if packed.unpack().indexed_set() != self.set {
                return ControlFlow::Continue(());
            }
            match partition.insert(Handle::of(&sprig.digest(&key)), self.heap(pool)) {
                Ok(()) => ControlFlow::Continue(()),
                Err(OutOfMemory) => ControlFlow::Break(()),
            }
        });
        if flow.is_break() {
            partition.clear(sprig, self.heap(pool));
            return Err(OutOfMemory);
        }
        partition.populated |= 1 << sprig.number();
        self.populated.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    /// Up to [`SCAN_BATCH`] different handles, descending from `from` or from the highest. `None`
    /// when the index was dropped.
    fn handles_down(&self, partition: PartitionId, from: Option<Handle>) -> Option<Vec<Handle>> {
        let partition = self.partition(partition).read();
        if partition.closed {
            return None;
        }
        let mut handles: Vec<Handle> = Vec::with_capacity(SCAN_BATCH);
        let from = from.map(Handle::key);
        let _ = partition.handles.visit_down(from.as_ref(), |key, _| {
            let handle = Handle::from_key(key);
            if handles.last() == Some(&handle) {
                return ControlFlow::Continue(());
            }
            if handles.len() == SCAN_BATCH {
                return ControlFlow::Break(());
            }
            handles.push(handle);
            ControlFlow::Continue(())
        });
        Some(handles)
    }
}

impl SetPartition {
    fn is_populated(&self, sprig: SprigId) -> bool {
        self.populated & 1 << sprig.number() != 0
    }

    fn insert(&mut self, handle: Handle, heap: Heap<'_>) -> Result<(), OutOfMemory> {
        let key = handle.key();
        let (Ok(position) | Err(position)) = self.handles.locate(&key);
        self.handles.insert(position, key.prefix, HandleRest(key.rest), heap).map(|_| ())
    }

    fn remove(&mut self, handle: Handle, heap: Heap<'_>) {
        let position = self.handles.locate(&handle.key());
        debug_assert!(position.is_ok(), "a populated set index is in step with the primary");
        if let Ok(position) = position {
            self.handles.remove(position, heap);
        }
    }

    /// Removes the handles of a sprig.
    fn clear(&mut self, sprig: SprigId, heap: Heap<'_>) {
        let mut next = Some(Key { prefix: 0, rest: 0 });
        while let Some(from) = next {
            next = self.handles.retain_in_leaf(&from, heap, |key, _| {
                Handle::from_key(key).sprig() != sprig.number()
            });
        }
    }
}

impl PrimaryIndex {
    /// Gives a set an index, to be populated by [`Self::populate_set_index`]. Returns `false` when
    /// it had one. Records in no set cannot have one.
    pub fn enable_set_index(&self, set: SetId) -> bool {
        if set == SetId::NONE {
            return false;
        }
        let index = Arc::new(SetIndex::new(set));
        let before = self.sets.0.rcu(|indexes| {
            let mut indexes = Vec::clone(indexes);
            if let Err(at) = indexes.binary_search_by_key(&set, |index| index.set) {
                indexes.insert(at, Arc::clone(&index));
            }
            indexes
        });
        !before.iter().any(|index| index.set == set)
    }

    /// Drops a set's index. A scan that is using it goes on with the primary index.
    pub fn disable_set_index(&self, set: SetId) {
        let before = self.sets.0.rcu(|indexes| {
            indexes.iter().filter(|index| index.set != set).cloned().collect::<Vec<_>>()
        });
        if let Some(dropped) = before.iter().find(|index| index.set == set) {
            dropped.close(self.pool());
        }
    }

    /// Enters a partition's records into a set's index, under one sprig's read lock at a time. Once
    /// every partition is done the index is ready. Does nothing for what is done already.
    ///
    /// # Errors
    /// [`OutOfMemory`]: some sprigs are not populated; call again or drop the index.
    pub fn populate_set_index(
        &self,
        set: SetId,
        partition: PartitionId,
    ) -> Result<(), OutOfMemory> {
        self.sets
            .with(set, |index| {
                SprigId::all(partition).try_for_each(|sprig| {
                    index.populate(sprig, &self.sprig(sprig).read(), self.pool())
                })
            })
            .unwrap_or(Ok(()))
    }

    /// How far a set's index is.
    pub fn set_index_state(&self, set: SetId) -> SetIndexState {
        match self.sets.with(set, SetIndex::is_ready) {
            None => SetIndexState::Absent,
            Some(false) => SetIndexState::Populating,
            Some(true) => SetIndexState::Ready,
        }
    }

    /// Memory of all set indexes in bytes.
    pub fn set_index_used_bytes(&self) -> u64 {
        self.sets.0.load().iter().map(|index| index.used_bytes()).sum()
    }

    /// [`Self::scan_desc`] for the live records of one set, by its index. `None` while it has no
    /// index that is ready: then scan the partition and filter by set.
    pub fn scan_set_desc(
        &self,
        set: SetId,
        partition: PartitionId,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<ScanItem>,
    ) -> Option<ScanProgress> {
        self.sets
            .with(set, |index| {
                if !index.is_ready() {
                    return None;
                }
                self.scan_handles(index, partition, below, limit, out)
            })
            .flatten()
    }

    fn scan_handles(
        &self,
        index: &SetIndex,
        partition: PartitionId,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<ScanItem>,
    ) -> Option<ScanProgress> {
        if below.is_some_and(|digest| digest.partition() != partition) {
            return Some(ScanProgress::Done);
        }
        let mut left = limit;
        let mut from = below.map(Handle::of);
        loop {
            let Some(handles) = index.handles_down(partition, from) else {
                // What was delivered stands; the next call learns that there is no index.
                return (left < limit).then_some(ScanProgress::More);
            };
            for &handle in &handles {
                let flow = self.visit_handle(partition, handle, |item| {
                    let wanted = item.entry.indexed_set() == index.set
                        && below.is_none_or(|below| item.digest < *below);
                    if !wanted {
                        return ControlFlow::Continue(());
                    }
                    if left == 0 {
                        return ControlFlow::Break(());
                    }
                    left -= 1;
                    out.push(item);
                    ControlFlow::Continue(())
                });
                if flow.is_break() {
                    return Some(ScanProgress::More);
                }
            }
            from = match handles.last() {
                Some(Handle(last @ 1..)) if handles.len() == SCAN_BATCH => Some(Handle(last - 1)),
                _ => return Some(ScanProgress::Done),
            };
        }
    }

    /// Visits the records with this handle, descending.
    fn visit_handle(
        &self,
        partition: PartitionId,
        handle: Handle,
        mut visit: impl FnMut(ScanItem) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (low, high) = handle.keys();
        let sprig = SprigId::new(partition, handle.sprig());
        let mut visited = ControlFlow::Continue(());
        let _ = self.sprig(sprig).read().visit_down(Some(&high), |key, packed| {
            if key < low {
                return ControlFlow::Break(());
            }
            visited = visit(ScanItem { digest: sprig.digest(&key), entry: packed.unpack() });
            visited
        });
        visited
    }
}

#[cfg(test)]
mod tests;
