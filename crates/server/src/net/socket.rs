//! A connected socket and what is known of its readiness: the one place where bytes of connections and
//! links are read and written, and where encryption would go in between.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};
use socket2::{SockRef, TcpKeepalive};

/// How the kernel asks whether the other side of a silent connection is still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// Time without traffic before it does.
    pub time: Duration,
    /// Time between two questions.
    pub interval: Duration,
    /// Questions without an answer after which the connection is dead.
    pub probes: u32,
}

impl Keepalive {
    /// For connections of clients.
    pub const OF_CLIENTS: Self =
        Self { time: Duration::from_secs(60), interval: Duration::from_secs(60), probes: 2 };
    /// For those between nodes, unless configured (configuration reference, fabric).
    pub const OF_LINKS: Self =
        Self { time: Duration::from_secs(1), interval: Duration::from_secs(1), probes: 10 };
}

/// A socket, non-blocking.
pub(super) struct Socket {
    stream: TcpStream,
    /// There may be more to read. Readiness is edge-triggered: it is told once.
    pub readable: bool,
    /// The socket may take more.
    pub writable: bool,
    /// The other side has shut its side, perhaps behind bytes that are still to be read.
    pub peer_closed: bool,
    /// The socket has failed: nothing that is sent arrives.
    pub failed: bool,
}

impl Socket {
    /// One that is connected, and of which nothing is known yet but that it takes something.
    pub(super) fn connected(stream: TcpStream) -> Self {
        Self { stream, readable: false, writable: true, peer_closed: false, failed: false }
    }

    /// One that begins to connect. It is writable when that has come to an end, see
    /// [`Self::connection_made`].
    ///
    /// # Errors
    /// When that fails at once.
    pub(super) fn connect(address: SocketAddr, keepalive: Option<Keepalive>) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        set_up(&stream, keepalive)?;
        Ok(Self { writable: false, ..Self::connected(stream) })
    }

    /// Whether one that began to connect is connected by now.
    ///
    /// # Errors
    /// When it could not be.
    pub(super) fn connection_made(&self) -> io::Result<bool> {
        if let Some(error) = self.stream.take_error()? {
            return Err(error);
        }
        let remote = match self.stream.peer_addr() {
            Ok(remote) => remote,
            Err(error) if error.kind() == io::ErrorKind::NotConnected => return Ok(false),
            Err(error) => return Err(error),
        };
        // While nobody listens on a port of this machine, the kernel may choose that very port for this
        // side, and connect the socket to itself.
        if self.stream.local_addr()? == remote {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Ok(true)
    }

    /// Has a poll tell of the socket's readiness.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.stream, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// Ends what [`Self::register`] began. Not every platform forgets a socket when it is closed, so
    /// mio asks for this.
    pub(super) fn deregister(&mut self, registry: &Registry) {
        if let Err(error) = registry.deregister(&mut self.stream) {
            tracing::debug!(%error, "cannot deregister a connection");
        }
    }

    /// Notes what an event says about the socket.
    #[inline]
    pub(super) fn note(&mut self, event: &Event) {
        // An error counts as both, so that the next call to the socket brings it to light.
        let failed = event.is_error();
        self.failed |= failed || event.is_write_closed();
        self.peer_closed |= event.is_read_closed();
        self.readable |= event.is_readable() || event.is_read_closed() || failed;
        self.writable |= event.is_writable() || event.is_write_closed() || failed;
    }

    /// Reads once. `None` when there is nothing to read now; 0 bytes at the end of the stream.
    #[inline]
    pub(super) fn receive(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        let received =
            retried(|| Ok(rustix::net::recv(&self.stream, &mut *into, RecvFlags::empty())?.0))?;
        match received {
            None | Some(0) => self.readable = false,
            // A read that leaves room has drained the socket, and fresh bytes make a new event. Not
            // so the end of the stream when the event that told of these bytes told of it too.
            Some(count) => self.readable = count == into.len() || self.peer_closed,
        }
        Ok(received)
    }

    /// Sends as much of `bytes` as the socket takes, and says how much.
    #[inline]
    pub(super) fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while let Some(rest) = bytes.get(sent..).filter(|rest| !rest.is_empty()) {
            match retried(|| rustix::net::send(&self.stream, rest, SendFlags::NOSIGNAL))? {
                Some(count) if count > 0 => sent += count,
                _ => {
                    self.writable = false;
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the socket is not connected any more.
    pub(super) fn shut_sending_side(&self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }
}

/// Sets the options of a connection, whoever opened it.
///
/// # Errors
/// When the kernel refuses one; the socket may be gone already.
pub(super) fn set_up(socket: &TcpStream, keepalive: Option<Keepalive>) -> io::Result<()> {
    // Replies leave in one piece: waiting for more to send would only delay them.
    socket.set_nodelay(true)?;
    let Some(Keepalive { time, interval, probes }) = keepalive else { return Ok(()) };
    let keepalive =
        TcpKeepalive::new().with_time(time).with_interval(interval).with_retries(probes);
    SockRef::from(socket).set_tcp_keepalive(&keepalive)
}

/// Calls until the answer is not "interrupted"; `None` for "would block".
#[inline]
fn retried(mut call: impl FnMut() -> Result<usize, Errno>) -> io::Result<Option<usize>> {
    loop {
        match call() {
            Ok(count) => return Ok(Some(count)),
            Err(Errno::AGAIN) => return Ok(None),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_asks_after_those_that_are_silent() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for keepalive in [Keepalive::OF_CLIENTS, Keepalive::OF_LINKS] {
            let socket = Socket::connect(address, Some(keepalive)).unwrap();
            let options = SockRef::from(&socket.stream);
            assert!(options.keepalive().unwrap() && socket.stream.nodelay().unwrap());
            assert_eq!(options.tcp_keepalive_time().unwrap(), keepalive.time);
            assert_eq!(options.tcp_keepalive_interval().unwrap(), keepalive.interval);
            assert_eq!(options.tcp_keepalive_retries().unwrap(), keepalive.probes);
        }
        let socket = Socket::connect(address, None).unwrap();
        assert!(!SockRef::from(&socket.stream).keepalive().unwrap());
    }
}
