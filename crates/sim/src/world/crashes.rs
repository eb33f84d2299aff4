//! How processes and machines go down, and with what on their disks they come back.

use std::time::Duration;

use super::World;
use crate::client::{Action, Deed};
use crate::disk::Trouble;

/// Most writes that succeed in the moment in which a process ends.
const LAST_WRITES_MAX: u32 = 3;
/// How much later than `flush-max-ms` something may be written, at most.
const FLUSH_SLACK: Duration = Duration::from_millis(2100);

/// What goes down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Crash {
    /// The process.
    Process,
    /// The machine, without power.
    Power,
    /// The machine, which comes back with empty disks.
    Disks,
}

/// A time during which a machine was away, with disks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Absence {
    machine: usize,
    /// What was acknowledged before lasts on it.
    since: Duration,
    /// When it was in a view with the others again.
    until: Duration,
}

impl World {
    /// Gives machines their disks.
    pub(super) fn place_disks(&mut self) {
        let Some(disks) = self.setup.storage.disks() else { return };
        for machine in &self.machines {
            // Nobody has put any there.
            let _ = machine.ground.disks.set(disks.make(machine.number));
        }
    }

    /// Ends the process on a machine, with all that it has in memory.
    pub fn kill(&mut self, machine: usize) {
        self.crash(machine, Crash::Process);
    }

    /// Has a process or a machine go down.
    pub fn crash(&mut self, machine: usize, crash: Crash) {
        if self.machines[machine].process.is_none() {
            return;
        }
        self.trace.line(self.now, format_args!("node {machine} goes down: {crash:?}"));
        self.note_absence(machine, crash);
        self.end_ailments(machine);
        self.end_writing(machine, crash);
        self.bury(machine);
        let mut lost = 0;
        for disk in self.machines[machine].ground.disks() {
            match crash {
                Crash::Process => {}
                Crash::Power => lost += disk.lose_power(&mut self.random),
                Crash::Disks => disk.blank(),
            }
        }
        self.machines[machine].was_torn = lost > 0;
        if lost > 0 {
            self.trace.line(self.now, format_args!("{lost} writes of {machine} did not last"));
        }
    }

    /// Stops a process in order: all that it has is written.
    pub(crate) fn stop_in_order(&mut self, machine: usize) {
        let Some(process) = &self.machines[machine].process else { return };
        let namespace = &process.node.namespaces[0];
        namespace.stop_devices();
        if let Err(error) = namespace.close_devices(None) {
            self.trace.line(self.now, format_args!("node {machine} cannot close: {error}"));
        }
    }

    /// A process may end while it writes.
    fn end_writing(&mut self, machine: usize, crash: Crash) {
        let disks = self.machines[machine].ground.disks();
        if disks.is_empty() || self.random.bool() {
            return;
        }
        for disk in disks {
            let writes = self.random.u32(..LAST_WRITES_MAX);
            let sectors = (crash == Crash::Process).then(|| self.random.usize(..32));
            disk.set_trouble(Trouble::EndsAfter { writes, sectors });
        }
        if let Some(process) = &self.machines[machine].process {
            process.node.namespaces[0].flush_devices();
        }
    }

    /// Notes that a machine is away, and since when what happened may be unknown to its disks.
    fn note_absence(&mut self, machine: usize, crash: Crash) {
        let Some(disks) = self.setup.storage.disks() else { return };
        let since = match crash {
            Crash::Disks => return,
            _ if disks.commits => self.now,
            Crash::Power if !disks.is_synchronous => Duration::ZERO,
            _ => {
                let late = Duration::from_millis(disks.flush_max_ms) + FLUSH_SLACK;
                self.now.saturating_sub(late)
            }
        };
        let since = since.min(self.takes_nothing_since(machine).unwrap_or(since));
        self.absences.push(Absence { machine, since, until: Duration::MAX });
    }

    /// All nodes that run are of one view.
    pub(super) fn end_absences(&mut self) {
        let now = self.now;
        for absence in &mut self.absences {
            let Some(process) = &self.machines[absence.machine].process else { continue };
            if absence.until == Duration::MAX && process.node.cluster.state().is_balanced {
                absence.until = now;
            }
        }
    }

    /// Until when a machine that was away may have brought back what was deleted without a trace, of what these
    /// deeds tell: that was written before. `None`: none has.
    ///
    /// Records that a node with devices had when it went down, and that were deleted meanwhile without a
    /// tombstone, come back with it.
    pub fn may_return_until<'d>(&self, deeds: impl Iterator<Item = &'d Deed>) -> Option<Duration> {
        let deletes = deeds.filter(|deed| deed.action == Action::Delete && deed.may_count());
        let was_missed = |deed: &&Deed| {
            let missed = |absence: &Absence| {
                deed.begun <= absence.until && absence.since <= deed.settled_at()
            };
            self.absences.iter().any(missed)
        };
        deletes.filter(was_missed).map(Deed::settled_at).max()
    }
}
