//! What jobs in the background have done to records.
//!
//! A job goes over the records of each node that the node serves. While nodes are of one view and nothing moves,
//! each record is served by one of them: it gets what the job does exactly once, if it is there when the job begins.
//! Otherwise a record may be with a node that has gone past it, and get it not at all, or be handed to one that has not,
//! and get it from both; but from none twice.
//!
//! Nobody waits until replicas have what a job did. So what it did is sure when nodes have been of one view for a
//! while longer.

use std::time::Duration;

use super::MAP_AGE;
use crate::client::job::Job;
use crate::client::{Deed, Family, KeyNumber, Outcome};
use crate::world::World;

/// When replicas have what a job has done: later than changes are sent again, and than a node is missed.
const COPY_TIME: Duration = Duration::from_secs(5);

impl World {
    /// How often jobs have added to a record, at least and at most.
    pub(super) fn added_by_jobs(&self, key: KeyNumber) -> (usize, usize) {
        if self.clients.keys.family(key) != Family::Tallied {
            return (0, 0);
        }
        let added = |job| (self.is_sure(job, key).into(), self.at_most(job));
        let sum = |(least, most): (usize, usize), (one, other): (usize, usize)| {
            (least + one, most + other)
        };
        self.clients.jobs.iter().map(added).fold((0, 0), sum)
    }

    /// Whether a job was under way, or may have been, between two moments.
    pub(super) fn had_job(&self, begun: Duration, ended: Duration) -> bool {
        let end = |job: &Job| if job.outcome == Outcome::Done { job.ended } else { Duration::MAX };
        self.clients.jobs.iter().any(|job| job.begun <= ended && end(job) >= begun)
    }

    /// Whether nodes served the same from the beginning of a job on until then.
    fn was_steady(&self, job: &Job, until: Duration) -> bool {
        job.was_settled && !self.apart.touch(job.begun.saturating_sub(MAP_AGE), until)
    }

    /// Whether a record was there all the time, and so has what a job did to each.
    fn is_sure(&self, job: &Job, key: KeyNumber) -> bool {
        let was_there = |deed: &Deed| deed.is_acknowledged() && deed.ended < job.begun;
        job.outcome == Outcome::Done
            && self.was_steady(job, job.ended + COPY_TIME)
            && self.clients.history.of(key).any(|(_, deed)| was_there(deed))
    }

    fn at_most(&self, job: &Job) -> usize {
        let until = if job.outcome == Outcome::Done { job.ended } else { Duration::MAX };
        let nodes = job.parts_at_most();
        if self.was_steady(job, until) { nodes.min(1) } else { nodes }
    }
}
