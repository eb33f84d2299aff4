//! In which order the versions of a record were stored.
//!
//! A start finds several versions of a record and must know which of them was there last. As a rule their
//! times say so. But what another node has written is stored when it arrives: a version may take the place of one
//! of a later time, because it counts more by the namespace's rule, or because the record was given up here and comes
//! back as it was. Such a version gets a place in the order that is not its time, and bears it on the device.
//!
//! The index does not know it. It does not have to: no place that was given so is above [`Order::latest`], so a version
//! is known to be later than the one before it if its time is above that, and is later than that one's time.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use record::{LastUpdateTime, RecordMeta};
use wire::Digest;

use crate::log::is_later;

/// Most records that share a place, so that remembering who has it takes little memory.
const SHARERS_MAX: usize = 1 << 14;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The last place that was given.
    latest: AtomicU64,
    /// Who has it.
    sharers: Mutex<HashSet<Digest>>,
    /// During a start: places of versions in the index.
    found: Mutex<HashMap<Digest, LastUpdateTime>>,
}

impl Order {
    /// The place of a version that is stored where this one is; `None`: its time says it. The caller holds the
    /// lock of the record's sprig.
    #[inline]
    pub fn after(
        &self,
        digest: &Digest,
        new: &RecordMeta,
        old: &RecordMeta,
    ) -> Option<LastUpdateTime> {
        let is_above = new.last_update_time.0 > self.latest.load(Ordering::Acquire);
        if is_above && is_later(new, old) {
            return None;
        }
        Some(self.give(digest, old))
    }

    #[cold]
    fn give(&self, digest: &Digest, old: &RecordMeta) -> LastUpdateTime {
        let mut sharers = self.sharers.lock();
        let latest = self.latest.load(Ordering::Acquire);
        let LastUpdateTime(time) = old.last_update_time;
        let mut place = latest.max(time + 1);
        if place == latest && (sharers.len() == SHARERS_MAX || sharers.contains(digest)) {
            place += 1;
        }
        if place > latest {
            sharers.clear();
            self.latest.store(place, Ordering::Release);
        }
        sharers.insert(*digest);
        LastUpdateTime(place)
    }

    /// The last place that was given.
    pub fn latest(&self) -> LastUpdateTime {
        LastUpdateTime(self.latest.load(Ordering::Acquire))
    }

    /// Takes note of a place that was given before a start. Who has it is not known.
    pub fn note(&self, place: LastUpdateTime) {
        if place != LastUpdateTime(0) {
            self.latest.fetch_max(place.0 + 1, Ordering::AcqRel);
        }
    }

    /// During a start: a version as its place says, if the index has one of this record.
    pub fn placed(&self, digest: &Digest, meta: &RecordMeta) -> RecordMeta {
        let place = self.found.lock().get(digest).copied();
        RecordMeta { last_update_time: place.unwrap_or(meta.last_update_time), ..*meta }
    }

    /// During a start: the index has a version of this record that has this place, or none but its time.
    pub fn found(&self, digest: &Digest, place: Option<LastUpdateTime>) {
        let mut found = self.found.lock();
        match place {
            Some(place) => {
                self.note(place);
                found.insert(*digest, place);
            }
            None if found.is_empty() => {}
            None => _ = found.remove(digest),
        }
    }

    /// The start is over.
    pub fn forget_found(&self) {
        *self.found.lock() = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use record::Generation;

    use super::*;

    fn meta(time: u64, generation: u16) -> RecordMeta {
        let last_update_time = LastUpdateTime(time);
        RecordMeta { last_update_time, generation: Generation(generation), ..RecordMeta::default() }
    }

    #[test]
    fn a_later_version_needs_no_place() {
        let order = Order::default();
        assert_eq!(order.after(&Digest([1; 20]), &meta(9, 1), &meta(8, 5)), None);
        assert_eq!(order.after(&Digest([1; 20]), &meta(9, 6), &meta(9, 5)), None);
        assert_eq!(order.latest(), LastUpdateTime(0));
    }

    #[test]
    fn places_of_a_record_ascend() {
        let order = Order::default();
        let digest = |number| Digest([number; 20]);
        let place = |number, new, old| order.after(&digest(number), &new, &old).unwrap().0;
        assert_eq!(place(1, meta(5, 1), meta(9, 1)), 10);
        assert_eq!(place(2, meta(5, 1), meta(7, 1)), 10, "two may share one");
        assert_eq!(place(1, meta(6, 1), meta(5, 1)), 11, "its time says 6, its place was 10");
        assert_eq!(order.after(&digest(1), &meta(12, 2), &meta(6, 1)), None);
        order.note(LastUpdateTime(20));
        assert_eq!(place(3, meta(20, 3), meta(12, 2)), 21, "any may have had 20");
    }
}
