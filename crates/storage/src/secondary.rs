//! Secondary indexes joined to the records of a namespace.

#![allow(unsafe_code)]

use index::{OutOfMemory, Populated, ScanProgress, SecondaryIndex, SecondaryItem, SecondaryRange};
use record::{Body, RecordMeta};
use wire::{Digest, PartitionId};

use crate::fetch::{Fetch, Fetched};
use crate::guard::body_of;
use crate::records::{Miss, Records};

/// Bytes that are read ahead for one step of populating an index, unless a single record is larger.
const AHEAD_BYTES_MAX: usize = 4 << 20;

impl Records {
    /// Enters the next few records of a partition into a secondary index. Those that `covers` takes are
    /// entered under the numbers that `bvals_of` appends. What has to be read before it can go on is put
    /// into `wanted`: then call again with that among what was fetched. Only one thread may populate a
    /// partition of an index at a time.
    ///
    /// # Errors
    /// [`OutOfMemory`]: call again or drop the index.
    pub fn populate_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        covers: impl Fn(&RecordMeta) -> bool,
        mut bvals_of: impl FnMut(&Digest, &Body<'_>, &mut Vec<i64>),
        fetched: &Fetched,
        wanted: &mut Vec<Fetch>,
    ) -> Result<Populated, OutOfMemory> {
        let mut ahead_bytes = 0;
        self.index.populate_secondary(index, partition, |digest, entry, bvals| {
            if entry.is_grave() || entry.meta.tombstone || !covers(&entry.meta) {
                return true;
            }
            let mut unpacked = None;
            // SAFETY: the sprig is locked while its entries are visited.
            match unsafe { body_of(&self.engine, entry, digest, fetched, &mut unpacked) } {
                Ok(body) => bvals_of(digest, &body, bvals),
                Err(Miss::Elsewhere(fetch)) => {
                    if ahead_bytes < AHEAD_BYTES_MAX {
                        ahead_bytes += fetch.span.size_bytes;
                        wanted.push(*fetch);
                    }
                    return false;
                }
                // This was reported. Who changes the record finds that its numbers are not known.
                Err(Miss::Damaged) => {}
            }
            true
        })
    }

    /// Appends up to `limit` records of a partition that a secondary index holds under the numbers of a
    /// range: see [`index::PrimaryIndex::scan_secondary`].
    pub fn scan_secondary(
        &self,
        index: &SecondaryIndex,
        partition: PartitionId,
        range: &mut SecondaryRange,
        after: Option<&(i64, Digest)>,
        limit: usize,
        out: &mut Vec<SecondaryItem>,
    ) -> ScanProgress {
        self.index.scan_secondary(index, partition, range, after, limit, out)
    }
}
