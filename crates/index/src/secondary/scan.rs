//! Which records a secondary index holds under a range of numbers.

use std::ops::ControlFlow;

use wire::{Digest, PartitionId};

use super::place::Place;
use super::{Reach, SecondaryIndex};
use crate::entry::{RecordKey, SprigId};
use crate::handle::Stub;
use crate::primary::PrimaryIndex;
use crate::scan::ScanProgress;

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

/// Entries that a scan takes at a time.
const SCAN_BATCH: usize = 128;
/// Entries that are looked at under one lock: where many are the same, on purpose, most are passed over
/// by a search.
const LOOKED_AT_MAX: usize = 1024;

impl SecondaryIndex {
    /// Up to [`SCAN_BATCH`] different places, from `from` on and not beyond the rank `last`, and whether
    /// more may follow them. `None` when the index was dropped.
    fn places_up(
        &self,
        partition: PartitionId,
        from: Place,
        last: u64,
    ) -> Option<(Vec<Place>, bool)> {
        let part = self.part(partition).read();
        if matches!(part.reach, Reach::Closed) {
            return None;
        }
        let mut places: Vec<Place> = Vec::new();
        let (mut looked_at, mut has_more) = (0, false);
        let _ = part.entries.visit_up(&from.key(), |key, _| {
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
    /// Appends up to `limit` records of a partition that a secondary index holds under numbers from
    /// `low` to `high`, both included, to `out`: ascending by number, then by digest, those that come
    /// after `after` or the first. Locks one sprig at a time, briefly. Of an index that is not
    /// populated or was closed, some or all records are missing.
    pub fn scan_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        (low, high): (i64, i64),
        after: Option<&(i64, Digest)>,
        limit: usize,
        out: &mut Vec<SecondaryItem>,
    ) -> ScanProgress {
        let after = after.map(|(bval, digest)| (index.place(*bval, digest), digest));
        let first = Place { rank: index.order.rank(low), stub: Stub::MIN };
        let last = index.order.rank(high);
        let mut from = Some(after.map_or(first, |(place, _)| place.max(first)));
        let mut left = limit;
        while let Some(start) = from.filter(|from| from.rank <= last) {
            let Some((places, has_more)) = index.places_up(partition, start, last) else { break };
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
