//! How often things have happened that a world may also go without: tests see to it that they do happen.

use std::fmt;

use super::World;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Blocks of disks whose records were moved.
    pub moves: u64,
    /// Records that nodes have removed because their time was over, each copy counted.
    pub expired: u64,
    /// Aggregations of clients that came to their end.
    pub aggregations: u64,
    /// Jobs in the background that did.
    pub jobs: u64,
    /// Reads that disks failed.
    pub failed_reads: u64,
    /// Writes that disks failed.
    pub failed_writes: u64,
}

impl World {
    /// What has happened so far.
    pub fn tally(&self) -> Tally {
        let disks = self.machines.iter().flat_map(|machine| machine.ground.disks());
        let failures = disks.map(|disk| disk.failures());
        failures.fold(self.tally, |tally, of| Tally {
            failed_reads: tally.failed_reads + of.reads,
            failed_writes: tally.failed_writes + of.writes,
            ..tally
        })
    }
}

impl Tally {
    /// What has happened in two worlds.
    pub fn plus(self, other: Self) -> Self {
        Self {
            moves: self.moves + other.moves,
            expired: self.expired + other.expired,
            aggregations: self.aggregations + other.aggregations,
            jobs: self.jobs + other.jobs,
            failed_reads: self.failed_reads + other.failed_reads,
            failed_writes: self.failed_writes + other.failed_writes,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { moves, expired, aggregations, jobs, failed_reads, failed_writes } = self;
        write!(
            f,
            "{moves} moves, {expired} expired, {aggregations} aggregations, {jobs} jobs, \
             {failed_reads}+{failed_writes} failed"
        )
    }
}
