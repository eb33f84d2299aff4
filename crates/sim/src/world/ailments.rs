//! Disks that fail those who use them, for a time.
//!
//! A read that fails is told to whoever needs the record. A write that fails makes the node give its disk up: it takes
//! no more writes until it is started again, and an operator does that.

use std::time::Duration;

use super::{Event, World};
use crate::disk::Trouble;
use crate::faults::FaultEvent;
use crate::profile::Promise;

/// A time during which the disks of a machine failed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ailment {
    machine: usize,
    trouble: Trouble,
    since: Duration,
    until: Duration,
}

impl World {
    /// Has the disks of a machine fail. Writes fail only where somebody else has what is written meanwhile, or it
    /// is not acknowledged before it lasts.
    pub(crate) fn fail_disks(&mut self, trouble: Trouble) {
        let is_safe = trouble == Trouble::Reads || self.may_lose_one();
        let is_unsafe = self.nemesis.profile.promise == Promise::Nothing;
        let Some(machine) = self.one().filter(|_| is_safe || is_unsafe) else { return };
        let of = &self.machines[machine];
        let is_ill = self.ailments_of(machine).any(|ailment| ailment.until == Duration::MAX);
        if of.ground.disks().is_empty() || is_ill {
            return;
        }
        of.ground.disks().iter().for_each(|disk| disk.set_trouble(trouble));
        let life = of.life;
        let time = Duration::from_millis(self.random.u64(50..4000));
        let text = format_args!("disks of {machine} fail for {time:?}: {trouble:?}");
        self.trace.line(self.now, text);
        let (since, until) = (self.now, Duration::MAX);
        self.ailments.push(Ailment { machine, trouble, since, until });
        self.nemesis.away += 1;
        self.after(time, Event::Fault(FaultEvent::MendDisks(machine, life)));
    }

    /// The disks of a machine work again, if it has not come up anew meanwhile.
    pub(crate) fn mend_disks(&mut self, machine: usize, life: u32) {
        let of = &self.machines[machine];
        if of.life == life && of.process.is_some() {
            self.trace.line(self.now, format_args!("disks of {machine} work again"));
            if self.cure_disks(machine) {
                if self.random.bool() {
                    self.stop_in_order(machine);
                }
                self.kill(machine);
                let away = Duration::from_millis(self.random.u64(1..3000));
                return self.after(away, Event::Fault(FaultEvent::Restart(machine)));
            }
        }
        self.nemesis.away = self.nemesis.away.saturating_sub(1);
    }

    /// Ends what is wrong with the disks of a machine. Says whether its node has given them up, and is to be started
    /// again: until then it takes no writes.
    pub(crate) fn cure_disks(&mut self, machine: usize) -> bool {
        let of = &self.machines[machine];
        of.ground.disks().iter().for_each(|disk| disk.set_trouble(Trouble::None));
        let space = of.process.as_ref().and_then(|process| process.node.namespaces[0].space());
        let has_given_up = space.is_some_and(|space| space.has_failed);
        if !has_given_up {
            self.end_ailments(machine);
        }
        has_given_up
    }

    /// A machine uses its disks as if they had never failed.
    pub(super) fn end_ailments(&mut self, machine: usize) {
        let now = self.now;
        for ailment in self.ailments.iter_mut().filter(|ailment| ailment.machine == machine) {
            ailment.until = ailment.until.min(now);
        }
    }

    fn ailments_of(&self, machine: usize) -> impl Iterator<Item = &Ailment> {
        self.ailments.iter().filter(move |ailment| ailment.machine == machine)
    }

    /// Since when a machine has taken no writes, at the longest, if it takes none.
    pub(super) fn takes_nothing_since(&self, machine: usize) -> Option<Duration> {
        let mut ailments = self.ailments_of(machine);
        let open = ailments.find(|of| of.trouble == Trouble::Writes && of.until == Duration::MAX);
        open.map(|ailment| ailment.since)
    }

    /// Whether disks of any machine failed so at some time in between.
    pub(crate) fn had_trouble(&self, trouble: Trouble, from: Duration, to: Duration) -> bool {
        let mut ailments = self.ailments.iter();
        ailments.any(|of| of.trouble == trouble && of.since <= to && from <= of.until)
    }
}
