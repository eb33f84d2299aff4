//! Whether what was truncated is gone.
//!
//! A truncation has a threshold: a time that its client names, or that of the node that was asked. Records whose
//! last-update-time is lower are gone, on all nodes in the end. Clients do not learn a record's last-update-time.
//! It is the time of the node that wrote it, which may be ahead of its own wall clock to be later than what it has
//! seen, but is ahead of no clock of the world. So a write that began and ended between two moments has a
//! last-update-time between these, give or take what clocks are off.

use std::time::Duration;

use wire::PartitionId;

use super::{Finding, SUCCESSION, report};
use crate::client::change::{Matter, ms_since_2010};
use crate::client::{BRIEF_SET, Family, Outcome};
use crate::machine::Process;
use crate::profile::Fault;
use crate::world::World;

/// How far a jump of a clock takes it at most, in ms.
const JUMP_MS: u64 = 5000;

impl World {
    /// How far any clock is off at most.
    pub(super) fn skew(&self) -> Duration {
        let profile = &self.nemesis.profile;
        let jumps = profile.faults.iter().any(|(fault, _)| *fault == Fault::ClockJump);
        let skew_ms = profile.skew_ms.unsigned_abs();
        Duration::from_millis(if jumps { skew_ms.max(JUMP_MS) } else { skew_ms })
    }

    /// What of a family was written before this moment of the true time may have been truncated.
    pub(super) fn truncated_at(&self, family: Family) -> Duration {
        if family != Family::Brief {
            return Duration::ZERO;
        }
        let thresholds = self.processes().filter_map(threshold);
        let since_begin =
            thresholds.max().unwrap_or(0).saturating_sub(ms_since_2010(Duration::ZERO));
        Duration::from_millis(since_begin) + self.skew()
    }

    /// Looks for records that should be gone.
    pub fn check_truncations(&self, findings: &mut Vec<Finding>) {
        let mut already = 0;
        for process in self.processes() {
            let (me, least) = (process.node.cluster.me(), threshold(process).unwrap_or(0));
            let namespace = &process.node.namespaces[0];
            let set = namespace.sets.by_name(BRIEF_SET.as_bytes()).map(|set| set.id);
            for partition in PartitionId::all() {
                namespace.visit_partition(partition, |digest, meta| {
                    if Some(meta.set) == set && meta.last_update_time.0 < least {
                        let time = meta.last_update_time.0;
                        let text = format_args!(
                            "{me} still has {digest:?} of {time}, truncated with {least}"
                        );
                        report(findings, &mut already, text);
                    }
                });
            }
        }
        self.check_truncated_writes(findings);
    }

    /// Looks for records that a client knows to be gone.
    fn check_truncated_writes(&self, findings: &mut Vec<Finding>) {
        let mut already = 0;
        let (history, keys, skew) = (&self.clients.history, &self.clients.keys, self.skew());
        let late = skew + SUCCESSION;
        let done = self.clients.changes.iter().filter(|change| change.outcome == Outcome::Done);
        let thresholds = done.filter_map(|change| match change.matter {
            Matter::Truncation(None) => Some(change.begun.saturating_sub(skew)),
            Matter::Truncation(Some(ms)) => {
                Some(Duration::from_millis(ms.saturating_sub(ms_since_2010(Duration::ZERO))))
            }
            _ => None,
        });
        let threshold = thresholds.max().unwrap_or_default();
        for key in (0..keys.count()).filter(|key| keys.family(*key) == Family::Brief) {
            let last = self.audited(key, findings).flatten();
            let Some(number) = last.and_then(|seen| seen.number) else { continue };
            let Some(deed) = history.deeds.get(number as usize) else { continue };
            if deed.outcome == Outcome::Done && deed.ended + late < threshold {
                let ended = deed.ended;
                let text = format_args!(
                    "key {key} is {number}, written until {ended:?} and truncated with {threshold:?}"
                );
                report(findings, &mut already, text);
            }
        }
    }

    /// Running processes.
    pub(super) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.machines.iter().filter_map(|machine| machine.process.as_ref())
    }
}

/// The threshold of the set that is truncated, as a node's metadata have it.
fn threshold(process: &Process) -> Option<u64> {
    let key = Matter::Truncation(None).key();
    let item = process.node.metadata.get(node::metadata::Module::Truncate, key.as_bytes())?;
    node::metadata::merge::number(&item.value?)
}
