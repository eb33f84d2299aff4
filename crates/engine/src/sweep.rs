//! Passes over all records of a namespace that remove some of them.

use std::sync::atomic::Ordering;

use record::{LastUpdateTime, RecordMeta, SecondsSince2010, VoidTime};
use storage::Verdict;
use wire::PartitionId;

use crate::counters::Stripe;
use crate::namespace::Namespace;
use crate::size_histograms::{Scale, SizeHistogramsBuilder};
use crate::stats::NamespaceCounter;

/// What a pass of expiry and eviction did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Removal {
    /// Live records seen.
    pub visited: u64,
    /// Of those that stay, the ones that never expire.
    pub non_expirable: u64,
    /// Removed because their time was over.
    pub expired: u64,
    /// Removed to make room.
    pub evicted: u64,
}

impl Removal {
    fn add(&mut self, other: &Self) {
        self.visited += other.visited;
        self.non_expirable += other.non_expirable;
        self.expired += other.expired;
        self.evicted += other.evicted;
    }
}

impl Namespace {
    /// Removes expired records, and with `evict_before` also those that would expire before it,
    /// except in sets that are protected from eviction. Partitions are shared out to `threads`.
    pub(crate) fn remove_expired(
        &self,
        now: SecondsSince2010,
        evict_before: Option<VoidTime>,
        threads: usize,
    ) -> Removal {
        let pass = |first: usize, step: usize| {
            let mut removal = Removal::default();
            for partition in PartitionId::all().skip(first).step_by(step) {
                self.expire_partition(partition, now, evict_before, &mut removal);
            }
            removal
        };
        let removal = if threads <= 1 {
            pass(0, 1)
        } else {
            std::thread::scope(|scope| {
                let pass = &pass;
                let workers: Vec<_> =
                    (0..threads).map(|first| scope.spawn(move || pass(first, threads))).collect();
                let mut sum = Removal::default();
                for worker in workers {
                    sum.add(&worker.join().unwrap_or_default());
                }
                sum
            })
        };
        self.counters.add(Stripe::SHARED, NamespaceCounter::ExpiredObjects, removal.expired);
        self.counters.add(Stripe::SHARED, NamespaceCounter::EvictedObjects, removal.evicted);
        removal
    }

    fn expire_partition(
        &self,
        partition: PartitionId,
        now: SecondsSince2010,
        evict_before: Option<VoidTime>,
        removal: &mut Removal,
    ) {
        self.sweep(partition, |meta| {
            if meta.tombstone {
                return false;
            }
            removal.visited += 1;
            if meta.void_time == VoidTime::NEVER {
                removal.non_expirable += 1;
                return false;
            }
            if meta.void_time.is_expired(now) {
                removal.expired += 1;
                return true;
            }
            let evicted =
                evict_before.is_some_and(|limit| meta.void_time < limit) && self.is_evictable(meta);
            removal.evicted += u64::from(evicted);
            evicted
        });
    }

    /// Whether eviction may take a record.
    pub(crate) fn is_evictable(&self, meta: &RecordMeta) -> bool {
        !meta.tombstone
            && meta.void_time != VoidTime::NEVER
            && !self.sets.by_id(meta.set).is_some_and(|set| set.config.load().disable_eviction)
    }

    /// Removes truncated records; afterwards nothing is being truncated any more, unless a new
    /// truncation came meanwhile.
    pub(crate) fn remove_truncated(&self) -> u64 {
        self.gauges.truncating.store(false, Ordering::Relaxed);
        self.sets.iter().for_each(|set| set.truncating.store(false, Ordering::Relaxed));
        let mut removed = 0;
        for partition in PartitionId::all() {
            removed += self.sweep(partition, |meta| {
                self.is_truncated(self.sets.by_id(meta.set), meta.last_update_time)
            });
        }
        removed
    }

    /// Whether a truncation waits for its records to be removed.
    pub(crate) fn is_truncating(&self) -> bool {
        self.gauges.truncating.load(Ordering::Relaxed)
            || self.sets.iter().any(|set| set.truncating.load(Ordering::Relaxed))
    }

    /// Removes tombstones last written before `limit`.
    pub(crate) fn remove_tombstones(&self, limit: LastUpdateTime) -> u64 {
        PartitionId::all()
            .map(|partition| {
                self.sweep(partition, |meta| meta.tombstone && meta.last_update_time < limit)
            })
            .sum()
    }

    /// Removes the records of a partition that `goes` names; returns how many.
    fn sweep(&self, partition: PartitionId, mut goes: impl FnMut(&RecordMeta) -> bool) -> u64 {
        let swept = self.records.sweep(partition, |_, stored| {
            if !goes(&stored.meta) {
                return Verdict::Keep;
            }
            self.account(Some(self.weight_of(&stored)), None);
            Verdict::Remove
        });
        swept.removed
    }

    /// Makes the histograms of sizes and times to live anew.
    pub(crate) fn collect_size_histograms(&self, now: SecondsSince2010) {
        let mut latest = VoidTime::NEVER;
        self.for_each_live(|meta, _| latest = latest.max(meta.void_time));
        let scale = Scale {
            ttl_seconds_max: u64::from(latest.0.saturating_sub(now.0)),
            record_size_bytes_max: u64::from(self.config().max_record_size_bytes),
        };
        let mut builder = SizeHistogramsBuilder::new(scale, now);
        self.for_each_live(|meta, size_bytes| {
            builder.count(meta.set, meta.void_time, size_bytes);
        });
        self.size_histograms.store(builder.finish().into());
    }

    /// Visits all live records with their size by the original's arithmetic.
    fn for_each_live(&self, mut visit: impl FnMut(&RecordMeta, u64)) {
        for partition in PartitionId::all() {
            self.records.for_each(partition, |_, stored| {
                if !stored.meta.tombstone {
                    visit(&stored.meta, self.weight_of(&stored).size_bytes as u64);
                }
            });
        }
    }

    /// Visits the metadata of all records.
    pub(crate) fn for_each_meta(&self, mut visit: impl FnMut(&RecordMeta)) {
        for partition in PartitionId::all() {
            self.records.for_each(partition, |_, stored| visit(&stored.meta));
        }
    }
}
