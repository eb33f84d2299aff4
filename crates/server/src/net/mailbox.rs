//! What other threads send to an event loop.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use crossbeam_queue::ArrayQueue;
use mio::Waker;
use mio::net::TcpStream;

use super::Peer;
use super::protocol::Protocol;

/// How many sockets may wait for a loop. It empties the box at every wake-up, so a full box means
/// that the loop is stuck.
const CAPACITY: usize = 1024;

/// A socket on its way from the acceptor to its loop.
pub(super) struct Newcomer {
    pub socket: TcpStream,
    pub peer: Peer,
    pub protocol: Protocol,
}

/// The way into one event loop.
pub(super) struct Mailbox {
    newcomers: ArrayQueue<Newcomer>,
    waker: Arc<Waker>,
    connections: AtomicUsize,
    links: AtomicUsize,
}

impl Mailbox {
    pub(super) fn new(waker: Arc<Waker>) -> Self {
        Self {
            newcomers: ArrayQueue::new(CAPACITY),
            waker,
            connections: AtomicUsize::new(0),
            links: AtomicUsize::new(0),
        }
    }

    /// How many connections like those of this protocol the loop has, those on their way included:
    /// clients and links of other nodes are shared out each by themselves.
    pub(super) fn connections(&self, protocol: Protocol) -> usize {
        self.counter(protocol).load(Relaxed)
    }

    fn counter(&self, protocol: Protocol) -> &AtomicUsize {
        match protocol {
            Protocol::Frames | Protocol::Lines => &self.connections,
            Protocol::Peer => &self.links,
        }
    }

    /// Hands a socket over; gives it back when the box is full.
    pub(super) fn send(&self, newcomer: Newcomer) -> Result<(), Newcomer> {
        let protocol = newcomer.protocol;
        self.counter(protocol).fetch_add(1, Relaxed);
        self.newcomers.push(newcomer).inspect_err(|_| self.connection_gone(protocol))?;
        if let Err(error) = self.wake() {
            tracing::error!(%error, "cannot wake an event loop");
        }
        Ok(())
    }

    pub(super) fn receive(&self) -> Option<Newcomer> {
        self.newcomers.pop()
    }

    /// Tells that a connection handed to the loop has ended.
    pub(super) fn connection_gone(&self, protocol: Protocol) {
        self.counter(protocol).fetch_sub(1, Relaxed);
    }

    pub(super) fn wake(&self) -> io::Result<()> {
        self.waker.wake()
    }
}
