//! Passes over all records of a namespace, some of which remove records.

use std::sync::atomic::{AtomicUsize, Ordering};

use record::{LastUpdateTime, RecordMeta, SecondsSince2010, VoidTime};
use storage::{Fetch, Stored, Verdict};
use wire::{Digest, PartitionId};

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
    fn plus(self, other: Self) -> Self {
        Self {
            visited: self.visited + other.visited,
            non_expirable: self.non_expirable + other.non_expirable,
            expired: self.expired + other.expired,
            evicted: self.evicted + other.evicted,
        }
    }
}

/// Records for which a thread of its own pays.
const RECORDS_PER_THREAD: u64 = 10_000;

impl Namespace {
    /// Removes expired records, and with `evict_before` also those that would expire before it,
    /// except in sets that are protected from eviction.
    pub(crate) fn remove_expired(
        &self,
        now: SecondsSince2010,
        evict_before: Option<VoidTime>,
    ) -> Removal {
        let threads = self.config().nsup_threads;
        let removals = self.share_out(threads, self.occupied_partitions(), |partition| {
            self.expire_partition(partition, now, evict_before)
        });
        let removal = removals.into_iter().fold(Removal::default(), Removal::plus);
        self.counters.add(Stripe::SHARED, NamespaceCounter::ExpiredObjects, removal.expired);
        self.counters.add(Stripe::SHARED, NamespaceCounter::EvictedObjects, removal.evicted);
        removal
    }

    fn expire_partition(
        &self,
        partition: PartitionId,
        now: SecondsSince2010,
        evict_before: Option<VoidTime>,
    ) -> Removal {
        let mut removal = Removal::default();
        let is_evicted = |meta: &RecordMeta| {
            evict_before.is_some_and(|limit| meta.void_time < limit) && self.is_evictable(meta)
        };
        let judge = |stored: &Stored| {
            let meta = &stored.meta;
            let goes = !meta.tombstone && (meta.void_time.is_expired(now) || is_evicted(meta));
            if goes { Verdict::Expired } else { Verdict::Keep }
        };
        self.sweep(partition, judge, |meta, verdict| {
            if meta.tombstone {
                return;
            }
            let expired = meta.void_time.is_expired(now);
            removal.visited += 1;
            removal.non_expirable += u64::from(meta.void_time == VoidTime::NEVER);
            removal.expired += u64::from(verdict != Verdict::Keep && expired);
            removal.evicted += u64::from(verdict != Verdict::Keep && !expired);
        });
        removal
    }

    /// Whether eviction may take a record.
    pub(crate) fn is_evictable(&self, meta: &RecordMeta) -> bool {
        !meta.tombstone
            && meta.void_time != VoidTime::NEVER
            && !self.sets.by_id(meta.set).is_some_and(|set| set.settings.is_spared())
    }

    /// Removes tombstones last written before `limit`, but for those that keep older copies on a device
    /// away; returns how many there were.
    pub(crate) fn remove_tombstones(&self, limit: LastUpdateTime) -> u64 {
        self.occupied_partitions()
            .filter(|partition| self.partition_counts(*partition).tombstones != 0)
            .map(|partition| {
                let judge = |stored: &Stored| {
                    let is_old = stored.meta.tombstone && stored.meta.last_update_time < limit;
                    if is_old && stored.is_sole { Verdict::Forgotten } else { Verdict::Keep }
                };
                self.sweep(partition, judge, |_, _| {})
            })
            .sum()
    }

    /// Removes the records of a partition that `judge` condemns; returns how many. `tally` learns what
    /// became of each record.
    pub(crate) fn sweep(
        &self,
        partition: PartitionId,
        judge: impl Fn(&Stored) -> Verdict,
        mut tally: impl FnMut(&RecordMeta, Verdict),
    ) -> u64 {
        let mut left_over = false;
        let swept = self.records.sweep(partition, |_, stored| {
            // Asked under the record's lock, as whoever changes a record does.
            if !self.sindexes.is_empty() && !stored.meta.tombstone {
                left_over = true;
                return Verdict::Keep;
            }
            let verdict = judge(&stored);
            tally(&stored.meta, verdict);
            if verdict != Verdict::Keep {
                self.account(Some(self.weight_of(&stored)), None);
            }
            verdict
        });
        match left_over {
            true => swept.removed + self.sweep_indexed(partition, judge, tally),
            false => swept.removed,
        }
    }

    /// Does the same with records in secondary indexes: each is removed from those as well, which takes
    /// its body. Those that are condemned are found first.
    fn sweep_indexed(
        &self,
        partition: PartitionId,
        judge: impl Fn(&Stored) -> Verdict,
        mut tally: impl FnMut(&RecordMeta, Verdict),
    ) -> u64 {
        let mut condemned = Vec::new();
        self.records.for_each(partition, |digest, stored| {
            if stored.meta.tombstone {
                return;
            }
            match judge(&stored) {
                Verdict::Keep => tally(&stored.meta, Verdict::Keep),
                _ => condemned.push(*digest),
            }
        });
        let mut removed = 0;
        for digest in &condemned {
            if let Some((meta, verdict)) = self.remove_condemned(digest, &judge) {
                removed += u64::from(verdict != Verdict::Keep);
                tally(&meta, verdict);
            }
        }
        removed
    }

    /// Removes a live record, if it still is one and condemned; returns what became of it. Waits for its
    /// device.
    fn remove_condemned(
        &self,
        digest: &Digest,
        judge: &impl Fn(&Stored) -> Verdict,
    ) -> Option<(RecordMeta, Verdict)> {
        storage::blocking(|fetched| {
            let mut guard = self.records.write(digest);
            let Some(stored) = guard.find().filter(|stored| !stored.meta.tombstone) else {
                return Ok(None);
            };
            let verdict = judge(&stored);
            if verdict == Verdict::Keep {
                return Ok(Some((stored.meta, verdict)));
            }
            let old_keys = self.old_keys(Some(&stored.meta), &mut guard, fetched)?;
            let weight = self.weight_of(&stored);
            if !guard.carry_out(verdict) {
                return Ok(Some((stored.meta, Verdict::Keep)));
            }
            self.drop_keys(old_keys, &guard);
            self.account(Some(weight), None);
            Ok::<_, Box<Fetch>>(Some((stored.meta, verdict)))
        })
    }

    /// Lets `work` do each of these partitions, on as many threads as are allowed and pay; returns
    /// what came of it.
    pub(crate) fn share_out<T: Send>(
        &self,
        threads_max: u32,
        partitions: impl Iterator<Item = PartitionId>,
        work: impl Fn(PartitionId) -> T + Sync,
    ) -> Vec<T> {
        let partitions: Vec<_> = partitions.collect();
        let threads = (self.record_count() / RECORDS_PER_THREAD + 1).min(u64::from(threads_max));
        if threads <= 1 {
            return partitions.into_iter().map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let worker = || {
            let take = || partitions.get(next.fetch_add(1, Ordering::Relaxed));
            std::iter::from_fn(|| take().map(|partition| work(*partition))).collect::<Vec<_>>()
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            let results = workers.into_iter().map(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            results.flatten().collect()
        })
    }

    /// Partitions that hold any record. One that gets its first record meanwhile may be missing.
    fn occupied_partitions(&self) -> impl Iterator<Item = PartitionId> {
        PartitionId::all().filter(|partition| self.partition_counts(*partition).entries != 0)
    }

    /// Makes the histograms of sizes and times to live anew.
    pub(crate) fn collect_size_histograms(&self, now: SecondsSince2010) {
        let mut latest = VoidTime::NEVER;
        self.for_each_live(|meta, _| latest = latest.max(meta.void_time));
        let scale = Scale {
            ttl_seconds_max: u64::from(latest.0.saturating_sub(now.0)),
            record_size_bytes_max: self.settings.record_size_bytes_max() as u64,
        };
        let mut builder = SizeHistogramsBuilder::new(scale, now);
        self.for_each_live(|meta, size_bytes| {
            builder.count(meta.set, meta.void_time, size_bytes);
        });
        self.size_histograms.store(builder.finish().into());
    }

    /// Visits all live records with their size by the original's arithmetic.
    fn for_each_live(&self, mut visit: impl FnMut(&RecordMeta, u64)) {
        for partition in self.occupied_partitions() {
            self.records.for_each(partition, |_, stored| {
                if !stored.meta.tombstone {
                    visit(&stored.meta, self.weight_of(&stored).size_bytes as u64);
                }
            });
        }
    }

    /// Visits the metadata of all records.
    pub(crate) fn for_each_meta(&self, mut visit: impl FnMut(&RecordMeta)) {
        for partition in self.occupied_partitions() {
            self.records.for_each(partition, |_, stored| visit(&stored.meta));
        }
    }
}
