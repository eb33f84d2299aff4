//! Truncation: records last written before a moment are gone at once and removed in the background
//! (storage reference, truncate).

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use record::{LastUpdateTime, RecordMeta, SecondsSince2010};
use storage::Verdict;
use wire::PartitionId;

use crate::namespace::{Gauges, Namespace};
use crate::sets::Set;

/// The moments of truncation whose records a pass removes: of the namespace, then of each set.
#[derive(Debug)]
pub(crate) struct Moments(Vec<u64>);

impl Namespace {
    /// Makes all records of the namespace that were last written before `time` go away.
    ///
    /// # Errors
    /// When a device cannot keep that: they are gone, and may come back with a restart.
    pub fn truncate(&self, time: LastUpdateTime) -> io::Result<()> {
        begin(&self.gauges.truncate_lut, &self.gauges.truncating, time);
        self.bell.ring();
        self.remember()
    }

    /// Takes back a truncation: records that were not removed yet are visible again. Once all are
    /// removed, devices remember it all the same, or older copies would come back with a restart.
    ///
    /// # Errors
    /// As [`Self::truncate`].
    pub fn undo_truncate(&self) -> io::Result<()> {
        self.gauges.truncate_lut.store(0, Ordering::SeqCst);
        self.remember()
    }

    /// Makes all records of a set that were last written before `time` go away.
    ///
    /// # Errors
    /// As [`Self::truncate`].
    pub fn truncate_set(&self, set: &Set, time: LastUpdateTime) -> io::Result<()> {
        begin(&set.truncate_lut, &set.truncating, time);
        self.bell.ring();
        self.remember()
    }

    /// Takes back a truncation of a set, as [`Self::undo_truncate`] does of the namespace.
    ///
    /// # Errors
    /// As [`Self::truncate`].
    pub fn undo_truncate_set(&self, set: &Set) -> io::Result<()> {
        set.truncate_lut.store(0, Ordering::SeqCst);
        self.remember()
    }

    /// Makes a truncation hold, of a set or of the namespace, or takes it back (`None`). A set that is
    /// not there yet is truncated when it comes into being.
    ///
    /// # Errors
    /// As [`Self::truncate`].
    pub fn apply_truncation(
        &self,
        set: Option<&[u8]>,
        time: Option<LastUpdateTime>,
    ) -> io::Result<()> {
        let set = match set {
            None => None,
            Some(name) => match self.sets.by_name_or_foresee(name, time) {
                Some(set) => Some(set),
                None => return Ok(()),
            },
        };
        match (set, time) {
            (None, Some(time)) => {
                // This moment holds, also instead of a later one.
                self.gauges.truncate_lut.fetch_min(time.0, Ordering::SeqCst);
                self.truncate(time)
            }
            (None, None) => self.undo_truncate(),
            (Some(set), Some(time)) => {
                set.truncate_lut.fetch_min(time.0, Ordering::SeqCst);
                self.truncate_set(set, time)
            }
            (Some(set), None) => self.undo_truncate_set(set),
        }
    }

    /// The same at a start, when nobody reads or writes yet: does nothing if that is how it is.
    ///
    /// # Errors
    /// As [`Self::truncate`].
    pub fn recall_truncation(
        &self,
        set: Option<&[u8]>,
        time: Option<LastUpdateTime>,
    ) -> io::Result<()> {
        let now = match set {
            None => self.gauges.truncate_lut.load(Ordering::Relaxed),
            Some(name) => match self.sets.by_name(name) {
                Some(set) => set.truncate_lut.load(Ordering::Relaxed),
                None => 0,
            },
        };
        let holds = match time {
            Some(time) => now >= time.0,
            None => now == 0,
        };
        if holds {
            return Ok(());
        }
        self.apply_truncation(set, time)?;
        if self.record_count() == 0 {
            // There is nothing to remove, nor to tell of.
            self.end_truncation(&self.begin_truncation());
        }
        Ok(())
    }

    /// Whether records last written at `time` in this set are truncated.
    pub(crate) fn is_truncated(&self, set: Option<&Set>, time: LastUpdateTime) -> bool {
        time.0 < self.gauges.truncate_lut.load(Ordering::Relaxed)
            || set.is_some_and(|set| set.is_truncated(time))
    }

    /// Whether a record of this set is gone though it is still there: expired or truncated.
    pub(crate) fn is_doomed(
        &self,
        meta: &RecordMeta,
        set: Option<&Set>,
        now: SecondsSince2010,
    ) -> bool {
        meta.void_time.is_expired(now) || self.is_truncated(set, meta.last_update_time)
    }

    /// Whether a truncation waits for its records to be removed.
    pub(crate) fn is_truncating(&self) -> bool {
        self.gauges.truncating.load(Ordering::SeqCst)
            || self.sets.iter().any(|set| set.truncating.load(Ordering::SeqCst))
    }

    /// Removes truncated records; returns how many there were.
    pub(crate) fn remove_truncated(&self) -> u64 {
        let threads = self.config().truncate_threads;
        let moments = self.begin_truncation();
        // Partitions that look empty too: a writer that saw no truncation yet may hold a record's
        // lock in one, and a sweep waits for it.
        let removed = self.share_out(threads, PartitionId::all(), |partition| {
            self.sweep(partition, |stored| self.truncates(&stored.meta), |_, _| {})
        });
        self.end_truncation(&moments);
        removed.iter().sum()
    }

    /// What truncation makes of a record.
    fn truncates(&self, meta: &RecordMeta) -> Verdict {
        if self.is_truncated(None, meta.last_update_time) {
            Verdict::Truncated { with_older: true }
        } else if self.is_truncated(self.sets.by_id(meta.set), meta.last_update_time) {
            Verdict::Truncated { with_older: false }
        } else {
            Verdict::Keep
        }
    }

    /// Notes what a pass that begins now will have removed when it ends.
    pub(crate) fn begin_truncation(&self) -> Moments {
        Moments(self.truncations().map(|of| of.lut.load(Ordering::SeqCst)).collect())
    }

    /// After a pass nothing is being truncated any more, but for what began meanwhile.
    pub(crate) fn end_truncation(&self, Moments(moments): &Moments) {
        for (of, begun_with) in self.truncations().zip(moments) {
            // Devices remember this even if the truncation is taken back: what is removed stays so.
            of.removed_before.fetch_max(*begun_with, Ordering::SeqCst);
            of.truncating.store(false, Ordering::SeqCst);
            // Whoever truncates sets the moment before the flag: either it is seen here, or the flag
            // is raised after it was lowered.
            if of.lut.load(Ordering::SeqCst) > *begun_with {
                of.truncating.store(true, Ordering::SeqCst);
            }
        }
    }

    /// The truncation of the namespace and that of each set.
    fn truncations(&self) -> impl Iterator<Item = Truncation<'_>> {
        let Gauges { truncate_lut, truncating, removed_before, .. } = &self.gauges;
        let of_namespace = Truncation { lut: truncate_lut, truncating, removed_before };
        let of_sets = self.sets.iter().map(|set| {
            let Set { truncate_lut, truncating, removed_before, .. } = set;
            Truncation { lut: truncate_lut, truncating, removed_before }
        });
        std::iter::once(of_namespace).chain(of_sets)
    }
}

/// The truncation of a namespace or set: its moment, whether its records are still being removed, and
/// the moment up to which they are.
struct Truncation<'t> {
    lut: &'t AtomicU64,
    truncating: &'t AtomicBool,
    removed_before: &'t AtomicU64,
}

fn begin(lut: &AtomicU64, truncating: &AtomicBool, time: LastUpdateTime) {
    lut.fetch_max(time.0, Ordering::SeqCst);
    truncating.store(true, Ordering::SeqCst);
}
