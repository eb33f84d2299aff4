//! Which records a secondary index holds under a range of numbers.

use std::ops::ControlFlow;

use wire::{Digest, PartitionId};

use super::place::Place;
use super::{Reach, SecondaryIndex};
use crate::entry::SprigId;
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

impl SecondaryIndex {
    /// Up to [`SCAN_BATCH`] different places, from `from` on and not beyond the rank `last`. `None`
    /// when the index was dropped.
    fn places_up(&self, partition: PartitionId, from: Place, last: u64) -> Option<Vec<Place>> {
        let part = self.part(partition).read();
        if matches!(part.reach, Reach::Closed) {
            return None;
        }
        let mut places: Vec<Place> = Vec::new();
        let _ = part.entries.visit_up(&from.key(), |key, _| {
            let place = Place::from_key(key);
            if place.rank > last || places.len() == SCAN_BATCH {
                return ControlFlow::Break(());
            }
            if places.last() != Some(&place) {
                places.push(place);
            }
            ControlFlow::Continue(())
        });
        Some(places)
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
        let mut digests = Vec::new();
        while let Some(start) = from.filter(|from| from.rank <= last) {
            let Some(places) = index.places_up(partition, start, last) else { break };
            for &place in &places {
                digests.clear();
                self.visit_stub(partition, place.stub, |digest| digests.push(digest));
                let is_certain = digests.len() == 1;
                for &digest in &digests {
                    if after.is_some_and(|(of, after)| of == place && digest <= *after) {
                        continue;
                    }
                    if left == 0 {
                        return ScanProgress::More;
                    }
                    left -= 1;
                    let bval = index.order.bval(place.rank);
                    out.push(SecondaryItem { bval, digest, is_certain });
                }
            }
            let is_full = places.len() == SCAN_BATCH;
            from = places.last().filter(|_| is_full).and_then(|place| place.next());
        }
        ScanProgress::Done
    }

    /// Visits the live records with this stub, ascending.
    fn visit_stub(&self, partition: PartitionId, stub: Stub, mut visit: impl FnMut(Digest)) {
        let sprig = SprigId::new(partition, stub.sprig());
        let (low, high) = stub.keys();
        let _ = self.sprig(sprig).read().visit_up(&low, |key, packed| {
            if key > high {
                return ControlFlow::Break(());
            }
            if packed.unpack().is_live() {
                visit(sprig.digest(&key));
            }
            ControlFlow::Continue(())
        });
    }
}
