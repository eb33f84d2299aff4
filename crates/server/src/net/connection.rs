//! One connection: its socket, its phase, and the bytes that a turn could not finish with.

use std::io;
use std::net::Shutdown;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags};

use super::Peer;
use super::mailbox::Newcomer;
use super::protocol::Protocol;
use super::stream::{Stream, Ticket};

/// How long a client may take none of the bytes offered to it before its connection is closed.
pub(super) const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a refused client may take to hang up, see [`Phase::Lingering`].
const LINGER_TIME: Duration = Duration::from_secs(1);

/// What a connection is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It reads and answers.
    Open,
    /// It reads no more, because the client or this server is done. What has been read is answered,
    /// then it closes.
    Finishing,
    /// What follows in the stream is not answered. What is owed is sent, then it lingers.
    Refused,
    /// All is sent and the sending side is shut. Incoming bytes are thrown away until the client
    /// hangs up: closing a socket with unread bytes in it resets the connection, and the client
    /// might lose replies that it has not read yet.
    Lingering,
}

/// Why a deadline closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deadline {
    /// The client was silent for too long.
    Idle,
    /// The client takes no replies.
    SendTimeout,
    /// The client has had its time to hang up.
    LingerTimeout,
}

/// A connection between its turns.
pub(super) struct Connection<W> {
    pub socket: TcpStream,
    pub peer: Peer,
    pub protocol: Protocol,
    pub phase: Phase,
    /// Received and not yet handled: the beginning of one request, or, while `suspended`, anything.
    pub held: Held,
    /// The turn ended before everything in `held` was handled, or before the reply was whole.
    pub suspended: bool,
    /// The rest of the reply to the last request that was handled. Implies `suspended`.
    pub stream: Option<Box<dyn Stream<W>>>,
    /// What the stream waits for. It gets no turn before.
    pub awaits: Option<Ticket>,
    /// A line ended with a carriage return right at the end of the bytes received: a newline that
    /// comes next belongs to it.
    pub swallow_newline: bool,
    /// There may be more to read. Readiness is edge-triggered: it is told once.
    pub readable: bool,
    /// The socket may take more.
    pub writable: bool,
    /// The client has shut its side, perhaps behind bytes that are still to be read.
    pub peer_closed: bool,
    /// The socket has failed: nothing that is sent arrives.
    pub failed: bool,
    /// Waits in the loop's queue for another turn.
    pub queued: bool,
    /// The last time that bytes moved, or that lingering began.
    pub active_at: Instant,
    /// What [`Self::buffered_bytes`] was when the loop last added it up.
    pub accounted_bytes: usize,
    /// Replies that the socket did not take; those before `owed_from` are sent.
    owed: Vec<u8>,
    owed_from: usize,
}

impl<W> Connection<W> {
    pub(super) fn new(newcomer: Newcomer, now: Instant) -> Self {
        let Newcomer { socket, peer, protocol } = newcomer;
        Self {
            socket,
            peer,
            protocol,
            phase: Phase::Open,
            held: Held::default(),
            suspended: false,
            stream: None,
            awaits: None,
            swallow_newline: false,
            readable: false,
            writable: true,
            peer_closed: false,
            failed: false,
            queued: false,
            active_at: now,
            accounted_bytes: 0,
            owed: Vec::new(),
            owed_from: 0,
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
            retried(|| Ok(rustix::net::recv(&self.socket, &mut *into, RecvFlags::empty())?.0))?;
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
            match retried(|| rustix::net::send(&self.socket, rest, SendFlags::NOSIGNAL))? {
                Some(count) if count > 0 => sent += count,
                _ => {
                    self.writable = false;
                    break;
                }
            }
        }
        Ok(sent)
    }

    /// Sends what is owed, as far as the socket takes it, and says how much that was.
    pub(super) fn send_owed(&mut self) -> io::Result<usize> {
        let owed = std::mem::take(&mut self.owed);
        let sent = self.send(owed.get(self.owed_from..).unwrap_or_default())?;
        self.owed_from += sent;
        if self.owed_from < owed.len() {
            self.owed = owed;
        } else {
            self.owed_from = 0;
        }
        Ok(sent)
    }

    /// Keeps `bytes` from `from` on, for when the socket takes more.
    pub(super) fn owe(&mut self, bytes: Vec<u8>, from: usize) {
        self.owed = bytes;
        self.owed_from = from;
    }

    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Reads no more: the client has said all, or the server stops.
    pub(super) fn finish(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::Finishing;
        }
    }

    /// Answers no more: what follows in the stream cannot be read or is not wanted.
    pub(super) fn refuse(&mut self) {
        self.phase = Phase::Refused;
        self.held = Held::default();
        self.suspended = false;
        self.stream = None;
        self.awaits = None;
    }

    /// Shuts the sending side and gives the client time to hang up.
    pub(super) fn linger(&mut self, now: Instant) -> io::Result<()> {
        self.socket.shutdown(Shutdown::Write)?;
        self.phase = Phase::Lingering;
        self.active_at = now;
        Ok(())
    }

    /// When the connection is to be closed unless something happens before, and why.
    pub(super) fn deadline(&self, idle_time: Option<Duration>) -> Option<(Instant, Deadline)> {
        if self.phase == Phase::Lingering {
            Some((self.active_at + LINGER_TIME, Deadline::LingerTimeout))
        } else if self.owes() {
            // Nothing is read meanwhile, so only sending counts as activity.
            let timeout = match &self.stream {
                Some(stream) => stream.send_timeout(),
                None => Some(SEND_TIMEOUT),
            };
            timeout.map(|time| (self.active_at + time, Deadline::SendTimeout))
        } else if self.queued || self.awaits.is_some() {
            None
        } else {
            idle_time.map(|time| (self.active_at + time, Deadline::Idle))
        }
    }

    /// Whether it holds nothing, owes nothing and waits for the next request.
    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.phase == Phase::Open && !self.suspended && self.buffered_bytes() == 0
    }

    /// Memory held by the buffers, in bytes.
    #[inline]
    pub(super) fn buffered_bytes(&self) -> usize {
        let streamed = self.stream.as_ref().map_or(0, |stream| stream.buffered_bytes());
        self.held.capacity() + self.owed.capacity() + streamed
    }
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

/// Bytes received and not yet handled. Without any it holds no memory.
#[derive(Default)]
pub(super) struct Held {
    bytes: Vec<u8>,
    /// Those before are handled.
    from: usize,
}

impl Held {
    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(self.from..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn append(&mut self, fresh: &[u8]) {
        if self.from > 0 {
            self.bytes.drain(..self.from);
            self.from = 0;
        }
        self.bytes.extend_from_slice(fresh);
    }

    /// What is left when the first `count` bytes are handled.
    pub(super) fn without_first(mut self, count: usize) -> Self {
        self.from += count;
        if self.from < self.bytes.len() { self } else { Self::default() }
    }

    #[inline]
    fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::super::Echo;
    use super::super::stream::Progress;
    use super::*;

    fn connection(now: Instant) -> Connection<Echo> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let socket = TcpStream::connect(address).unwrap();
        listener.accept().unwrap();
        Connection::new(
            Newcomer { socket, peer: Peer { address }, protocol: Protocol::Frames },
            now,
        )
    }

    /// A stream whose client has so much time.
    struct Patient(Option<Duration>);

    impl<W> Stream<W> for Patient {
        fn advance(&mut self, _: &mut W, _: &mut Vec<u8>) -> Progress {
            Progress::Over
        }

        fn send_timeout(&self) -> Option<Duration> {
            self.0
        }

        fn buffered_bytes(&self) -> usize {
            0
        }
    }

    #[test]
    fn deadlines() {
        let now = Instant::now();
        let idle_time = Some(Duration::from_secs(60));
        let mut connection = connection(now);
        assert_eq!(connection.deadline(None), None);
        let idle = (now + Duration::from_secs(60), Deadline::Idle);
        assert_eq!(connection.deadline(idle_time), Some(idle));

        connection.queued = true;
        assert_eq!(connection.deadline(idle_time), None, "it has its turn soon");
        connection.queued = false;

        connection.awaits = Some(1);
        assert_eq!(connection.deadline(idle_time), None, "it is this server that takes its time");

        connection.owe(b"reply".to_vec(), 2);
        let send_timeout = (now + SEND_TIMEOUT, Deadline::SendTimeout);
        assert_eq!(connection.deadline(None), Some(send_timeout));
        assert_eq!(connection.deadline(idle_time), Some(send_timeout));

        for timeout in [None, Some(Duration::from_secs(3))] {
            connection.stream = Some(Box::new(Patient(timeout)));
            let expected = timeout.map(|time| (now + time, Deadline::SendTimeout));
            assert_eq!(connection.deadline(idle_time), expected);
        }

        connection.phase = Phase::Lingering;
        let linger_timeout = (now + LINGER_TIME, Deadline::LingerTimeout);
        assert_eq!(connection.deadline(idle_time), Some(linger_timeout));
    }

    #[test]
    fn held_bytes() {
        let mut held = Held::default();
        assert!(held.is_empty());
        held.append(b"abc");
        held.append(b"def");
        let mut held = held.without_first(2);
        assert_eq!(held.bytes(), b"cdef");
        held.append(b"g");
        assert_eq!(held.bytes(), b"cdefg");
        let held = held.without_first(5);
        assert!(held.is_empty());
        assert_eq!(held.capacity(), 0, "nothing held takes no memory");
    }
}
