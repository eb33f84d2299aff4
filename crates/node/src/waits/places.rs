//! The places of requests that wait, by number.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::time::Duration;

use storage::{FetchDone, Fetched, Settled, Ticket};

use super::Pledged;
use crate::peers::PeerAnswer;

/// What a request waits for.
#[derive(Default)]
pub(super) struct Wait {
    /// Reads under way.
    pub reads: usize,
    pub fetched: Fetched,
    /// What devices still have to do.
    pub pledged: Vec<Pledged>,
    /// Whether it waits for a time.
    pub sleeps: bool,
    /// What other threads still have to do.
    pub calls: usize,
    /// Whether a device failed to do it.
    pub failed: bool,
    /// Answers of other nodes that are still to come.
    pub asked: usize,
    pub answers: Vec<PeerAnswer>,
    /// Changes that other nodes have not confirmed yet.
    pub copies: usize,
    /// Whether there was no time to wait for all of that.
    pub is_late: bool,
}

impl Wait {
    pub fn is_over(&self) -> bool {
        let is_here = self.reads == 0 && self.pledged.is_empty() && !self.sleeps && self.calls == 0;
        is_here && (self.asked == 0 && self.copies == 0 || self.is_late)
    }

    /// Asks how far the pledges are. Says whether they have settled.
    pub fn settle(&mut self) -> bool {
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
pub(super) struct Places {
    places: Vec<Place>,
    /// Numbers of places without a claim.
    pub free: Vec<u32>,
    /// Tickets of those that wait for pledges.
    pub holding: Vec<Ticket>,
    /// Tickets of those that wait for a time, the next one first.
    pub sleeping: BinaryHeap<Reverse<(Duration, Ticket)>>,
    /// Tickets of those that wait for other nodes until a time at most, the next one first.
    pub limited: BinaryHeap<Reverse<(Duration, Ticket)>>,
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
    /// Places that there are, with a claim or without.
    #[cfg(test)]
    pub fn count(&self) -> usize {
        self.places.len()
    }

    pub fn take(&mut self) -> Ticket {
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

    pub fn get(&mut self, ticket: Ticket) -> Option<&mut Wait> {
        self.place(ticket)?.wait.as_mut()
    }

    pub fn release(&mut self, ticket: Ticket) {
        if let Some(place) = self.place(ticket) {
            place.claims = place.claims.wrapping_add(1);
            place.wait = None;
            self.free.push(ticket as u32);
        }
    }

    /// Takes in a read. Says whether its request may go on.
    pub fn arrived(&mut self, ticket: Ticket, done: FetchDone) -> bool {
        let Some(wait) = self.get(ticket) else { return false };
        wait.reads = wait.reads.saturating_sub(1);
        wait.fetched.add(done);
        wait.is_over()
    }

    /// Asks how far all pledges are; appends the tickets of requests that may go on.
    pub fn settle(&mut self, ready: &mut Vec<Ticket>) {
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
    pub fn wake(&mut self, now: Duration, ready: &mut Vec<Ticket>) {
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
