//! Which records a batch reads from devices together.

use storage::{Fetch, Fetched};
use wire::batch::Rows;
use wire::{FieldType, Info1, Info2, Request};

use crate::node::Node;

/// Rows, from the one that misses, whose records are read together: enough to keep a device busy.
const ROWS_MAX: usize = 64;

/// Bytes in which reading together ends. A batch holds no more than that and one record.
const BYTES_MAX: usize = 512 << 10;

/// Hands `read` what has to be read for the rows behind the next, for which `first_bytes` are being
/// read. Returns how many rows that were, the next included.
pub(super) fn read_ahead(
    node: &Node,
    rows: &mut Rows<'_>,
    first_bytes: usize,
    mut read: impl FnMut(&Fetch),
) -> usize {
    let mut bytes = first_bytes;
    for seen in 0..ROWS_MAX {
        // What is no row ends the batch when it is its turn.
        let Ok(Some(row)) = rows.next_row() else { return seen };
        if seen == 0 || !wants_body(&row.request) {
            continue;
        }
        let namespace = row.request.namespace.and_then(|name| node.namespace(name));
        let digest = row.request.valid_digest();
        let fetch = namespace
            .zip(digest)
            .and_then(|(namespace, digest)| namespace.fetch_for(&digest, Fetched::NONE));
        let Some(fetch) = fetch else { continue };
        bytes += fetch.span.size_bytes;
        if bytes > BYTES_MAX {
            return seen;
        }
        read(&fetch);
    }
    ROWS_MAX
}

/// Whether a request is likely to look at its record's body. If this is wrong, a record is read in
/// vain, or later.
fn wants_body(request: &Request<'_>) -> bool {
    let (reads, writes) = (request.header.info1, request.header.info2);
    let only_metadata = if writes.contains(Info2::WRITE) {
        writes.contains(Info2::DELETE) && !writes.contains(Info2::DURABLE_DELETE)
    } else {
        reads.contains(Info1::GET_NO_BINS)
    };
    !only_metadata || request.key.is_some() || request.present.contains(FieldType::FILTER)
}
