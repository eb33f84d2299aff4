//! What the unfinished requests of an event loop wait for: reads, pledges that devices have to keep, the
//! time, what other threads do for them, and what other nodes answer.
//!
//! A request that waits has a [`Claim`] to a place here, which its reads find by the claim's ticket.
//! When the request is dropped, so is the claim; the place then goes to others under other tickets,
//! and reads that come late find nothing.

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
use storage::{Fetch, FetchDone, Fetched, Pledges, Reader, Settled, Signal, Ticket};

use crate::peers::{Asker, PeerAnswer, Peers, Question};

/// Pledges, and the namespace whose devices have to keep them.
pub(crate) type Pledged = (Arc<Namespace>, Pledges);

/// See the module.
#[derive(Debug)]
pub(crate) struct Waits {
    reader: Reader,
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

/// What a request waits for.
#[derive(Default)]
struct Wait {
    /// Reads under way.
    reads: usize,
    fetched: Fetched,
    /// What devices still have to do.
    pledged: Vec<Pledged>,
    /// Whether it waits for a time.
    sleeps: bool,
    /// What other threads still have to do.
    calls: usize,
    /// Whether a device failed to do it.
    failed: bool,
    /// Answers of other nodes that are still to come.
    asked: usize,
    answers: Vec<PeerAnswer>,
    /// Changes that other nodes have not confirmed yet.
    copies: usize,
    /// Whether there was no time to wait for all of that.
    is_late: bool,
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
    pub fn new(reader: Reader, signal: Signal) -> Self {
        Self {
            reader,
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

impl Wait {
    fn is_over(&self) -> bool {
        let is_here = self.reads == 0 && self.pledged.is_empty() && !self.sleeps && self.calls == 0;
        is_here && (self.asked == 0 && self.copies == 0 || self.is_late)
    }

    /// Asks how far the pledges are. Says whether they have settled.
    fn settle(&mut self) -> bool {
        let failed = &mut self.failed;
        self.pledged.retain(|(namespace, pledges)| match namespace.settled(pledges) {
            Settled::Kept => false,
            Settled::Waiting => true,
            Settled::Failed => {
                *failed = true;
                false
            }
        });
        self.pledged.is_empty()
    }
}

/// Places by number. A ticket is a place's number, and above it that of its claim.
#[derive(Default)]
struct Places {
    places: Vec<Place>,
    /// Numbers of places without a claim.
    free: Vec<u32>,
    /// Tickets of those that wait for pledges.
    holding: Vec<Ticket>,
    /// Tickets of those that wait for a time, the next one first.
    sleeping: BinaryHeap<Reverse<(Duration, Ticket)>>,
    /// Tickets of those that wait for other nodes until a time at most, the next one first.
    limited: BinaryHeap<Reverse<(Duration, Ticket)>>,
}

#[derive(Default)]
struct Place {
    /// Claims to it so far.
    claims: u32,
    wait: Option<Wait>,
}

/// Bits of a ticket below the number of the claim.
const PLACE_BITS: u32 = 32;

impl Places {
    fn take(&mut self) -> Ticket {
        let number = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.places.len() as u32 - 1
        });
        let place = &mut self.places[number as usize];
        place.wait = Some(Wait::default());
        Ticket::from(place.claims) << PLACE_BITS | Ticket::from(number)
    }

    fn place(&mut self, ticket: Ticket) -> Option<&mut Place> {
        let place = self.places.get_mut(ticket as u32 as usize)?;
        (Ticket::from(place.claims) == ticket >> PLACE_BITS).then_some(place)
    }

    fn get(&mut self, ticket: Ticket) -> Option<&mut Wait> {
        self.place(ticket)?.wait.as_mut()
    }

    fn release(&mut self, ticket: Ticket) {
        if let Some(place) = self.place(ticket) {
            place.claims = place.claims.wrapping_add(1);
            place.wait = None;
            self.free.push(ticket as u32);
        }
    }

    /// Takes in a read. Says whether its request may go on.
    fn arrived(&mut self, ticket: Ticket, done: FetchDone) -> bool {
        let Some(wait) = self.get(ticket) else { return false };
        wait.reads = wait.reads.saturating_sub(1);
        wait.fetched.add(done);
        wait.is_over()
    }

    /// Asks how far all pledges are; appends the tickets of requests that may go on.
    fn settle(&mut self, ready: &mut Vec<Ticket>) {
        let mut holding = std::mem::take(&mut self.holding);
        holding.retain(|&ticket| {
            let Some(wait) = self.get(ticket) else { return false };
            let settled = wait.settle();
            if wait.is_over() {
                ready.push(ticket);
            }
            !settled
        });
        self.holding = holding;
    }
}

impl Places {
    /// Wakes those whose time has come.
    fn wake(&mut self, now: Duration, ready: &mut Vec<Ticket>) {
        while let Some(Reverse((until, ticket))) = self.sleeping.peek().copied()
            && until <= now
        {
            self.sleeping.pop();
            let Some(wait) = self.get(ticket) else { continue };
            wait.sleeps = false;
            if wait.is_over() {
                ready.push(ticket);
            }
        }
        while let Some(Reverse((until, ticket))) = self.limited.peek().copied()
            && until <= now
        {
            self.limited.pop();
            let Some(wait) = self.get(ticket).filter(|wait| wait.asked + wait.copies > 0) else {
                continue;
            };
            wait.is_late = true;
            if wait.is_over() {
                ready.push(ticket);
            }
        }
    }
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Places").field("count", &self.places.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_another_ticket_for_each_claim() {
        let waits = Waits::new(Reader::inline(), Signal::new().unwrap());
        let (first, second) = (waits.claim(), waits.claim());
        let gone = first.ticket();
        assert_ne!(gone, second.ticket());
        drop(first);
        let third = waits.claim();
        assert_eq!(third.ticket() as u32, gone as u32, "it is the same place");
        assert_ne!(third.ticket(), gone);
        waits.places.borrow_mut().release(gone);
        assert!(third.outcome().is_some(), "a late release finds nothing");
        assert!(waits.places.borrow_mut().get(gone).is_none());
        assert_eq!(waits.places.borrow().places.len(), 2);
    }

    #[test]
    fn a_claim_without_reads_and_pledges_is_over_at_once() {
        let mut waits = Waits::new(Reader::inline(), Signal::new().unwrap());
        let claim = waits.claim();
        waits.hold(&claim, Vec::new());
        let mut ready = Vec::new();
        waits.reap(Duration::ZERO, &mut ready);
        assert_eq!(ready, [claim.ticket()]);
        let outcome = claim.outcome().unwrap();
        assert!(outcome.fetched.is_empty() && !outcome.failed);
        ready.clear();
        waits.reap(Duration::ZERO, &mut ready);
        assert!(ready.is_empty(), "told once");
    }

    #[test]
    fn a_claim_waits_for_other_threads() {
        let mut waits = Waits::new(Reader::inline(), Signal::new().unwrap());
        let claim = waits.claim();
        let callers = [waits.call(&claim), waits.call(&claim)];
        let mut ready = Vec::new();
        for caller in callers {
            waits.reap(Duration::ZERO, &mut ready);
            assert!(ready.is_empty() && claim.outcome().is_none());
            std::thread::spawn(|| caller.answered()).join().unwrap();
        }
        assert!(waits.signal.lower());
        waits.reap(Duration::ZERO, &mut ready);
        assert_eq!(ready, [claim.ticket()]);
        assert!(claim.outcome().is_some());
    }

    #[test]
    fn a_claim_sleeps_until_its_time() {
        let at = Duration::from_secs;
        let mut waits = Waits::new(Reader::inline(), Signal::new().unwrap());
        let [first, second, gone] = [7, 5, 6].map(|until| {
            let claim = waits.claim();
            waits.sleep(&claim, at(until));
            claim
        });
        drop(gone);
        assert!(first.outcome().is_none());
        let mut ready = Vec::new();
        waits.reap(at(4), &mut ready);
        assert_eq!((&ready[..], waits.next_at()), (&[][..], Some(at(5))));
        waits.reap(at(6), &mut ready);
        assert_eq!((&ready[..], waits.next_at()), (&[second.ticket()][..], Some(at(7))));
        waits.reap(at(8), &mut ready);
        assert_eq!(ready, [second.ticket(), first.ticket()]);
        assert!(first.outcome().is_some() && waits.next_at().is_none());
    }
}
