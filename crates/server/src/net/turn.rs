//! A connection's turn: read, answer, send. This is the path that every request takes.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{Connection, Phase};
use super::protocol::{Malformed, Protocol, Request};
use super::stats::{LoopCounters, Stats};
use super::stream::{Progress, Ticket};
use super::throttle::Throttle;
use super::{Peer, Verdict, Worker};
use wire::ProtoType;

/// The most that is read in one turn. One call for many small requests, while the bytes are still
/// in the core's cache when they are answered.
const SCRATCH_SIZE: usize = 64 * 1024;

/// The most requests answered in one wake-up, as far as [`TURN_REQUESTS_MIN`] allows: connections
/// share it equally, since everybody waits for everybody's turn. A full scratch of ordinary
/// requests is below it.
const WAKE_UP_REQUESTS: usize = 1024;

/// What a turn may answer in any crowd: enough to be worth the calls that it makes.
const TURN_REQUESTS_MIN: usize = 8;

/// How many record requests an info request counts for. It takes some hundred times as long.
const INFO_WEIGHT: usize = 256;

/// A turn answers no further request once its replies have this size, in bytes.
const TURN_REPLY_SIZE: usize = 256 * 1024;

/// Buffers that grew beyond this, in bytes, are given back after use.
const RETAINED_SIZE_MAX: usize = 1024 * 1024;

/// What follows a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The socket will tell when there is something to do.
    Wait,
    /// There is more to do right away, after the others.
    Again,
    /// The connection is over.
    Close,
}

/// The desk at which the connections of a loop are served, one turn each.
pub(super) struct Desk<W> {
    pub scratch: Box<[u8]>,
    pub clerk: Clerk<W>,
    /// What a turn of this wake-up may answer.
    turn_requests: usize,
    stats: Arc<Stats>,
    loop_index: usize,
}

impl<W: Worker> Desk<W> {
    pub(super) fn new(worker: W, stats: Arc<Stats>, loop_index: usize) -> Self {
        let clerk = Clerk {
            worker,
            replies: Vec::with_capacity(SCRATCH_SIZE),
            now: Instant::now(),
            panics: 0,
            malformed: Throttle::default(),
        };
        let scratch = vec![0; SCRATCH_SIZE].into();
        Self { scratch, clerk, turn_requests: WAKE_UP_REQUESTS, stats, loop_index }
    }

    /// Begins a wake-up in which so many turns are to be given: reads the clock and lets the
    /// worker prepare.
    pub(super) fn wake_up(&mut self, turns: usize) {
        self.turn_requests = (WAKE_UP_REQUESTS / turns.max(1)).max(TURN_REQUESTS_MIN);
        self.clerk.now = Instant::now();
        self.tell_worker(W::on_wakeup);
    }

    /// Ends a wake-up.
    pub(super) fn before_wait(&mut self) {
        self.tell_worker(W::before_wait);
    }

    /// Appends the tickets that the worker calls.
    pub(super) fn ready_tickets(&mut self, ready: &mut Vec<Ticket>) {
        self.tell_worker(|worker| worker.on_wake_fd(ready));
    }

    /// How long the worker's streams can be left alone.
    pub(super) fn wake_after(&self) -> Option<Duration> {
        self.clerk.worker.wake_after()
    }

    /// What wakes the worker's streams.
    pub(super) fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        self.clerk.worker.wake_fd()
    }

    pub(super) fn tell_worker(&mut self, tell: impl FnOnce(&mut W)) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(&mut self.clerk.worker))) {
            self.clerk.report_panic(None, &*panic);
        }
        self.count_panics();
    }

    /// The moment of the current wake-up.
    pub(super) fn now(&self) -> Instant {
        self.clerk.now
    }

    /// Gives a connection its turn.
    #[inline]
    pub(super) fn serve(&mut self, connection: &mut Connection<W>) -> Next {
        // Whatever the error says, the client is gone, and that is no news worth logging.
        let next = self.turn(connection).unwrap_or(Next::Close);
        self.clerk.clear_replies();
        next
    }

    /// What one turn may answer.
    #[inline]
    pub(super) fn budget(&self) -> Budget {
        Budget { requests: self.turn_requests }
    }

    fn turn(&mut self, connection: &mut Connection<W>) -> io::Result<Next> {
        if connection.owes() {
            self.send_owed(connection)?;
            if connection.owes() {
                return Ok(Next::Wait);
            }
        }
        let mut budget = self.budget();
        if connection.stream.is_some() {
            self.clerk.advance(connection);
        } else {
            if connection.suspended {
                self.clerk.resume(connection, &mut budget);
            }
            if connection.phase == Phase::Open {
                self.receive(connection, &mut budget)?;
            }
        }
        self.count_panics();
        self.send_replies(connection)?;
        if connection.owes()
            && let Some(stream) = &mut connection.stream
        {
            stream.delayed();
        }
        self.conclude(connection)
    }

    /// Reads what is there, but not more than one scratch full: others wait.
    fn receive(&mut self, connection: &mut Connection<W>, budget: &mut Budget) -> io::Result<()> {
        while connection.socket.readable && !connection.suspended && connection.phase == Phase::Open
        {
            let Some(count) = connection.socket.receive(&mut self.scratch)? else { break };
            let fresh = self.scratch.get(..count).unwrap_or_default();
            if fresh.is_empty() {
                connection.finish();
                break;
            }
            connection.active_at = self.clerk.now;
            self.count(|counters| counters.bytes_received.add(count as u64));
            self.clerk.take_in(connection, fresh, budget);
            if count == self.scratch.len() {
                break;
            }
        }
        Ok(())
    }

    fn send_owed(&mut self, connection: &mut Connection<W>) -> io::Result<()> {
        if !connection.socket.writable {
            return Ok(());
        }
        let sent = connection.send_owed()?;
        self.count_sent(connection, sent);
        Ok(())
    }

    fn send_replies(&mut self, connection: &mut Connection<W>) -> io::Result<()> {
        if self.clerk.replies.is_empty() {
            return Ok(());
        }
        let sent = connection.socket.send(&self.clerk.replies)?;
        self.count_sent(connection, sent);
        if sent < self.clerk.replies.len() {
            let (owed, from) = self.clerk.unsent_replies(sent);
            connection.owe(owed, from);
            // Answering may have taken long, and the client's time to take the replies begins now.
            connection.active_at = Instant::now();
        }
        Ok(())
    }

    /// Decides what follows, and moves a connection that is over towards its end.
    fn conclude(&mut self, connection: &mut Connection<W>) -> io::Result<Next> {
        if connection.owes() {
            return Ok(Next::Wait);
        }
        if connection.awaits.is_some() {
            return Ok(if connection.socket.failed { Next::Close } else { Next::Wait });
        }
        match connection.phase {
            Phase::Open if connection.suspended || connection.socket.readable => Ok(Next::Again),
            Phase::Open => Ok(Next::Wait),
            Phase::Finishing if connection.suspended => Ok(Next::Again),
            Phase::Finishing => self.discard(connection).map(|_| Next::Close),
            Phase::Refused => {
                connection.linger(self.clerk.now)?;
                self.discard(connection)
            }
            Phase::Lingering => self.discard(connection),
        }
    }

    /// Throws away what has arrived, one scratch full at most.
    fn discard(&mut self, connection: &mut Connection<W>) -> io::Result<Next> {
        while connection.socket.readable {
            match connection.socket.receive(&mut self.scratch)? {
                None => break,
                Some(0) => return Ok(Next::Close),
                Some(count) if count == self.scratch.len() => return Ok(Next::Again),
                Some(_) => {}
            }
        }
        Ok(if connection.socket.peer_closed { Next::Close } else { Next::Wait })
    }

    fn count_sent(&self, connection: &mut Connection<W>, sent: usize) {
        if sent > 0 {
            connection.active_at = self.clerk.now;
            self.count(|counters| counters.bytes_sent.add(sent as u64));
        }
    }

    pub(super) fn count_panics(&mut self) {
        let panics = std::mem::take(&mut self.clerk.panics);
        if panics > 0 {
            self.count(|counters| counters.worker_panics.add(panics));
        }
    }

    /// Changes this loop's counters.
    #[inline]
    pub(super) fn count(&self, change: impl FnOnce(&LoopCounters)) {
        if let Some(counters) = self.stats.of_loop(self.loop_index) {
            change(counters);
        }
    }
}

/// What is left of a turn's allowance.
pub(super) struct Budget {
    requests: usize,
}

impl Budget {
    #[inline]
    pub(super) fn is_spent(&self) -> bool {
        self.requests == 0
    }

    #[inline]
    pub(super) fn charge(&mut self, requests: usize) {
        self.requests = self.requests.saturating_sub(requests);
    }
}

/// What a request takes of a turn's allowance.
#[inline]
fn weight(request: &Request<'_>) -> usize {
    match request {
        Request::Frame(frame) if frame.kind() != ProtoType::Info => 1,
        Request::Frame(_) | Request::Line(_) => INFO_WEIGHT,
        Request::Peer(_) => 1,
    }
}

/// Has requests answered, and collects the replies of one turn.
pub(super) struct Clerk<W> {
    pub worker: W,
    replies: Vec<u8>,
    /// The moment of the current wake-up.
    pub now: Instant,
    /// Panics of the worker that are not counted yet.
    panics: u64,
    malformed: Throttle,
}

impl<W: Worker> Clerk<W> {
    /// Answers all whole requests in `fresh`, in place but for one that began in an earlier read,
    /// and has the connection keep the rest.
    #[inline]
    fn take_in(&mut self, connection: &mut Connection<W>, fresh: &[u8], budget: &mut Budget) {
        let mut fresh = fresh;
        if std::mem::take(&mut connection.swallow_newline) {
            fresh = fresh.strip_prefix(b"\n").unwrap_or(fresh);
        }
        while !connection.held.is_empty() && !fresh.is_empty() && !connection.suspended {
            let (count, ripe) = connection.protocol.belonging(connection.held.bytes(), fresh);
            let (belonging, rest) = fresh.split_at_checked(count).unwrap_or((fresh, &[]));
            connection.held.append(belonging);
            fresh = rest;
            if ripe {
                self.resume(connection, budget);
            }
        }
        if connection.phase == Phase::Refused || fresh.is_empty() {
            return;
        }
        // The line finished above was followed by something else than its newline.
        connection.swallow_newline = false;
        let answered =
            if connection.suspended { 0 } else { self.answer(connection, fresh, budget) };
        if connection.phase != Phase::Refused && answered < fresh.len() {
            connection.held.append(fresh.get(answered..).unwrap_or_default());
        }
    }

    /// Lets the connection's stream append its next slice, unless it waits for something. What the
    /// connection holds waits for its next turn, even behind the last slice.
    fn advance(&mut self, connection: &mut Connection<W>) {
        if connection.awaits.is_some() {
            return;
        }
        let Some(stream) = &mut connection.stream else { return };
        let replies_size = self.replies.len();
        let advance = AssertUnwindSafe(|| stream.advance(&mut self.worker, &mut self.replies));
        match catch_unwind(advance) {
            Ok(Progress::More) => {}
            Ok(Progress::Waits(ticket)) => connection.awaits = Some(ticket),
            Ok(Progress::Over) => {
                connection.stream = None;
                connection.suspended = !connection.held.is_empty();
            }
            Err(panic) => {
                self.replies.truncate(replies_size);
                self.report_panic(Some(connection.peer.address), &*panic);
                connection.refuse();
            }
        }
    }

    /// Answers what whole requests there are in the bytes that the connection holds.
    fn resume(&mut self, connection: &mut Connection<W>, budget: &mut Budget) {
        connection.suspended = false;
        let held = std::mem::take(&mut connection.held);
        let answered = self.answer(connection, held.bytes(), budget);
        if connection.phase != Phase::Refused {
            connection.held = held.without_first(answered);
        }
    }

    /// Answers the whole requests at the beginning of `data` as far as the budget goes, and says
    /// how many bytes they take up.
    #[inline]
    fn answer(
        &mut self,
        connection: &mut Connection<W>,
        data: &[u8],
        budget: &mut Budget,
    ) -> usize {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            match connection.protocol.split(rest) {
                Ok(Some(_)) if budget.is_spent() || self.replies.len() >= TURN_REPLY_SIZE => {
                    connection.suspended = true;
                    break;
                }
                Ok(Some((request, size))) => {
                    budget.charge(weight(&request));
                    at += size;
                    if matches!(request, Request::Line(_)) {
                        connection.swallow_newline = at == data.len() && data.ends_with(b"\r");
                    }
                    match self.call_worker(&connection.peer, request) {
                        Verdict::Continue => {}
                        Verdict::Worked(work) => budget.charge(work.saturating_sub(1)),
                        Verdict::Stream(stream) => {
                            connection.stream = Some(stream);
                            connection.suspended = true;
                            break;
                        }
                        Verdict::Parked(stream, ticket) => {
                            connection.stream = Some(stream);
                            connection.awaits = Some(ticket);
                            connection.suspended = true;
                            break;
                        }
                        Verdict::Close => {
                            connection.refuse();
                            break;
                        }
                    }
                }
                Ok(None) => break,
                Err(malformed) => {
                    self.report_malformed(connection, malformed);
                    connection.refuse();
                    break;
                }
            }
        }
        at
    }

    /// Lets the worker answer. If it panics, nothing of its reply is sent.
    #[inline]
    fn call_worker(&mut self, peer: &Peer, request: Request<'_>) -> Verdict<W> {
        let replies_size = self.replies.len();
        let answer = AssertUnwindSafe(|| match request {
            Request::Frame(frame) => self.worker.on_frame(peer, frame, &mut self.replies),
            Request::Line(line) => self.worker.on_line(peer, line, &mut self.replies),
            // Connections do not speak it: those that come in through such a port become links.
            Request::Peer(_) => Verdict::Close,
        });
        catch_unwind(answer).unwrap_or_else(|panic| {
            self.replies.truncate(replies_size);
            self.report_panic(Some(peer.address), &*panic);
            Verdict::Close
        })
    }

    #[cold]
    pub(super) fn report_panic(&mut self, client: Option<SocketAddr>, panic: &(dyn Any + Send)) {
        self.panics += 1;
        let message = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no message");
        tracing::error!(?client, message, "a request handler panicked");
    }

    #[cold]
    fn report_malformed(&mut self, connection: &Connection<W>, malformed: Malformed) {
        if connection.protocol == Protocol::Lines && malformed == Malformed::Interrupt {
            return;
        }
        self.warn_malformed(connection.peer.address, malformed);
    }

    #[cold]
    pub(super) fn warn_malformed(&mut self, client: SocketAddr, malformed: Malformed) {
        if let Some(suppressed) = self.malformed.admit(self.now) {
            tracing::warn!(%client, %malformed, suppressed, "closing a connection");
        }
    }

    /// Replies that the socket did not take, and where in them they begin.
    fn unsent_replies(&mut self, sent: usize) -> (Vec<u8>, usize) {
        if self.replies.capacity() > RETAINED_SIZE_MAX {
            // The buffer is to be given back anyway: no need to copy it.
            return (std::mem::take(&mut self.replies), sent);
        }
        (self.replies.get(sent..).unwrap_or_default().to_vec(), 0)
    }

    #[inline]
    fn clear_replies(&mut self) {
        self.replies.clear();
        if self.replies.capacity() > RETAINED_SIZE_MAX {
            self.replies = Vec::with_capacity(SCRATCH_SIZE);
        }
    }
}
