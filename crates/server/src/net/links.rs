//! The links of one loop to other nodes: finding them, making them, sending on them, ending them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Registry, Token};
use slab::Slab;

use super::limits::Limits;
use super::link::{Due, Full, Link, LinkId, Remote, Route};
use super::mailbox::{Mailbox, Newcomer};
use super::protocol::Protocol;
use super::socket::Socket;
use super::stats::{LoopCounters, Stats};
use super::timing::{CallTime, LinkTiming};

/// Set in the tokens of links, which are their slab keys otherwise, and not in those of connections.
const LINK_BIT: usize = 1 << (usize::BITS - 2);

/// The token of the link with this key.
pub(super) fn token_of(key: usize) -> Token {
    Token(key | LINK_BIT)
}

/// How long another node may take to answer the call, but for heartbeats.
const CONNECT_TIME: Duration = Duration::from_millis(500);

/// The key of the link with this token; `None` when it is a connection's.
#[inline]
pub(super) fn key_of(token: Token) -> Option<usize> {
    (token.0 & LINK_BIT != 0).then_some(token.0 & !LINK_BIT)
}

/// All links of one loop.
pub(super) struct Links {
    links: Slab<Link>,
    routes: HashMap<Route, usize>,
    incoming: HashMap<LinkId, usize>,
    /// Links with something to send, or to be made, at the end of the wake-up.
    posted: Vec<usize>,
    /// Links that were connected, and of which the worker was not told yet.
    opened: Vec<Route>,
    /// Links that broke, and whose end the worker was not told yet.
    lost: Vec<Remote>,
    /// Links that were not read because too much was unsent, and can be again.
    relieved: Vec<usize>,
    /// A link that was full has room: the worker is to be asked for what it could not send.
    roomy: bool,
    /// Whether the worker wants to know how long steps take.
    is_timed: bool,
    /// What it was not told of that.
    timings: Vec<LinkTiming>,
    /// The number of the next link that another node opens. Loops take theirs in turns.
    next_id: u64,
    /// When the next link may be overdue.
    next_sweep: Option<Instant>,
    limits: Arc<Limits>,
    mailbox: Arc<Mailbox>,
    stats: Arc<Stats>,
    loop_index: usize,
    loop_count: usize,
}

impl Links {
    pub(super) fn new(
        (loop_index, loop_count): (usize, usize),
        mailbox: Arc<Mailbox>,
        limits: Arc<Limits>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            links: Slab::new(),
            routes: HashMap::new(),
            incoming: HashMap::new(),
            posted: Vec::new(),
            opened: Vec::new(),
            lost: Vec::new(),
            relieved: Vec::new(),
            roomy: false,
            is_timed: false,
            timings: Vec::new(),
            next_id: loop_index as u64,
            next_sweep: None,
            limits,
            mailbox,
            stats,
            loop_index,
            loop_count,
        }
    }

    pub(super) fn get_mut(&mut self, key: usize) -> Option<&mut Link> {
        self.links.get_mut(key)
    }

    /// Takes over a link that another node opened.
    ///
    /// # Errors
    /// When it cannot be watched; it is closed then.
    pub(super) fn adopt(
        &mut self,
        newcomer: Newcomer,
        registry: &Registry,
        now: Instant,
    ) -> io::Result<()> {
        let entry = self.links.vacant_entry();
        let key = entry.key();
        let mut socket = Socket::connected(newcomer.socket);
        socket.register(registry, token_of(key))?;
        let id = LinkId(self.next_id);
        self.next_id += self.loop_count.max(1) as u64;
        entry.insert(Link::from(id, newcomer.peer.address, socket, now));
        self.incoming.insert(id, key);
        self.expect_deadline(key);
        Ok(())
    }

    /// Does what an event asks for, short of reading. Says whether there is something to read.
    #[inline]
    pub(super) fn heed(
        &mut self,
        key: usize,
        event: &Event,
        registry: &Registry,
        now: Instant,
    ) -> bool {
        let Some(link) = self.links.get_mut(key) else { return false };
        let Some(socket) = link.socket() else { return false };
        socket.note(event);
        if !link.is_open() {
            match link.try_open(now) {
                Ok(false) => return false,
                Ok(true) => self.opened(key),
                Err(error) => {
                    self.report_failure(key, &error);
                    self.break_off(key, registry, now);
                    return false;
                }
            }
        }
        let Some(link) = self.links.get_mut(key) else { return false };
        if link.can_send() {
            self.post(key);
        }
        self.links.get_mut(key).is_some_and(Link::has_input)
    }

    /// Takes note of a link of this node's own that is connected now.
    fn opened(&mut self, key: usize) {
        let Some(Link { remote: Remote::Route(route), .. }) = self.links.get(key) else { return };
        let is_heartbeat = Remote::Route(*route).is_heartbeat();
        self.opened.push(*route);
        self.count(|counters| {
            counters.links_opened.add(1);
            counters.heartbeats_opened.add(u64::from(is_heartbeat));
        });
        self.expect_deadline(key);
    }

    /// The link to a remote, made if need be; `None` when it was another node's and is gone.
    pub(super) fn link_to(&mut self, remote: Remote, now: Instant) -> Option<usize> {
        match remote {
            Remote::Incoming(id) => self.incoming.get(&id).copied(),
            Remote::Route(route) => Some(*self.routes.entry(route).or_insert_with(|| {
                let key = self.links.insert(Link::to(route, now));
                self.next_sweep.get_or_insert(now);
                key
            })),
        }
    }

    /// Appends a frame to what a link owes.
    ///
    /// # Errors
    /// When it is full.
    pub(super) fn append(
        &mut self,
        key: usize,
        now: Instant,
        frame: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Full> {
        let unsent_max = self.unsent_max();
        let Some(link) = self.links.get_mut(key) else { return Ok(()) };
        let owed_before = link.unsent();
        link.append(unsent_max, now, frame)?;
        if self.is_timed {
            link.time_frame(owed_before);
        }
        self.post(key);
        Ok(())
    }

    /// Has a link looked at when what was posted is sent.
    #[inline]
    pub(super) fn post(&mut self, key: usize) {
        if let Some(link) = self.links.get_mut(key)
            && !link.posted
        {
            link.posted = true;
            self.posted.push(key);
        }
    }

    /// Sends what was posted: all frames of a link with one call, as far as its socket takes them.
    pub(super) fn send_posted(&mut self, registry: &Registry, now: Instant) {
        for key in std::mem::take(&mut self.posted) {
            let Some(link) = self.links.get_mut(key) else { continue };
            link.posted = false;
            let done = if link.is_open() {
                self.send_owed(key, now)
            } else if link.is_needed() && link.may_connect(now) {
                self.connect(key, registry, now)
            } else {
                Ok(())
            };
            match done {
                Ok(()) => self.expect_deadline(key),
                Err(error) => {
                    self.report_failure(key, &error);
                    self.break_off(key, registry, now);
                }
            }
        }
    }

    fn send_owed(&mut self, key: usize, now: Instant) -> io::Result<()> {
        let unsent_max = self.unsent_max();
        let Some(link) = self.links.get_mut(key) else { return Ok(()) };
        let was_choked = link.is_choked(unsent_max);
        let began = self.is_timed.then(Instant::now);
        let sent = link.send_owed(now)?;
        let call = began.map(|began| CallTime { began, ended: Instant::now() });
        link.time_sending(sent, call, &mut self.timings);
        let relieved = was_choked && !link.is_choked(unsent_max);
        let goes_on = link.can_send();
        if link.refused && link.unsent() <= unsent_max / 2 {
            link.refused = false;
            self.roomy = true;
        }
        if relieved {
            self.relieved.push(key);
        }
        if goes_on {
            self.post(key);
        }
        self.count(|counters| counters.link_bytes_sent.add(sent as u64));
        Ok(())
    }

    fn connect(&mut self, key: usize, registry: &Registry, now: Instant) -> io::Result<()> {
        let Some(link) = self.links.get_mut(key) else { return Ok(()) };
        let at_most = match link.remote.is_heartbeat() {
            true => self.limits.heartbeat_connect_time(),
            false => CONNECT_TIME,
        };
        let keepalive = self.limits.link_keepalive();
        link.connect(now, (at_most, keepalive))?.register(registry, token_of(key))
    }

    /// Ends a link's connection, and remembers to tell the worker. One of this node's own may be made
    /// again; what waits in it is lost in any case.
    pub(super) fn break_off(&mut self, key: usize, registry: &Registry, now: Instant) {
        if let Some(remote) = self.disconnect(key, registry, now) {
            self.lost.push(remote);
        }
    }

    /// Ends a link's connection. Whose it was.
    fn disconnect(&mut self, key: usize, registry: &Registry, now: Instant) -> Option<Remote> {
        let link = self.links.get_mut(key)?;
        let remote = link.remote;
        let was_open = link.is_open();
        if let Some(mut socket) = link.disconnect(now) {
            socket.deregister(registry);
        }
        match remote {
            Remote::Incoming(id) => {
                self.links.remove(key);
                self.incoming.remove(&id);
                self.mailbox.connection_gone(Protocol::Peer);
                self.count(|counters| counters.closed.of(Protocol::Peer).add(1));
            }
            Remote::Route(_) => {
                if was_open {
                    self.count(|counters| {
                        counters.links_closed.add(1);
                        counters.heartbeats_closed.add(u64::from(remote.is_heartbeat()));
                    });
                }
                self.expect_deadline(key);
            }
        }
        Some(remote)
    }

    /// Says whether the worker wants to know how long steps take.
    pub(super) fn set_timed(&mut self, is_timed: bool) {
        self.is_timed = is_timed;
    }

    /// How long steps took of which the worker was not told yet.
    pub(super) fn take_timings(&mut self) -> Vec<LinkTiming> {
        std::mem::take(&mut self.timings)
    }

    /// The links of whose connection the worker was not told yet.
    pub(super) fn take_opened(&mut self) -> Vec<Route> {
        std::mem::take(&mut self.opened)
    }

    /// Whose ends the worker was not told yet.
    pub(super) fn take_lost(&mut self) -> Vec<Remote> {
        std::mem::take(&mut self.lost)
    }

    /// The links that can be read again.
    pub(super) fn take_relieved(&mut self) -> Vec<usize> {
        self.roomy = false;
        std::mem::take(&mut self.relieved)
    }

    /// Whether the loop is not to sleep, because of the worker or of links that have more to send.
    #[inline]
    pub(super) fn is_restless(&self) -> bool {
        self.roomy || !(self.posted.is_empty() && self.lost.is_empty() && self.relieved.is_empty())
    }

    /// Whether there is something unsent on a link that is connected.
    pub(super) fn owes(&self) -> bool {
        self.links.iter().any(|(_, link)| link.is_open() && link.unsent() > 0)
    }

    /// When [`Self::mind_deadlines`] is to be called at the latest.
    #[inline]
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.next_sweep
    }

    /// Has the next sweep come in time for a link's deadline.
    fn expect_deadline(&mut self, key: usize) {
        let Some(link) = self.links.get(key) else { return };
        let (at, _) = link.deadline();
        if self.next_sweep.is_none_or(|next| at < next) {
            self.next_sweep = Some(at);
        }
    }

    /// Does for every link what is due, and finds the next deadline. `soonest` is when that may be.
    pub(super) fn mind_deadlines(&mut self, registry: &Registry, now: Instant, soonest: Instant) {
        if self.next_sweep.is_none_or(|at| at > now) {
            return;
        }
        let due = self.links.iter().filter(|(_, link)| link.deadline().0 <= now);
        let due: Vec<_> = due.map(|(key, link)| (key, link.deadline().1)).collect();
        for (key, what) in due {
            match what {
                Due::Connect => self.post(key),
                Due::Break => self.break_off(key, registry, now),
                Due::Close => _ = self.disconnect(key, registry, now),
                Due::Forget => self.forget(key),
            }
        }
        // What is to connect now does so at the end of this wake-up, and has another deadline then.
        let deadlines = self.links.iter().filter(|(_, link)| !link.posted);
        let next = deadlines.map(|(_, link)| link.deadline().0).min();
        self.next_sweep = next.map(|at| at.max(soonest));
    }

    fn forget(&mut self, key: usize) {
        if let Some(link) = self.links.try_remove(key)
            && let Remote::Route(route) = link.remote
        {
            self.routes.remove(&route);
        }
    }

    /// Ends all links. Nobody is told.
    pub(super) fn close_all(&mut self, registry: &Registry, now: Instant) {
        let keys: Vec<usize> = self.links.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.disconnect(key, registry, now);
        }
    }

    /// How much may be unsent on a link before it is full, in bytes.
    pub(super) fn unsent_max(&self) -> usize {
        usize::try_from(self.limits.link_unsent_bytes_max()).unwrap_or(usize::MAX)
    }

    fn report_failure(&self, key: usize, error: &io::Error) {
        if let Some(link) = self.links.get(key) {
            tracing::debug!(link = %link.address, %error, "a link to another node failed");
        }
    }

    fn count(&self, change: impl FnOnce(&LoopCounters)) {
        if let Some(counters) = self.stats.of_loop(self.loop_index) {
            change(counters);
        }
    }
}
