//! Requests about one record.
//!
//! Most are over at once. One whose record has to be read from a device gives everything up, keeps a
//! copy of its message, and is run again from the start when the read is over. One that has written
//! may have to wait until its device has done so; its reply is held back.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use engine::{Namespace, Stripe, Turn};
use storage::{Fetch, Pledges, Ticket};
use wire::reply::ReplyWriter;
use wire::{Info1, Request, ResultCode, compress, reply};

use crate::counters::ServiceCounter;
use crate::dispatch::{Executed, execute};
use crate::node::Node;
use crate::outcome::{self, Origin};
use crate::udf::is_call;
use crate::unfinished::{Progress, Unfinished};
use crate::waits::{Claim, Waits};
use crate::worker::{Answer, Worker};

/// A request about one record that waits.
pub struct Single {
    namespace: Arc<Namespace>,
    body: Box<[u8]>,
    times: Times,
    claim: Claim,
    held: Option<Held>,
}

/// When a request was first dealt with, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// The beginning of the wake-up that brought it.
    woken: Duration,
    /// The beginning of its turn, if the namespace has benchmarks.
    begun: Option<Duration>,
}

/// Why a request is not over.
enum Stay {
    /// A record has to be read first.
    Fetch(Fetch),
    /// Its reply is written, and a device has something to do before it may be sent.
    Pledges(Pledges, Held),
}

/// A reply that is held back.
struct Held {
    executed: Executed,
    reply: Vec<u8>,
}

impl Node {
    /// Answers a request about one record, or begins to. `body` is that of its message.
    ///
    /// The order of the checks is that of the protocol reference, dispatch order.
    pub(crate) fn answer_single(
        &self,
        request: &Request<'_>,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Answer {
        let Some(namespace) = request.namespace.and_then(|name| self.namespace(name)) else {
            self.counters.raise(turn.stripe, ServiceCounter::EarlyTsvcClientError);
            reply::header_only(out, ResultCode::NAMESPACE, 0, 0);
            return Answer::POINT;
        };
        if is_call(request) {
            return self.call(namespace, request, body, woken, waits);
        }
        let begun = namespace.latencies.any_of_requests().then(|| self.host.monotonic());
        let times = Times { woken, begun };
        match self.run_single(namespace, request, times, turn, out) {
            None => Answer::POINT,
            Some(stay) => {
                let single = Single::new(namespace, body, times, stay, waits);
                Answer::Partial(Box::new(Unfinished::Single(single)))
            }
        }
    }

    /// Runs a request from the start. `None`: it is answered.
    fn run_single(
        &self,
        namespace: &Namespace,
        request: &Request<'_>,
        times: Times,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Stay> {
        let start = out.len();
        let executed = match execute(namespace, request, turn, ReplyWriter::new(out)) {
            Ok(executed) => executed,
            Err(fetch) => {
                out.truncate(start);
                return Some(Stay::Fetch(fetch));
            }
        };
        if !turn.pledges.is_empty() {
            let reply = out.split_off(start);
            return Some(Stay::Pledges(turn.pledges.take(), Held { executed, reply }));
        }
        self.finish_single(namespace, request, executed, times, turn.stripe, (out, start));
        None
    }

    /// Counts a request whose reply stands at the end of the output, and compresses the reply if the
    /// client wants that.
    fn finish_single(
        &self,
        namespace: &Namespace,
        request: &Request<'_>,
        (command, result): Executed,
        times: Times,
        stripe: Stripe,
        (out, start): (&mut Vec<u8>, usize),
    ) {
        let in_micros = self.histograms_in_micros();
        let mut executed = None;
        match command {
            Some(command) => {
                let origin = Origin::Client;
                outcome::count(namespace, origin, request, command, result, stripe);
                let done = self.host.monotonic();
                let took = done.saturating_sub(times.woken);
                outcome::time(namespace, origin, command, took, in_micros, stripe);
                executed = Some((command, done));
            }
            None => outcome::count_early(namespace, Origin::Client, result, stripe),
        }
        if request.header.info1.contains(Info1::COMPRESS_RESPONSE) {
            let (before, after) = compress::shrink_last_frame(out, start);
            namespace.compression.record(before, after);
        }
        if let (Some(begun), Some((command, done))) = (times.begun, executed) {
            let moments = [times.woken, begun, done, self.host.monotonic()];
            outcome::benchmark(namespace, command, moments, in_micros, stripe);
        }
    }
}

impl Single {
    #[cold]
    fn new(
        namespace: &Arc<Namespace>,
        body: &[u8],
        times: Times,
        stay: Stay,
        waits: &mut Waits,
    ) -> Self {
        let (namespace, claim) = (Arc::clone(namespace), waits.claim());
        let mut single = Self { namespace, body: body.into(), times, claim, held: None };
        single.stay(stay, waits);
        single
    }

    /// Waits for what it has to.
    fn stay(&mut self, stay: Stay, waits: &mut Waits) -> Progress {
        match stay {
            Stay::Fetch(fetch) => waits.read(&self.claim, &fetch),
            Stay::Pledges(pledges, held) => {
                self.held = Some(held);
                waits.hold(&self.claim, vec![(Arc::clone(&self.namespace), pledges)]);
            }
        }
        Progress::Waits(self.claim.ticket())
    }

    /// Answers the request if that is possible now.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        let Some(outcome) = self.claim.outcome() else {
            return Progress::Waits(self.claim.ticket());
        };
        // The message is what it was, so this cannot be.
        let Ok(request) = Request::parse(&self.body) else { return Progress::Over };
        let mut pledges = Pledges::default();
        let (node, mut turn, waits) = worker.resume(&outcome.fetched, &mut pledges);
        let (namespace, times) = (Arc::clone(&self.namespace), self.times);
        if let Some(held) = self.held.take() {
            let start = out.len();
            let executed = held.send(outcome.failed, out);
            node.finish_single(&namespace, &request, executed, times, turn.stripe, (out, start));
            return Progress::Over;
        }
        match node.run_single(&namespace, &request, times, &mut turn, out) {
            None => Progress::Over,
            Some(stay) => self.stay(stay, waits),
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.claim.ticket()
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.body.len() + self.held.as_ref().map_or(0, |held| held.reply.len())
    }
}

impl Held {
    /// Appends the reply, or another if a device failed: whether the write lasts is unknown then.
    fn send(self, failed: bool, out: &mut Vec<u8>) -> Executed {
        let (command, result) = self.executed;
        if failed {
            reply::header_only(out, ResultCode::UNKNOWN, 0, 0);
            return (command, ResultCode::UNKNOWN);
        }
        out.extend_from_slice(&self.reply);
        (command, result)
    }
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("claim", &self.claim).finish_non_exhaustive()
    }
}
