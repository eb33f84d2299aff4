//! A locked record: the sprig it is in, and its place there.

use std::ops::ControlFlow;

use parking_lot::{RwLockReadGuard, RwLockWriteGuard};
use wire::Digest;

use crate::entry::{Entry, PackedEntry, RecordKey};
use crate::handle::Stub;
use crate::heap::OutOfMemory;
use crate::primary::PrimaryIndex;
use crate::tree::{Position, Tree};

/// A record locked for reading: its entry does not change while this lives.
pub struct ReadGuard<'a> {
    sprig: RwLockReadGuard<'a, Tree<PackedEntry>>,
    digest: Digest,
}

impl<'a> ReadGuard<'a> {
    pub(crate) fn new(
        sprig: RwLockReadGuard<'a, Tree<PackedEntry>>,
        digest: &Digest,
    ) -> ReadGuard<'a> {
        Self { sprig, digest: *digest }
    }

    /// The record's digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The record's entry, if it has one. Searches each time.
    pub fn find(&self) -> Option<Entry> {
        let position = self.sprig.locate(&RecordKey::of(&self.digest)).ok()?;
        self.sprig.get(position).map(PackedEntry::unpack)
    }
}

/// A record locked for reading and writing, present or not. Remembers the place once it has
/// searched.
pub struct WriteGuard<'a> {
    index: &'a PrimaryIndex,
    sprig: RwLockWriteGuard<'a, Tree<PackedEntry>>,
    digest: Digest,
    /// Where the entry is (`Ok`) or belongs (`Err`), once known.
    place: Option<Result<Position, Position>>,
}

impl<'a> WriteGuard<'a> {
    pub(crate) fn new(
        index: &'a PrimaryIndex,
        sprig: RwLockWriteGuard<'a, Tree<PackedEntry>>,
        digest: &Digest,
    ) -> WriteGuard<'a> {
        Self { index, sprig, digest: *digest, place: None }
    }

    /// The record's digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The record's entry, if it has one.
    pub fn find(&mut self) -> Option<Entry> {
        let position = self.place().ok()?;
        self.sprig.get(position).map(PackedEntry::unpack)
    }

    /// Whether secondary indexes cannot tell another entry from this record's.
    pub fn shares_stub(&self) -> bool {
        let (low, high) = Stub::of(&self.digest).keys();
        let own = RecordKey::of(&self.digest);
        let flow = self.sprig.visit_up(&low, |key, _| match key {
            key if key > high => ControlFlow::Break(false),
            key if key == own => ControlFlow::Continue(()),
            _ => ControlFlow::Break(true),
        });
        flow == ControlFlow::Break(true)
    }

    /// Sets the record's entry, present or not. Returns the one it had.
    ///
    /// # Errors
    /// [`OutOfMemory`]: nothing was changed. A present record whose set and tombstone flag stay the
    /// same needs no memory.
    pub fn insert(&mut self, entry: Entry) -> Result<Option<Entry>, OutOfMemory> {
        let before = self.find();
        self.replace(before.as_ref(), &entry)?;
        Ok(before)
    }

    /// Sets the record's entry in place of `before`: what [`Self::find`] returns now, for callers
    /// that know it.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn replace(&mut self, before: Option<&Entry>, entry: &Entry) -> Result<(), OutOfMemory> {
        let sets = &self.index.sets;
        let moves = before.map(Entry::indexed_set) != Some(entry.indexed_set());
        if moves {
            sets.add(entry.indexed_set(), &self.digest, self.index.pool())?;
        }
        if let Err(refusal) = self.store(entry) {
            if moves {
                sets.remove(entry.indexed_set(), &self.digest, self.index.pool());
            }
            return Err(refusal);
        }
        if let Some(before) = before
            && moves
        {
            sets.remove(before.indexed_set(), &self.digest, self.index.pool());
        }
        self.index.count_change(self.digest.partition(), before, Some(entry));
        Ok(())
    }

    /// Changes the record's entry if it has one, and returns the former.
    ///
    /// # Errors
    /// As [`Self::insert`].
    pub fn update(&mut self, entry: Entry) -> Result<Option<Entry>, OutOfMemory> {
        if self.find().is_none() {
            return Ok(None);
        }
        self.insert(entry)
    }

    /// Removes the record's entry, and returns it.
    pub fn remove(&mut self) -> Option<Entry> {
        let partition = self.digest.partition();
        let position = self.place().ok()?;
        let removed = self.sprig.remove(position, self.index.heap(partition))?.unpack();
        self.place = None;
        self.index.sets.remove(removed.indexed_set(), &self.digest, self.index.pool());
        self.index.count_change(partition, Some(&removed), None);
        Some(removed)
    }

    fn place(&mut self) -> Result<Position, Position> {
        *self.place.get_or_insert_with(|| self.sprig.locate(&RecordKey::of(&self.digest)))
    }

    /// Puts the packed entry in its place.
    fn store(&mut self, entry: &Entry) -> Result<(), OutOfMemory> {
        let key = RecordKey::of(&self.digest);
        let packed = PackedEntry::new(&key, entry);
        match self.place() {
            Ok(position) => {
                if let Some(stored) = self.sprig.get_mut(position) {
                    *stored = packed;
                }
            }
            Err(position) => {
                // Known again after success; a refusal may have split the leaf.
                self.place = None;
                let heap = self.index.heap(self.digest.partition());
                self.place = Some(Ok(self.sprig.insert(position, key.prefix, packed, heap)?));
            }
        }
        Ok(())
    }
}
