//! A namespace's records: the primary index joined to an engine.

#![allow(unsafe_code)]

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use index::{Counts, OutOfMemory, PrimaryIndex, ScanProgress, SetIndexState, Swept};
use parking_lot::Mutex;
use record::{RecordMeta, SetId};
use wire::{Digest, PartitionId};

use crate::engine::Engine;
use crate::fetch::{Fetch, Fetched};
use crate::guard::{ReadGuard, WriteGuard};
use crate::headers::Headers;
use crate::log::DeviceLocation;
use crate::memory;
use crate::pledge::{Pledges, Settled};
use crate::reader::Signal;
use crate::volume::Volume;

/// The records of a namespace.
///
/// **Invariant**: each location in the index is that of a body of its own in the engine. Locations
/// do not leave this crate, and the index does not either. A body is read under its sprig's lock
/// and changed or freed under the exclusive one.
pub struct Records {
    pub(crate) index: PrimaryIndex,
    pub(crate) engine: Engine,
    pub(crate) headers: Mutex<Headers>,
}

/// What is known of a stored record without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its metadata.
    pub meta: RecordMeta,
    /// What it takes.
    pub size: Size,
    /// Whether no older copy of it is on a device, so that nothing comes back if it is forgotten.
    pub is_sole: bool,
    /// Whether its body holds a user key; `None` where only the body tells, which is in memory then.
    pub has_key: Option<bool>,
}

/// What a stored record takes, for statistics and limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Size {
    /// Bytes of key and bins by the original's arithmetic: see [`record::size`].
    Content(usize),
    /// Bytes on the device, everything included.
    OnDevice(usize),
}

/// Why a record's body is not at hand.
#[derive(Debug)]
pub enum Miss {
    /// It has to be read first. A fetch is large, and seldom: whoever returns this should not pay for its
    /// size.
    Elsewhere(Box<Fetch>),
    /// It cannot be read, or what was read is not it. This has been logged and counted.
    Damaged,
}

/// Why a record could not be stored or removed. What was there before still is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No memory for its body.
    Body,
    /// No memory for its index entry.
    Index,
    /// It is larger than what a write block holds.
    TooBig,
    /// Its device has no free write block left.
    Full,
    /// More waits to be written to its device than may wait.
    Overload,
    /// Its device has failed and takes no writes.
    Offline,
}

/// What becomes of a record in a sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// Its void-time is over, or before that up to which the namespace evicts: what is known of that
    /// from the record itself and [`crate::format::header::Memory`] keeps it away after a restart as
    /// well.
    Expired,
    /// It was last written before a truncation, which [`crate::format::header::Memory`] knows of.
    Truncated {
        /// Whether older copies are truncated for certain, too: a record may have been in another set.
        with_older: bool,
    },
    /// A tombstone that is old enough. One that is not sole stays all the same.
    Forgotten,
}

/// Entries that a scan looks at for each record that it may find: what bounds a step through a
/// namespace in which few are of the set.
const LOOKED_AT_MAX: usize = 32;

impl Records {
    /// No records, and room for them in memory alone. Memory is touched as they arrive.
    pub fn in_memory() -> Self {
        Self::new(Engine::Memory, Headers::default())
    }

    pub(crate) fn new(engine: Engine, headers: Headers) -> Self {
        Self { index: PrimaryIndex::new(), engine, headers: Mutex::new(headers) }
    }

    /// Locks a record for reading.
    #[inline]
    pub fn read(&self, digest: &Digest) -> ReadGuard<'_> {
        ReadGuard::new(&self.engine, self.index.read(digest))
    }

    /// Locks a record for reading and writing, present or not.
    #[inline]
    pub fn write(&self, digest: &Digest) -> WriteGuard<'_> {
        WriteGuard::new(&self.engine, self.index.write(digest))
    }

    /// Begins to load what working on these records will touch: see [`PrimaryIndex::prefetch`].
    pub fn prefetch(&self, digests: &[Digest]) {
        let in_memory = self.engine.heap().is_some();
        self.index.prefetch(digests, |location| {
            if in_memory {
                memory::prefetch(location);
            }
        });
    }

    /// Records and tombstones of the namespace.
    pub fn total_counts(&self) -> Counts {
        self.index.total_counts()
    }

    /// Records and tombstones of a partition.
    pub fn counts(&self, partition: PartitionId) -> Counts {
        self.index.counts(partition)
    }

    /// Memory of the primary index in bytes.
    pub fn index_used_bytes(&self) -> u64 {
        self.index.used_bytes()
    }

    /// Memory of the set indexes in bytes.
    pub fn set_index_used_bytes(&self) -> u64 {
        self.index.set_index_used_bytes()
    }

    /// Gives memory of the index back that lies free between entries. Returns at once when there is
    /// little to gain; otherwise locks one record after another for a microsecond or so.
    pub fn compact_index(&self) {
        self.index.compact();
    }

    /// Visits all records of a partition, under read locks taken for a few hundred at a time. `visit`
    /// must not lock a record.
    pub fn for_each(&self, partition: PartitionId, mut visit: impl FnMut(&Digest, Stored)) {
        self.index.for_each(partition, |digest, entry| {
            if !entry.is_grave() {
                // SAFETY: the sprig is locked while the entry is visited.
                visit(digest, unsafe { self.engine.stored(entry) });
            }
        });
    }

    /// Appends digests of live records of a partition, those below `below` or the highest, in descending
    /// order: of one set, or of all. Ends with so many records found, or some multiple of that looked
    /// at. Returns the digest below which the rest lies; `None` at the end of the partition.
    ///
    /// Records that come or go meanwhile may be among them or not.
    pub fn scan_down(
        &self,
        partition: PartitionId,
        set: Option<SetId>,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<Digest>,
    ) -> Option<Digest> {
        if let Some(set) = set
            && let Some(rest) = self.scan_set_down(partition, set, below, limit, out)
        {
            return rest;
        }
        let (mut found, mut seen, mut last) = (0, 0, None);
        let flow = self.index.visit_desc(partition, below, |digest, entry| {
            if found == limit || seen == limit * LOOKED_AT_MAX {
                return ControlFlow::Break(());
            }
            seen += 1;
            last = Some(*digest);
            let is_record = !entry.is_grave() && !entry.meta.tombstone;
            if is_record && set.is_none_or(|set| set == entry.meta.set) {
                found += 1;
                out.push(*digest);
            }
            ControlFlow::Continue(())
        });
        last.filter(|_| flow.is_break())
    }

    /// The same by the set's index; `None` if that is not ready.
    fn scan_set_down(
        &self,
        partition: PartitionId,
        set: SetId,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<Digest>,
    ) -> Option<Option<Digest>> {
        if self.index.set_index_state(set) != SetIndexState::Ready {
            return None;
        }
        let mut items = Vec::with_capacity(limit);
        let progress = self.index.scan_set_desc(set, partition, below, limit, &mut items)?;
        out.extend(items.iter().map(|item| item.digest));
        let rest = items.last().map(|item| item.digest);
        Some(rest.filter(|_| progress == ScanProgress::More))
    }

    /// Visits all records of a partition and removes those that `judge` condemns, under write locks
    /// taken for a few hundred at a time. `judge` must not lock a record.
    pub fn sweep(
        &self,
        partition: PartitionId,
        mut judge: impl FnMut(&Digest, Stored) -> Verdict,
    ) -> Swept {
        let mut swept = Swept::default();
        let _ = self.index.sweep(partition, |digest, entry| {
            if entry.is_grave() {
                return index::Verdict::Keep;
            }
            swept.visited += 1;
            // SAFETY: the sprig is locked while the entry is visited.
            let verdict = judge(digest, unsafe { self.engine.stored(entry) });
            // SAFETY: the sprig is locked exclusively, and the outcome is carried out on the entry.
            let outcome = unsafe { self.engine.carry_out(verdict, entry) };
            swept.removed += u64::from(outcome != index::Verdict::Keep);
            outcome
        });
        swept
    }

    /// What has to be read before the body of this record is at hand; `None` if nothing.
    pub fn fetch_for(&self, digest: &Digest, fetched: &Fetched) -> Option<Fetch> {
        let Engine::Device(log) = &self.engine else { return None };
        // Found and looked for under one lock: the location must not be out of date.
        let guard = self.index.read(digest);
        let entry = guard.find().filter(|entry| !entry.is_grave())?;
        log.fetch_for(DeviceLocation(entry.location.0), fetched)
    }

    /// How far these pledges are.
    pub fn settled(&self, pledges: &Pledges) -> Settled {
        self.engine.log().map_or(Settled::Kept, |log| log.settled(pledges))
    }

    /// Has a signal raised whenever pledges may have settled.
    pub fn subscribe(&self, signal: &Signal) {
        for volume in self.volumes() {
            volume.subscribe(signal.clone());
        }
    }

    pub(crate) fn volumes(&self) -> &[Arc<Volume>] {
        self.engine.log().map_or(&[], |log| &log.volumes)
    }

    /// Gives a set an index of its own, to be populated; false if it has one.
    pub fn enable_set_index(&self, set: SetId) -> bool {
        self.index.enable_set_index(set)
    }

    /// Drops a set's index.
    pub fn disable_set_index(&self, set: SetId) {
        self.index.disable_set_index(set);
    }

    /// Adds a partition's records to the index of their set.
    ///
    /// # Errors
    /// [`OutOfMemory`]: some are not in it; call again or drop the index.
    pub fn populate_set_index(
        &self,
        set: SetId,
        partition: PartitionId,
    ) -> Result<(), OutOfMemory> {
        self.index.populate_set_index(set, partition)
    }

    /// How far a set's index is.
    pub fn set_index_state(&self, set: SetId) -> SetIndexState {
        self.index.set_index_state(set)
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        let Some(heap) = self.engine.heap() else { return };
        for partition in PartitionId::all() {
            if self.counts(partition) == Counts::default() {
                continue;
            }
            let _ = self.index.sweep(partition, |_, entry| {
                // SAFETY: the verdict takes the entry out. What is on devices stays there.
                unsafe { heap.free(entry.location) };
                index::Verdict::Remove
            });
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("counts", &self.total_counts()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::LastUpdateTime;

    const NOW: LastUpdateTime = LastUpdateTime(1);

    fn body(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        record::body::BodyWriter::new(&mut bytes, Some(payload)).finish();
        bytes
    }

    fn digest(number: u16) -> Digest {
        let mut digest = Digest([0; Digest::SIZE]);
        digest.0[..2].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn records_come_back_as_they_went() {
        let records = Records::in_memory();
        for number in 0..300 {
            let payload = vec![number as u8; usize::from(number)];
            records
                .write(&digest(number))
                .store(RecordMeta::default(), b"", &body(&payload), &mut Pledges::default())
                .unwrap();
        }
        for number in 0..300 {
            let mut guard = records.read(&digest(number));
            let payload = vec![number as u8; usize::from(number)];
            assert!(guard.find().is_some());
            assert_eq!(guard.body(Fetched::NONE).unwrap().key(), Some(&*payload));
        }
        assert_eq!(records.total_counts().entries, 300);
    }

    #[test]
    fn updates_grow_shrink_and_stay() {
        let records = Records::in_memory();
        let mut guard = records.write(&digest(1));
        assert!(guard.find().is_none() && !guard.remove(NOW, &mut Pledges::default()).unwrap());
        for size in [8, 9, 500, 3, 0, 70_000, 70_001] {
            let payload = vec![size as u8; size];
            guard
                .store(RecordMeta::default(), b"", &body(&payload), &mut Pledges::default())
                .unwrap();
            assert_eq!(guard.body(Fetched::NONE).unwrap().key(), Some(&*payload));
        }
        assert!(guard.remove(NOW, &mut Pledges::default()).unwrap());
        assert!(guard.find().is_none());
    }

    #[test]
    fn sweeps_remove_what_is_condemned() {
        let records = Records::in_memory();
        for number in 0..100 {
            let set = SetId(number % 2);
            let meta = RecordMeta { set, ..RecordMeta::default() };
            records
                .write(&digest(number))
                .store(meta, b"", &body(b"x"), &mut Pledges::default())
                .unwrap();
        }
        for partition in PartitionId::all() {
            let _ = records.sweep(partition, |_, stored| match stored.meta.set {
                SetId(1) => Verdict::Expired,
                _ => Verdict::Keep,
            });
        }
        assert_eq!(records.total_counts().entries, 50);
        let mut left = 0;
        for partition in PartitionId::all() {
            records.for_each(partition, |_, stored| {
                assert_eq!(stored.meta.set, SetId(0));
                left += 1;
            });
        }
        assert_eq!(left, 50);
    }
}
