//! Runs a load against one server: threads, connections, and what they measure.
//!
//! Each thread owns its connections and waits for readiness of any of them; it counts into metrics
//! that the caller's thread swaps for empty ones every second. Nothing else is shared but a counter
//! that hands out operations.

mod connection;
mod frames;
mod load;
mod pace;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustix::thread::{CpuSet, sched_setaffinity};

use self::load::Shared;
pub use self::pace::{Arrivals, Pace};
use self::worker::{Worker, lock};
use crate::measure::{Measurement, Second};
use crate::metrics::Metrics;
use crate::procfs::{CpuTime, Process};
use crate::workload::Workload;

/// Part of a second that the timeline leaves out at the end of a run.
const REST: Duration = Duration::from_millis(500);

/// One run against one server.
#[derive(Clone, Debug)]
pub struct Job {
    /// The server.
    pub server: SocketAddr,
    /// Its process, if that is on this machine and known.
    pub process: Option<Process>,
    /// What is asked.
    pub workload: Arc<Workload>,
    /// How it is driven.
    pub pace: Pace,
    /// Connections, at least as many as threads.
    pub connections: usize,
    /// Threads, at least 1.
    pub threads: usize,
    /// Operations in flight on one connection, at least 1.
    pub depth: usize,
    /// How long to send, warm-up not counted; `None` for until the operations are done.
    pub duration: Option<Duration>,
    /// How many operations to send, warm-up included; `None` for no limit.
    pub operations: Option<u64>,
    /// Time at the start that is not measured.
    pub warm_up: Duration,
    /// Cores that the threads are kept on, in turn; empty for anywhere.
    pub cores: Vec<usize>,
    /// Ends the run early, with what it has measured, once it is set.
    pub interrupt: Arc<AtomicBool>,
}

impl Job {
    /// How long to send, warm-up included.
    fn sending_time(&self) -> Option<Duration> {
        self.duration.map(|duration| duration + self.warm_up)
    }
}

/// Keeps the calling thread, and threads and processes that it starts, on one core.
///
/// # Errors
/// If there is no such core for this process.
pub fn pin_to(core: usize) -> anyhow::Result<()> {
    ensure!(core < CpuSet::MAX_CPU, "there is no core {core}");
    let mut cores = CpuSet::new();
    cores.set(core);
    sched_setaffinity(None, &cores)
        .map_err(|error| anyhow::anyhow!("cannot run on core {core}: {error}"))
}

/// Runs a job to its end. `observer` hears of every second as it ends.
///
/// # Errors
/// If the server does not accept the connections, or closes them and accepts no others.
pub fn run(job: &Job, observer: &mut dyn FnMut(&Second)) -> anyhow::Result<Measurement> {
    ensure!(job.threads >= 1, "at least one thread is needed");
    ensure!(job.connections >= job.threads, "fewer connections than threads");
    ensure!(job.duration.is_some() || job.operations.is_some(), "a run needs an end");
    let workers: Vec<_> = (0..job.threads)
        .map(|thread| Worker::connect(job, thread))
        .collect::<anyhow::Result<_>>()?;
    let counts: Vec<Mutex<Metrics>> = workers.iter().map(|_| Mutex::default()).collect();
    let shared = Shared::new();
    thread::scope(|scope| {
        let (finished, all_finished) = mpsc::channel::<()>();
        let threads: Vec<_> = workers
            .into_iter()
            .enumerate()
            .map(|(index, worker)| {
                let (shared, counts, finished) = (&shared, &counts[index], finished.clone());
                let core = job.cores.get(index % job.cores.len().max(1)).copied();
                scope.spawn(move || {
                    // Dropped with the thread, which is what `all_finished` waits for.
                    let _finished = finished;
                    core.map_or(Ok(()), pin_to)?;
                    worker.run(shared, counts)
                })
            })
            .collect();
        drop(finished);
        let observed = Observation { job, counts: &counts, all_finished }.observe(observer);
        if observed.is_err() {
            shared.stop.store(true, Ordering::Relaxed);
        }
        let mut unstarted = 0;
        for thread in threads {
            match thread.join() {
                Ok(result) => unstarted += result?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        let mut measurement = observed?;
        measurement.unstarted = unstarted;
        Ok(measurement)
    })
}

/// The caller's side of a run: it looks at the counts every second.
struct Observation<'a> {
    job: &'a Job,
    counts: &'a [Mutex<Metrics>],
    all_finished: mpsc::Receiver<()>,
}

impl Observation<'_> {
    fn observe(self, observer: &mut dyn FnMut(&Second)) -> anyhow::Result<Measurement> {
        let mut spare = Metrics::default();
        let mut measurement = Measurement::default();
        let warm_up = self.job.warm_up;
        if !warm_up.is_zero() && self.wait_until(Instant::now() + warm_up) == Finished::No {
            self.collect(&mut spare);
        }
        let start = Instant::now();
        let (mut previous, mut server, mut own) = (start, self.server_cpu(), own_cpu()?);
        loop {
            let boundary = previous + Duration::from_secs(1);
            let finished = self.wait_until(boundary);
            let now = Instant::now();
            let metrics = self.collect(&mut spare);
            let (server_now, own_now) = (self.server_cpu(), own_cpu()?);
            let server_use = server.zip(server_now).map(|(before, now)| now.since(before));
            let from = previous.duration_since(start);
            let second = Second::new(from, now - previous, &metrics, server_use);
            measurement.add_second(now - previous, &metrics, server_use, own_now.since(own));
            // The rest behind the last whole second may be too short to tell anything.
            let is_rest = now - previous < REST && !measurement.timeline.is_empty();
            if !is_rest {
                observer(&second);
                measurement.timeline.push(second);
            }
            if finished == Finished::Yes {
                break;
            }
            (previous, server, own) = (now, server_now, own_now);
        }
        measurement.memory = self.job.process.and_then(|process| process.memory().ok());
        Ok(measurement)
    }

    fn wait_until(&self, moment: Instant) -> Finished {
        let left = moment.saturating_duration_since(Instant::now());
        match self.all_finished.recv_timeout(left) {
            Err(RecvTimeoutError::Timeout) => Finished::No,
            Ok(()) | Err(RecvTimeoutError::Disconnected) => Finished::Yes,
        }
    }

    /// Takes what the threads have counted since the last time. Each is held up only as long as it
    /// takes to hand it an empty `spare`.
    fn collect(&self, spare: &mut Metrics) -> Metrics {
        let mut sum = Metrics::default();
        for counts in self.counts {
            std::mem::swap(&mut *lock(counts), spare);
            sum.add(spare);
            spare.reset();
        }
        sum
    }

    /// `None` also for a process that has ended: the load goes on and may meet its successor.
    fn server_cpu(&self) -> Option<CpuTime> {
        self.job.process.and_then(|process| process.cpu_time().ok())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Finished {
    Yes,
    No,
}

fn own_cpu() -> anyhow::Result<CpuTime> {
    Process::own().cpu_time()
}

#[cfg(test)]
mod tests;
