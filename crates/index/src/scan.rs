//! Enumeration of a partition: in descending order for scans, leaf by leaf for maintenance.

use std::ops::ControlFlow;

use wire::{Digest, PartitionId};

use crate::entry::{Entry, PackedEntry, RecordKey, SprigId};
use crate::primary::PrimaryIndex;

/// A record that a scan came upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScanItem {
    /// Its digest.
    pub digest: Digest,
    /// Its entry when it was visited. The location may be out of date once the scan returns.
    pub entry: Entry,
}

/// Whether a scan has more to deliver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum ScanProgress {
    /// The limit was reached. Go on below the last digest; nothing may be left.
    More,
    /// The partition is exhausted.
    Done,
}

/// What becomes of an entry in a sweep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
    /// This one takes its place. It keeps its set, and does not enter a set index by that.
    Replace(Entry),
}

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Entries visited.
    pub visited: u64,
    /// Entries removed among them.
    pub removed: u64,
}

impl PrimaryIndex {
    /// Visits entries of a partition in descending digest order, those below `below` or all, until
    /// `visit` breaks. Each sprig's read lock is held while its entries are visited, so `visit` may
    /// follow locations but must not lock a record.
    ///
    /// A digest of another partition has nothing below it.
    pub fn visit_desc(
        &self,
        partition: PartitionId,
        below: Option<&Digest>,
        mut visit: impl FnMut(&Digest, &Entry) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if below.is_some_and(|digest| digest.partition() != partition) {
            return ControlFlow::Continue(());
        }
        let first = below.map(|digest| (SprigId::of(digest), RecordKey::of(digest)));
        for sprig in SprigId::all(partition).rev() {
            let from = match &first {
                Some((first, _)) if sprig.number() > first.number() => continue,
                Some((first, key)) if sprig == *first => Some(key),
                _ => None,
            };
            self.sprig(sprig).read().visit_down(from, |key, packed| {
                if from == Some(&key) {
                    return ControlFlow::Continue(());
                }
                visit(&sprig.digest(&key), &packed.unpack())
            })?;
        }
        ControlFlow::Continue(())
    }

    /// Appends up to `limit` entries of a partition to `out`, in descending digest order, those
    /// below `below` or the highest. Locks one sprig at a time, briefly.
    pub fn scan_desc(
        &self,
        partition: PartitionId,
        below: Option<&Digest>,
        limit: usize,
        out: &mut Vec<ScanItem>,
    ) -> ScanProgress {
        let mut left = limit;
        let flow = self.visit_desc(partition, below, |digest, entry| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            left -= 1;
            out.push(ScanItem { digest: *digest, entry: *entry });
            ControlFlow::Continue(())
        });
        match flow {
            ControlFlow::Continue(()) => ScanProgress::Done,
            ControlFlow::Break(()) => ScanProgress::More,
        }
    }

    /// Visits all entries of a partition in ascending digest order, under read locks taken for a
    /// few hundred entries at a time. Entries that come or go meanwhile may be seen or not; all
    /// others are seen once. `visit` must not lock a record.
    pub fn for_each(&self, partition: PartitionId, mut visit: impl FnMut(&Digest, &Entry)) {
        for sprig in SprigId::all(partition) {
            let mut next = Some(RecordKey::MIN);
            while let Some(from) = next {
                next = self.sprig(sprig).read().visit_leaf(&from, |key, packed: &PackedEntry| {
                    visit(&sprig.digest(&key), &packed.unpack());
                });
            }
        }
    }

    /// Visits all entries of a partition in ascending digest order and removes those that `judge`
    /// condemns or replaces, under write locks taken for a few hundred entries at a time. `judge` runs under
    /// the lock: it may free what the location points to, but must not lock a record.
    pub fn sweep(
        &self,
        partition: PartitionId,
        mut judge: impl FnMut(&Digest, &Entry) -> Verdict,
    ) -> Swept {
        let mut swept = Swept::default();
        let heap = self.heap(partition);
        for sprig in SprigId::all(partition) {
            let mut next = Some(RecordKey::MIN);
            while let Some(from) = next {
                next = self.sprig(sprig).write().retain_in_leaf(&from, heap, |key, packed| {
                    let (digest, entry) = (sprig.digest(&key), packed.unpack());
                    swept.visited += 1;
                    let after = match judge(&digest, &entry) {
                        Verdict::Keep => return true,
                        Verdict::Remove => None,
                        Verdict::Replace(after) => Some(after),
                    };
                    if after.as_ref().map(Entry::indexed_set) != Some(entry.indexed_set()) {
                        self.sets.remove(entry.indexed_set(), &digest, self.pool());
                    }
                    self.count_change(partition, Some(&entry), after.as_ref());
                    match after {
                        Some(after) => *packed = PackedEntry::new(&key, &after),
                        None => swept.removed += 1,
                    }
                    after.is_some()
                });
            }
        }
        swept
    }
}

#[cfg(test)]
mod tests;
