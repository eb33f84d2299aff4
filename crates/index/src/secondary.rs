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

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use parking_lot::RwLock;
use wire::digest::PARTITIONS;
use wire::{Digest, PartitionId};

use crate::entry::{Entry, RecordKey, SPRIGS_PER_PARTITION, SprigId};
use crate::handle::Stub;
use crate::heap::{Heap, OutOfMemory, Usage};
use crate::pool::Pool;
use crate::primary::PrimaryIndex;
use crate::scan::ScanProgress;
use crate::search::{Key, Keyed};
use crate::tree::Tree;

/// Memory for the secondary indexes of a namespace.
#[derive(Default)]
pub struct SecondaryPool(Pool);

/// A secondary index of a namespace. Belongs to one [`PrimaryIndex`], whose records it holds.
pub struct SecondaryIndex {
    partitions: Box<[RwLock<Part>]>,
    order: BvalOrder,
    /// Partitions that are populated.
    populated: AtomicU32,
    is_closed: AtomicBool,
    blocks: Usage,
    pool: Arc<SecondaryPool>,
}

/// How the numbers of an index's values compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BvalOrder {
    /// As signed numbers.
    Signed,
    /// As unsigned numbers.
    Unsigned,
}

/// What a scan of a secondary index came upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecondaryItem {
    /// The number of the value.
    pub bval: i64,
    /// The record's digest.
    pub digest: Digest,
    /// Whether no other record can be meant: if one can, this record may not have the value.
    pub is_certain: bool,
}

/// What a step of populating a partition came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Populated {
    /// There is more to do.
    More,
    /// The partition is populated.
    Done,
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

/// What an entry stores beside its prefix: the lower half of its number, then the stub.
#[derive(Clone, Copy)]
struct SecondaryRest([u8; 9]);

type EntryKey = Key<[u8; 9]>;

const _: () = assert!(size_of::<SecondaryRest>() == 9 && align_of::<SecondaryRest>() == 1);

impl Keyed for SecondaryRest {
    type Rest = [u8; 9];

    fn rest(&self) -> [u8; 9] {
        self.0
    }
}

/// Entries that a scan takes at a time.
const SCAN_BATCH: usize = 128;
/// Records that are populated under one lock.
const POPULATE_BATCH: usize = 64;
/// Entries that are visited under one lock.
const VISIT_BATCH: usize = 4096;

/// A number in its place in an index's order, and a stub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Place {
    rank: u64,
    stub: Stub,
}

impl Place {
    fn key(self) -> EntryKey {
        let mut rest = [0; 9];
        rest[..4].copy_from_slice(&(self.rank as u32).to_be_bytes());
        rest[4..].copy_from_slice(&self.stub.bytes());
        Key { prefix: (self.rank >> 32) as u32, rest }
    }

    fn from_key(key: EntryKey) -> Self {
        let [r0, r1, r2, r3, stub @ ..] = key.rest;
        let low = u32::from_be_bytes([r0, r1, r2, r3]);
        let rank = u64::from(key.prefix) << 32 | u64::from(low);
        Self { rank, stub: Stub::from_bytes(stub) }
    }

    /// The one that follows.
    fn next(self) -> Option<Self> {
        match self.stub.next() {
            Some(stub) => Some(Self { stub, ..self }),
            None => Some(Self { rank: self.rank.checked_add(1)?, stub: Stub::MIN }),
        }
    }
}

impl BvalOrder {
    const SIGN: u64 = 1 << 63;

    /// Where a number stands.
    fn rank(self, bval: i64) -> u64 {
        match self {
            Self::Signed => bval.cast_unsigned() ^ Self::SIGN,
            Self::Unsigned => bval.cast_unsigned(),
        }
    }

    fn bval(self, rank: u64) -> i64 {
        match self {
            Self::Signed => (rank ^ Self::SIGN).cast_signed(),
            Self::Unsigned => rank.cast_signed(),
        }
    }

    /// Compares two numbers.
    pub fn compare(self, a: i64, b: i64) -> std::cmp::Ordering {
        self.rank(a).cmp(&self.rank(b))
    }
}

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

    /// Up to [`SCAN_BATCH`] different places, from `from` on and not beyond the rank `last`. `None`
    /// when the index was dropped.
    fn places_up(&self, partition: PartitionId, from: Place, last: u64) -> Option<Vec<Place>> {
        let part = self.part(partition).read();
        if matches!(part.reach, Reach::Closed) {
            return None;
        }
        let mut places: Vec<Place> = Vec::new();
        let _ = part.entries.visit_up(&from.key(), |key, _| {
            let place = Place::from_key(key);
            if place.rank > last || places.len() == SCAN_BATCH {
                return ControlFlow::Break(());
            }
            if places.last() != Some(&place) {
                places.push(place);
            }
            ControlFlow::Continue(())
        });
        Some(places)
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
        let position = self.entries.locate(&place.key());
        debug_assert!(position.is_ok(), "a populated index is in step with the records");
        if let Ok(position) = position
            && self.entries.remove(position, heap).is_some()
        {
            self.count -= 1;
        }
    }
}

impl PrimaryIndex {
    /// Enters the next few records of a partition into a secondary index, under their sprig's read
    /// lock. `bvals_of` appends a record's numbers, or says that it cannot yet; then that record and
    /// those behind it have to wait for another call, though they are visited in this one. Only one
    /// thread may populate a partition of an index at a time.
    ///
    /// # Errors
    /// [`OutOfMemory`]: call again or drop the index.
    pub fn populate_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        mut bvals_of: impl FnMut(&Digest, &Entry, &mut Vec<i64>) -> bool,
    ) -> Result<Populated, OutOfMemory> {
        let reached = match &index.part(partition).read().reach {
            Reach::All | Reach::Closed => return Ok(Populated::Done),
            Reach::Nothing => None,
            Reach::Through(digest) => Some(**digest),
        };
        let Some((sprig, from)) = start_of_rest(partition, reached.as_ref()) else {
            return Ok(index.finish(partition));
        };
        let records = self.sprig(sprig).read();
        let (mut bvals, mut found) = (Vec::new(), Vec::new());
        let (mut visited, mut waits, mut is_last) = (0, false, true);
        let mut last = reached;
        let _ = records.visit_up(&from, |key, packed| {
            let digest = sprig.digest(&key);
            if reached == Some(digest) {
                return ControlFlow::Continue(());
            }
            if visited == POPULATE_BATCH {
                is_last = false;
                return ControlFlow::Break(());
            }
            visited += 1;
            bvals.clear();
            waits |= !bvals_of(&digest, &packed.unpack(), &mut bvals);
            if !waits {
                last = Some(digest);
                found.extend(bvals.iter().map(|bval| index.place(*bval, &digest)));
            }
            ControlFlow::Continue(())
        });
        if !waits && is_last {
            last = Some(sprig.last_digest());
        }
        let mut part = index.part(partition).write();
        if matches!(part.reach, Reach::Closed) {
            return Ok(Populated::Done);
        }
        part.add_all(found.iter().copied(), index.heap())?;
        match (&mut part.reach, last) {
            (Reach::Through(reached), Some(last)) => **reached = last,
            (reach, last) => {
                *reach = last.map_or(Reach::Nothing, |last| Reach::Through(last.into()))
            }
        }
        Ok(Populated::More)
    }

    /// Appends up to `limit` records of a partition that a secondary index holds under numbers from
    /// `low` to `high`, both included, to `out`: ascending by number, then by digest, those that come
    /// after `after` or the first. Locks one sprig at a time, briefly. Of an index that is not
    /// populated or was closed, some or all records are missing.
    pub fn scan_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        (low, high): (i64, i64),
        after: Option<&(i64, Digest)>,
        limit: usize,
        out: &mut Vec<SecondaryItem>,
    ) -> ScanProgress {
        let after = after.map(|(bval, digest)| (index.place(*bval, digest), digest));
        let first = Place { rank: index.order.rank(low), stub: Stub::MIN };
        let last = index.order.rank(high);
        let mut from = Some(after.map_or(first, |(place, _)| place.max(first)));
        let mut left = limit;
        let mut digests = Vec::new();
        while let Some(start) = from.filter(|from| from.rank <= last) {
            let Some(places) = index.places_up(partition, start, last) else { break };
            for &place in &places {
                digests.clear();
                self.visit_stub(partition, place.stub, |digest| digests.push(digest));
                let is_certain = digests.len() == 1;
                for &digest in &digests {
                    if after.is_some_and(|(of, after)| of == place && digest <= *after) {
                        continue;
                    }
                    if left == 0 {
                        return ScanProgress::More;
                    }
                    left -= 1;
                    let bval = index.order.bval(place.rank);
                    out.push(SecondaryItem { bval, digest, is_certain });
                }
            }
            let is_full = places.len() == SCAN_BATCH;
            from = places.last().filter(|_| is_full).and_then(|place| place.next());
        }
        ScanProgress::Done
    }

    /// Visits the live records with this stub, ascending.
    fn visit_stub(&self, partition: PartitionId, stub: Stub, mut visit: impl FnMut(Digest)) {
        let sprig = SprigId::new(partition, stub.sprig());
        let (low, high) = stub.keys();
        let _ = self.sprig(sprig).read().visit_up(&low, |key, packed| {
            if key > high {
                return ControlFlow::Break(());
            }
            if packed.unpack().is_live() {
                visit(sprig.digest(&key));
            }
            ControlFlow::Continue(())
        });
    }
}

impl SecondaryIndex {
    /// Takes note that all records of a partition are in it.
    fn finish(&self, partition: PartitionId) -> Populated {
        let mut part = self.part(partition).write();
        if !matches!(part.reach, Reach::All | Reach::Closed) {
            part.reach = Reach::All;
            self.populated.fetch_add(1, Ordering::AcqRel);
        }
        Populated::Done
    }
}

/// Where the records of a partition go on that come after a digest; `None` behind the last sprig.
fn start_of_rest(partition: PartitionId, reached: Option<&Digest>) -> Option<(SprigId, RecordKey)> {
    let Some(reached) = reached else { return Some((SprigId::new(partition, 0), RecordKey::MIN)) };
    let sprig = SprigId::of(reached);
    if *reached != sprig.last_digest() {
        return Some((sprig, RecordKey::of(reached)));
    }
    let next = sprig.number() + 1;
    (next < SPRIGS_PER_PARTITION).then(|| (SprigId::new(partition, next), RecordKey::MIN))
}

#[cfg(test)]
mod tests;
