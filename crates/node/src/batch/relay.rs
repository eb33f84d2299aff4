//! Rows that other nodes have to do with: carried out as requests of their own, several at a time.

use std::time::Duration;

use wire::batch::Place;
use wire::{Info1, Request};

use super::State;
use super::partial::rows_at;
use super::slice::Open;
use crate::node::Node;
use crate::peers::Admission;

/// Rows, from the first of these, that are under way together.
const ROWS_MAX: usize = 256;

/// Bytes in which that ends.
const BYTES_MAX: usize = 1 << 20;

/// The messages of the rows that follow and are not for this node alone, in order; rows between them that are,
/// and those that were carried out already, stay where they are. `left` is the time that they have. `None` if the message is not what it was,
/// which cannot be.
pub(super) fn messages(
    node: &Node,
    body: &[u8],
    (state, open): (&State, &Open),
    left: Duration,
) -> Option<Vec<(Place, Vec<u8>)>> {
    let message = Request::parse(body).ok()?;
    let mut rows = rows_at(&message, state.place)?;
    let (mut messages, mut bytes) = (Vec::new(), 0);
    for _ in 0..ROWS_MAX {
        let place = rows.place();
        // What is no row ends the batch when it is its turn.
        let Ok(Some(row)) = rows.next_row() else { break };
        let mut request = row.request;
        let namespace = request.namespace.and_then(|name| node.namespace(name));
        let Some((namespace, digest)) = namespace.zip(request.valid_digest()) else { break };
        if open.has(place) {
            continue;
        }
        if let Admission::Here(_) = node.admit(namespace, &request, &digest, false) {
            continue;
        }
        request.header.transaction_ttl_ms = left.as_millis().clamp(1, u32::MAX.into()) as u32;
        request.header.info1.remove(Info1::COMPRESS_RESPONSE | Info1::BATCH);
        let message = request.to_message();
        bytes += message.len();
        messages.push((place, message));
        if bytes >= BYTES_MAX {
            break;
        }
    }
    Some(messages)
}
