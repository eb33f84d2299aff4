//! What a query gets from a secondary index.

use std::sync::Arc;

use record::Body;
use storage::{ScanProgress, SecondaryRange};
use wire::{Digest, PartitionId};

/// A record that may match: if the index does not mean it for certain, whether it matches has to be found
/// out, whatever the predicate.
pub use storage::SecondaryItem as Candidate;

use super::Sindex;
use super::predicate::Predicate;
use crate::namespace::Namespace;

/// The where clause of a query: what it asks, and the index that it uses.
#[derive(Debug)]
pub struct Where {
    /// What it asks.
    pub predicate: Predicate,
    /// The index.
    pub sindex: Arc<Sindex>,
}

impl Where {
    /// Whether a record matches.
    pub fn matches(&self, digest: &Digest, body: &Body<'_>) -> bool {
        self.predicate.matches(&self.sindex.definition, digest, body)
    }

    /// Whether the index has a record under this number.
    pub(crate) fn has_under(&self, bval: i64, digest: &Digest, body: &Body<'_>) -> bool {
        let mut bvals = Vec::new();
        self.sindex.definition.bvals_of(digest, body, &mut bvals);
        bvals.contains(&bval)
    }
}

/// A predicate's way through the partitions of an index.
#[derive(Debug)]
pub struct SindexScan {
    ranges: Vec<SecondaryRange>,
}

impl SindexScan {
    /// Partitions ahead that are loaded: first where their entries are, in two steps, then those that
    /// will be looked at. Between two steps lie some hundred nanoseconds.
    pub const AHEAD: [usize; 3] = [20, 14, 8];

    /// Begins with no partition yet.
    pub fn new(predicate: &Predicate) -> Self {
        let ranges = predicate.ranges().iter();
        let ranges = ranges.map(|(low, high)| SecondaryRange::new(*low, *high)).collect();
        Self { ranges }
    }

    /// Begins to load what [`Namespace::candidates`] will look at first in the partitions that lie
    /// [`Self::AHEAD`], where there are such.
    pub fn prefetch(&self, sindex: &Sindex, ahead: [Option<PartitionId>; 3]) {
        let [last, later, soon] = ahead;
        if let Some(partition) = last {
            sindex.index.prefetch_partition(partition);
        }
        if let Some(partition) = later {
            sindex.index.prefetch_fences(partition, &self.ranges);
        }
        if let Some(partition) = soon {
            sindex.index.prefetch_ranges(partition, &self.ranges);
        }
    }
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
        scan: &mut SindexScan,
        partition: PartitionId,
        after: Option<(i64, Digest)>,
        limit: usize,
        out: &mut Vec<Candidate>,
    ) -> ScanProgress {
        let order = sindex.definition.key_type.order();
        let begin = out.len();
        let mut progress = ScanProgress::Done;
        for range in &mut scan.ranges {
            if after.is_some_and(|(bval, _)| order.compare(range.high(), bval).is_lt()) {
                continue;
            }
            let left = limit - (out.len() - begin);
            let (index, after) = (&sindex.index, after.as_ref());
            progress = self.records.scan_secondary(index, partition, range, after, left, out);
            if progress == ScanProgress::More {
                break;
            }
        }
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
    ) -> Vec<Candidate> {
        let (mut items, mut range) = (Vec::new(), SecondaryRange::new(range.0, range.1));
        let (index, limit) = (&sindex.index, usize::MAX);
        let _ = self.records.scan_secondary(index, partition, &mut range, None, limit, &mut items);
        items
    }
}
