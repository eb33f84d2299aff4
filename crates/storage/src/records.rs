//! A namespace's records: the primary index joined to an engine.

#![allow(unsafe_code)]

use std::fmt;

use index::{Counts, Entry, OutOfMemory, PrimaryIndex, SetIndexState, Swept};
use record::{Body, LastUpdateTime, RecordMeta, SetId};
use wire::{Digest, PartitionId};

use crate::fetch::{Fetch, Fetched};
use crate::memory;
use crate::pledge::{Pledges, Settled};
use crate::reader::Signal;

/// The records of a namespace.
///
/// **Invariant**: each location in the index is that of a body of its own in the engine. Locations
/// do not leave this module, and the index does not either. A body is read under its sprig's lock
/// and changed or freed under the exclusive one.
#[derive(Default)]
pub struct Records {
    index: PrimaryIndex,
}

/// What is known of a stored record without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its metadata.
    pub meta: RecordMeta,
    /// What it takes.
    pub size: Size,
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
    /// It has to be read first.
    Elsewhere(Fetch),
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
    /// from the record itself and [`crate::format::header::Memory`] keeps it away after a restart as well.
    Expired,
    /// It was last written before a truncation, which [`crate::format::header::Memory`] knows of, and so were older copies.
    Truncated,
    /// A tombstone that is old enough. It goes if no older copies are left on the device.
    Forgotten,
}

impl Records {
    /// No records. Memory is touched as they arrive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks a record for reading.
    pub fn read(&self, digest: &Digest) -> ReadGuard<'_> {
        ReadGuard { guard: self.index.read(digest), found: None }
    }

    /// Locks a record for reading and writing, present or not.
    pub fn write(&self, digest: &Digest) -> WriteGuard<'_> {
        WriteGuard { guard: self.index.write(digest) }
    }

    /// Begins to load what working on these records will touch: see [`PrimaryIndex::prefetch`].
    pub fn prefetch(&self, digests: &[Digest]) {
        self.index.prefetch(digests, memory::prefetch);
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
            // SAFETY: the sprig is locked while the entry is visited.
            visit(digest, unsafe { stored(entry) });
        });
    }

    /// Visits all records of a partition and removes those that `judge` condemns, under write locks
    /// taken for a few hundred at a time. `judge` must not lock a record.
    pub fn sweep(
        &self,
        partition: PartitionId,
        mut judge: impl FnMut(&Digest, Stored) -> Verdict,
    ) -> Swept {
        self.index.sweep(partition, |digest, entry| {
            // SAFETY: the sprig is locked while the entry is visited.
            match judge(digest, unsafe { stored(entry) }) {
                Verdict::Keep => index::Verdict::Keep,
                Verdict::Expired | Verdict::Truncated | Verdict::Forgotten => {
                    // SAFETY: the sprig is locked exclusively, and the verdict takes the entry out.
                    unsafe { memory::free(entry.location) };
                    index::Verdict::Remove
                }
            }
        })
    }

    /// What has to be read before the body of this record is at hand; `None` if nothing.
    pub fn fetch_for(&self, digest: &Digest, fetched: &Fetched) -> Option<Fetch> {
        let mut guard = self.read(digest);
        guard.find()?;
        match guard.body(fetched) {
            Err(Miss::Elsewhere(fetch)) => Some(fetch),
            Ok(_) | Err(Miss::Damaged) => None,
        }
    }

    /// How far these pledges are.
    pub fn settled(&self, pledges: &Pledges) -> Settled {
        debug_assert!(pledges.is_empty(), "memory makes no pledges");
        Settled::Kept
    }

    /// Has a signal raised whenever pledges may have settled.
    pub fn subscribe(&self, _signal: &Signal) {}

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
        for partition in PartitionId::all() {
            let _ = self.sweep(partition, |_, _| Verdict::Truncated);
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("counts", &self.total_counts()).finish()
    }
}

/// What is known of an index entry's record.
///
/// # Safety
/// The entry's sprig is locked, and the record is not changed.
unsafe fn stored(entry: &Entry) -> Stored {
    // SAFETY: locations in the index are live, and the lock keeps the body as it is.
    let bytes = unsafe { memory::get(entry.location) };
    Stored { meta: entry.meta, size: Size::Content(Body::content_size_bytes_of(bytes)) }
}

/// A record locked for reading.
pub struct ReadGuard<'a> {
    guard: index::ReadGuard<'a>,
    found: Option<Entry>,
}

impl ReadGuard<'_> {
    /// The record, if it is there.
    pub fn find(&mut self) -> Option<Stored> {
        self.found = self.guard.find();
        // SAFETY: the guard holds the sprig's lock.
        self.found.as_ref().map(|entry| unsafe { stored(entry) })
    }

    /// The body of the record that [`Self::find`] found; an empty one if it found none.
    ///
    /// # Errors
    /// [`Miss::Elsewhere`] if it has to be read from a device and is not among what was fetched.
    pub fn body(&mut self, _fetched: &Fetched) -> Result<Body<'_>, Miss> {
        let bytes = self.found.map_or(&[][..], |entry| {
            // SAFETY: the guard holds the sprig's lock as long as the result borrows it.
            unsafe { memory::get(entry.location) }
        });
        Ok(Body::new(bytes))
    }
}

/// A record locked for reading and writing, present or not.
pub struct WriteGuard<'a> {
    guard: index::WriteGuard<'a>,
}

impl WriteGuard<'_> {
    /// The record, if it is there. Searches once.
    pub fn find(&mut self) -> Option<Stored> {
        // SAFETY: the guard holds the sprig's lock.
        self.guard.find().map(|entry| unsafe { stored(&entry) })
    }

    /// The body of the record; an empty one if it is not there.
    ///
    /// # Errors
    /// As [`ReadGuard::body`].
    pub fn body(&mut self, _fetched: &Fetched) -> Result<Body<'_>, Miss> {
        let bytes = self.guard.find().map_or(&[][..], |entry| {
            // SAFETY: the guard holds the sprig's lock, and nothing changes the record as long as the
            // result borrows the guard.
            unsafe { memory::get(entry.location) }
        });
        Ok(Body::new(bytes))
    }

    /// Stores the record, present or not. `set_name` is that of its set, empty outside sets.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn store(
        &mut self,
        meta: RecordMeta,
        _set_name: &[u8],
        body: &[u8],
        _pledges: &mut Pledges,
    ) -> Result<(), Refusal> {
        let old = self.guard.find();
        if let Some(old) = &old {
            // SAFETY: the guard holds the sprig's lock exclusively, and no result of `body` lives.
            let fits = unsafe { memory::overwrite(old.location, body) };
            if fits {
                return self.set_entry(Some(old), Entry { meta, location: old.location });
            }
        }
        let location = memory::put(body).ok_or(Refusal::Body)?;
        if let Err(refusal) = self.set_entry(old.as_ref(), Entry { meta, location }) {
            // SAFETY: the location was just made and did not get into the index.
            unsafe { memory::free(location) };
            return Err(refusal);
        }
        if let Some(old) = old {
            // SAFETY: the index has the new location in place of this one.
            unsafe { memory::free(old.location) };
        }
        Ok(())
    }

    /// Changes the record's metadata, if it is there; its set stays.
    ///
    /// # Errors
    /// A [`Refusal`]; or `None` if its body would be needed for that and is not at hand.
    pub fn set_meta(
        &mut self,
        meta: RecordMeta,
        _fetched: &Fetched,
        _pledges: &mut Pledges,
    ) -> Result<(), Option<Refusal>> {
        match self.guard.find() {
            Some(entry) => Ok(self.set_entry(Some(&entry), Entry { meta, ..entry })?),
            None => Ok(()),
        }
    }

    fn set_entry(&mut self, before: Option<&Entry>, entry: Entry) -> Result<(), Refusal> {
        self.guard.replace(before, &entry).map_err(|OutOfMemory| Refusal::Index)
    }

    /// Removes the record; clients will find no trace of it. False if it was not there. `now` is when.
    ///
    /// # Errors
    /// A [`Refusal`] when a device cannot note it.
    pub fn remove(
        &mut self,
        _now: LastUpdateTime,
        _pledges: &mut Pledges,
    ) -> Result<bool, Refusal> {
        let removed = self.guard.remove();
        if let Some(entry) = &removed {
            // SAFETY: the location is in no index any more.
            unsafe { memory::free(entry.location) };
        }
        Ok(removed.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let records = Records::new();
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
        let records = Records::new();
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
        let records = Records::new();
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
