//! Requests about one record.
//!
//! Most are over at once. One whose record has to be read from a device gives everything up, keeps a
//! copy of its message, and is run again from the start when the read is over; so does one for which other nodes
//! have to be asked first. One that has written may have to wait until its device has done so and other nodes
//! have the change; its reply is held back. One that another node has to carry out waits for that node's reply.

mod shared;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::Status;
use cluster::partition::Partition;
use engine::copies::Written;
use engine::{Namespace, Stripe, Turn};
use storage::{Fetch, Pledges, Ticket};
use wire::reply::ReplyWriter;
use wire::{Digest, Info1, Request, ResultCode, compress, reply};

use crate::counters::ServiceCounter;
use crate::dispatch::{Executed, execute};
use crate::node::Node;
use crate::outcome::{self, Origin};
use crate::peers::Admission;
use crate::udf::is_call;
use crate::unfinished::{Progress, Unfinished};
use crate::waits::{Claim, Waits};
use crate::worker::{Answer, Worker};

/// A request about one record that waits.
pub struct Single {
    namespace: Arc<Namespace>,
    body: Box<[u8]>,
    times: Times,
    origin: Origin,
    claim: Claim,
    held: Option<Held>,
    /// What it waits for of other nodes.
    asks: Asks,
    /// When it began to, if that is timed.
    asked_at: Option<Duration>,
    /// Whether others were ever asked for a newer version.
    has_asked: bool,
    /// Whether all who may have a newer version have been asked.
    has_looked: bool,
    /// Whether it goes where another node said, instead of where this one thinks.
    is_led: bool,
    /// Once it turned out to be one: the call of a function.
    call: Option<Box<Unfinished>>,
}

/// When a request was first dealt with, by the monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Times {
    /// The beginning of the wake-up that brought it.
    woken: Duration,
    /// The beginning of its turn, if the namespace has benchmarks.
    begun: Option<Duration>,
}

/// What a request waits for of other nodes.
#[derive(Clone, Debug, Default)]
enum Asks {
    #[default]
    Nothing,
    /// What they have of the record.
    Versions,
    /// That one of them carries it out.
    Proxy,
}

/// Why a request is not over.
enum Stay {
    /// A record has to be read first.
    Fetch(Fetch),
    /// Its reply is written, and there is something to do before it may be sent.
    Hold(Pledges, Option<Change>, Held),
    /// Others may have a newer version of the record.
    Lookup(Arc<Partition>),
    /// Another node carries it out.
    Elsewhere(NodeId),
    /// Nobody can at the moment.
    Later,
    /// It calls a function, for a record of this partition if others have to do with it.
    Call(Option<Arc<Partition>>),
}

/// What other nodes have to hear of; the new body is in the turn's scratch space.
struct Change {
    partition: Arc<Partition>,
    digest: Digest,
    written: Written,
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
        let begun = namespace.latencies.any_of_requests().then(|| self.host.monotonic());
        let times = Times { woken, begun };
        let run = (Origin::Client, times, false);
        match self.run_single(namespace, request, run, turn, out) {
            None => Answer::POINT,
            Some(Stay::Call(held)) => self.call((namespace, held), request, body, woken, waits),
            Some(stay) => {
                let single = Single::new(namespace, body, Origin::Client, times, waits);
                single.begin(self, request, stay, turn, waits, out).unwrap_or(Answer::POINT)
            }
        }
    }

    /// Answers a request that did not come from a client by itself, or begins to: one that came to
    /// another node, or a row of a batch. To another node's, what is appended begins behind a status that says
    /// so; if it turns out that this node is not the one for it, the status says that.
    pub(crate) fn answer_for(
        &self,
        (origin, woken): (Origin, Duration),
        request: &Request<'_>,
        body: &[u8],
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Option<Unfinished> {
        let Some(namespace) = request.namespace.and_then(|name| self.namespace(name)) else {
            self.counters.raise(turn.stripe, ServiceCounter::EarlyTsvcFromProxyError);
            reply::header_only(out, ResultCode::NAMESPACE, 0, 0);
            return None;
        };
        let begun = namespace.latencies.any_of_requests().then(|| self.host.monotonic());
        let times = Times { woken, begun };
        let run = (origin, times, false);
        let stay = match self.run_single(namespace, request, run, turn, out)? {
            Stay::Call(held) => {
                return match self.call((namespace, held), request, body, woken, waits) {
                    Answer::Partial(unfinished) => Some(*unfinished),
                    Answer::Whole { .. } => None,
                };
            }
            stay => stay,
        };
        let single = Single::new(namespace, body, origin, times, waits);
        match single.begin(self, request, stay, turn, waits, out) {
            Some(Answer::Partial(unfinished)) => Some(*unfinished),
            _ => None,
        }
    }

    /// Runs a request from the start. `None`: it is answered.
    #[inline]
    fn run_single(
        &self,
        namespace: &Arc<Namespace>,
        request: &Request<'_>,
        (origin, times, has_looked): (Origin, Times, bool),
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> Option<Stay> {
        // One without a proper digest is refused whoever gets it.
        let digest = request.valid_digest();
        let mut shared = None;
        if let Some(digest) = &digest {
            match self.admit(namespace, request, digest, has_looked) {
                Admission::Here(partition) if partition.is_sole() => {}
                Admission::Here(partition) => shared = Some(partition),
                Admission::AfterLookup(partition) => return Some(Stay::Lookup(partition)),
                Admission::Elsewhere(node) => return Some(Stay::Elsewhere(node)),
                Admission::Unavailable => {
                    reply::header_only(out, ResultCode::UNAVAILABLE, 0, 0);
                    outcome::count_early(namespace, origin, ResultCode::UNAVAILABLE, turn.stripe);
                    return None;
                }
            }
        }
        if is_call(request) {
            return Some(Stay::Call(shared.map(arc_swap::Guard::into_inner)));
        }
        let start = out.len();
        let executed = match execute(namespace, request, turn, ReplyWriter::new(out)) {
            Ok(executed) => executed,
            Err(fetch) => {
                out.truncate(start);
                return Some(Stay::Fetch(fetch));
            }
        };
        let change = shared.zip(digest).and_then(|(partition, digest)| {
            let is_news = turn.written != Written::Nothing && partition.others().next().is_some();
            let (partition, written) = (arc_swap::Guard::into_inner(partition), turn.written);
            is_news.then_some(Change { partition, digest, written })
        });
        if !turn.pledges.is_empty() || change.is_some() {
            let reply = out.split_off(start);
            return Some(Stay::Hold(turn.pledges.take(), change, Held { executed, reply }));
        }
        let origin = (origin, times);
        self.finish_single(namespace, request, executed, origin, turn.stripe, (out, start));
        None
    }

    /// Counts a request whose reply stands at the end of the output, and compresses the reply if the
    /// client wants that.
    fn finish_single(
        &self,
        namespace: &Namespace,
        request: &Request<'_>,
        (command, result): Executed,
        (origin, times): (Origin, Times),
        stripe: Stripe,
        (out, start): (&mut Vec<u8>, usize),
    ) {
        let in_micros = self.histograms_in_micros();
        let mut executed = None;
        match command {
            Some(command) => {
                outcome::count(namespace, origin, request, command, result, stripe);
                let done = self.host.monotonic();
                let took = done.saturating_sub(times.woken);
                outcome::time(namespace, origin, command, took, in_micros, stripe);
                executed = Some((command, done));
            }
            None => outcome::count_early(namespace, origin, result, stripe),
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
        origin: Origin,
        times: Times,
        waits: &mut Waits,
    ) -> Self {
        Self {
            namespace: Arc::clone(namespace),
            body: body.into(),
            times,
            origin,
            claim: waits.claim(),
            held: None,
            asks: Asks::Nothing,
            asked_at: None,
            has_asked: false,
            has_looked: false,
            is_led: false,
            call: None,
        }
    }

    /// Waits for the first time. `None` if there is nothing to wait for.
    fn begin(
        mut self,
        node: &Node,
        request: &Request<'_>,
        stay: Stay,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Option<Answer> {
        let body = std::mem::take(&mut self.body);
        let progress = self.stay(node, (request, &body), stay, turn, waits, out);
        self.body = body;
        match progress {
            Progress::Over => None,
            _ => Some(Answer::Partial(Box::new(Unfinished::Single(self)))),
        }
    }

    /// Waits for what it has to.
    fn stay(
        &mut self,
        node: &Node,
        (request, body): (&Request<'_>, &[u8]),
        stay: Stay,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Progress {
        self.asked_at = self.is_timed(&stay).then(|| node.host.monotonic());
        match stay {
            Stay::Fetch(fetch) => waits.read(&self.claim, &fetch),
            Stay::Hold(pledges, change, held) => {
                if let Some(change) = change {
                    self.tell_replicas(node, request, &change, turn, waits);
                }
                self.held = Some(held);
                waits.hold(&self.claim, vec![(Arc::clone(&self.namespace), pledges)]);
            }
            Stay::Lookup(partition) => return self.look_up(node, request, &partition, waits, out),
            Stay::Elsewhere(to) => {
                return self.go_elsewhere(node, (request, body), to, waits, out);
            }
            Stay::Later => return self.try_later(node, request, waits, out),
            Stay::Call(held) => {
                let of = (&self.namespace, held);
                match node.call(of, request, body, self.times.woken, waits) {
                    Answer::Partial(call) => {
                        let ticket = call.ticket().unwrap_or(self.claim.ticket());
                        self.call = Some(call);
                        return Progress::Waits(ticket);
                    }
                    Answer::Whole { .. } => return Progress::Over,
                }
            }
        }
        Progress::Waits(self.claim.ticket())
    }

    /// Answers the request if that is possible now.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        if let Some(call) = &mut self.call {
            return call.advance(worker, out);
        }
        let Some(outcome) = self.claim.outcome() else {
            return Progress::Waits(self.claim.ticket());
        };
        // The message is what it was, so this cannot be.
        let body = std::mem::take(&mut self.body);
        let Ok(request) = Request::parse(&body) else { return Progress::Over };
        let mut pledges = Pledges::default();
        let (node, mut turn, waits) = worker.resume(&outcome.fetched, &mut pledges);
        let node = Arc::clone(node);
        let (namespace, times) = (Arc::clone(&self.namespace), self.times);
        self.time_asking(&node, &request, turn.stripe);
        let progress = if let Some(held) = self.held.take() {
            let start = out.len();
            let executed = held.send(outcome.failed, outcome.is_late, out);
            let origin = (self.origin, times);
            node.finish_single(&namespace, &request, executed, origin, turn.stripe, (out, start));
            Progress::Over
        } else {
            let stay = match std::mem::take(&mut self.asks) {
                Asks::Nothing => {
                    let run = (self.origin, times, self.has_looked);
                    node.run_single(&namespace, &request, run, &mut turn, out)
                }
                Asks::Versions => self.merge_versions(&node, &request, &outcome, &mut turn, out),
                Asks::Proxy => self.relay(&request, &outcome, turn.stripe, out),
            };
            match stay {
                None => Progress::Over,
                Some(stay) => self.stay(&node, (&request, &body), stay, &mut turn, waits, out),
            }
        };
        self.body = body;
        progress
    }

    pub(crate) fn ticket(&self) -> Ticket {
        let of_call = self.call.as_ref().and_then(|call| call.ticket());
        of_call.unwrap_or(self.claim.ticket())
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.body.len() + self.held.as_ref().map_or(0, |held| held.reply.len())
    }
}

impl Held {
    /// Appends the reply, or another if a device failed or other nodes did not confirm the change in time:
    /// whether the write lasts is unknown then.
    fn send(self, failed: bool, is_late: bool, out: &mut Vec<u8>) -> Executed {
        let (command, result) = self.executed;
        let instead = match (failed, is_late) {
            (true, _) => ResultCode::UNKNOWN,
            (false, true) => ResultCode::TIMEOUT,
            (false, false) => {
                out.extend_from_slice(&self.reply);
                return (command, result);
            }
        };
        reply::header_only(out, instead, 0, 0);
        (command, instead)
    }
}

/// Says instead of a reply that this node is not the one for a request of another node.
fn redirect(status: Status, to: Option<NodeId>, out: &mut Vec<u8>) {
    out.clear();
    out.push(status as u8);
    out.extend(to.into_iter().flat_map(|node| node.0.to_le_bytes()));
}

impl fmt::Debug for Single {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Single").field("claim", &self.claim).finish_non_exhaustive()
    }
}
