//! What answers requests on one event loop.

use engine::copies::Written;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use engine::Turn;
use engine::counters::Stripe;
use record::LastUpdateTime;
use storage::{Fetched, Pledges, Reader, Signal, Ticket};
use wire::{ProtoType, ResultCode, admin, compress, proto, reply};

use crate::counters::ServiceCounter;
use crate::info;
use crate::node::Node;
use crate::unfinished::Unfinished;
use crate::waits::Waits;

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
    stripe: Stripe,
    now: LastUpdateTime,
    woken: Duration,
    scratch: Vec<u8>,
    inflated: Vec<u8>,
    waits: Waits,
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
        Self {
            stripe: Stripe::of_loop(index),
            now: node.host.now(),
            woken: node.host.monotonic(),
            scratch: Vec::new(),
            inflated: Vec::new(),
            waits: Waits::new(reader, signal),
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
        let now = self.waits.next_at().map_or(Duration::ZERO, |_| self.node.host.monotonic());
        self.waits.reap(now, ready);
    }

    /// How long to wait at most before [`Self::reap`] is called, though nothing became readable.
    pub fn wake_after(&self) -> Option<Duration> {
        let at = self.waits.next_at()?;
        Some(at.saturating_sub(self.node.host.monotonic()))
    }

    /// Sees to it that all reads that answers wait for are under way.
    pub fn flush(&mut self) {
        self.waits.flush();
    }

    /// Reads the clocks, for all requests of a wake-up.
    pub fn wake(&mut self) {
        self.now = self.node.host.now();
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

    /// Answers one line of the plain-text info port: the value alone, and a newline.
    pub fn answer_line(&mut self, line: &[u8], from: SocketAddr, out: &mut Vec<u8>) {
        info::answer_value(&self.node, line, from, out);
        out.push(b'\n');
        self.node.counters.raise(self.stripe, ServiceCounter::InfoComplete);
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
