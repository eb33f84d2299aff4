//! Jobs that wait for a thread, and what a thread does with them.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use engine::bell::Bell;
use parking_lot::Mutex;

use super::background::{Background, Stepped};
use super::jobs::Ending;
use crate::node::Node;

/// How long threads sleep when there is nothing to do; they are woken for new jobs.
const IDLE_TIME: Duration = Duration::from_secs(1);

/// Jobs that wait for a thread.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    jobs: Mutex<VecDeque<Box<Background>>>,
    bell: Bell,
}

impl Queue {
    pub(super) fn push(&self, job: Box<Background>) {
        self.jobs.lock().push_back(job);
        self.bell.ring();
    }
}

impl Node {
    /// Carries out a step of a job that changes records, if one may go on. Returns how long to wait
    /// before there is something to do, unless [`Self::wait_for_jobs`] ends before.
    pub fn work_on_jobs(&self) -> Option<Duration> {
        if self.work_on_calls() {
            return None;
        }
        let now = self.host.monotonic();
        let mut job = {
            let mut jobs = self.background.jobs.lock();
            match jobs.iter().position(|job| job.not_before <= now) {
                Some(at) => jobs.remove(at)?,
                None => {
                    let next = jobs.iter().map(|job| job.not_before).min();
                    return Some(next.map_or(IDLE_TIME, |next| (next - now).min(IDLE_TIME)));
                }
            }
        };
        let stepped = catch_unwind(AssertUnwindSafe(|| job.step(self, now)));
        match stepped.unwrap_or(Stepped::Over(Ending::Failed)) {
            Stepped::On => job.not_before = now,
            Stepped::Until(time) => job.not_before = time,
            Stepped::Over(ending) => {
                job.end(self, ending);
                return None;
            }
        }
        self.background.jobs.lock().push_back(job);
        None
    }

    /// Waits until there may be something to do for [`Self::work_on_jobs`], but no longer than that.
    pub fn wait_for_jobs(&self, at_most: Duration) {
        self.background.bell.wait(at_most);
    }

    /// Whether there may be something to do since somebody last waited or asked: for hosts without threads.
    pub fn has_called_for_jobs(&self) -> bool {
        self.background.bell.was_rung()
    }

    /// Wakes those who wait for jobs.
    pub fn wake_for_jobs(&self) {
        self.background.bell.ring();
    }
}
