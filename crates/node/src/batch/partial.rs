//! A batch between two slices.

use std::fmt;
use std::sync::Arc;

use engine::{Stripe, Turn};
use storage::{Fetch, Fetched, Pledges, Ticket};
use wire::batch::{Place, Rows};
use wire::{Request, ResultCode};

use super::calls::{self, Slot};
use super::{State, ahead, relay, slice};
use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::peers::{Cause, RowAnswers};
use crate::unfinished::Progress;
use crate::waits::{Claim, Waits};
use crate::worker::Worker;

/// The part of a batch that is still to come. It keeps the message and the place in it; replies only
/// while a device has to do something before they may be sent.
pub struct Batch {
    node: Arc<Node>,
    stripe: Stripe,
    body: Arc<[u8]>,
    state: State,
    is_over: bool,
    /// Once it has waited.
    claim: Option<Claim>,
    /// What was read for the rows that come next.
    fetched: Fetched,
    /// How many of these rows were looked at when it was.
    ahead: usize,
    /// The frame under way, where a row missed its record.
    open: slice::Open,
    /// Frames that are held back.
    held: Vec<u8>,
    /// The overall result, if those are the last.
    end: Option<ResultCode>,
    /// Where another thread puts what came of rows that call functions.
    slot: Arc<Slot>,
    /// Whether it waits for such rows.
    calls: bool,
    /// Where the answers to rows are put that other nodes have to do with, and the places of these.
    answers: RowAnswers,
    relayed: Vec<Place>,
    /// Whether such rows are still to be begun.
    relays: bool,
}

impl Batch {
    pub(super) fn new(node: Arc<Node>, stripe: Stripe, body: &[u8], state: State) -> Self {
        let (claim, fetched, held) = (None, Fetched::default(), Vec::new());
        let body = body.into();
        let (is_over, ahead, open, end) = (false, 0, slice::Open::default(), None);
        let (slot, calls) = (Arc::default(), false);
        let (answers, relayed, relays) = (RowAnswers::default(), Vec::new(), false);
        Self {
            node,
            stripe,
            body,
            state,
            is_over,
            claim,
            fetched,
            ahead,
            open,
            held,
            end,
            slot,
            calls,
            answers,
            relayed,
            relays,
        }
    }

    /// Appends the replies of one slice to `out`. The worker is that which began the batch.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        if let Some(claim) = &self.claim {
            let Some(outcome) = claim.outcome() else { return Progress::Waits(claim.ticket()) };
            if outcome.failed {
                // The rows have been carried out, and whether that lasts is unknown.
                return self.finish(ResultCode::UNKNOWN, out);
            }
            if outcome.is_late {
                // Likewise: other nodes have not confirmed that they have it.
                self.state.is_late = true;
                return self.finish(ResultCode::TIMEOUT, out);
            }
            if !outcome.fetched.is_empty() {
                self.fetched = outcome.fetched;
            }
            self.open.called.append(&mut self.slot.lock());
            if std::mem::take(&mut self.calls) && self.open.called.is_empty() {
                // The thread that had the rows is gone.
                return self.finish(ResultCode::UNKNOWN, out);
            }
        }
        let answers = std::mem::take(&mut *self.answers.borrow_mut());
        let places = std::mem::take(&mut self.relayed);
        self.open.relayed.extend(places.into_iter().zip(answers.into_values()));
        if !self.held.is_empty() || self.end.is_some() {
            out.append(&mut self.held);
            self.held = Vec::new();
            return match self.end {
                Some(result) => self.finish(result, out),
                None => Progress::More,
            };
        }
        if std::mem::take(&mut self.relays) {
            return self.relay(worker, out);
        }
        let (fetched, mut pledges) = (std::mem::take(&mut self.fetched), Pledges::default());
        let start = out.len();
        let (_, mut turn, _) = worker.resume(&fetched, &mut pledges);
        let Some(ran) = self.run(&mut turn, out) else {
            return self.finish(ResultCode::PARAMETER, out);
        };
        self.fetched = fetched;
        self.ahead = self.ahead.saturating_sub(ran.rows);
        self.pause(ran, worker.waits(), (out, start))
    }

    /// `None` if the message is not what it was, which cannot be.
    fn run(&mut self, turn: &mut Turn<'_>, out: &mut Vec<u8>) -> Option<slice::Ran> {
        let message = Request::parse(&self.body).ok()?;
        let mut rows = rows_at(&message, self.state.place)?;
        Some(slice::run(&self.node, &mut self.state, &mut rows, &mut self.open, turn, out))
    }

    /// Takes in what a slice came to that began at `start` of `out`: begins reads, and takes frames out
    /// that have to wait.
    pub(super) fn pause(
        &mut self,
        ran: slice::Ran,
        waits: &mut Waits,
        (out, start): (&mut Vec<u8>, usize),
    ) -> Progress {
        self.open = ran.open;
        self.relays = ran.relays;
        let waits_for_others = ran.relays || !ran.changes.is_empty();
        if ran.miss.is_none() && ran.pledged.is_empty() && !ran.calls && !waits_for_others {
            return match ran.end {
                Some(result) => self.finish(result, out),
                None => Progress::More,
            };
        }
        let claim = self.claim.get_or_insert_with(|| waits.claim());
        if !ran.changes.is_empty() {
            tell_replicas(&self.node, ran.changes, claim, waits);
            waits.limit(claim, self.state.deadline);
            if ran.pledged.is_empty() {
                self.held = out.split_off(start);
                self.end = ran.end;
                waits.hold(claim, Vec::new());
            }
        } else if ran.relays && ran.pledged.is_empty() {
            // The worker, which is needed for that, calls at once.
            waits.hold(claim, Vec::new());
        }
        if !ran.pledged.is_empty() {
            self.held = out.split_off(start);
            self.end = ran.end;
            waits.hold(claim, ran.pledged);
        }
        let ticket = claim.ticket();
        let of = (&self.state, &self.open);
        let caller = || waits.call(claim);
        self.calls = ran.calls && calls::begin(&self.node, &self.body, of, &self.slot, caller);
        if ran.calls && !self.calls {
            // Another node has to do with the row by now.
            waits.hold(claim, Vec::new());
        }
        if let Some(fetch) = ran.miss {
            self.read(&fetch, waits);
        }
        Progress::Waits(ticket)
    }

    /// Has the next rows that other nodes have to do with be carried out, each as a request of its own.
    fn relay(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        let now = self.node.host.monotonic();
        let left = self.state.deadline.saturating_sub(now);
        let Some(messages) =
            relay::messages(&self.node, &self.body, (&self.state, &self.open), left)
        else {
            return self.finish(ResultCode::PARAMETER, out);
        };
        if messages.is_empty() {
            // They are for this node by now.
            return Progress::More;
        }
        let claim = self.claim.get_or_insert_with(|| worker.waits().claim());
        let ticket = claim.ticket();
        worker.waits().await_rows(claim, messages.len());
        for (number, (place, message)) in messages.into_iter().enumerate() {
            self.relayed.push(place);
            worker.run_row((ticket, &self.answers, number), &message, now);
        }
        Progress::Waits(ticket)
    }

    /// Begins to read what the next row misses, and what is likely to be missed by those behind it.
    fn read(&mut self, fetch: &Fetch, waits: &mut Waits) {
        let Some(claim) = &self.claim else { return };
        if self.ahead > 0 {
            // Its record has moved since; what was read for others is still good.
            waits.keep(claim, std::mem::take(&mut self.fetched));
            waits.read(claim, fetch);
            return;
        }
        self.fetched.clear();
        waits.read(claim, fetch);
        if let Ok(message) = Request::parse(&self.body)
            && let Some(mut rows) = rows_at(&message, self.state.place)
        {
            let first_bytes = fetch.span.size_bytes;
            let read = |fetch: &Fetch| waits.read(claim, fetch);
            self.ahead = ahead::read_ahead(&self.node, &mut rows, first_bytes, read);
        }
    }

    fn finish(&mut self, result: ResultCode, out: &mut Vec<u8>) -> Progress {
        slice::finish(&self.node, &self.state, result, self.stripe, out);
        self.is_over = true;
        Progress::Over
    }

    /// The ticket for which it waits, if it does.
    pub(crate) fn ticket(&self) -> Option<Ticket> {
        self.claim.as_ref().filter(|claim| !claim.is_over()).map(Claim::ticket)
    }

    /// Notes that the client did not take all that the last slice gave. It may be long until it has, so
    /// what was read ahead is given up.
    pub(crate) fn delayed(&mut self) {
        self.node.counters.raise(self.stripe, ServiceCounter::BatchIndexDelay);
        self.fetched.clear();
        self.ahead = 0;
    }

    /// Memory that it holds, in bytes; what is being read not included.
    pub(crate) fn buffered_bytes(&self) -> usize {
        let replies = self.open.frame.len() + self.held.len();
        self.body.len() + replies + self.fetched.held_bytes()
    }
}

/// Sends changes to the other replicas.
fn tell_replicas(node: &Node, changes: Vec<slice::Change>, claim: &Claim, waits: &mut Waits) {
    for change in changes {
        let slice::Change { namespace, partition, digest, written, bytes, is_awaited, resent } =
            change;
        let waiter = is_awaited.then(|| waits.await_copy(claim)).into();
        let cause = Cause { waiter, resent: Some(resent) };
        waits.peers.copy(node, &namespace, &partition, (&digest, written, &bytes), cause);
    }
}

/// The rows of a batch from those that are still to come.
pub(super) fn rows_at<'m>(message: &Request<'m>, place: Place) -> Option<Rows<'m>> {
    let (_, mut rows) = Rows::of(message).ok()?;
    rows.resume(place).ok()?;
    Some(rows)
}

impl Drop for Batch {
    /// A batch whose client has gone is one that failed.
    fn drop(&mut self) {
        if !self.is_over {
            self.node.counters.raise(self.stripe, ServiceCounter::BatchIndexError);
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("state", &self.state).finish_non_exhaustive()
    }
}
