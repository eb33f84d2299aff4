//! The thread that takes new connections and hands each to an event loop.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use super::Peer;
use super::limits::Limits;
use super::mailbox::{Mailbox, Newcomer};
use super::protocol::Protocol;
use super::server::StopSign;
use super::socket::{Keepalive, set_up};
use super::stats::Stats;
use super::throttle::Throttle;

/// The token of the waker; listeners have their indices as tokens.
pub(super) const WAKER: Token = Token(usize::MAX);

/// How many connections may be open on the text ports. Tools need a handful, and those must get in
/// when the clients have used up the limit of the service port.
const TEXT_CONNECTIONS_MAX: u64 = 512;

/// How many links other nodes may have open: one for each of their loops and channels, in the largest
/// cluster. The bound only keeps a stray program from using up the descriptors.
const LINKS_MAX: u64 = 16 * 1024;

/// Connections taken from one listener before the next has its turn.
const BATCH_MAX: usize = 64;

/// How long to wait when the process is out of descriptors or memory. The kernel would report the
/// waiting connection again at once, and the thread would spin.
const RETRY_TIME: Duration = Duration::from_millis(100);

/// Accepts connections on all listeners.
pub(super) struct Acceptor {
    pub poll: Poll,
    pub listeners: Vec<Listener>,
    pub mailboxes: Vec<Arc<Mailbox>>,
    pub limits: Arc<Limits>,
    pub stats: Arc<Stats>,
    pub stop: Arc<StopSign>,
    pub warnings: Warnings,
}

/// A listening socket.
pub(super) struct Listener {
    socket: TcpListener,
    protocol: Protocol,
    /// Connections may be waiting. Readiness is edge-triggered: it is told once.
    ready: bool,
}

impl Listener {
    pub(super) fn new(socket: TcpListener, protocol: Protocol) -> Self {
        Self { socket, protocol, ready: false }
    }
}

/// One throttle for each kind of warning.
#[derive(Default)]
pub(super) struct Warnings {
    accept: Throttle,
    limit: Throttle,
    set_up: Throttle,
    stuck: Throttle,
}

impl Acceptor {
    /// Registers the listeners with the poll.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn register(&mut self) -> io::Result<()> {
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let token = Token(index);
            self.poll.registry().register(&mut listener.socket, token, Interest::READABLE)?;
        }
        Ok(())
    }

    /// Runs until told to stop. The listening sockets close with it.
    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(64);
        let mut retry = false;
        while self.stop.deadline().is_none() {
            let timeout = if retry {
                Some(RETRY_TIME)
            } else {
                self.listeners.iter().any(|listener| listener.ready).then_some(Duration::ZERO)
            };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "the acceptor cannot wait and gives up");
                    return;
                }
            }
            for event in &events {
                if let Some(listener) = self.listeners.get_mut(event.token().0) {
                    listener.ready = true;
                }
            }
            retry = !self.accept_from_all();
        }
    }

    /// Takes connections from every listener that has some. `false` when the process lacks the
    /// means to take more now.
    fn accept_from_all(&mut self) -> bool {
        for index in 0..self.listeners.len() {
            for _ in 0..BATCH_MAX {
                let Some(listener) = self.listeners.get_mut(index).filter(|one| one.ready) else {
                    break;
                };
                let protocol = listener.protocol;
                match listener.socket.accept() {
                    Ok((socket, address)) => self.welcome(socket, Peer { address }, protocol),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => listener.ready = false,
                    Err(error) if concerns_one_connection(error.kind()) => {}
                    Err(error) => {
                        if let Some(suppressed) = self.warnings.accept.admit(Instant::now()) {
                            tracing::warn!(%error, suppressed, "cannot accept connections");
                        }
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Hands a connection to the least-loaded loop, or drops it, which closes it.
    fn welcome(&mut self, socket: TcpStream, peer: Peer, protocol: Protocol) {
        let client = peer.address;
        let limit = match protocol {
            Protocol::Frames => self.limits.connections_max().into(),
            Protocol::Lines => TEXT_CONNECTIONS_MAX,
            Protocol::Peer => LINKS_MAX,
        };
        if self.stats.open(protocol) >= limit {
            if let Some(suppressed) = self.warnings.limit.admit(Instant::now()) {
                tracing::warn!(%client, limit, suppressed, "refusing a connection: limit reached");
            }
            return;
        }
        let keepalive = match protocol {
            Protocol::Peer => self.limits.link_keepalive(),
            Protocol::Frames | Protocol::Lines => Some(Keepalive::OF_CLIENTS),
        };
        if let Err(error) = set_up(&socket, keepalive) {
            // It may be gone already. If not, it works without its options.
            if let Some(suppressed) = self.warnings.set_up.admit(Instant::now()) {
                tracing::warn!(%client, %error, suppressed, "cannot set a socket's options");
            }
        }
        // Counted first: the loop may close it before this thread goes on.
        self.stats.opened(protocol).add(1);
        let mut newcomer = Some(Newcomer { socket, peer, protocol });
        let mut by_load: Vec<&Arc<Mailbox>> = self.mailboxes.iter().collect();
        by_load.sort_by_key(|mailbox| mailbox.connections(protocol));
        for mailbox in by_load {
            newcomer = newcomer.and_then(|newcomer| mailbox.send(newcomer).err());
        }
        if newcomer.is_some() {
            self.stats.turned_away(protocol).add(1);
            if let Some(suppressed) = self.warnings.stuck.admit(Instant::now()) {
                tracing::warn!(%client, suppressed, "refusing a connection: all loops are stuck");
            }
        }
    }
}

/// Whether a failed accept says nothing about the next one: the client hung up before its turn, or
/// the network reported an error of that connection.
fn concerns_one_connection(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Interrupted
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::TimedOut
    )
}
