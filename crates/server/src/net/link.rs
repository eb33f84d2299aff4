//! One link to another node: its socket, what stage it is at, and the bytes that wait in it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::buffers::{Held, Owed};
use super::connection::SEND_TIMEOUT;
use super::peer_frame;
use super::socket::{Keepalive, Socket};
use super::timing::{CallTime, LinkTiming, ReceiveTime, SendTimes};

/// How long after a link broke it is made again, if there is something to send. Doubles with each time
/// that this fails, up to [`RETRY_TIME_MAX`].
const RETRY_TIME_MIN: Duration = Duration::from_millis(50);
const RETRY_TIME_MAX: Duration = Duration::from_secs(1);

/// Silence after which a link that this node opened is closed: less than the other node's patience, so
/// that the side decides that can make it again.
const ROUTE_IDLE_TIME: Duration = Duration::from_secs(60);

/// Silence after which a link that another node opened is closed.
const INCOMING_IDLE_TIME: Duration = Duration::from_secs(5 * 60);

/// What may wait for a link to be made, in bytes: room for the requests of half a second, little enough
/// to be lost for each node that is down.
const WAITING_SIZE_MAX: usize = 1024 * 1024;

/// What one wake-up sends on a link, in bytes. More waits behind the turns of others.
const SENT_AT_ONCE_MAX: usize = 1024 * 1024;

/// An output buffer up to this size, in bytes, stays with its link for the next frames.
const RETAINED_SIZE_MAX: usize = 64 * 1024;

/// Where a link of this node's own leads. Each loop has one link for each route that it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// Where the other node listens for links.
    pub address: SocketAddr,
    /// Tells links to one address apart: what goes through one does not wait behind what goes through
    /// another. The other node does not hear of it.
    pub channel: u8,
}

/// A link that another node opened. No two of a server have the same number, however long it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkId(pub u64);

/// Where a frame came from, or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Remote {
    /// A link that this loop opened.
    Route(Route),
    /// A link that another node opened, and that this loop serves.
    Incoming(LinkId),
}

/// The channel whose links carry heartbeats. It is told apart for the sake of statistics only.
pub const HEARTBEAT_CHANNEL: u8 = 0;

impl Remote {
    /// Whether this node opened the link for heartbeats.
    pub(super) fn is_heartbeat(self) -> bool {
        matches!(self, Self::Route(Route { channel: HEARTBEAT_CHANNEL, .. }))
    }
}

/// A link cannot take a frame: too much in it is unsent, or the frame is longer than
/// [`PEER_FRAME_SIZE_MAX`](super::PEER_FRAME_SIZE_MAX). Nothing of it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the link to another node is full")]
pub struct Full;

/// What stage a link is at.
enum Stage {
    /// There is no connection. One may be made from this moment on.
    Down { retry_at: Instant },
    /// One is being made, until this moment at most.
    Connecting { socket: Socket, until: Instant },
    /// Frames may go either way.
    Open { socket: Socket },
}

/// What is to be done about a link when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// There is something to send, and a connection may be tried again.
    Connect,
    /// The other side did not answer the call, or takes nothing, or was silent for too long.
    Break,
    /// Nobody has used it for so long that its connection is closed, without anybody being told.
    Close,
    /// Nobody remembers it.
    Forget,
}

/// A link between its turns.
pub(super) struct Link {
    pub remote: Remote,
    /// The other side.
    pub address: SocketAddr,
    stage: Stage,
    /// Received and not yet handled.
    pub held: Held,
    /// The turn ended before every whole frame in `held` was handled.
    pub suspended: bool,
    /// Waits in the loop's queue for another turn.
    pub queued: bool,
    /// Is among those that are to be sent at the end of the wake-up.
    pub posted: bool,
    /// Somebody was told that it is full, and waits for room.
    pub refused: bool,
    /// Somebody wants it connected, whether or not there is something to send.
    wanted: bool,
    owed: Owed,
    /// How long what is owed waits, while somebody wants to know.
    send_times: SendTimes,
    /// The same of what is held.
    pub receive_time: ReceiveTime,
    /// Connections that failed, one after the other.
    failures: u32,
    /// When bytes arrived last, or the stage began.
    pub received_at: Instant,
    /// When bytes were taken last, or the first of those that are owed was written.
    sent_at: Instant,
}

impl Link {
    /// One of this node's own, not yet connected.
    pub(super) fn to(route: Route, now: Instant) -> Self {
        let remote = Remote::Route(route);
        Self::new(remote, route.address, Stage::Down { retry_at: now }, now)
    }

    /// One that another node opened.
    pub(super) fn from(id: LinkId, address: SocketAddr, socket: Socket, now: Instant) -> Self {
        Self::new(Remote::Incoming(id), address, Stage::Open { socket }, now)
    }

    fn new(remote: Remote, address: SocketAddr, stage: Stage, now: Instant) -> Self {
        Self {
            remote,
            address,
            stage,
            held: Held::default(),
            suspended: false,
            queued: false,
            posted: false,
            refused: false,
            wanted: false,
            owed: Owed::default(),
            send_times: SendTimes::default(),
            receive_time: ReceiveTime::default(),
            failures: 0,
            received_at: now,
            sent_at: now,
        }
    }

    /// The socket of an open link.
    #[inline]
    pub(super) fn open_socket(&mut self) -> Option<&mut Socket> {
        match &mut self.stage {
            Stage::Open { socket } => Some(socket),
            _ => None,
        }
    }

    /// The socket, open or on its way.
    pub(super) fn socket(&mut self) -> Option<&mut Socket> {
        match &mut self.stage {
            Stage::Open { socket } | Stage::Connecting { socket, .. } => Some(socket),
            Stage::Down { .. } => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// Whether there is no connection, and one may be tried now.
    pub(super) fn may_connect(&self, now: Instant) -> bool {
        matches!(self.stage, Stage::Down { retry_at } if retry_at <= now)
    }

    /// Has a connection made for it even if there is nothing to send.
    pub(super) fn want(&mut self) {
        self.wanted = true;
    }

    /// Begins to connect, which may take so long.
    ///
    /// # Errors
    /// When that fails at once.
    pub(super) fn connect(
        &mut self,
        now: Instant,
        (at_most, keepalive): (Duration, Option<Keepalive>),
    ) -> io::Result<&mut Socket> {
        let socket = Socket::connect(self.address, keepalive)?;
        self.stage = Stage::Connecting { socket, until: now + at_most };
        self.socket().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Opens the link if its connection has been made. Says whether it did.
    ///
    /// # Errors
    /// When the connection could not be made.
    pub(super) fn try_open(&mut self, now: Instant) -> io::Result<bool> {
        let Stage::Connecting { socket, .. } = &self.stage else { return Ok(false) };
        if !(socket.writable || socket.failed) || !socket.connection_made()? {
            return Ok(false);
        }
        let down = Stage::Down { retry_at: now };
        if let Stage::Connecting { socket, .. } = std::mem::replace(&mut self.stage, down) {
            self.stage = Stage::Open { socket };
        }
        self.failures = 0;
        self.wanted = false;
        self.received_at = now;
        self.sent_at = now;
        Ok(true)
    }

    /// Gives up the connection with everything that is in it, and hands back its socket.
    pub(super) fn disconnect(&mut self, now: Instant) -> Option<Socket> {
        let retry_at = now + retry_time(self.failures);
        self.failures = self.failures.saturating_add(1);
        self.held = Held::default();
        self.owed = Owed::default();
        self.send_times.forget();
        self.receive_time = ReceiveTime::default();
        self.suspended = false;
        self.wanted = false;
        self.refused = false;
        self.received_at = now;
        self.sent_at = now;
        match std::mem::replace(&mut self.stage, Stage::Down { retry_at }) {
            Stage::Open { socket } | Stage::Connecting { socket, .. } => Some(socket),
            Stage::Down { .. } => None,
        }
    }

    /// Appends a frame to what is owed. `unsent_max` is how much of that there may be already.
    ///
    /// # Errors
    /// [`Full`]; then nothing is appended.
    #[inline]
    pub(super) fn append(
        &mut self,
        unsent_max: usize,
        now: Instant,
        frame: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Full> {
        let bound = if self.is_open() { unsent_max } else { unsent_max.min(WAITING_SIZE_MAX) };
        if self.owed.len() > bound {
            self.refused = true;
            return Err(Full);
        }
        if self.owed.is_empty() {
            self.sent_at = now;
        }
        peer_frame::append(self.owed.end(), frame).ok_or_else(|| {
            tracing::error!(link = %self.address, "a frame is too long for a link");
            Full
        })
    }

    /// Has the frame timed that was appended last, behind so many bytes that were owed already.
    pub(super) fn time_frame(&mut self, owed_before: usize) {
        let bytes = self.owed.bytes().get(owed_before..).unwrap_or_default();
        self.send_times.queued(owed_before, bytes, Instant::now());
    }

    /// Takes note of a call that has sent so many bytes, timed or not.
    pub(super) fn time_sending(
        &mut self,
        sent: usize,
        call: Option<CallTime>,
        timings: &mut Vec<LinkTiming>,
    ) {
        self.send_times.written(sent, call, timings);
    }

    /// Sends what is owed as far as the socket takes it, but for what would take too long, and says
    /// how much that was.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(super) fn send_owed(&mut self, now: Instant) -> io::Result<usize> {
        let Stage::Open { socket } = &mut self.stage else { return Ok(0) };
        if !socket.writable {
            return Ok(0);
        }
        let owed = self.owed.bytes();
        let sent = socket.send(owed.get(..SENT_AT_ONCE_MAX).unwrap_or(owed))?;
        if sent > 0 {
            self.owed.sent(sent, RETAINED_SIZE_MAX);
            self.sent_at = now;
        }
        Ok(sent)
    }

    /// Bytes that are to be sent.
    pub(super) fn unsent(&self) -> usize {
        self.owed.len()
    }

    /// Whether a connection is to be made for it when that is possible.
    pub(super) fn is_needed(&self) -> bool {
        self.wanted || !self.owed.is_empty()
    }

    /// Whether its socket would take more of what is owed right now.
    pub(super) fn can_send(&mut self) -> bool {
        !self.owed.is_empty() && self.open_socket().is_some_and(|socket| socket.writable)
    }

    /// Whether it is not to be read for now, because the other side takes too few answers.
    ///
    /// A client is not read while it is owed anything. Were links treated so, two nodes that send each other
    /// much would both stop reading, and wait for each other for ever. For the same reason this holds
    /// only for a link that another node opened: there its requests come in, and it reads the answers,
    /// since nothing stops a node from reading a link that it opened itself. What is unsent there is
    /// bounded by [`Full`] alone.
    pub(super) fn is_choked(&self, unsent_max: usize) -> bool {
        matches!(self.remote, Remote::Incoming(_)) && self.owed.len() > unsent_max
    }

    /// Whether a turn would find something to do.
    pub(super) fn has_input(&mut self) -> bool {
        let suspended = self.suspended;
        self.open_socket().is_some_and(|socket| suspended || socket.readable)
    }

    /// When something is to be done about the link unless something happens before, and what.
    pub(super) fn deadline(&self) -> (Instant, Due) {
        match (&self.stage, self.remote) {
            (Stage::Connecting { until, .. }, _) => (*until, Due::Break),
            (Stage::Down { retry_at }, _) if self.is_needed() => (*retry_at, Due::Connect),
            (Stage::Down { .. }, _) => (self.sent_at + ROUTE_IDLE_TIME, Due::Forget),
            (Stage::Open { .. }, _) if !self.owed.is_empty() => {
                (self.sent_at + SEND_TIMEOUT, Due::Break)
            }
            (Stage::Open { .. }, Remote::Route(_)) => {
                (self.sent_at.max(self.received_at) + ROUTE_IDLE_TIME, Due::Close)
            }
            (Stage::Open { .. }, Remote::Incoming(_)) => {
                (self.received_at + INCOMING_IDLE_TIME, Due::Break)
            }
        }
    }
}

/// How long to leave a route alone after so many failures.
fn retry_time(failures: u32) -> Duration {
    let factor = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
    RETRY_TIME_MIN.saturating_mul(factor).min(RETRY_TIME_MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn retries_become_rare() {
        let times = [0, 1, 2, 3, 4, 5, 31, 32, u32::MAX].map(|count| retry_time(count).as_millis());
        assert_eq!(times, [50, 100, 200, 400, 800, 1000, 1000, 1000, 1000]);
    }

    #[test]
    fn deadlines() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        let mut link = Link::to(Route { address, channel: 0 }, now);
        assert_eq!(link.deadline(), (now + ROUTE_IDLE_TIME, Due::Forget));
        link.append(10, now, |out| out.push(1)).unwrap();
        assert_eq!(link.deadline(), (now, Due::Connect));
        link.connect(now, (Duration::from_secs(3), None)).unwrap();
        assert_eq!(link.deadline(), (now + Duration::from_secs(3), Due::Break));
        link.disconnect(later);
        assert_eq!(link.deadline(), (later + ROUTE_IDLE_TIME, Due::Forget));
        link.want();
        assert_eq!(link.deadline(), (later + RETRY_TIME_MIN, Due::Connect));

        let socket = Socket::connect(address, None).unwrap();
        let mut link = Link::from(LinkId(1), address, socket, now);
        assert_eq!(link.deadline(), (now + INCOMING_IDLE_TIME, Due::Break));
        link.append(10, later, |out| out.push(1)).unwrap();
        assert_eq!(link.deadline(), (later + SEND_TIMEOUT, Due::Break));
    }

    #[test]
    fn one_frame_of_any_size_fits_and_then_the_link_is_full() {
        let address = "127.0.0.1:1".parse().unwrap();
        let now = Instant::now();
        let mut link = Link::to(Route { address, channel: 0 }, now);
        link.append(10, now, |out| out.extend([1; 100])).unwrap();
        assert_eq!(link.append(10, now, |out| out.push(1)), Err(Full));
        assert_eq!((link.unsent(), link.refused), (104, true));
        link.append(1000, now, |out| out.push(1)).unwrap();
    }
}
