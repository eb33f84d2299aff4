//! Secondary indexes: which records have which values, by partition, in the order of the values.
//!
//! An entry is a value's number ("bval") and a **stub**, the first 40 significant bits of a
//! record's digest: 13 bytes. Entries ascend by number, then by stub; since stubs order as digests
//! do, that is the order in which queries return records and go on after one. A scan looks each
//! stub up in the primary index, which stays the only truth about what there is.
//!
//! Several records can share a stub: by chance about two in a namespace of ten million, or on
//! purpose. Each has its own entry; a scan finds all records with the stub and says that it cannot
//! tell which one it was ([`SecondaryItem::is_certain`]).
//!
//! An index begins empty and is populated in the background, in the order of digests, while writers
//! go on. Who changes a record holds its sprig's write lock, who populates its read lock: a record
//! either lies beyond what is populated, and its writers leave the index alone, or it does not, and
//! they keep it in step. The lock of an index's partition is taken inside that of a sprig, never
//! around it.

mod place;
mod populate;
mod scan;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::RwLock;
use wire::digest::PARTITIONS;
use wire::{Digest, PartitionId};

pub use self::place::BvalOrder;
use self::place::{Place, SecondaryRest};
pub use self::populate::Populated;
pub use self::scan::{SecondaryItem, SecondaryRange};
use crate::handle::Stub;
use crate::heap::{Heap, OutOfMemory, Usage};
use crate::pool::Pool;
use crate::tree::Tree;

/// Memory for the secondary indexes of a namespace.
#[derive(Default)]
pub struct SecondaryPool(Pool);

/// A secondary index of a namespace. Belongs to one [`crate::PrimaryIndex`], whose records it holds.
pub struct SecondaryIndex {
    partitions: Box<[RwLock<Part>]>,
    order: BvalOrder,
    /// Partitions that are populated.
    populated: AtomicU32,
    is_closed: AtomicBool,
    blocks: Usage,
    pool: Arc<SecondaryPool>,
}

/// An index's entries of a partition.
#[derive(Default)]
struct Part {
    entries: Tree<SecondaryRest>,
    count: u32,
    reach: Reach,
}

/// Of which records a partition has the entries.
#[derive(Default)]
enum Reach {
    /// Of none yet.
    #[default]
    Nothing,
    /// Of those up to this digest.
    Through(Box<Digest>),
    /// Of all.
    All,
    /// The index was dropped; what is here now is nothing to go by.
    Closed,
}

/// Entries that are visited under one lock.
const VISIT_BATCH: usize = 4096;

impl SecondaryPool {
    /// Memory taken from the system, in bytes: what entries use, and free room between them.
    pub fn held_bytes(&self) -> u64 {
        self.0.held_bytes()
    }

    /// Moves the entries of these indexes, all that share the pool, together where much room is free
    /// between them. Returns at once when there is little to gain.
    pub fn compact<'i>(&self, indexes: impl Iterator<Item = &'i SecondaryIndex>) {
        let Some(plan) = self.0.plan() else { return };
        for index in indexes {
            for part in &index.partitions {
                part.write().entries.relocate(&plan, index.heap());
            }
        }
    }
}

impl SecondaryIndex {
    /// An index without entries, to be populated.
    pub fn new(order: BvalOrder, pool: Arc<SecondaryPool>) -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| RwLock::default()).collect(),
            order,
            populated: AtomicU32::new(0),
            is_closed: AtomicBool::new(false),
            blocks: Usage::default(),
            pool,
        }
    }

    /// How its numbers compare.
    pub fn order(&self) -> BvalOrder {
        self.order
    }

    /// Partitions that are populated, of [`PARTITIONS`].
    pub fn populated_partitions(&self) -> usize {
        self.populated.load(Ordering::Acquire) as usize
    }

    /// Whether all records are in it.
    pub fn is_populated(&self) -> bool {
        self.populated_partitions() == PARTITIONS
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Acquire)
    }

    /// Number of entries: a sum over the partitions, some microseconds.
    pub fn entry_count(&self) -> u64 {
        self.partitions.iter().map(|part| u64::from(part.read().count)).sum()
    }

    /// Memory in bytes: blocks of entries, and the heads of the partitions.
    pub fn used_bytes(&self) -> u64 {
        let heads = self.partitions.len() * size_of::<RwLock<Part>>();
        heads as u64 + self.blocks.bytes()
    }

    /// Gives all memory back. Those who still hold the index find it closed.
    pub fn close(&self) {
        self.is_closed.store(true, Ordering::Release);
        for part in &self.partitions {
            let mut part = part.write();
            (part.reach, part.count) = (Reach::Closed, 0);
            part.entries.clear(self.heap());
        }
    }

    /// Enters a record under these numbers, all of them or none. The caller holds its write lock.
    /// Does nothing if the record is not populated yet.
    ///
    /// # Errors
    /// [`OutOfMemory`]: none was entered.
    pub fn add(&self, digest: &Digest, bvals: &[i64]) -> Result<(), OutOfMemory> {
        if bvals.is_empty() {
            return Ok(());
        }
        let mut part = self.part(digest.partition()).write();
        if !part.reach.includes(digest) {
            return Ok(());
        }
        part.add_all(bvals.iter().map(|bval| self.place(*bval, digest)), self.heap())
    }

    /// Removes a record from under these numbers, where it was entered. The caller holds its write
    /// lock. Does nothing if the record is not populated yet.
    pub fn remove(&self, digest: &Digest, bvals: &[i64]) {
        if bvals.is_empty() {
            return;
        }
        let mut part = self.part(digest.partition()).write();
        if part.reach.includes(digest) {
            bvals.iter().for_each(|bval| part.remove(self.place(*bval, digest), self.heap()));
        }
    }

    /// Removes a record from under all numbers: for one whose values nobody knows any more. Looks at
    /// all entries of the partition. The caller holds the record's write lock, and no other record
    /// may have its stub: see [`crate::WriteGuard::shares_stub`].
    pub fn purge(&self, digest: &Digest) {
        let stub = Stub::of(digest);
        let mut part = self.part(digest.partition()).write();
        let mut places = Vec::new();
        let _ = part.entries.visit_up(&Place { rank: 0, stub: Stub::MIN }.key(), |key, _| {
            let place = Place::from_key(key);
            if place.stub == stub {
                places.push(place);
            }
            ControlFlow::<()>::Continue(())
        });
        places.into_iter().for_each(|place| part.remove(place, self.heap()));
    }

    /// Visits the entries of a partition, a few thousand under one lock: the number, and one that
    /// stands for the record.
    pub fn visit(&self, partition: PartitionId, mut visit: impl FnMut(i64, u64)) {
        let mut from = Some(Place { rank: 0, stub: Stub::MIN });
        while let Some(start) = from {
            let mut left = VISIT_BATCH;
            from = None;
            let part = self.part(partition).read();
            let _ = part.entries.visit_up(&start.key(), |key, _| {
                let place = Place::from_key(key);
                if left == 0 {
                    // Should the one before be the same, they were one record's.
                    from = Some(place);
                    return ControlFlow::Break(());
                }
                left -= 1;
                visit(self.order.bval(place.rank), place.stub.0);
                ControlFlow::Continue(())
            });
            if from == Some(start) {
                from = start.next();
            }
        }
    }

    fn part(&self, partition: PartitionId) -> &RwLock<Part> {
        &self.partitions[partition.index()]
    }

    fn heap(&self) -> Heap<'_> {
        Heap { pool: &self.pool.0, usage: &self.blocks }
    }

    fn place(&self, bval: i64, digest: &Digest) -> Place {
        Place { rank: self.order.rank(bval), stub: Stub::of(digest) }
    }
}

impl Drop for SecondaryIndex {
    fn drop(&mut self) {
        self.close();
    }
}

impl Reach {
    fn includes(&self, digest: &Digest) -> bool {
        match self {
            Self::Nothing | Self::Closed => false,
            Self::Through(last) => *digest <= **last,
            Self::All => true,
        }
    }
}

impl Part {
    fn add_all(
        &mut self,
        places: impl Iterator<Item = Place> + Clone,
        heap: Heap<'_>,
    ) -> Result<(), OutOfMemory> {
        for (added, place) in places.clone().enumerate() {
            if let Err(refusal) = self.add(place, heap) {
                places.take(added).for_each(|place| self.remove(place, heap));
                return Err(refusal);
            }
        }
        Ok(())
    }

    fn add(&mut self, place: Place, heap: Heap<'_>) -> Result<(), OutOfMemory> {
        let key = place.key();
        let (Ok(position) | Err(position)) = self.entries.locate(&key);
        self.entries.insert(position, key.prefix, SecondaryRest(key.rest), heap)?;
        self.count += 1;
        Ok(())
    }

    fn remove(&mut self, place: Place, heap: Heap<'_>) {
        // What could not be read when the index was filled is not there.
        let position = self.entries.locate(&place.key());
        if let Ok(position) = position
            && self.entries.remove(position, heap).is_some()
        {
            self.count -= 1;
        }
    }
}

#[cfg(test)]
mod tests;
