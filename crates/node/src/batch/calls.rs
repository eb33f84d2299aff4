//! Rows that call functions: carried out by another thread, several at a time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::stats::NamespaceCounter;
use parking_lot::Mutex;
use storage::Pledges;
use wire::Request;
use wire::batch::Place;

use super::State;
use super::partial::rows_at;
use crate::node::Node;
use crate::peers::{Cause, waiter_for};
use crate::udf::{Executed, execute_for};
use crate::waits::{Caller, Pledged};

pub(super) use crate::udf::is_call;

/// Rows, from the first that calls a function, that are carried out together.
const ROWS_MAX: usize = 64;

/// What came of a row that calls a function.
#[derive(Debug)]
pub(super) struct Called {
    pub executed: Executed,
    /// How long it took.
    pub took: Duration,
    /// What devices have to do before it is answered.
    pub pledged: Option<Pledged>,
}

/// Where another thread puts what came of rows.
pub(super) type Slot = Mutex<VecDeque<Called>>;

/// Has another thread carry out the rows from the place of a batch on, as far as they call functions.
pub(super) fn begin(
    node: &Arc<Node>,
    body: &Arc<[u8]>,
    state: &State,
    slot: &Arc<Slot>,
    caller: Caller,
) {
    let (body, slot) = (Arc::clone(body), Arc::clone(slot));
    let (place, deadline) = (state.place, state.deadline);
    let caller = Arc::new(caller);
    node.submit(Box::new(move |node| carry_out(node, &body, place, deadline, &slot, &caller)));
}

/// Whoever waits hears of it when `caller` is dropped, by this and by all changes that other nodes have to
/// confirm.
fn carry_out(
    node: &Node,
    body: &[u8],
    place: Place,
    deadline: Duration,
    slot: &Slot,
    caller: &Arc<Caller>,
) {
    // The message is what it was, so this cannot fail.
    let Ok(message) = Request::parse(body) else { return };
    let Some(mut rows) = rows_at(&message, place) else { return };
    for _ in 0..ROWS_MAX {
        // What is no row ends the batch when it is its turn.
        let Ok(Some(row)) = rows.next_row() else { return };
        let request = &row.request;
        if !is_call(request) {
            return;
        }
        let Some(namespace) = request.namespace.and_then(|name| node.namespace(name)) else {
            return;
        };
        let mut pledges = Pledges::default();
        let begun = node.host.monotonic();
        let executed = execute_for(node, namespace, request, (begun, deadline), &mut pledges);
        let pledged = (!pledges.is_empty()).then(|| (Arc::clone(namespace), pledges));
        let took = node.host.monotonic().saturating_sub(begun);
        if let Some(digest) = request.valid_digest() {
            let waiter = waiter_for(namespace, request, Arc::clone(caller));
            let resent = Some(NamespaceCounter::RetransmitAllBatchSubUdfReplWrite);
            let cause = Cause { waiter, resent };
            node.copy_from_thread(namespace, &digest, executed.written, cause);
        }
        slot.lock().push_back(Called { executed, took, pledged });
    }
}
