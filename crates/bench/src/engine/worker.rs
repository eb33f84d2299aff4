//! One thread of a run: its connections, driven by readiness, with nothing allocated per operation.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::Ordering;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::Job;
use super::connection::Connection;
use super::load::{Load, Shared};
use crate::metrics::Metrics;

/// Bytes read from a socket at once.
const SCRATCH_BYTES: usize = 256 << 10;

/// Longest sleep, so that a stop or the end of the time is noticed.
const NAP: Duration = Duration::from_millis(50);

/// How long replies are waited for once nothing more is sent.
const DRAIN: Duration = Duration::from_secs(5);

/// Pause between attempts to replace lost connections.
const REPAIR_PAUSE_NS: u64 = 100_000_000;

/// How long a thread without any connection goes on trying.
const REPAIR_PATIENCE_NS: u64 = 10_000_000_000;

const TIMER: Token = Token(usize::MAX);

/// Locks what a thread counts. A panic elsewhere does not make counts worse than lost.
pub fn lock(metrics: &Mutex<Metrics>) -> MutexGuard<'_, Metrics> {
    metrics.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A thread's connections and its share of the load.
#[derive(Debug)]
pub struct Worker<'a> {
    job: &'a Job,
    poll: Poll,
    timer: Timer,
    /// `None` in place of one that was lost.
    connections: Vec<Option<Connection>>,
    lost: usize,
    /// When to try again to replace lost connections, and when they began to be all lost.
    next_repair_ns: u64,
    all_lost_since_ns: Option<u64>,
    load: Load,
    /// Connections with requests that were started by the clock and not sent yet.
    unsent: Vec<usize>,
}

impl<'a> Worker<'a> {
    /// Opens the connections of thread number `thread`.
    ///
    /// # Errors
    /// If the server does not accept them all.
    pub fn connect(job: &'a Job, thread: usize) -> anyhow::Result<Self> {
        let poll = Poll::new()?;
        let count = (thread..job.connections).step_by(job.threads).len();
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let connection = open(&poll, job, index)
                .with_context(|| format!("no connection to {}", job.server))?;
            connections.push(Some(connection));
        }
        Ok(Self {
            job,
            timer: Timer::new(&poll)?,
            poll,
            connections,
            lost: 0,
            next_repair_ns: 0,
            all_lost_since_ns: None,
            load: Load::new(job, thread, count),
            unsent: Vec::with_capacity(count),
        })
    }

    /// Sends and receives until the job is done or stopped; returns how many operations of a fixed
    /// rate's schedule were never started.
    ///
    /// # Errors
    /// If all connections were lost and none could be replaced.
    pub fn run(mut self, shared: &Shared, metrics: &Mutex<Metrics>) -> anyhow::Result<u64> {
        let mut events = Events::with_capacity(1024);
        let mut scratch = vec![0; SCRATCH_BYTES];
        for index in 0..self.connections.len() {
            self.occupy(shared, index, &mut lock(metrics));
        }
        let end_ns = self.job.sending_time().map_or(u64::MAX, |time| time.as_nanos() as u64);
        let mut drain_until_ns = u64::MAX;
        loop {
            let now_ns = shared.now_ns();
            let stopped = [&shared.stop, &self.job.interrupt];
            if now_ns >= end_ns || stopped.iter().any(|flag| flag.load(Ordering::Relaxed)) {
                self.load.stop();
            }
            if self.load.is_stopped() {
                drain_until_ns = drain_until_ns.min(now_ns + DRAIN.as_nanos() as u64);
            }
            if self.load.is_done() || now_ns >= drain_until_ns {
                break;
            }
            let left = Duration::from_nanos(end_ns.saturating_sub(now_ns));
            let nap = if self.load.is_stopped() { NAP } else { NAP.min(left) };
            self.wait(&mut events, nap)?;
            let mut metrics = lock(metrics);
            for event in events.iter().filter(|event| event.token() != TIMER) {
                let closed = event.is_read_closed() || event.is_error();
                self.serve(shared, event.token().0, closed, &mut scratch, &mut metrics);
            }
            self.start_due(shared, &mut metrics)?;
            if self.lost > 0 {
                self.repair(shared, &mut metrics)?;
            }
        }
        for index in 0..self.connections.len() {
            self.lose(index, &mut lock(metrics));
        }
        Ok(self.load.unstarted(shared.now_ns().min(end_ns)))
    }

    fn wait(&mut self, events: &mut Events, nap: Duration) -> io::Result<()> {
        match self.poll.poll(events, Some(nap)) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
            result => result,
        }
    }

    fn occupy(&mut self, shared: &Shared, index: usize, metrics: &mut Metrics) {
        let Some(connection) = &mut self.connections[index] else { return };
        self.load.occupy(shared, index, connection);
        if connection.flush().is_err() {
            self.lose(index, metrics);
        }
    }

    /// Receives what has come on a connection, lets the load answer, sends what that adds.
    fn serve(
        &mut self,
        shared: &Shared,
        index: usize,
        closed: bool,
        scratch: &mut [u8],
        metrics: &mut Metrics,
    ) {
        let Some(connection) = &mut self.connections[index] else { return };
        let load = &mut self.load;
        let received = loop {
            let count = match connection.read(scratch) {
                Ok(0) => break Ok(()),
                Ok(count) => count,
                Err(error) => break Err(error),
            };
            let now_ns = shared.now_ns();
            let split = connection.split_frames(&scratch[..count], |connection, body| {
                load.on_frame(shared, index, connection, body, now_ns, metrics)
            });
            if split.is_err() {
                break Err(io::ErrorKind::InvalidData.into());
            }
            // Less than there was room for: the socket is empty, and news will be reported.
            if count < scratch.len() && !closed {
                break Ok(());
            }
        };
        if received.and_then(|()| connection.flush()).is_err() {
            self.lose(index, metrics);
        }
    }

    /// At a fixed rate: starts what is due on free places, and sets the timer for what comes next.
    fn start_due(&mut self, shared: &Shared, metrics: &mut Metrics) -> io::Result<()> {
        if !self.load.has_schedule() {
            return Ok(());
        }
        let now_ns = shared.now_ns();
        while let Some((index, start_ns)) = self.load.take_due(now_ns) {
            let Some(connection) = &mut self.connections[index] else { continue };
            if connection.output.is_empty() {
                self.unsent.push(index);
            }
            self.load.begin(shared, connection, start_ns);
        }
        while let Some(index) = self.unsent.pop() {
            let Some(connection) = &mut self.connections[index] else { continue };
            if connection.flush().is_err() {
                self.lose(index, metrics);
            }
        }
        match self.load.next_due_ns() {
            Some(next_ns) => self.timer.set(next_ns.saturating_sub(shared.now_ns())),
            None => Ok(()),
        }
    }

    fn lose(&mut self, index: usize, metrics: &mut Metrics) {
        if let Some(connection) = self.connections[index].take() {
            self.load.abandon(index, &connection, metrics);
            self.lost += 1;
        }
    }

    /// Replaces lost connections, now and then.
    fn repair(&mut self, shared: &Shared, metrics: &mut Metrics) -> anyhow::Result<()> {
        let now_ns = shared.now_ns();
        if now_ns < self.next_repair_ns || self.load.is_stopped() {
            return Ok(());
        }
        self.next_repair_ns = now_ns + REPAIR_PAUSE_NS;
        for index in 0..self.connections.len() {
            if self.connections[index].is_some() {
                continue;
            }
            // One that is refused now will not be the only one.
            let Ok(connection) = open(&self.poll, self.job, index) else { break };
            self.connections[index] = Some(connection);
            self.lost -= 1;
            self.occupy(shared, index, metrics);
        }
        if self.lost < self.connections.len() {
            self.all_lost_since_ns = None;
            return Ok(());
        }
        let since_ns = *self.all_lost_since_ns.get_or_insert(now_ns);
        anyhow::ensure!(
            now_ns - since_ns < REPAIR_PATIENCE_NS,
            "the server closed all connections and accepts none"
        );
        Ok(())
    }
}

fn open(poll: &Poll, job: &Job, index: usize) -> io::Result<Connection> {
    let mut connection = Connection::open(job.server, job.depth)?;
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(connection.stream(), Token(index), interest)?;
    Ok(connection)
}

/// Wakes a poll at a moment; a poll's own timeout is too coarse to pace requests.
#[derive(Debug)]
struct Timer(OwnedFd);

impl Timer {
    fn new(poll: &Poll) -> io::Result<Self> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        poll.registry().register(&mut SourceFd(&fd.as_raw_fd()), TIMER, Interest::READABLE)?;
        Ok(Self(fd))
    }

    /// Wakes after `wait_ns` instead of whenever it was set to. Setting it also makes the poll report
    /// it anew, so it is never read.
    fn set(&self, wait_ns: u64) -> io::Result<()> {
        // All zeros would switch it off.
        let wait = Duration::from_nanos(wait_ns.max(1));
        let it_value =
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: wait.subsec_nanos().into() };
        let times = Itimerspec { it_interval: Timespec::default(), it_value };
        timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &times)?;
        Ok(())
    }
}
