//! Rows that call functions: carried out by another thread, several at a time, as far as they are for this node.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::Guard;
use cluster::partition::Partition;
use engine::stats::NamespaceCounter;
use parking_lot::Mutex;
use storage::Pledges;
use wire::Request;
use wire::batch::Place;

use super::State;
use super::partial::rows_at;
use super::slice::Open;
use crate::node::Node;
use crate::peers::{Admission, Cause, waiter_for};
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

/// Where another thread puts what came of rows, by their places.
pub(super) type Slot = Mutex<VecDeque<(Place, Called)>>;

/// A row that is to be carried out, and its partition: it is not handed over to another node meanwhile.
pub(super) type Task = (Place, Option<Arc<Partition>>);

/// Has another thread carry out the rows from the place of a batch on, as far as they call functions and are for
/// this node. `caller` makes what tells the batch. Says whether there are any.
pub(super) fn begin(
    node: &Arc<Node>,
    body: &Arc<[u8]>,
    (state, open): (&State, &Open),
    slot: &Arc<Slot>,
    caller: impl FnOnce() -> Caller,
) -> bool {
    let tasks = tasks(node, body, state.place, open).unwrap_or_default();
    if tasks.is_empty() {
        return false;
    }
    let (body, slot) = (Arc::clone(body), Arc::clone(slot));
    let (deadline, caller) = (state.deadline, Arc::new(caller()));
    node.submit(Box::new(move |node| carry_out(node, &body, tasks, deadline, &slot, &caller)));
    true
}

/// The rows that are for this node, of those from a place on that call functions; without those that were carried
/// out already.
pub(super) fn tasks(node: &Node, body: &[u8], place: Place, open: &Open) -> Option<VecDeque<Task>> {
    let message = Request::parse(body).ok()?;
    let mut rows = rows_at(&message, place)?;
    let mut tasks = VecDeque::new();
    for _ in 0..ROWS_MAX {
        let place = rows.place();
        // What is no row ends the batch when it is its turn.
        let Ok(Some(row)) = rows.next_row() else { break };
        let request = &row.request;
        let namespace = request.namespace.and_then(|name| node.namespace(name));
        let Some(namespace) = namespace.filter(|_| is_call(request)) else { break };
        if open.has(place) {
            continue;
        }
        match request.valid_digest() {
            None => tasks.push_back((place, None)),
            Some(digest) => {
                if let Admission::Here(of) = node.admit(namespace, request, &digest, false) {
                    tasks.push_back((place, Some(Guard::into_inner(of))));
                }
            }
        }
    }
    Some(tasks)
}

/// Whoever waits hears of it when `caller` is dropped, by this and by all changes that other nodes have to
/// confirm.
fn carry_out(
    node: &Node,
    body: &[u8],
    mut tasks: VecDeque<Task>,
    deadline: Duration,
    slot: &Slot,
    caller: &Arc<Caller>,
) {
    // The message is what it was, so this cannot fail.
    let Ok(message) = Request::parse(body) else { return };
    let Some(mut rows) = tasks.front().and_then(|(first, _)| rows_at(&message, *first)) else {
        return;
    };
    while !tasks.is_empty() {
        let place = rows.place();
        let Ok(Some(row)) = rows.next_row() else { return };
        let Some((_, partition)) = tasks.pop_front_if(|(of, _)| *of == place) else { continue };
        let request = &row.request;
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
        slot.lock().push_back((place, Called { executed, took, pledged }));
        drop(partition);
    }
}
