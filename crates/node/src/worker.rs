//! What answers requests on one event loop.

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use cluster::fabric::{Channel, Frame, Kind};
use engine::Turn;
use engine::copies::Written;
use engine::counters::Stripe;
use record::LastUpdateTime;
use storage::{Fetched, Pledges, Reader, Signal, Ticket};
use wire::{ProtoType, ResultCode, admin, compress, proto, reply};

use crate::clustering::Parcel;
use crate::counters::ServiceCounter;
use crate::fabric_latency::FrameStep;
use crate::health::PeerEvent;
use crate::info::{self, Administration};
use crate::node::Node;
use crate::peers::{Remote, Tasks};
use crate::traffic::Class;
use crate::unfinished::Unfinished;
use crate::waits::{TimedReads, Waits};

/// A request that is not answered: the connection is to be closed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unanswerable;

/// How far the answer to a request is.
#[derive(Debug)]
pub enum Answer {
    /// It is whole, and was about as much work as so many requests about one record.
    Whole {
        /// Number of such requests.
        work: usize,
    },
    /// The rest, or all of it, comes in later turns.
    Partial(Box<Unfinished>),
}

impl Answer {
    /// A whole answer to a request about one record, or one that costs no more.
    pub(crate) const POINT: Self = Self::Whole { work: 1 };
}

/// What a change of metadata costs, in requests about one record: it waits for the disk.
const CHANGE_WORK: usize = 1000;

/// Answers requests on one thread; keeps what can be reused from one to the next.
#[derive(Debug)]
pub struct Worker {
    node: Arc<Node>,
    index: usize,
    stripe: Stripe,
    now: LastUpdateTime,
    woken: Duration,
    scratch: Vec<u8>,
    inflated: Vec<u8>,
    waits: Waits,
    /// What other nodes ask and is not answered.
    tasks: Tasks,
    /// Whether this loop sends what others have for other nodes.
    is_sender: bool,
    /// The view whose departed members are known to answer no more.
    view: u64,
}

/// Scratch space kept from one wake-up to the next, in bytes; what is larger is given back.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

impl Worker {
    /// The worker of the event loop numbered `index`, which reads with this reader. The signal is the
    /// reader's; namespaces raise it, too.
    pub fn new(node: Arc<Node>, index: usize, reader: Reader, signal: Signal) -> Self {
        for namespace in &node.namespaces {
            namespace.subscribe(&signal);
        }
        let is_sender = index == 0;
        if is_sender {
            node.cluster.set_sender(signal.clone());
        }
        Self {
            index,
            stripe: Stripe::of_loop(index),
            now: node.host.now(),
            woken: node.host.monotonic(),
            scratch: Vec::new(),
            inflated: Vec::new(),
            waits: Waits::new(reader, signal, TimedReads::new(&node)),
            tasks: Tasks::default(),
            is_sender,
            view: 0,
            node,
        }
    }

    /// Becomes readable when [`Self::reap`] may find something.
    pub fn wake_fd(&self) -> BorrowedFd<'_> {
        self.waits.fd()
    }

    /// Takes in what devices have done, and what time it is; appends the tickets of answers that may go
    /// on.
    pub fn reap(&mut self, ready: &mut Vec<Ticket>) {
        self.notice_view();
        let now = match self.wake_after() {
            Some(_) => self.node.host.monotonic(),
            None => Duration::ZERO,
        };
        self.take_uncopied();
        let mut copied = Vec::new();
        self.waits.peers.copy_again(&self.node, now, &mut copied);
        copied.into_iter().for_each(|ticket| self.waits.copied(ticket));
        self.waits.reap(now, ready);
        self.advance_tasks(ready);
    }

    /// A connection to another node, which this loop has opened, is there.
    pub fn peer_opened(&mut self, remote: Remote) {
        // What there is for heartbeats says nothing of the rest.
        let Remote::Route(address, channel @ (Channel::Record | Channel::Bulk)) = remote else {
            return;
        };
        let health = &self.node.health;
        if health.is_on()
            && let Some(peer) = self.node.cluster.look().member_at(address, channel)
        {
            health.count(peer, PeerEvent::ConnectionOpened);
        }
    }

    /// Gives up what was asked of nodes that have left the view.
    fn notice_view(&mut self) {
        let key = self.node.cluster.look().cluster_key;
        if std::mem::replace(&mut self.view, key) != key {
            let state = self.node.cluster.state();
            let lost = self.waits.peers.depart(&state);
            self.give_up(lost);
        }
    }

    /// Takes over the changes that threads without links have made.
    fn take_uncopied(&mut self) {
        if self.is_sender {
            for uncopied in self.node.take_uncopied() {
                self.waits.peers.copy_later(&self.node, uncopied);
            }
        }
    }

    /// Hands `send` what is to be sent to other nodes, in order. It says whether it could be taken; if not,
    /// it is as lost as on a broken connection.
    pub fn send_peers(&mut self, mut send: impl FnMut(Remote, &[u8]) -> bool) {
        if self.is_sender {
            let mut parcels = Vec::new();
            self.node.cluster.take_parcels(&mut parcels);
            for Parcel { to, channel, frame } in parcels {
                // What is lost of these is sent again.
                let _ = send(Remote::Route(to, channel), &frame);
                self.node.traffic.sent(self.stripe, &frame);
            }
        }
        for (to, frame) in std::mem::take(&mut self.waits.peers.outbox) {
            match send(to, &frame) {
                true => self.node.traffic.sent(self.stripe, &frame),
                false => self.frame_lost(&frame),
            }
        }
    }

    /// Whether [`Self::link_timed`] wants to know how long links take.
    pub fn times_links(&self) -> bool {
        self.node.fabric_latencies.is_on()
    }

    /// A link of this loop took so long for a step of the frame that begins with these bytes: two are enough.
    pub fn link_timed(&self, start: &[u8], step: FrameStep, took: Duration) {
        if let Some(class) = Class::of_frame(start) {
            self.count_step(class, step, took);
        }
    }

    fn count_step(&self, class: Class, step: FrameStep, took: Duration) {
        let in_micros = self.node.histograms_in_micros();
        self.node.fabric_latencies.record(self.stripe, (class, step), took, in_micros);
    }

    /// When the handling of a frame begins, if it is timed.
    pub(crate) fn begin_frame(&self) -> Option<Duration> {
        self.times_links().then(|| self.node.host.monotonic())
    }

    /// A frame whose handling began then is handled.
    pub(crate) fn end_frame(&self, kind: Kind, begun: Option<Duration>) {
        if let Some(begun) = begun {
            let took = self.node.host.monotonic().saturating_sub(begun);
            self.count_step(Class::of(kind), FrameStep::RecvCallback, took);
        }
    }

    pub(crate) fn count_received(&self, kind: Kind, size_bytes: usize) {
        self.node.traffic.received(self.stripe, kind, size_bytes);
    }

    /// A frame could not be sent.
    fn frame_lost(&mut self, frame: &[u8]) {
        let call = Frame::parse(frame).map_or(0, |frame| frame.call);
        if let Some(asked) = self.waits.peers.take(call) {
            self.give_up(vec![asked]);
        }
    }

    /// How long to wait at most before [`Self::reap`] is called, though nothing became readable.
    pub fn wake_after(&self) -> Option<Duration> {
        let next = [self.waits.next_at(), self.waits.peers.copies.next_at()];
        let at = next.into_iter().flatten().min()?;
        Some(at.saturating_sub(self.node.host.monotonic()))
    }

    /// Sees to it that all reads that answers wait for are under way, before the loop waits.
    pub fn flush(&mut self) {
        self.waits.flush();
        let (records, proxies) = self.waits.peers.under_way();
        self.node.traffic.set_under_way(self.index, records, proxies);
    }

    /// Reads the clocks, for all requests of a wake-up.
    pub fn wake(&mut self) {
        self.now = self.node.record_time();
        self.woken = self.node.host.monotonic();
        for scratch in [&mut self.scratch, &mut self.inflated] {
            if scratch.capacity() > SCRATCH_BYTES_MAX {
                *scratch = Vec::new();
            }
        }
    }

    /// Answers the request in a frame by appending to `out`, or begins to.
    ///
    /// # Errors
    /// [`Unanswerable`] for what only nodes send each other.
    pub fn answer(
        &mut self,
        kind: ProtoType,
        body: &[u8],
        from: SocketAddr,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Unanswerable> {
        match kind {
            ProtoType::Message => return Ok(self.message(body, from, out)),
            ProtoType::Compressed => return Ok(self.compressed(body, from, out)),
            ProtoType::Info => {
                if let Some(lines) = info::shared_commands(&self.node, body) {
                    self.node.counters.raise(self.stripe, ServiceCounter::InfoComplete);
                    return Ok(self.administer(lines, from, false));
                }
                let mut changes = 0;
                proto::frame(out, ProtoType::Info, |out| {
                    changes = info::answer(&self.node, body, from, out);
                });
                self.node.counters.raise(self.stripe, ServiceCounter::InfoComplete);
                return Ok(Answer::Whole { work: 1 + changes * CHANGE_WORK });
            }
            ProtoType::Admin => admin::append_result(out, ResultCode::SEC_NOT_CONFIGURED),
            ProtoType::InternalXdr => return Err(Unanswerable),
        }
        Ok(Answer::POINT)
    }

    /// Answers one line of the plain-text info port, or begins to: the value alone, and a newline.
    pub fn answer_line(&mut self, line: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> Answer {
        self.node.counters.raise(self.stripe, ServiceCounter::InfoComplete);
        if let Some(lines) = info::shared_commands(&self.node, line) {
            return self.administer(lines, from, true);
        }
        info::answer_value(&self.node, line, from, out);
        out.push(b'\n');
        Answer::POINT
    }

    /// Begins to carry out commands that other nodes have to do with.
    fn administer(&mut self, lines: Vec<Vec<u8>>, from: SocketAddr, is_line: bool) -> Answer {
        let info = Administration::new(lines, from, is_line, &self.waits);
        // It goes on as soon as the loop looks.
        self.waits.hold_nothing(info.ticket());
        Answer::Partial(Box::new(Unfinished::Info(Box::new(info))))
    }

    /// What an unfinished answer needs to go on: the node, what this thread brings along to work on
    /// a namespace, and what answers wait for.
    pub(crate) fn resume<'w>(
        &'w mut self,
        fetched: &'w Fetched,
        pledges: &'w mut Pledges,
    ) -> (&'w Arc<Node>, Turn<'w>, &'w mut Waits) {
        let scratch = &mut self.scratch;
        let turn = Turn {
            now: self.now,
            stripe: self.stripe,
            scratch,
            fetched,
            pledges,
            written: Written::Nothing,
        };
        (&self.node, turn, &mut self.waits)
    }

    /// What answers wait for.
    pub(crate) fn waits(&mut self) -> &mut Waits {
        &mut self.waits
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// The node, and what answers wait for.
    pub(crate) fn parts(&mut self) -> (&Node, &mut Waits) {
        (&self.node, &mut self.waits)
    }

    /// When this wake-up began, by the monotonic clock.
    pub(crate) fn woken(&self) -> Duration {
        self.woken
    }

    pub(crate) fn tasks(&mut self) -> &mut Tasks {
        &mut self.tasks
    }

    fn message(&mut self, body: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> Answer {
        let (woken, mut pledges) = (self.woken, Pledges::default());
        let (node, mut turn, waits) = self.resume(Fetched::NONE, &mut pledges);
        node.dispatch(body, from, woken, &mut turn, waits, out)
    }

    fn compressed(&mut self, body: &[u8], from: SocketAddr, out: &mut Vec<u8>) -> Answer {
        let mut inflated = std::mem::take(&mut self.inflated);
        let answer = match compress::inflate(body, &mut inflated) {
            Ok(inner) => self.message(inner, from, out),
            Err(_) => {
                self.node.counters.raise(self.stripe, ServiceCounter::DemarshalError);
                reply::header_only(out, ResultCode::PARAMETER, 0, 0);
                Answer::POINT
            }
        };
        self.inflated = inflated;
        answer
    }
}

#[cfg(test)]
mod tests;
