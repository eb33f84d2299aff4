//! What a query gets from a secondary index.

use storage::{ScanProgress, SecondaryItem};
use wire::{Digest, PartitionId};

use super::Sindex;
use super::predicate::Predicate;
use crate::namespace::Namespace;

/// A record that may match.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// The number under which it was found.
    pub bval: i64,
    /// Its digest.
    pub digest: Digest,
    /// Whether the index means this record for certain: it had a value of this number when it was found.
    /// If not, whether it matches has to be found out, whatever the predicate.
    pub is_certain: bool,
}

impl Namespace {
    /// Appends up to `limit` records of a partition that may match to `out`: ascending by number in the
    /// index's order, then by digest, those that come after `after` or the first. Tombstones do not
    /// match; whether a record has expired or was truncated is for the caller to see.
    ///
    /// Nothing comes from an index that was dropped: see [`Sindex::is_dropped`].
    pub fn candidates(
        &self,
        sindex: &Sindex,
        predicate: &Predicate,
        partition: PartitionId,
        after: Option<(i64, Digest)>,
        limit: usize,
        out: &mut Vec<Candidate>,
    ) -> ScanProgress {
        let order = sindex.definition.key_type.order();
        let mut items: Vec<SecondaryItem> = Vec::new();
        let mut progress = ScanProgress::Done;
        for range in predicate.ranges() {
            if after.is_some_and(|(bval, _)| order.compare(range.1, bval).is_lt()) {
                continue;
            }
            let left = limit - items.len();
            let (index, after) = (&sindex.index, after.as_ref());
            progress =
                self.records.scan_secondary(index, partition, *range, after, left, &mut items);
            if progress == ScanProgress::More {
                break;
            }
        }
        out.extend(items.iter().map(|item| {
            let SecondaryItem { bval, digest, is_certain } = *item;
            Candidate { bval, digest, is_certain }
        }));
        progress
    }
}

#[cfg(test)]
impl Namespace {
    /// All that an index holds of a partition under these numbers.
    pub(crate) fn all_under(
        &self,
        sindex: &Sindex,
        partition: PartitionId,
        range: (i64, i64),
    ) -> Vec<SecondaryItem> {
        let mut items = Vec::new();
        let (index, limit) = (&sindex.index, usize::MAX);
        let _ = self.records.scan_secondary(index, partition, range, None, limit, &mut items);
        items
    }
}
