//! The table of jobs: long queries that run, and the last that have ended.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use wire::ResultCode;

/// What kind of job it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum JobKind {
    /// Returns records.
    Basic,
    /// Runs a function over records, and returns what it yields.
    Aggregation,
    /// Applies operations to records.
    BackgroundOps,
    /// Calls a function for records.
    BackgroundUdf,
}

impl JobKind {
    /// Its name in `query-show`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Aggregation => "aggregation",
            Self::BackgroundOps => "background-ops",
            Self::BackgroundUdf => "background-udf",
        }
    }
}

/// How a job ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    Done,
    Aborted,
    /// Its client is gone.
    Abandoned,
    /// Its client took nothing for too long.
    TimedOut,
    Failed,
}

impl Ending {
    /// Its name in `query-show`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "ok",
            Self::Aborted => "user-aborted",
            Self::Abandoned => "abandoned-response-error",
            Self::TimedOut => "abandoned-response-timeout",
            Self::Failed => "abandoned-unknown",
        }
    }
}

/// What is told of a job from its beginning on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Brief {
    pub id: u64,
    pub namespace: Box<str>,
    pub set: Option<Box<[u8]>>,
    pub index_name: Option<Box<str>>,
    pub kind: JobKind,
    /// Partitions that it goes through: whole ones, and begun ones.
    pub requested: (usize, usize),
    pub records_per_second: u32,
    pub socket_timeout_ms: u32,
    /// Module and function that it calls.
    pub function: Option<(Box<str>, Box<str>)>,
    pub from: SocketAddr,
    /// When it began, by the monotonic clock.
    pub begun: Duration,
}

/// A job. Whoever carries it out counts here, and looks whether it is to go on.
#[derive(Debug)]
pub(crate) struct Job {
    pub brief: Brief,
    pub counts: Counts,
    is_aborted: AtomicBool,
    end: Mutex<Option<(Ending, Duration)>>,
}

/// What a job has done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub parts_done: AtomicU64,
    pub throttled: AtomicU64,
    pub filtered_by_metadata: AtomicU64,
    pub filtered_by_bins: AtomicU64,
    pub succeeded: AtomicU64,
    pub failed: AtomicU64,
    /// Bytes of replies.
    pub reply_bytes: AtomicU64,
}

impl Job {
    fn new(brief: Brief) -> Self {
        let (is_aborted, end) = (AtomicBool::new(false), Mutex::new(None));
        Self { brief, counts: Counts::default(), is_aborted, end }
    }

    /// Whether somebody wants it to end.
    pub fn is_aborted(&self) -> bool {
        self.is_aborted.load(Ordering::Relaxed)
    }

    /// How it ended and when, if it has.
    pub fn end(&self) -> Option<(Ending, Duration)> {
        *self.end.lock()
    }

    /// Share of its partitions that it has gone through, in percent.
    pub fn progress_pct(&self) -> f64 {
        let (whole, begun) = self.brief.requested;
        let done = self.counts.parts_done.load(Ordering::Relaxed);
        match whole + begun {
            0 => 100.0,
            all => done as f64 * 100.0 / all as f64,
        }
    }
}

/// The jobs of a node.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    table: Mutex<Table>,
    last_id: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    /// Oldest first.
    active: Vec<Arc<Job>>,
    /// Ended last last.
    ended: VecDeque<Arc<Job>>,
}

impl Jobs {
    /// Enters a job, which gets an id unless it has one.
    ///
    /// # Errors
    /// `PARAMETER` if there is one with its id, `FORBIDDEN` if there are `active_max`.
    pub fn begin(&self, mut brief: Brief, active_max: usize) -> Result<Arc<Job>, ResultCode> {
        let mut table = self.table.lock();
        if brief.id == 0 {
            brief.id = self.free_id(&table, brief.begun);
        } else if table.all().any(|job| job.brief.id == brief.id) {
            return Err(ResultCode::PARAMETER);
        }
        if table.active.len() >= active_max {
            return Err(ResultCode::FORBIDDEN);
        }
        let job = Arc::new(Job::new(brief));
        table.active.push(Arc::clone(&job));
        Ok(job)
    }

    /// An id that no client has chosen: they draw theirs at random from all 64 bits.
    fn free_id(&self, table: &Table, now: Duration) -> u64 {
        loop {
            let number = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
            let id = now.as_micros() as u64 ^ number << 40;
            if id != 0 && table.all().all(|job| job.brief.id != id) {
                return id;
            }
        }
    }

    /// Notes that a job has ended. Of those that have, the last `ended_max` stay listed.
    pub fn end(&self, job: &Arc<Job>, ending: Ending, now: Duration, ended_max: usize) {
        let mut table = self.table.lock();
        let Some(at) = table.active.iter().position(|active| Arc::ptr_eq(active, job)) else {
            return;
        };
        let job = table.active.remove(at);
        *job.end.lock() = Some((ending, now));
        table.ended.push_back(job);
        let surplus = table.ended.len().saturating_sub(ended_max);
        table.ended.drain(..surplus);
    }

    /// All jobs: those that run first, then those that have ended, each newest first.
    pub fn list(&self) -> Vec<Arc<Job>> {
        let table = self.table.lock();
        table.active.iter().rev().chain(table.ended.iter().rev()).cloned().collect()
    }

    /// The job with this id.
    pub fn get(&self, id: u64) -> Option<Arc<Job>> {
        self.table.lock().all().find(|job| job.brief.id == id).cloned()
    }

    /// Jobs that run.
    pub fn active_count(&self) -> usize {
        self.table.lock().active.len()
    }

    /// Has a job end; false if none with this id runs.
    pub fn abort(&self, id: u64) -> bool {
        let table = self.table.lock();
        let job = table.active.iter().find(|job| job.brief.id == id);
        job.inspect(|job| job.is_aborted.store(true, Ordering::Relaxed)).is_some()
    }

    /// Has all jobs end; returns how many.
    pub fn abort_all(&self) -> usize {
        let table = self.table.lock();
        table.active.iter().for_each(|job| job.is_aborted.store(true, Ordering::Relaxed));
        table.active.len()
    }
}

impl Table {
    fn all(&self) -> impl Iterator<Item = &Arc<Job>> {
        self.active.iter().chain(&self.ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brief(id: u64) -> Brief {
        Brief {
            id,
            namespace: "test".into(),
            set: None,
            index_name: None,
            kind: JobKind::Basic,
            requested: (4, 0),
            records_per_second: 0,
            socket_timeout_ms: 0,
            function: None,
            from: SocketAddr::from(([127, 0, 0, 1], 1)),
            begun: Duration::from_secs(1),
        }
    }

    #[test]
    fn jobs_are_listed_until_others_have_ended_after_them() {
        let jobs = Jobs::default();
        let ids = |jobs: &Jobs| jobs.list().iter().map(|job| job.brief.id).collect::<Vec<_>>();
        let [first, second, third] = [7, 8, 9].map(|id| jobs.begin(brief(id), 3).unwrap());
        assert_eq!(jobs.begin(brief(10), 3).unwrap_err(), ResultCode::FORBIDDEN);
        assert_eq!(jobs.begin(brief(7), 9).unwrap_err(), ResultCode::PARAMETER);
        assert_eq!(ids(&jobs), [9, 8, 7]);
        let now = Duration::from_secs(2);
        jobs.end(&second, Ending::Done, now, 2);
        jobs.end(&first, Ending::Abandoned, now, 2);
        assert_eq!(ids(&jobs), [9, 7, 8]);
        assert_eq!(jobs.begin(brief(8), 9).unwrap_err(), ResultCode::PARAMETER, "still listed");
        jobs.end(&third, Ending::Done, now, 2);
        assert_eq!(ids(&jobs), [9, 7]);
        assert_eq!(first.end(), Some((Ending::Abandoned, now)));
    }

    #[test]
    fn jobs_are_aborted_by_id() {
        let jobs = Jobs::default();
        let first = jobs.begin(brief(0), 9).unwrap();
        let second = jobs.begin(brief(0), 9).unwrap();
        assert_ne!(first.brief.id, second.brief.id);
        assert!(jobs.abort(first.brief.id) && first.is_aborted() && !second.is_aborted());
        assert!(!jobs.abort(first.brief.id + 1));
        assert_eq!(jobs.abort_all(), 2);
        assert!(second.is_aborted());
        jobs.end(&first, Ending::Aborted, Duration::from_secs(3), 0);
        assert!(!jobs.abort(first.brief.id) && jobs.get(first.brief.id).is_none());
    }
}
