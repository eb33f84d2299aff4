//! What happens to changes of metadata.

use std::time::Duration;

use node::metadata::{Item, Module, file};

use super::{Event, World};
use crate::client::change::{Change, Matter};
use crate::client::{Outcome, Purpose, info_frame};

/// How long an operator waits for an answer.
const PATIENCE: Duration = Duration::from_secs(3);

impl World {
    /// Has the indexes and functions be made that every world has.
    pub fn furnish(&mut self) {
        Matter::of_every_world().into_iter().for_each(|matter| self.change(0, matter));
    }

    /// Has an operator change something from now on, now and then.
    pub fn begin_changes(&mut self) {
        self.after(Duration::from_millis(100), Event::Change);
    }

    pub(super) fn next_change(&mut self) {
        if !self.clients.are_active {
            return;
        }
        let number = self.clients.changes.len();
        let matter = Matter::random(number, self.now, &mut self.random);
        let machine = self.random.usize(..self.machines.len());
        self.change(machine, matter);
        let pause = Duration::from_millis(self.random.u64(100..4000));
        self.after(pause, Event::Change);
    }

    fn change(&mut self, machine: usize, matter: Matter) {
        let body = info_frame(&matter.command());
        let (begun, ended, outcome) = (self.now, Duration::MAX, Outcome::Open);
        let change = Change { matter, machine, begun, ended, outcome, kept: None };
        self.clients.changes.push(change);
        let place = self.clients.changes.len() - 1;
        self.send_call(Purpose::Change(place), machine, body, PATIENCE);
    }

    pub(super) fn change_answered(&mut self, place: usize, answer: Option<String>) {
        let change = &self.clients.changes[place];
        let is_done = answer.is_some_and(|answer| answer.eq_ignore_ascii_case("ok"));
        if is_done {
            let items = self.kept_items(change.machine, change.matter.module());
            let matter = &change.matter;
            let item = items.into_iter().find(|item| matter.is_about(item));
            self.clients.changes[place].kept = item;
        }
        self.end_change(place, if is_done { Outcome::Done } else { Outcome::Refused });
    }

    pub(super) fn end_change(&mut self, place: usize, outcome: Outcome) {
        let now = self.now;
        let change = &mut self.clients.changes[place];
        (change.outcome, change.ended) = (outcome, now);
        let (machine, begun) = (change.machine, change.begun.as_secs_f64());
        let text = format_args!(
            "change {place} at {machine} since {begun:.6}: {:?} {outcome:?}",
            change.matter
        );
        self.trace.line(now, text);
    }

    /// What a machine keeps of a module.
    fn kept_items(&self, machine: usize, module: Module) -> Vec<Item> {
        let files = self.machines[machine].ground.files.lock();
        let contents = files.get(module.name()).map(|bytes| file::decode(module, bytes));
        contents.and_then(Result::ok).map(|contents| contents.items).unwrap_or_default()
    }
}
