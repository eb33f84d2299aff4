//! What the unfinished requests of an event loop wait for: reads, pledges that devices have to keep, the
//! time, what other threads do for them, and what other nodes answer.
//!
//! A request that waits has a [`Claim`] to a place here, which its reads find by the claim's ticket.
//! When the request is dropped, so is the claim; the place then goes to others under other tickets,
//! and reads that come late find nothing.

mod places;
mod timed;

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use engine::Namespace;
use parking_lot::Mutex;
use places::{Places, Wait};
use storage::{Fetch, Fetched, Pledges, Reader, Signal, Ticket};
pub(crate) use timed::TimedReads;

use crate::peers::{Asker, PeerAnswer, Peers, Question};

/// Pledges, and the namespace whose devices have to keep them.
pub(crate) type Pledged = (Arc<Namespace>, Pledges);

/// See the module.
#[derive(Debug)]
pub(crate) struct Waits {
    reader: Reader,
    /// Those of its reads that are timed.
    timed: TimedReads,
    signal: Signal,
    places: Rc<RefCell<Places>>,
    /// Tickets of requests for which other threads have done something.
    answered: Answered,
    /// What is under way at other nodes.
    pub peers: Peers,
    /// Tickets of requests that may go on because of that.
    called: Vec<Ticket>,
}

/// Where other threads leave tickets.
type Answered = Arc<Mutex<Vec<Ticket>>>;

/// Tells an event loop that another thread has done something for one of its requests: when it is used,
/// or dropped.
pub(crate) struct Caller {
    ticket: Ticket,
    answered: Answered,
    signal: Signal,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.ticket).finish()
    }
}

impl Caller {
    /// It is done.
    pub fn answered(self) {}
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.answered.lock().push(self.ticket);
        self.signal.raise();
    }
}

/// What has come of a wait.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// What was read.
    pub fetched: Fetched,
    /// Whether a device did not keep a pledge.
    pub failed: bool,
    /// What other nodes answered.
    pub answers: Vec<PeerAnswer>,
    /// Whether the time ended before other nodes had done their part.
    pub is_late: bool,
}

impl Waits {
    /// Nothing waits. The signal is that of the reader and of all namespaces.
    pub fn new(reader: Reader, signal: Signal, timed: TimedReads) -> Self {
        Self {
            reader,
            timed,
            signal,
            places: Rc::default(),
            answered: Arc::default(),
            peers: Peers::default(),
            called: Vec::new(),
        }
    }

    /// Becomes readable when [`Self::reap`] may find something.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.signal.as_fd()
    }

    /// Makes a place for what a request is going to wait for.
    pub fn claim(&self) -> Claim {
        let ticket = self.places.borrow_mut().take();
        Claim { ticket, places: Rc::clone(&self.places) }
    }

    /// Keeps what was fetched before with what is going to be.
    pub fn keep(&self, claim: &Claim, fetched: Fetched) {
        if let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.fetched = fetched;
        }
    }

    /// Begins a read that the claim's request waits for.
    pub fn read(&mut self, claim: &Claim, fetch: &Fetch) {
        if let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.reads += 1;
            self.timed.begin(fetch, claim.ticket);
            self.reader.submit(fetch, claim.ticket);
        }
    }

    /// Lets the claim's request wait for pledges. They are asked after at once: whoever keeps them tells
    /// only those who have asked.
    pub fn hold(&self, claim: &Claim, pledged: Vec<Pledged>) {
        let mut places = self.places.borrow_mut();
        places.holding.push(claim.ticket);
        if let Some(wait) = places.get(claim.ticket) {
            wait.pledged = pledged;
            if wait.settle() {
                // The request is told as all others are.
                self.signal.raise();
            }
        }
    }

    /// Has a request that waits for nothing go on.
    pub fn hold_nothing(&mut self, ticket: Ticket) {
        self.called.push(ticket);
    }

    /// Lets the claim's request wait for another thread, which gets this to tell when it is done.
    pub fn call(&self, claim: &Claim) -> Caller {
        if let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.calls += 1;
        }
        let (answered, signal) = (Arc::clone(&self.answered), self.signal.clone());
        Caller { ticket: claim.ticket, answered, signal }
    }

    /// Lets the claim's request wait for a time of the monotonic clock.
    pub fn sleep(&self, claim: &Claim, until: Duration) {
        let mut places = self.places.borrow_mut();
        if let Some(wait) = places.get(claim.ticket) {
            wait.sleeps = true;
            places.sleeping.push(Reverse((until, claim.ticket)));
        }
    }

    /// Asks another node something that the claim's request waits for. False if it is not known where
    /// that node is: nothing was sent.
    pub fn ask(
        &mut self,
        claim: &Claim,
        question: Question<'_>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let is_sent = self.peers.ask(Asker::Claim(claim.ticket), question, write);
        if is_sent && let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.asked += 1;
        }
        is_sent
    }

    /// Has the claim's request wait until other nodes have confirmed a change.
    pub fn await_copy(&mut self, claim: &Claim) -> Ticket {
        if let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.copies += 1;
        }
        claim.ticket
    }

    /// Other nodes have confirmed a change that a request waits for.
    pub fn copied(&mut self, ticket: Ticket) {
        self.tell(ticket, |wait| wait.copies = wait.copies.saturating_sub(1));
    }

    /// Has the claim's request wait for the answers to so many rows.
    pub fn await_rows(&mut self, claim: &Claim, count: usize) {
        if let Some(wait) = self.places.borrow_mut().get(claim.ticket) {
            wait.asked += count;
        }
    }

    /// A row is answered.
    pub fn row_answered(&mut self, ticket: Ticket) {
        self.tell(ticket, |wait| wait.asked = wait.asked.saturating_sub(1));
    }

    /// A change that a request waits for came too late: whether it holds is unknown.
    pub fn copy_lost(&mut self, ticket: Ticket) {
        self.tell(ticket, |wait| {
            wait.copies = wait.copies.saturating_sub(1);
            wait.is_late = true;
        });
    }

    /// Another node has answered, or cannot any more.
    pub fn answer(&mut self, ticket: Ticket, answer: PeerAnswer) {
        self.tell(ticket, |wait| {
            wait.asked = wait.asked.saturating_sub(1);
            wait.answers.push(answer);
        });
    }

    fn tell(&mut self, ticket: Ticket, what: impl FnOnce(&mut Wait)) {
        let mut places = self.places.borrow_mut();
        let Some(wait) = places.get(ticket) else { return };
        what(wait);
        if wait.is_over() {
            self.called.push(ticket);
        }
    }

    /// Lets the claim's request wait for other nodes until a time of the monotonic clock at most.
    pub fn limit(&self, claim: &Claim, until: Duration) {
        self.places.borrow_mut().limited.push(Reverse((until, claim.ticket)));
    }

    /// When [`Self::reap`] may find something though nothing became readable.
    pub fn next_at(&self) -> Option<Duration> {
        if !self.called.is_empty() {
            return Some(Duration::ZERO);
        }
        let places = self.places.borrow();
        let next =
            |heap: &BinaryHeap<Reverse<(Duration, Ticket)>>| heap.peek().map(|next| next.0.0);
        [next(&places.sleeping), next(&places.limited)].into_iter().flatten().min()
    }

    /// Sees to it that all reads are under way.
    pub fn flush(&mut self) {
        self.reader.flush();
    }

    /// Takes in what has come; appends the tickets of requests that may go on.
    pub fn reap(&mut self, now: Duration, ready: &mut Vec<Ticket>) {
        self.signal.lower();
        let mut places = self.places.borrow_mut();
        self.reader.reap(|ticket, done| {
            self.timed.end(ticket, &done);
            if places.arrived(ticket, done) {
                ready.push(ticket);
            }
        });
        places.settle(ready);
        places.wake(now, ready);
        ready.append(&mut self.called);
        for ticket in self.answered.lock().drain(..) {
            let Some(wait) = places.get(ticket) else { continue };
            wait.calls = wait.calls.saturating_sub(1);
            if wait.is_over() {
                ready.push(ticket);
            }
        }
    }
}

/// A request's place among those that wait.
pub(crate) struct Claim {
    ticket: Ticket,
    places: Rc<RefCell<Places>>,
}

impl Claim {
    /// By which the request is told that it may go on.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whether there is nothing to wait for.
    pub fn is_over(&self) -> bool {
        self.places.borrow_mut().get(self.ticket).is_none_or(|wait| wait.is_over())
    }

    /// What has come of the wait; `None` if it is not over.
    pub fn outcome(&self) -> Option<Outcome> {
        let mut places = self.places.borrow_mut();
        let wait = places.get(self.ticket)?;
        if !wait.is_over() {
            return None;
        }
        let Wait { fetched, failed, answers, is_late, .. } = std::mem::take(wait);
        Some(Outcome { fetched, failed, answers, is_late })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.places.borrow_mut().release(self.ticket);
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Claim").field(&self.ticket).finish()
    }
}

#[cfg(test)]
mod tests;
