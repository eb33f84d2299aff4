//! Calls that wait for a thread, and those that wait for them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster::partition::Partition;
use engine::latencies::LatencyKind;
use engine::stats::NamespaceCounter;
use engine::{Namespace, Stripe};
use parking_lot::Mutex;
use storage::{Pledges, Ticket};
use wire::reply::{self, ReplyWriter};
use wire::{FieldType, Info1, Info2, Request, ResultCode, compress};

use super::counters::OF_CLIENTS;
use super::execute::execute_for;
use crate::node::Node;
use crate::peers::{Cause, waiter_for};
use crate::unfinished::{Progress, Unfinished};
use crate::waits::{Caller, Claim, Waits};
use crate::worker::{Answer, Worker};

/// Work of functions that waits for a thread.
#[derive(Default)]
pub(crate) struct Calls(Mutex<VecDeque<Task>>);

/// What a thread is to do.
pub(crate) type Task = Box<dyn FnOnce(&Node) + Send>;

/// A call that waits for a thread.
struct Call {
    namespace: Arc<Namespace>,
    /// The request's message.
    body: Arc<[u8]>,
    woken: Duration,
    deadline: Duration,
    slot: Arc<Slot>,
    caller: Caller,
    partition: Option<Arc<Partition>>,
}

/// Where the answer to a call is put.
type Slot = Mutex<Option<Done>>;

/// The answer to a call.
struct Done {
    reply: Vec<u8>,
    /// What devices have to do before it is sent.
    pledges: Pledges,
}

/// A request that waits for its call.
pub struct Pending {
    namespace: Arc<Namespace>,
    claim: Claim,
    slot: Arc<Slot>,
    /// The answer, while devices have something to do.
    held: Option<Vec<u8>>,
    body_bytes: usize,
}

/// Whether a request calls a function for its record.
pub(crate) fn is_call(request: &Request<'_>) -> bool {
    let info2 = request.header.info2;
    info2.contains(Info2::WRITE)
        && !info2.contains(Info2::DELETE)
        && request.present.contains(FieldType::UDF_FILENAME)
}

impl Node {
    /// Begins to answer a request that calls a function. The partition is held until the call is over: it
    /// is not handed over to another node meanwhile.
    pub(crate) fn call(
        &self,
        (namespace, partition): (&Arc<Namespace>, Option<Arc<Partition>>),
        request: &Request<'_>,
        body: &[u8],
        woken: Duration,
        waits: &mut Waits,
    ) -> Answer {
        let time_ms = match request.header.transaction_ttl_ms {
            0 => self.config().service.transaction_max_ms,
            time_ms => time_ms.into(),
        };
        let deadline = woken.saturating_add(Duration::from_millis(time_ms));
        let (claim, slot) = (waits.claim(), Arc::default());
        let call = Call {
            namespace: Arc::clone(namespace),
            body: body.into(),
            woken,
            deadline,
            slot: Arc::clone(&slot),
            caller: waits.call(&claim),
            partition,
        };
        self.submit(Box::new(|node| call.carry_out(node)));
        let (namespace, body_bytes) = (Arc::clone(namespace), body.len());
        let pending = Pending { namespace, claim, slot, held: None, body_bytes };
        Answer::Partial(Box::new(Unfinished::Call(Box::new(pending))))
    }

    /// Has one of the host's threads do something.
    pub(crate) fn submit(&self, task: Task) {
        self.calls.0.lock().push_back(task);
        self.wake_for_jobs();
    }

    /// Does what waits for a thread longest, if anything does.
    pub(crate) fn work_on_calls(&self) -> bool {
        let task = self.calls.0.lock().pop_front();
        task.map(|task| task(self)).is_some()
    }
}

impl Call {
    fn carry_out(self, node: &Node) {
        let Self { namespace, body, woken, deadline, slot, caller, partition } = self;
        // It was read before, so it can be read again.
        if let Ok(request) = Request::parse(&body) {
            let mut pledges = Pledges::default();
            let begun = node.host.monotonic();
            let times = (begun, deadline);
            let executed = execute_for(node, &namespace, &request, times, &mut pledges);
            for counter in OF_CLIENTS.of(&executed) {
                namespace.counters.raise(Stripe::SHARED, counter);
            }
            let ended = node.host.monotonic();
            for (kind, from, to) in [
                (LatencyKind::Udf, woken, ended),
                (LatencyKind::UdfStart, woken, begun),
                (LatencyKind::UdfMaster, begun, ended),
            ] {
                let took = to.saturating_sub(from);
                let in_micros = node.histograms_in_micros();
                namespace.latencies.record_step(Stripe::SHARED, kind, took, in_micros);
            }
            let mut reply = Vec::new();
            executed.answer(ReplyWriter::new(&mut reply));
            if request.header.info1.contains(Info1::COMPRESS_RESPONSE) {
                let (before, after) = compress::shrink_last_frame(&mut reply, 0);
                namespace.compression.record(before, after);
            }
            *slot.lock() = Some(Done { reply, pledges });
            if let Some(digest) = request.valid_digest() {
                let waiter = waiter_for(&namespace, &request, Arc::new(caller));
                let resent = Some(NamespaceCounter::RetransmitAllUdfReplWrite);
                let cause = Cause { waiter, resent };
                node.copy_from_thread(&namespace, &digest, executed.written, cause);
            }
            drop(partition);
            return;
        }
        caller.answered();
    }
}

impl Pending {
    /// Answers the request if its call is over.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        let Some(outcome) = self.claim.outcome() else {
            return Progress::Waits(self.claim.ticket());
        };
        if let Some(reply) = self.held.take() {
            match outcome.failed {
                // Whether the write lasts is unknown.
                true => reply::header_only(out, ResultCode::UNKNOWN, 0, 0),
                false => out.extend_from_slice(&reply),
            }
            return Progress::Over;
        }
        match self.slot.lock().take() {
            // The thread that had the call is gone.
            None => reply::header_only(out, ResultCode::UNKNOWN, 0, 0),
            Some(Done { reply, pledges }) if pledges.is_empty() => out.extend_from_slice(&reply),
            Some(Done { reply, pledges }) => {
                self.held = Some(reply);
                let pledged = vec![(Arc::clone(&self.namespace), pledges)];
                worker.waits().hold(&self.claim, pledged);
                return Progress::Waits(self.claim.ticket());
            }
        }
        Progress::Over
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.claim.ticket()
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.body_bytes + self.held.as_ref().map_or(0, Vec::len)
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("claim", &self.claim).finish_non_exhaustive()
    }
}

impl fmt::Debug for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Calls").field(&self.0.lock().len()).finish()
    }
}
