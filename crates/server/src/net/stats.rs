//! Counters of the service layer. Each loop writes only its own; reading adds them up.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crossbeam_utils::CachePadded;

use super::protocol::Protocol;

/// The counters of a running server.
pub struct Stats {
    opened: PerProtocol,
    turned_away: PerProtocol,
    loops: Box<[CachePadded<LoopCounters>]>,
}

/// What [`Stats`] said at one moment. The names are those of the statistics reference, where it has
/// the item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Open connections on service ports.
    pub client_connections: u64,
    /// Connections on service ports opened since the start.
    pub client_connections_opened: u64,
    /// Connections on service ports closed since the start.
    pub client_connections_closed: u64,
    /// Open connections on plain-text info ports.
    pub text_connections: u64,
    /// Open links between nodes, whichever side opened them.
    pub fabric_connections: u64,
    /// Links between nodes opened since the start.
    pub fabric_connections_opened: u64,
    /// Links between nodes closed since the start.
    pub fabric_connections_closed: u64,
    /// Of those opened, the ones that this node opened on [`HEARTBEAT_CHANNEL`](super::HEARTBEAT_CHANNEL).
    pub heartbeat_connections_opened: u64,
    /// Of those closed, likewise.
    pub heartbeat_connections_closed: u64,
    /// Bytes received on links between nodes.
    pub fabric_bytes_received: u64,
    /// Bytes sent on links between nodes.
    pub fabric_bytes_sent: u64,
    /// Connections closed because they were idle.
    pub reaped_fds: u64,
    /// Bytes received on all connections of clients.
    pub bytes_received: u64,
    /// Bytes sent on all connections of clients.
    pub bytes_sent: u64,
    /// Panics caught in a worker.
    pub worker_panics: u64,
}

impl Stats {
    pub(super) fn new(loops: usize) -> Self {
        Self {
            opened: PerProtocol::default(),
            turned_away: PerProtocol::default(),
            loops: (0..loops).map(|_| CachePadded::default()).collect(),
        }
    }

    /// All counters, added up over the loops.
    pub fn snapshot(&self) -> Snapshot {
        let sum = |counter: fn(&LoopCounters) -> &Counter| -> u64 {
            self.loops.iter().map(|counters| counter(counters).get()).sum()
        };
        // Closed before opened: a connection that comes and goes in between must not be counted as
        // closed only.
        let closed = self.closed(Protocol::Frames);
        let opened = self.opened.frames.get();
        let links_closed = self.closed(Protocol::Peer) + sum(|counters| &counters.links_closed);
        let heartbeats_closed = sum(|counters| &counters.heartbeats_closed);
        let heartbeats_opened = sum(|counters| &counters.heartbeats_opened);
        let links_opened = self.opened.peer.get() + sum(|counters| &counters.links_opened);
        Snapshot {
            client_connections: opened.saturating_sub(closed),
            client_connections_opened: opened,
            client_connections_closed: closed,
            text_connections: self.open(Protocol::Lines),
            fabric_connections: links_opened.saturating_sub(links_closed),
            fabric_connections_opened: links_opened,
            fabric_connections_closed: links_closed,
            heartbeat_connections_opened: heartbeats_opened,
            heartbeat_connections_closed: heartbeats_closed,
            fabric_bytes_received: sum(|counters| &counters.link_bytes_received),
            fabric_bytes_sent: sum(|counters| &counters.link_bytes_sent),
            reaped_fds: sum(|counters| &counters.reaped),
            bytes_received: sum(|counters| &counters.bytes_received),
            bytes_sent: sum(|counters| &counters.bytes_sent),
            worker_panics: sum(|counters| &counters.worker_panics),
        }
    }

    /// How many connections of a protocol are open.
    pub(super) fn open(&self, protocol: Protocol) -> u64 {
        let closed = self.closed(protocol);
        self.opened.of(protocol).get().saturating_sub(closed)
    }

    fn closed(&self, protocol: Protocol) -> u64 {
        let by_loops = self.loops.iter().map(|counters| counters.closed.of(protocol).get());
        by_loops.sum::<u64>() + self.turned_away.of(protocol).get()
    }

    /// Connections opened; written by the acceptor only.
    pub(super) fn opened(&self, protocol: Protocol) -> &Counter {
        self.opened.of(protocol)
    }

    /// Connections opened, and closed again because no loop could take them; written by the
    /// acceptor only.
    pub(super) fn turned_away(&self, protocol: Protocol) -> &Counter {
        self.turned_away.of(protocol)
    }

    /// The counters of loop `index`, written by that loop only; `None` beyond the last loop.
    pub(super) fn of_loop(&self, index: usize) -> Option<&LoopCounters> {
        self.loops.get(index).map(|counters| &**counters)
    }
}

#[derive(Default)]
pub(super) struct LoopCounters {
    pub closed: PerProtocol,
    pub reaped: Counter,
    pub bytes_received: Counter,
    pub bytes_sent: Counter,
    pub worker_panics: Counter,
    /// Links that this loop opened itself; those of other nodes are in `closed`.
    pub links_opened: Counter,
    pub links_closed: Counter,
    /// Of those, the ones that carry heartbeats.
    pub heartbeats_opened: Counter,
    pub heartbeats_closed: Counter,
    pub link_bytes_received: Counter,
    pub link_bytes_sent: Counter,
}

#[derive(Default)]
pub(super) struct PerProtocol {
    frames: Counter,
    lines: Counter,
    peer: Counter,
}

impl PerProtocol {
    pub(super) fn of(&self, protocol: Protocol) -> &Counter {
        match protocol {
            Protocol::Frames => &self.frames,
            Protocol::Lines => &self.lines,
            Protocol::Peer => &self.peer,
        }
    }
}

/// A counter with one writing thread and any number of readers.
#[derive(Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    /// Adds without the price of an atomic addition, which a single writer does not need.
    #[inline]
    pub(super) fn add(&self, count: u64) {
        self.0.store(self.get().wrapping_add(count), Relaxed);
    }

    #[inline]
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
