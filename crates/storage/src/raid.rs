//! The tomb raid: traces of deletes go when no older copy of their record is left on its device.
//!
//! A pass marks all traces, looks for older copies in all blocks that are in use, and takes the mark
//! from the traces of which there are any. What is still marked in the end has no use any more. A trace
//! made meanwhile bears no mark; a block freed meanwhile holds nothing, and the device says so.

#![allow(unsafe_code)]

use std::thread;
use std::time::Duration;

use index::{Entry, Marks};
use wire::{Digest, PartitionId};

use crate::format::block::{Image, Item};
use crate::records::Records;
use crate::volume::{State, Volume};

impl Records {
    /// Makes a pass, which reads all blocks in use; returns how many graves are gone. Tombstones without
    /// older copies may then go as well, by [`crate::Verdict::Forgotten`]. Without devices there is
    /// nothing to do. Sleeps between blocks as `tomb-raider-sleep` says. [`Self::stop`] breaks it off.
    pub fn raid(&self) -> u64 {
        let Some(log) = self.engine.log() else { return 0 };
        if !self.mark_candidates() {
            return 0;
        }
        let mut all_seen = true;
        for volume in &log.volumes {
            for block in volume.geometry.blocks() {
                if volume.is_stopping() {
                    return self.take_candidates(false);
                }
                if !volume.is_in_use(block) {
                    continue;
                }
                all_seen &= self.spare_those_in(volume, block);
                thread::sleep(Duration::from_micros(log.tuning.tomb_raider_sleep_micros()));
            }
        }
        self.take_candidates(all_seen)
    }

    /// Says whether there are any.
    fn mark_candidates(&self) -> bool {
        let mut any = false;
        self.sweep_traces(|entry| {
            let wanted = !entry.marks.contains(Marks::SOLE) || entry.is_grave();
            any |= wanted;
            let marks = entry.marks.with(Marks::CANDIDATE, wanted);
            index::Verdict::Replace(Entry { marks, ..*entry })
        });
        any
    }

    /// Takes the mark from traces of which older copies are in this block. False if not all of the
    /// block could be seen.
    fn spare_those_in(&self, volume: &Volume, block: u32) -> bool {
        let mut all_seen = true;
        let mut look = |image: &Image<'_>| {
            image.walk(|item| match item {
                Item::Record { at, found } => {
                    let offset_bytes = image.offset_bytes + at as u64;
                    self.spare(volume, &found.header.digest, offset_bytes);
                }
                Item::Damage { .. } => all_seen = false,
            });
        };
        let read = match volume.table.state(block) {
            State::Filling => volume.with_filling(block, &mut look).is_some(),
            _ => volume.with_image(block, &mut look).is_some(),
        };
        // One that was full a moment ago, or free, is seen by what it is now.
        read && all_seen
    }

    fn spare(&self, volume: &Volume, digest: &Digest, offset_bytes: u64) {
        let is_candidate = |entry: &Entry| entry.marks.contains(Marks::CANDIDATE);
        if !self.index.read(digest).find().is_some_and(|entry| is_candidate(&entry)) {
            return;
        }
        let mut guard = self.index.write(digest);
        let Some(entry) = guard.find().filter(is_candidate) else { return };
        // SAFETY: the guard holds the sprig's lock.
        let location = unsafe { self.engine.device_location(&entry) };
        let is_itself = location.is_some_and(|location| location.is_at(volume, offset_bytes));
        if !is_itself {
            let marks = entry.marks.with(Marks::CANDIDATE, false);
            // The entry is there already, so this takes no memory.
            let _ = guard.replace(Some(&entry), &Entry { marks, ..entry });
        }
    }

    /// Removes marked graves, and notes that marked tombstones have no older copies.
    fn take_candidates(&self, all_seen: bool) -> u64 {
        let mut graves = 0;
        self.sweep_traces(|entry| {
            let is_free = all_seen && entry.marks.contains(Marks::CANDIDATE);
            if is_free && entry.is_grave() {
                graves += 1;
                self.release(entry);
                return index::Verdict::Remove;
            }
            let is_sole = is_free || entry.marks.contains(Marks::SOLE);
            let marks = entry.marks.with(Marks::CANDIDATE, false).with(Marks::SOLE, is_sole);
            index::Verdict::Replace(Entry { marks, ..*entry })
        });
        graves
    }

    /// Visits all graves and tombstones under write locks.
    fn sweep_traces(&self, mut judge: impl FnMut(&Entry) -> index::Verdict) {
        for partition in PartitionId::all() {
            let counts = self.counts(partition);
            if counts.graves + counts.tombstones == 0 {
                continue;
            }
            let _ = self.index.sweep(partition, |_, entry| {
                if entry.is_grave() || entry.meta.tombstone {
                    judge(entry)
                } else {
                    index::Verdict::Keep
                }
            });
        }
    }
}
