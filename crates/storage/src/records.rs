//! A namespace's records: the primary index joined to an engine.

#![allow(unsafe_code)]

use std::fmt;

use index::{Counts, Entry, OutOfMemory, PrimaryIndex, SetIndexState, Swept, Verdict};
use record::{Body, RecordMeta, SetId};
use wire::{Digest, PartitionId};

use crate::memory;

/// The records of a namespace.
///
/// **Invariant**: each location in the index is that of a body of its own in the engine. Locations
/// do not leave this module, and the index does not either. A body is read under its sprig's lock
/// and changed or freed under the exclusive one.
#[derive(Default)]
pub struct Records {
    index: PrimaryIndex,
}

/// A record as stored.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'g> {
    /// What is known of it without reading it.
    pub meta: RecordMeta,
    /// Its body: see [`record::body`].
    pub bytes: &'g [u8],
}

impl<'g> Stored<'g> {
    /// Its body, to be looked into.
    pub fn body(&self) -> Body<'g> {
        Body::new(self.bytes)
    }
}

/// Why a record could not be stored. What was there before still is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No memory for its body.
    Body,
    /// No memory for its index entry.
    Index,
}

impl Records {
    /// No records. Memory is touched as they arrive.
    pub fn new() -> Self {
        Self::default()
    }

    /// Locks a record for reading.
    pub fn read(&self, digest: &Digest) -> ReadGuard<'_> {
        ReadGuard { guard: self.index.read(digest) }
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
    pub fn for_each(&self, partition: PartitionId, mut visit: impl FnMut(&Digest, Stored<'_>)) {
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
        mut judge: impl FnMut(&Digest, Stored<'_>) -> Verdict,
    ) -> Swept {
        self.index.sweep(partition, |digest, entry| {
            // SAFETY: the sprig is locked while the entry is visited.
            let verdict = judge(digest, unsafe { stored(entry) });
            if verdict == Verdict::Remove {
                // SAFETY: the sprig is locked exclusively, and the verdict takes the entry out.
                unsafe { memory::free(entry.location) };
            }
            verdict
        })
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
        for partition in PartitionId::all() {
            let _ = self.sweep(partition, |_, _| Verdict::Remove);
        }
    }
}

impl fmt::Debug for Records {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records").field("counts", &self.total_counts()).finish()
    }
}

/// The record of an index entry.
///
/// # Safety
/// The entry's sprig is locked during `'g`, and the record is not changed.
unsafe fn stored<'g>(entry: &Entry) -> Stored<'g> {
    // SAFETY: locations in the index are live, and the lock keeps the body as it is.
    Stored { meta: entry.meta, bytes: unsafe { memory::get(entry.location) } }
}

/// A record locked for reading.
pub struct ReadGuard<'a> {
    guard: index::ReadGuard<'a>,
}

impl ReadGuard<'_> {
    /// The record, if it is there. Searches each time.
    pub fn find(&self) -> Option<Stored<'_>> {
        let entry = self.guard.find()?;
        // SAFETY: the guard holds the sprig's lock as long as the result borrows it.
        Some(unsafe { stored(&entry) })
    }
}

/// A record locked for reading and writing, present or not.
pub struct WriteGuard<'a> {
    guard: index::WriteGuard<'a>,
}

impl WriteGuard<'_> {
    /// The record, if it is there. Searches once.
    pub fn find(&mut self) -> Option<Stored<'_>> {
        let entry = self.guard.find()?;
        // SAFETY: the guard holds the sprig's lock, and nothing changes the record as long as the
        // result borrows the guard.
        Some(unsafe { stored(&entry) })
    }

    /// Stores the record, present or not.
    ///
    /// # Errors
    /// A [`Refusal`] when memory is short.
    pub fn store(&mut self, meta: RecordMeta, body: &[u8]) -> Result<(), Refusal> {
        let old = self.guard.find();
        if let Some(old) = &old {
            // SAFETY: the guard holds the sprig's lock exclusively, and no result of `find` lives.
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

    /// Changes the record's metadata, if it is there.
    ///
    /// # Errors
    /// [`Refusal::Index`] when it moves between set indexes and memory is short.
    pub fn set_meta(&mut self, meta: RecordMeta) -> Result<(), Refusal> {
        match self.guard.find() {
            Some(entry) => self.set_entry(Some(&entry), Entry { meta, ..entry }),
            None => Ok(()),
        }
    }

    fn set_entry(&mut self, before: Option<&Entry>, entry: Entry) -> Result<(), Refusal> {
        self.guard.replace(before, &entry).map_err(|OutOfMemory| Refusal::Index)
    }

    /// Removes the record without a trace; false if it was not there.
    pub fn remove(&mut self) -> bool {
        let removed = self.guard.remove();
        if let Some(entry) = &removed {
            // SAFETY: the location is in no index any more.
            unsafe { memory::free(entry.location) };
        }
        removed.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            records.write(&digest(number)).store(RecordMeta::default(), &body(&payload)).unwrap();
        }
        for number in 0..300 {
            let guard = records.read(&digest(number));
            let payload = vec![number as u8; usize::from(number)];
            assert_eq!(guard.find().unwrap().bytes, body(&payload));
        }
        assert_eq!(records.total_counts().entries, 300);
    }

    #[test]
    fn updates_grow_shrink_and_stay() {
        let records = Records::new();
        let mut guard = records.write(&digest(1));
        assert!(guard.find().is_none() && !guard.remove());
        for size in [8, 9, 500, 3, 0, 70_000, 70_001] {
            guard.store(RecordMeta::default(), &body(&vec![size as u8; size])).unwrap();
            assert_eq!(guard.find().unwrap().bytes, body(&vec![size as u8; size]));
        }
        assert!(guard.remove());
        assert!(guard.find().is_none());
    }

    #[test]
    fn sweeps_remove_what_is_condemned() {
        let records = Records::new();
        for number in 0..100 {
            let set = SetId(number % 2);
            let meta = RecordMeta { set, ..RecordMeta::default() };
            records.write(&digest(number)).store(meta, &body(b"x")).unwrap();
        }
        for partition in PartitionId::all() {
            let _ = records.sweep(partition, |_, stored| match stored.meta.set {
                SetId(1) => Verdict::Remove,
                _ => Verdict::Keep,
            });
        }
        assert_eq!(records.total_counts().entries, 50);
        let mut left = 0;
        for partition in PartitionId::all() {
            records.for_each(partition, |_, stored| {
                assert_eq!(stored.bytes, body(b"x"));
                left += 1;
            });
        }
        assert_eq!(left, 50);
    }
}
