//! Reads by threads that all readers of the process share.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};
use rustix::process::Pid;
use rustix::thread::{sched_getaffinity, sched_setaffinity};

use super::{Signal, Ticket};
use crate::fetch::{Fetch, FetchDone};

/// How many reads are under way at once, over all readers. Disks answer faster when they are asked
/// for several things, and a thread that waits costs little.
const THREADS_MAX: usize = 16;

static POOL: Pool = Pool {
    state: Mutex::new(State { jobs: VecDeque::new(), threads: 0, idle: 0 }),
    job_added: Condvar::new(),
};

/// The threads and what they have to do.
struct Pool {
    state: Mutex<State>,
    job_added: Condvar,
}

struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

/// A read, and where its outcome goes.
struct Job {
    fetch: Fetch,
    ticket: Ticket,
    outbox: Arc<Outbox>,
}

/// What came of a reader's reads.
struct Outbox {
    done: Mutex<Vec<(Ticket, FetchDone)>>,
    done_added: Condvar,
    signal: Signal,
}

/// The reads of one reader.
pub(super) struct PoolReads {
    outbox: Arc<Outbox>,
    /// Submitted, and not handed to the pool yet.
    waiting: Vec<Job>,
    /// In the pool, or in the outbox.
    under_way: usize,
}

impl PoolReads {
    pub(super) fn new(signal: Signal) -> Self {
        let outbox = Outbox { done: Mutex::new(Vec::new()), done_added: Condvar::new(), signal };
        Self { outbox: Arc::new(outbox), waiting: Vec::new(), under_way: 0 }
    }

    pub(super) fn submit(&mut self, fetch: &Fetch, ticket: Ticket) {
        let outbox = Arc::clone(&self.outbox);
        self.waiting.push(Job { fetch: fetch.clone(), ticket, outbox });
    }

    pub(super) fn flush(&mut self) {
        if !self.waiting.is_empty() {
            self.under_way += self.waiting.len();
            POOL.add(&mut self.waiting);
        }
    }

    pub(super) fn reap(&mut self, mut collect: impl FnMut(Ticket, FetchDone)) {
        if self.under_way == 0 {
            return;
        }
        let done = std::mem::take(&mut *self.outbox.done.lock());
        self.under_way -= done.len();
        done.into_iter().for_each(|(ticket, done)| collect(ticket, done));
    }
}

impl Drop for PoolReads {
    fn drop(&mut self) {
        // The threads own what they read into, but whoever drops a reader may want to close its
        // devices next.
        let mut done = self.outbox.done.lock();
        while done.len() < self.under_way {
            self.outbox.done_added.wait(&mut done);
        }
    }
}

impl fmt::Debug for PoolReads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolReads")
            .field("waiting", &self.waiting.len())
            .field("under_way", &self.under_way)
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Takes jobs over, and starts threads for them as far as there are not enough.
    fn add(&'static self, jobs: &mut Vec<Job>) {
        let mut state = self.state.lock();
        state.jobs.extend(jobs.drain(..));
        let wanted = state.jobs.len().saturating_sub(state.idle);
        for _ in 0..wanted.min(THREADS_MAX - state.threads) {
            let thread = thread::Builder::new().name("device-reads".to_owned());
            if thread.spawn(|| self.work()).is_err() {
                break;
            }
            state.threads += 1;
        }
        if state.threads == 0 {
            // No thread to be had at all: better slowly than never.
            let jobs = std::mem::take(&mut state.jobs);
            drop(state);
            jobs.into_iter().for_each(Job::run);
            return;
        }
        for _ in 0..state.idle.min(state.jobs.len()) {
            self.job_added.notify_one();
        }
    }

    fn work(&self) {
        leave_the_core_of_the_loop();
        let mut state = self.state.lock();
        loop {
            match state.jobs.pop_front() {
                Some(job) => {
                    drop(state);
                    job.run();
                    state = self.state.lock();
                }
                None => {
                    state.idle += 1;
                    self.job_added.wait(&mut state);
                    state.idle -= 1;
                }
            }
        }
    }
}

impl Job {
    fn run(self) {
        let Self { fetch, ticket, outbox } = self;
        let done = catch_unwind(AssertUnwindSafe(|| fetch.read_now()));
        // Somebody waits for an outcome, whatever it is.
        let done = done.unwrap_or_else(|_| fetch.done(Err(io::Error::other("a read panicked"))));
        // Before it is told: the reader may be the last other owner of the device.
        drop(fetch);
        let mut all = outbox.done.lock();
        all.push((ticket, done));
        let is_first = all.len() == 1;
        outbox.done_added.notify_one();
        drop(all);
        if is_first {
            outbox.signal.raise();
        }
    }
}

/// An event loop may be pinned to a core, and the threads that it starts with it. These are to run
/// wherever the process may, which is where its first thread does.
fn leave_the_core_of_the_loop() {
    let first = i32::try_from(process::id()).ok().and_then(Pid::from_raw);
    if let Some(first) = first
        && let Ok(cores) = sched_getaffinity(Some(first))
    {
        // Otherwise they share the loop's core, which is slower, but not wrong.
        let _ = sched_setaffinity(None, &cores);
    }
}
