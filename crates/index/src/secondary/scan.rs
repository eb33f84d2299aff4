//! Which records a secondary index holds under a range of numbers.

use std::ops::ControlFlow;

use wire::{Digest, PartitionId};

use super::place::Place;
use super::{Reach, SecondaryIndex};
use crate::entry::{RecordKey, SprigId};
use crate::handle::Stub;
use crate::prefetch::prefetch;
use crate::primary::PrimaryIndex;
use crate::scan::ScanProgress;
use crate::tree::Likely;

/// What a scan of a secondary index came upon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecondaryItem {
    /// The number of the value.
    pub bval: i64,
    /// The record's digest.
    pub digest: Digest,
    /// Whether no other record can be meant: if one can, this record may not have the value.
    pub is_certain: bool,
}

/// A range of numbers that is scanned in one partition after another.
///
/// Digests spread the records of any value evenly, so the range begins at about the same share of each
/// partition's entries: a search begins where the ones before ended, and what it will look at is loaded
/// early. A query that finds few records is little more than these searches, one in each partition.
#[derive(Clone, Debug)]
pub struct SecondaryRange {
    low: i64,
    high: i64,
    begins: Likely,
}

impl SecondaryRange {
    /// The numbers from `low` to `high`, both included.
    pub fn new(low: i64, high: i64) -> Self {
        Self { low, high, begins: Likely::default() }
    }

    /// The last number of the range.
    pub fn high(&self) -> i64 {
        self.high
    }
}

/// Entries that a scan takes at a time.
const SCAN_BATCH: usize = 128;
/// Entries that are looked at under one lock: where many are the same, on purpose, most are passed over
/// by a search.
const LOOKED_AT_MAX: usize = 1024;

impl SecondaryIndex {
    /// Begins to load what scans of these ranges will look at first in a partition that comes soon.
    pub fn prefetch_ranges(&self, partition: PartitionId, ranges: &[SecondaryRange]) {
        if let Some(part) = self.part(partition).try_read() {
            ranges.iter().for_each(|range| part.entries.prefetch_near(range.begins));
        }
    }

    /// Begins to load what [`Self::prefetch_ranges`] will look at in a partition that comes after some
    /// others.
    pub fn prefetch_fences(&self, partition: PartitionId, ranges: &[SecondaryRange]) {
        let has_fences = ranges.first().is_some_and(|range| range.begins.has_fences());
        if has_fences && let Some(part) = self.part(partition).try_read() {
            part.entries.prefetch_fences();
        }
    }

    /// Begins to load what [`Self::prefetch_fences`] will look at, still later.
    pub fn prefetch_partition(&self, partition: PartitionId) {
        prefetch(self.part(partition));
    }

    /// Up to [`SCAN_BATCH`] different places, from `from` on and not beyond the rank `last`, and whether
    /// more may follow them. `None` when the index was dropped. With `near`, where `from` may stand: then
    /// that is told.
    fn places_up(
        &self,
        partition: PartitionId,
        from: Place,
        last: u64,
        near: Option<&mut Likely>,
    ) -> Option<(Vec<Place>, bool)> {
        let part = self.part(partition).read();
        if matches!(part.reach, Reach::Closed) {
            return None;
        }
        let (key, entries) = (from.key(), &part.entries);
        let start = match near {
            Some(near) => {
                let start = entries.lower_bound_near(&key, *near);
                near.learn(entries, start);
                start
            }
            None => match entries.locate(&key) {
                Ok(start) | Err(start) => start,
            },
        };
        let mut places: Vec<Place> = Vec::new();
        let (mut looked_at, mut has_more) = (0, false);
        let _ = entries.visit_from(start, |key, _| {
            let place = Place::from_key(key);
            if place.rank > last {
                return ControlFlow::Break(());
            }
            if places.len() == SCAN_BATCH || looked_at == LOOKED_AT_MAX {
                has_more = true;
                return ControlFlow::Break(());
            }
            looked_at += 1;
            if places.last() != Some(&place) {
                places.push(place);
            }
            ControlFlow::Continue(())
        });
        Some((places, has_more))
    }
}

impl PrimaryIndex {
    /// Appends up to `limit` records of a partition that a secondary index holds under the numbers of a
    /// range to `out`: ascending by number, then by digest, those that come
    /// after `after` or the first. Locks one sprig at a time, briefly. Of an index that is not
    /// populated or was closed, some or all records are missing.
    pub fn scan_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        range: &mut SecondaryRange,
        after: Option<&(i64, Digest)>,
        limit: usize,
        out: &mut Vec<SecondaryItem>,
    ) -> ScanProgress {
        let after = after.map(|(bval, digest)| (index.place(*bval, digest), digest));
        let first = Place { rank: index.order.rank(range.low), stub: Stub::MIN };
        let last = index.order.rank(range.high);
        let mut from = Some(after.map_or(first, |(place, _)| place.max(first)));
        let mut left = limit;
        let mut near = after.is_none().then_some(&mut range.begins);
        while let Some(start) = from.filter(|from| from.rank <= last) {
            let near = near.take();
            let Some((places, has_more)) = index.places_up(partition, start, last, near) else {
                break;
            };
            for &place in &places {
                let resumed = after.filter(|(of, _)| *of == place).map(|(_, digest)| digest);
                let begin = out.len();
                let bval = index.order.bval(place.rank);
                let flow = self.visit_stub(partition, place.stub, resumed, |digest| {
                    if left == 0 {
                        return ControlFlow::Break(());
                    }
                    left -= 1;
                    out.push(SecondaryItem { bval, digest, is_certain: resumed.is_none() });
                    ControlFlow::Continue(())
                });
                if out.len() - begin + usize::from(flow.is_break()) > 1 {
                    out[begin..].iter_mut().for_each(|item| item.is_certain = false);
                }
                if flow.is_break() {
                    return ScanProgress::More;
                }
            }
            from = places.last().filter(|_| has_more).and_then(|place| place.next());
        }
        ScanProgress::Done
    }

    /// Visits the live records with this stub that come after `after`, or all, ascending.
    fn visit_stub(
        &self,
        partition: PartitionId,
        stub: Stub,
        after: Option<&Digest>,
        mut visit: impl FnMut(Digest) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let sprig = SprigId::new(partition, stub.sprig());
        let (low, high) = stub.keys();
        let from = after.map_or(low, RecordKey::of);
        let mut flow = ControlFlow::Continue(());
        let _ = self.sprig(sprig).read().visit_up(&from, |key, packed| {
            if key > high {
                return ControlFlow::Break(());
            }
            let digest = sprig.digest(&key);
            if packed.unpack().is_live() && Some(&digest) != after {
                flow = visit(digest);
            }
            flow
        });
        flow
    }
}
