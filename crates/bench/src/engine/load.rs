//! What a thread sends next: operations begun, continued and ended, apart from sockets.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use wire::ResultCode;

use super::Job;
use super::connection::{Connection, InFlight};
use super::frames::{BadReply, read_batch, read_single};
use super::pace::{Pace, Schedule};
use crate::metrics::{Correction, Metrics};
use crate::workload::{Generator, OpKind};

/// Operations that a thread takes from the common count at a time.
const TICKET_BLOCK: u64 = 64;

/// What all threads of a run share.
#[derive(Debug)]
pub struct Shared {
    /// Start of the run: all times count from here.
    pub start: Instant,
    /// Number of the next operation that no thread has taken.
    pub next_ticket: AtomicU64,
    /// Tells the threads to send nothing more.
    pub stop: AtomicBool,
}

impl Shared {
    /// Of a run that starts now.
    pub fn new() -> Self {
        Self { start: Instant::now(), next_ticket: AtomicU64::new(0), stop: AtomicBool::new(false) }
    }

    /// Time since the start in ns.
    pub fn now_ns(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }
}

/// One thread's share of the load.
#[derive(Debug)]
pub struct Load {
    generator: Generator,
    schedule: Option<Schedule>,
    correction: Correction,
    /// Operations in flight on one connection.
    depth: usize,
    batch_size: u64,
    tickets: Range<u64>,
    tickets_end: u64,
    /// At a fixed rate: connections by free places, longest free first.
    free: VecDeque<usize>,
    /// Operations without an end yet.
    outstanding: usize,
    stopped: bool,
}

impl Load {
    /// The share of thread number `thread`, with so many connections.
    pub fn new(job: &Job, thread: usize, connections: usize) -> Self {
        let (schedule, correction) = match job.pace {
            Pace::Closed { expected_interval: None } => (None, Correction::None),
            Pace::Closed { expected_interval: Some(interval) } => {
                (None, Correction::Interval(interval.as_nanos() as u64))
            }
            Pace::Fixed { ops_per_s, arrivals } => {
                let schedule = Schedule::new(ops_per_s, arrivals, thread, job.threads);
                (Some(schedule), Correction::None)
            }
        };
        Self {
            generator: Generator::new(&job.workload, thread as u64),
            schedule,
            correction,
            depth: job.depth,
            batch_size: job.workload.batch_size as u64,
            tickets: 0..0,
            tickets_end: job.operations.unwrap_or(u64::MAX),
            free: VecDeque::with_capacity(connections * job.depth),
            outstanding: 0,
            stopped: false,
        }
    }

    /// Starts nothing more.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// Whether nothing more is started.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Whether nothing more is started and everything that was has ended.
    pub fn is_done(&self) -> bool {
        self.stopped && self.outstanding == 0
    }

    /// Whether operations start by the clock instead of when others end.
    pub fn has_schedule(&self) -> bool {
        self.schedule.is_some()
    }

    /// Takes a fresh connection into use. In a closed loop all its places start at once.
    pub fn occupy(&mut self, shared: &Shared, index: usize, connection: &mut Connection) {
        if self.has_schedule() {
            return self.free.extend(std::iter::repeat_n(index, self.depth));
        }
        let now_ns = shared.now_ns();
        for _ in 0..self.depth {
            self.begin(shared, connection, now_ns);
        }
    }

    /// Gives up a connection with everything that was in flight on it.
    pub fn abandon(&mut self, index: usize, connection: &Connection, metrics: &mut Metrics) {
        self.free.retain(|&free| free != index);
        self.outstanding -= connection.flight.len();
        for request in &connection.flight {
            metrics.lost(request.kind);
        }
    }

    /// At a fixed rate: the connection and intended start of the next operation, if one is due and a
    /// place is free.
    pub fn take_due(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        let schedule = self.schedule.as_mut().filter(|_| !self.stopped)?;
        if schedule.next_ns() > now_ns {
            return None;
        }
        let index = self.free.pop_front()?;
        Some((index, schedule.advance()))
    }

    /// At a fixed rate: when to look for due operations again. `None` if no place is free then, so
    /// that only a reply can bring news.
    pub fn next_due_ns(&self) -> Option<u64> {
        let schedule = self.schedule.as_ref().filter(|_| !self.stopped)?;
        self.free.front().map(|_| schedule.next_ns())
    }

    /// Operations of the schedule that should have started before `now_ns` and never did. Past the
    /// last ticket there are none.
    pub fn unstarted(&self, now_ns: u64) -> u64 {
        let endless = self.tickets_end == u64::MAX;
        self.schedule.as_ref().filter(|_| endless).map_or(0, |schedule| schedule.overdue(now_ns))
    }

    /// Puts the next operation on a connection; its latency counts from `start_ns`.
    pub fn begin(&mut self, shared: &Shared, connection: &mut Connection, start_ns: u64) {
        if self.stopped {
            return;
        }
        let Some(ticket) = self.take_ticket(shared) else { return self.stop() };
        let (kind, key) = self.generator.draw(ticket);
        self.generator.append(&mut connection.output, kind, key);
        let is_final = kind != OpKind::Modify;
        connection.flight.push_back(InFlight { kind, is_final, key, start_ns });
        self.outstanding += 1;
    }

    fn take_ticket(&mut self, shared: &Shared) -> Option<u64> {
        if self.tickets.is_empty() {
            let first = shared.next_ticket.fetch_add(TICKET_BLOCK, Ordering::Relaxed);
            let end = self.tickets_end;
            self.tickets = first.min(end)..first.saturating_add(TICKET_BLOCK).min(end);
        }
        self.tickets.next()
    }

    /// Takes in the frame that came on a connection: ends or continues the oldest operation there.
    pub fn on_frame(
        &mut self,
        shared: &Shared,
        index: usize,
        connection: &mut Connection,
        body: &[u8],
        now_ns: u64,
        metrics: &mut Metrics,
    ) -> Result<(), BadReply> {
        let request = *connection.flight.front().ok_or(BadReply)?;
        let code = if request.kind == OpKind::BatchRead {
            match read_batch(body)? {
                Some(code) => code,
                None => return Ok(()),
            }
        } else {
            let reply = read_single(body)?;
            let readable = matches!(reply.code, ResultCode::OK | ResultCode::NOT_FOUND);
            if !request.is_final && readable {
                self.write_back(connection, request, reply.generation);
                return Ok(());
            }
            reply.code
        };
        connection.flight.pop_front();
        self.outstanding -= 1;
        let latency_ns = now_ns.saturating_sub(request.start_ns);
        metrics.answered(request.kind, code, latency_ns, self.correction);
        if matches!(code, ResultCode::OK | ResultCode::NOT_FOUND) {
            let rows = if request.kind == OpKind::BatchRead { self.batch_size } else { 1 };
            metrics.rows(request.kind, rows);
        }
        if self.has_schedule() {
            self.free.push_back(index);
        } else {
            self.begin(shared, connection, now_ns);
        }
        Ok(())
    }

    /// The second half of [`OpKind::Modify`]: the record was read, it is written. A record that was
    /// not found has generation 0, which is also what the server compares with when it creates one.
    fn write_back(&mut self, connection: &mut Connection, request: InFlight, generation: u32) {
        connection.flight.pop_front();
        self.generator.append_if_unchanged(&mut connection.output, request.key, generation);
        connection.flight.push_back(InFlight { is_final: true, ..request });
    }
}
