//! One event loop: waits for readiness, gives turns, minds deadlines, drains at the end.

use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::Worker;
use super::connection::{Connection, Deadline};
use super::limits::Limits;
use super::links::{self, Links};
use super::mailbox::{Mailbox, Newcomer};
use super::protocol::Protocol;
use super::server::StopSign;
use super::stats::Stats;
use super::stream::Ticket;
use super::throttle::Throttle;
use super::turn::{Desk, Next};

/// The token of the waker; connections have their slab keys as tokens, links theirs with a mark.
pub(super) const WAKER: Token = Token(usize::MAX);

/// The token of what wakes the worker's streams, the other one that is no slab key.
const WORKER: Token = Token(usize::MAX - 1);

/// How long streams that waited may go on, one after the other, before the loop looks for events
/// again. About a slice: most of them have a short reply and are over.
const RESUME_TIME: Duration = Duration::from_micros(200);

/// Events taken per wake-up. More than this wait in the kernel for the next one.
const EVENTS_MAX: usize = 1024;

/// How far apart two sweeps over all connections are at least, so that many deadlines close
/// together cost one sweep. This is also how late a deadline may be noticed.
const SWEEP_PERIOD: Duration = Duration::from_millis(20);

/// How long links to other nodes may keep sending what they owe when the last client is gone.
const LINKS_DRAIN_TIME: Duration = Duration::from_millis(200);

/// What an event loop shares with the rest of the server.
pub(super) struct Surroundings {
    pub mailbox: Arc<Mailbox>,
    pub limits: Arc<Limits>,
    pub stats: Arc<Stats>,
    pub stop: Arc<StopSign>,
    /// Connections that were cut off by the end of the grace time, over all loops.
    pub cut_off: Arc<AtomicUsize>,
    pub loop_index: usize,
    pub loop_count: usize,
}

/// One thread's event loop.
pub(super) struct EventLoop<W> {
    poll: Poll,
    around: Surroundings,
    desk: Desk<W>,
    connections: Slab<Connection<W>>,
    /// Links to other nodes.
    links: Links,
    /// Connections and links that have more to do than one turn may, by their tokens.
    runnable: VecDeque<usize>,
    /// Which connection's stream waits for which ticket. An entry may be out of date; what counts is
    /// [`Connection::awaits`].
    waiting: HashMap<Ticket, usize>,
    /// Tickets that were called, and whose streams had no turn yet.
    ready: Vec<Ticket>,
    /// When the next connection may be overdue.
    next_sweep: Option<Instant>,
    /// The limit that [`Self::next_sweep`] was computed with.
    idle_time: Option<Duration>,
    buffered_bytes: usize,
    over_memory: Throttle,
}

impl<W: Worker> EventLoop<W> {
    pub(super) fn new(poll: Poll, worker: W, around: Surroundings) -> Self {
        Self {
            poll,
            desk: Desk::new(worker, Arc::clone(&around.stats), around.loop_index),
            connections: Slab::new(),
            links: Links::new(
                (around.loop_index, around.loop_count),
                Arc::clone(&around.mailbox),
                Arc::clone(&around.limits),
                Arc::clone(&around.stats),
            ),
            runnable: VecDeque::new(),
            waiting: HashMap::new(),
            ready: Vec::new(),
            next_sweep: None,
            idle_time: around.limits.idle_time(),
            buffered_bytes: 0,
            over_memory: Throttle::default(),
            around,
        }
    }

    /// Runs until told to stop, then answers what has been read, within the time given for that.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut stop_at = None;
        if let Err(error) = self.watch_worker() {
            tracing::error!(%error, "an event loop cannot watch for what its requests wait for");
        }
        let mut clients_gone_at = None;
        while !self.is_done(stop_at, &mut clients_gone_at) {
            match self.poll.poll(&mut events, self.timeout(stop_at)) {
                Ok(()) => self.wake_up(&events),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(%error, "an event loop cannot wait and gives up");
                    break;
                }
            }
            if stop_at.is_none() {
                stop_at = self.around.stop.deadline();
                if stop_at.is_some() {
                    self.begin_drain();
                }
            }
            self.desk.collect_post(&mut self.links);
            self.links.send_posted(self.poll.registry(), self.desk.now());
            self.desk.tell_timings(self.links.take_timings());
            self.desk.before_wait();
        }
        self.around.cut_off.fetch_add(self.connections.len(), Relaxed);
        for key in self.keys() {
            self.close(key);
        }
        self.links.close_all(self.poll.registry(), self.desk.now());
    }

    /// Whether a loop that is to stop has nothing more to do. Links serve the clients that are left,
    /// whose answers may need other nodes; when there are none, links only send what they owe.
    fn is_done(&self, stop_at: Option<Instant>, clients_gone_at: &mut Option<Instant>) -> bool {
        let Some(stop_at) = stop_at else { return false };
        if self.desk.now() >= stop_at {
            return true;
        }
        if !self.connections.is_empty() {
            return false;
        }
        let gone_at = *clients_gone_at.get_or_insert(self.desk.now());
        self.desk.now() >= gone_at + LINKS_DRAIN_TIME || !self.links.owes()
    }

    /// How long to wait for events: not at all while there are turns to give.
    fn timeout(&self, stop_at: Option<Instant>) -> Option<Duration> {
        if !self.runnable.is_empty() || !self.ready.is_empty() || self.links.is_restless() {
            return Some(Duration::ZERO);
        }
        let draining = stop_at.filter(|_| self.connections.is_empty());
        let drained = draining.map(|at| at.min(self.desk.now() + LINKS_DRAIN_TIME));
        let sweeps = self.next_sweep.into_iter().chain(self.links.next_sweep());
        let until = sweeps.chain(drained.or(stop_at)).min();
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        left.into_iter().chain(self.desk.wake_after()).min()
    }

    /// Has the loop wake up for the worker.
    fn watch_worker(&self) -> io::Result<()> {
        let Some(fd) = self.desk.wake_fd() else { return Ok(()) };
        let fd = fd.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), WORKER, Interest::READABLE)
    }

    fn wake_up(&mut self, events: &Events) {
        let queued = self.runnable.len();
        self.desk.wake_up(queued + events.iter().count());
        self.links.set_timed(self.desk.times_links());
        for event in events {
            match event.token() {
                WAKER => self.adopt_newcomers(),
                WORKER => self.desk.ready_tickets(&mut self.ready),
                token => match links::key_of(token) {
                    None => self.heed(token.0, event),
                    Some(key) => self.heed_link(key, event),
                },
            }
        }
        for _ in 0..queued {
            let Some(key) = self.runnable.pop_front() else { break };
            if let Some(key) = links::key_of(Token(key)) {
                self.serve_link(key);
                continue;
            }
            let streams = self.connections.get(key).is_some_and(|of| of.stream.is_some());
            self.serve(key);
            if streams {
                // A slice is work enough for others to have something to do by now.
                break;
            }
        }
        self.mind_links();
        if self.desk.wake_after() == Some(Duration::ZERO) {
            self.desk.ready_tickets(&mut self.ready);
        }
        if !self.ready.is_empty() {
            self.resume_streams();
        }
        self.mind_deadlines();
    }

    /// Does what an event asks for.
    #[inline]
    fn heed(&mut self, key: usize, event: &Event) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        connection.socket.note(event);
        // One that waits in the queue gets its turn there, and so does one that streams. One whose
        // stream waits for something else can only send what it owes, or be over.
        if connection.awaits.is_some() {
            if connection.owes() || connection.socket.failed {
                self.serve(key);
            }
        } else if connection.stream.is_some() {
            self.enqueue(key);
        } else if !connection.queued {
            self.serve(key);
        }
    }

    /// Does what an event of a link asks for.
    #[inline]
    fn heed_link(&mut self, key: usize, event: &Event) {
        let has_input = self.links.heed(key, event, self.poll.registry(), self.desk.now());
        // One that waits in the queue gets its turn there.
        if has_input && self.links.get_mut(key).is_some_and(|link| !link.queued) {
            self.serve_link(key);
        }
    }

    /// Gives a link its turn and sees to what follows from it.
    fn serve_link(&mut self, key: usize) {
        let unsent_max = self.links.unsent_max();
        let Some(link) = self.links.get_mut(key) else { return };
        link.queued = false;
        match self.desk.serve_link(link, unsent_max) {
            Next::Wait => {}
            Next::Again => self.enqueue_link(key),
            Next::Close => self.links.break_off(key, self.poll.registry(), self.desk.now()),
        }
    }

    fn enqueue_link(&mut self, key: usize) {
        if let Some(link) = self.links.get_mut(key)
            && !link.queued
        {
            link.queued = true;
            self.runnable.push_back(links::token_of(key).0);
        }
    }

    /// Sees to what time does to links, and tells the worker which are connected or lost.
    fn mind_links(&mut self) {
        let now = self.desk.now();
        self.links.mind_deadlines(self.poll.registry(), now, now + SWEEP_PERIOD);
        for key in self.links.take_relieved() {
            self.enqueue_link(key);
        }
        self.desk.tell_opened(self.links.take_opened());
        self.desk.tell_lost(self.links.take_lost());
    }

    /// Lets the streams go on whose tickets were called: one after the other, since most have little to
    /// do, but not for longer than others may wait.
    fn resume_streams(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        let start = Instant::now();
        let mut count = 0;
        for ticket in &ready {
            count += 1;
            let Some(key) = self.waiting.remove(ticket) else { continue };
            let Some(connection) = self.connections.get_mut(key) else { continue };
            if connection.awaits != Some(*ticket) {
                continue;
            }
            connection.awaits = None;
            // It was not the client that was idle.
            connection.active_at = self.desk.now();
            self.serve(key);
            if start.elapsed() >= RESUME_TIME {
                break;
            }
        }
        ready.drain(..count);
        self.ready = ready;
    }

    /// Gives a connection its turn and sees to what follows from it.
    fn serve(&mut self, key: usize) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        // One that was queued or waited had no deadline, so no sweep is expected for it.
        let had_deadline = !std::mem::take(&mut connection.queued) && !connection.suspended;
        let next = self.desk.serve(connection);
        let was_at_rest = had_deadline && connection.accounted_bytes == 0;
        if next == Next::Wait && was_at_rest && connection.is_at_rest() {
            // The usual end of a turn. Its idle deadline has only moved away from the next sweep.
            return;
        }
        let grown = self.account(key);
        match next {
            Next::Close => self.close(key),
            _ if grown && self.is_over_memory() => self.close_for_memory(key),
            Next::Again => self.enqueue(key),
            Next::Wait => {
                self.expect_ticket(key);
                self.expect_deadline(key);
            }
        }
    }

    /// Remembers whose ticket it is that a connection's stream waits for.
    fn expect_ticket(&mut self, key: usize) {
        if let Some(ticket) = self.connections.get(key).and_then(|connection| connection.awaits) {
            self.waiting.insert(ticket, key);
        }
    }

    fn enqueue(&mut self, key: usize) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.queued
        {
            connection.queued = true;
            self.runnable.push_back(key);
        }
    }

    fn adopt_newcomers(&mut self) {
        while let Some(newcomer) = self.around.mailbox.receive() {
            let protocol = newcomer.protocol;
            if let Err(error) = self.adopt(newcomer) {
                tracing::warn!(%error, "cannot serve a new connection");
                self.around.mailbox.connection_gone(protocol);
                self.desk.count(|counters| counters.closed.of(protocol).add(1));
            }
        }
    }

    fn adopt(&mut self, newcomer: Newcomer) -> io::Result<()> {
        let registry = self.poll.registry();
        if newcomer.protocol == Protocol::Peer {
            return self.links.adopt(newcomer, registry, self.desk.now());
        }
        let entry = self.connections.vacant_entry();
        let key = entry.key();
        let mut connection = Connection::new(newcomer, self.desk.now());
        connection.socket.register(registry, Token(key))?;
        entry.insert(connection);
        self.expect_deadline(key);
        Ok(())
    }

    fn close(&mut self, key: usize) {
        let Some(mut connection) = self.connections.try_remove(key) else { return };
        self.buffered_bytes -= connection.accounted_bytes;
        if let Some(ticket) = connection.awaits {
            self.waiting.remove(&ticket);
        }
        connection.socket.deregister(self.poll.registry());
        self.around.mailbox.connection_gone(connection.protocol);
        self.desk.count(|counters| counters.closed.of(connection.protocol).add(1));
    }

    /// Adds up the memory that buffers take. Says whether this connection's grew.
    fn account(&mut self, key: usize) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        let before = connection.accounted_bytes;
        connection.accounted_bytes = connection.buffered_bytes();
        self.buffered_bytes = self.buffered_bytes - before + connection.accounted_bytes;
        connection.accounted_bytes > before
    }

    fn is_over_memory(&self) -> bool {
        let share = self.around.limits.buffered_bytes_max() / self.around.loop_count.max(1) as u64;
        self.buffered_bytes as u64 > share
    }

    #[cold]
    fn close_for_memory(&mut self, key: usize) {
        if let Some(suppressed) = self.over_memory.admit(self.desk.now())
            && let Some(connection) = self.connections.get(key)
        {
            let client = connection.peer.address;
            tracing::warn!(
                %client,
                suppressed,
                "closing a connection: the buffers of all connections hold too much"
            );
        }
        self.close(key);
    }

    /// Has the next sweep come in time for a connection's deadline.
    fn expect_deadline(&mut self, key: usize) {
        let Some(connection) = self.connections.get(key) else { return };
        if let Some((at, _)) = connection.deadline(self.idle_time)
            && self.next_sweep.is_none_or(|next| at < next)
        {
            self.next_sweep = Some(at);
        }
    }

    fn mind_deadlines(&mut self) {
        let idle_time = self.around.limits.idle_time();
        if idle_time != self.idle_time {
            self.idle_time = idle_time;
            self.sweep();
        } else if self.next_sweep.is_some_and(|at| at <= self.desk.now()) {
            self.sweep();
        }
    }

    /// Closes every connection that is overdue and finds the next deadline.
    fn sweep(&mut self) {
        let now = self.desk.now();
        let mut overdue = Vec::new();
        let mut next: Option<Instant> = None;
        for (key, connection) in &self.connections {
            match connection.deadline(self.idle_time) {
                None => {}
                Some((at, reason)) if at <= now => overdue.push((key, reason)),
                Some((at, _)) => next = Some(next.map_or(at, |next| next.min(at))),
            }
        }
        self.next_sweep = next.map(|at| at.max(now + SWEEP_PERIOD));
        for (key, reason) in overdue {
            if reason == Deadline::Idle {
                self.desk.count(|counters| counters.reaped.add(1));
            }
            self.close(key);
        }
    }

    /// From here on nothing is read; what has been read is answered.
    fn begin_drain(&mut self) {
        while let Some(newcomer) = self.around.mailbox.receive() {
            self.around.mailbox.connection_gone(newcomer.protocol);
            self.desk.count(|counters| counters.closed.of(newcomer.protocol).add(1));
        }
        for key in self.keys() {
            if let Some(connection) = self.connections.get_mut(key) {
                connection.finish();
                // Requests that arrived too late are thrown away before closing, or the kernel
                // would reset the connection and the client lose its last replies.
                connection.socket.readable = true;
            }
            self.serve(key);
        }
    }

    fn keys(&self) -> Vec<usize> {
        self.connections.iter().map(|(key, _)| key).collect()
    }
}
