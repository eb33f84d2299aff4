//! One connection: its socket, its phase, and the bytes that a turn could not finish with.

use std::io;
use std::time::{Duration, Instant};

use super::Peer;
use super::buffers::{Held, Owed};
use super::mailbox::Newcomer;
use super::protocol::Protocol;
use super::socket::Socket;
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
    pub socket: Socket,
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
    /// Waits in the loop's queue for another turn.
    pub queued: bool,
    /// The last time that bytes moved, or that lingering began.
    pub active_at: Instant,
    /// What [`Self::buffered_bytes`] was when the loop last added it up.
    pub accounted_bytes: usize,
    /// Replies that the socket did not take.
    owed: Owed,
}

impl<W> Connection<W> {
    pub(super) fn new(newcomer: Newcomer, now: Instant) -> Self {
        let Newcomer { socket, peer, protocol } = newcomer;
        Self {
            socket: Socket::connected(socket),
            peer,
            protocol,
            phase: Phase::Open,
            held: Held::default(),
            suspended: false,
            stream: None,
            awaits: None,
            swallow_newline: false,
            queued: false,
            active_at: now,
            accounted_bytes: 0,
            owed: Owed::default(),
        }
    }

    /// Sends what is owed, as far as the socket takes it, and says how much that was.
    pub(super) fn send_owed(&mut self) -> io::Result<usize> {
        let sent = self.socket.send(self.owed.bytes())?;
        self.owed.sent(sent, 0);
        Ok(sent)
    }

    /// Keeps `bytes` from `from` on, for when the socket takes more.
    pub(super) fn owe(&mut self, bytes: Vec<u8>, from: usize) {
        self.owed = Owed::rest_of(bytes, from);
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
        self.socket.shut_sending_side()?;
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use mio::net::TcpStream;

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
}
