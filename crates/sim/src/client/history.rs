//! What clients have done, and what they were told of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, KeyNumber, Seen};

/// How a request ended, for its client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has not.
    Open,
    /// It was done.
    Done,
    /// The record was not there. A delete or a write may say so; nothing was done.
    Absent,
    /// It was not done, and will not be.
    Refused,
    /// It may have been done, or may yet be.
    Doubt,
}

/// A request of a client.
#[derive(Clone, Debug)]
pub struct Deed {
    /// The record.
    pub key: KeyNumber,
    /// What was to be done.
    pub action: Action,
    /// The machine that was asked.
    pub machine: usize,
    /// When it was sent.
    pub begun: Duration,
    /// When its client knew, if it does.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What was read.
    pub seen: Option<Seen>,
}

impl Deed {
    /// Whether it may have changed the record, or may yet.
    pub fn may_count(&self) -> bool {
        self.action.writes()
            && matches!(self.outcome, Outcome::Done | Outcome::Doubt | Outcome::Open)
    }

    /// Whether its client was told that it was done.
    pub fn is_acknowledged(&self) -> bool {
        self.action.writes() && self.outcome == Outcome::Done
    }

    /// When it had its effect at the latest.
    pub fn settled_at(&self) -> Duration {
        if self.outcome == Outcome::Done { self.ended } else { Duration::MAX }
    }
}

/// All requests, in the order in which they were sent. Their places are the numbers that they write.
#[derive(Debug, Default)]
pub struct History {
    /// Each of them.
    pub deeds: Vec<Deed>,
    /// The places of those about each key.
    places: BTreeMap<KeyNumber, Vec<usize>>,
}

impl History {
    /// Notes a request; returns its place.
    pub fn begin(
        &mut self,
        key: KeyNumber,
        action: Action,
        machine: usize,
        now: Duration,
    ) -> usize {
        let (begun, ended, outcome) = (now, Duration::MAX, Outcome::Open);
        self.places.entry(key).or_default().push(self.deeds.len());
        self.deeds.push(Deed { key, action, machine, begun, ended, outcome, seen: None });
        self.deeds.len() - 1
    }

    /// Notes how it ended.
    pub fn end(&mut self, deed: usize, outcome: Outcome, seen: Option<Seen>, now: Duration) {
        let deed = &mut self.deeds[deed];
        deed.outcome = outcome;
        deed.seen = seen;
        deed.ended = now;
    }

    /// Requests about a key, with their places.
    pub fn of(&self, key: KeyNumber) -> impl Iterator<Item = (usize, &Deed)> {
        let places = self.places.get(&key).into_iter().flatten();
        places.map(|place| (*place, &self.deeds[*place]))
    }
}
