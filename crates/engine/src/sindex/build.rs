//! Filling secondary indexes with the records that are there when they are made.

use std::sync::atomic::Ordering;

use record::{LastUpdateTime, SetId};
use storage::{Fetched, OutOfMemory, Populated};
use wire::PartitionId;
use wire::digest::PARTITIONS;

use super::Sindex;
use crate::namespace::Namespace;

/// Partitions that one turn of the supervisor goes through, so that its other duties do not have to wait
/// for all of them.
const PARTITIONS_A_TURN: usize = 256;

/// Records of a namespace up to which it is looked through at once for those of an empty set.
const SMALL_COUNT: u64 = 100_000;

/// Whether there is more to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filling {
    /// Yes, and at once.
    Unfinished,
    /// No, or memory is short: then it goes on with a later turn.
    Rests,
}

impl Namespace {
    /// Fills all indexes, before anybody is served: an index that was there before a restart is there
    /// after it.
    pub fn finish_sindexes(&self, clock: impl Fn() -> LastUpdateTime) {
        while self.fill_sindexes(&clock) == Filling::Unfinished {}
    }

    /// Fills indexes, for one turn. `clock` is read to time it.
    pub(crate) fn fill_sindexes(&self, clock: &impl Fn() -> LastUpdateTime) -> Filling {
        let all = self.sindexes.all();
        let unfilled = all.iter().find(|sindex| !sindex.is_readable() && !sindex.is_dropped());
        let Some(sindex) = unfilled else { return Filling::Rests };
        let begun = clock().0.max(1);
        let begun = match sindex.begun_ms.compare_exchange(
            0,
            begun,
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            Ok(_) => begun,
            Err(before) => before,
        };
        if self.fill_some(sindex).is_err() {
            return Filling::Rests;
        }
        let took_ms = clock().0.saturating_sub(begun);
        sindex.load_seconds.store(took_ms / 1000, Ordering::Relaxed);
        if sindex.is_readable() {
            sindex.estimate_cardinality();
        }
        Filling::Unfinished
    }

    /// Fills the next partitions of an index, on several threads.
    fn fill_some(&self, sindex: &Sindex) -> Result<(), OutOfMemory> {
        let _filling = sindex.filling.lock();
        let begin = sindex.index.populated_partitions();
        let partitions = PartitionId::all().skip(begin).take(PARTITIONS_A_TURN);
        let threads = self.sindexes.builder_threads();
        let results =
            self.share_out(threads, partitions, |partition| self.fill_partition(sindex, partition));
        results.into_iter().collect()
    }

    /// Fills a partition of an index. Waits for devices.
    fn fill_partition(&self, sindex: &Sindex, partition: PartitionId) -> Result<(), OutOfMemory> {
        let mut fetched = Fetched::default();
        let mut wanted = Vec::new();
        loop {
            let progress = self.records.populate_secondary(
                &sindex.index,
                partition,
                |meta| sindex.covers(meta),
                |digest, body, bvals| sindex.definition.bvals_of(digest, body, bvals),
                &fetched,
                &mut wanted,
            )?;
            if progress == Populated::Done {
                return Ok(());
            }
            fetched.clear();
            wanted.drain(..).for_each(|fetch| fetched.add(fetch.read_now()));
        }
    }

    /// Fills an index at once if there is nothing to fill it with and that is quickly seen.
    pub(super) fn fill_if_small(&self, sindex: &Sindex) {
        let covered = match self.sets.by_id(sindex.set) {
            Some(set) => set.objects.load(Ordering::Relaxed),
            None if sindex.set == SetId::NONE => self.object_count(),
            None => 0,
        };
        if covered != 0 || self.record_count() > SMALL_COUNT {
            return;
        }
        for partition in PartitionId::all() {
            let mut wanted = Vec::new();
            let mut step = || {
                self.records.populate_secondary(
                    &sindex.index,
                    partition,
                    |meta| sindex.covers(meta),
                    |digest, body, bvals| sindex.definition.bvals_of(digest, body, bvals),
                    Fetched::NONE,
                    &mut wanted,
                )
            };
            while step() == Ok(Populated::More) {}
            if !wanted.is_empty() || sindex.index.populated_partitions() <= partition.index() {
                // Somebody wrote a record meanwhile that has to be read, or memory is short.
                return;
            }
        }
        debug_assert!(sindex.index.populated_partitions() == PARTITIONS || sindex.is_dropped());
    }
}
