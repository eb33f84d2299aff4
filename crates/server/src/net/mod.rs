//! The service layer: listeners, connections and framing, on one event loop per core.
//!
//! It carries whole frames to a [`Worker`] and the worker's replies back, and knows nothing of
//! what is in them: the database and the load generator's echo server run on the same loop.
//!
//! # How bytes flow
//!
//! One acceptor thread takes sockets and hands each to the least-loaded loop, for life. A loop
//! waits for readiness, gives every ready connection one *turn*, and sleeps again. A turn reads all
//! that is there into the loop's scratch buffer with one call, splits it into frames in place, lets
//! the worker answer each into the loop's output buffer, and sends all answers with one call.
//!
//! - Only what a turn could not finish stays with the connection: the beginning of a frame, or
//!   replies that the socket did not take. A connection at rest holds no buffer.
//! - The beginning of a frame grows with the bytes that arrived, never with the length announced.
//! - While a connection owes output it is not read: back-pressure reaches the client through TCP.
//! - A turn is bounded in bytes read, frames answered and bytes of reply; what is left over waits
//!   behind the other connections, so no client starves another.
//! - Replies leave in the order of their requests, because a turn handles frames in order.
//! - Nothing ticks. A loop has a timeout only while some connection has a deadline.
//!
//! # Replies that take more than one turn
//!
//! A worker that cannot answer at once with bounded work hands back a [`Stream`]. The connection keeps
//! it, and in each of its turns lets it append one slice of the reply, once the socket has taken the
//! slice before. Meanwhile the connection is not read, and the requests behind the one that streams
//! stay in its input buffer (the path that back-pressure takes already), so replies keep their order
//! and a slow client costs one slice of memory. After a turn that went to a stream the loop looks for
//! events again: other clients wait for one slice at most, however many streams there are.
//!
//! A stream is dropped with its connection: when the client is gone, takes nothing for too long, or
//! the grace time of a shutdown is over. Until then a shutdown lets streams come to their end.
//!
//! # Replies that wait for something
//!
//! A stream that waits for a device or another node says for which [`Ticket`] ([`Progress::Waits`]); a
//! worker may also park a request right away ([`Verdict::Parked`]). The connection gets no further
//! slice until the worker calls the ticket. What wakes the loop for that is a descriptor of the
//! worker's ([`Worker::wake_fd`]), in the same wait as the sockets; the worker then appends the tickets
//! that are due ([`Worker::on_wake_fd`]). Their streams get their turns in the same wake-up, as far as
//! some hundred microseconds go. Whatever a wake-up has asked of devices goes out together at its end
//! ([`Worker::before_wait`]).
//!
//! A connection that waits is not idle, and has no deadline but for what it owes: how long to wait is up
//! to the worker. It is closed when its socket fails or the grace time of a shutdown is over; a
//! ticket that is called afterwards finds nobody, which is no error.
//!
//! # Links to other nodes
//!
//! Nodes talk to each other over links, which carry frames of [`Protocol::Peer`] both ways. Each loop opens
//! its own, one for each [`Route`] that its worker sends to, and serves links that others opened: an
//! answer comes back on the loop that asked, in whatever order answers are ready. Frames go to
//! [`Worker::on_peer_frame`]; what the worker has to say is collected once, at the end of the wake-up
//! ([`Worker::send_peers`]), and leaves with one call for each link.
//!
//! - Turns of links are bounded as those of connections are, and wait in the same queue: bulk in a link
//!   delays no client by more than one turn.
//! - What is owed on a link is bounded: beyond that it is [`Full`], and the worker hears when there is room.
//! - A link is read although it owes output, or two nodes that send each other much would wait for each other
//!   for ever. Only one that another node opened rests while it is full: its opener always reads the answers.
//! - A link that breaks loses what is in it, and the worker is told ([`Worker::on_peer_lost`]). The next frame
//!   for the route has it made again, first after 50 ms, then more and more rarely.
//! - At a shutdown links serve the clients that are left, then send what they owe for a moment, and close.
//!
//! # Where to look
//!
//! | task | file |
//! |---|---|
//! | header rules, frames, text lines | `frame.rs`, `protocol.rs` |
//! | one connection's phases | `connection.rs` |
//! | access to sockets; what is held and owed | `socket.rs`, `buffers.rs` |
//! | replies that take several turns, or wait | `stream.rs` |
//! | reading, answering, sending: the hot path | `turn.rs` |
//! | waiting, deadlines, draining | `event_loop.rs` |
//! | frames between nodes | `peer_frame.rs` |
//! | one link's stages, bounds, deadlines; all of a loop | `link.rs`, `links.rs` |
//! | reading links, sending on them | `link_turn.rs`, `post.rs` |
//! | how long that takes, where a worker wants to know | `timing.rs` |
//! | sockets coming in | `endpoint.rs`, `acceptor.rs`, `mailbox.rs` |
//! | starting and stopping all of it | `server.rs` |
//! | run-time limits, counters | `limits.rs`, `stats.rs` |

mod acceptor;
mod buffers;
mod connection;
mod echo;
mod endpoint;
mod event_loop;
mod frame;
mod limits;
mod link;
mod link_turn;
mod links;
mod mailbox;
mod peer_frame;
mod pin;
mod post;
mod protocol;
mod server;
mod socket;
mod stats;
mod stream;
mod throttle;
mod timing;
mod turn;

use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::Duration;

pub use echo::Echo;
pub use endpoint::Endpoint;
pub use frame::Frame;
pub use limits::Limits;
pub use link::{Full, HEARTBEAT_CHANNEL, LinkId, Remote, Route};
pub use peer_frame::PEER_FRAME_SIZE_MAX;
pub use post::Post;
pub use protocol::{LINE_SIZE_MAX, Protocol};
pub use server::{Options, Server, ShutdownReport, StartError};
pub use socket::Keepalive;
pub use stats::{Snapshot, Stats};
pub use stream::{Progress, Stream, Ticket};
pub use timing::{LinkStep, LinkTiming};

/// What the loops serve: a factory of workers, one per loop.
pub trait Service: Send + Sync + 'static {
    /// What answers on one loop.
    type Worker: Worker;

    /// Makes the worker of loop `index` (0-based). Called once, on that loop's own thread.
    ///
    /// The thread is pinned to a core, and threads started from here would inherit that.
    fn worker(&self, index: usize) -> Self::Worker;
}

/// Answers requests on one event loop. It lives on that loop's thread and never blocks it.
///
/// A panic in a method is caught, logged and counted; the connection at hand is closed and the
/// worker goes on being used, so its own state must hold between any two calls.
pub trait Worker: Sized {
    /// Called once per wake-up, before any frame of it: the place to read the clock.
    fn on_wakeup(&mut self) {}

    /// Answers one whole frame by appending to `out`, in which earlier replies may stand already.
    fn on_frame(&mut self, peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self>;

    /// Answers one line of the plain-text port by appending to `out`, the final newline included.
    ///
    /// `line` comes without its terminator and may be empty.
    fn on_line(&mut self, peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict<Self>;

    /// What becomes readable when streams may go on. Asked for once; it stays open as long as the
    /// worker lives.
    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Appends the tickets of streams that may go on. Called after [`Self::wake_fd`] became readable,
    /// which is told once for each time that something is written to it: the worker empties it first
    /// and looks for tickets then. May be called at other times as well.
    ///
    /// Tickets appended before a panic count.
    fn on_wake_fd(&mut self, _ready: &mut Vec<Ticket>) {}

    /// How long the loop may wait before it calls [`Self::on_wake_fd`], whether or not there is something
    /// to be read; `None`: for ever.
    fn wake_after(&self) -> Option<Duration> {
        None
    }

    /// Called once per wake-up, behind everything else in it: the place to send off what it has asked
    /// of others.
    fn before_wait(&mut self) {}

    /// Handles one whole frame of another node, given without its length. What there is to say to it is
    /// handed over in [`Self::send_peers`].
    fn on_peer_frame(&mut self, _from: Remote, _frame: &[u8]) -> PeerVerdict {
        PeerVerdict::Close
    }

    /// Told once for each time that a link of this node's own is connected.
    fn on_peer_opened(&mut self, _route: Route) {}

    /// Told once for each time that a link breaks, or could not be made: what was sent on it may have
    /// arrived or not, and what waited in it is gone. A route gets a new link with the next frame that is
    /// sent to it, though not at once. Not told for a link of this node's own that is closed because it was
    /// idle, nor at the end of a shutdown.
    fn on_peer_lost(&mut self, _remote: Remote) {}

    /// Whether [`Self::on_link_timed`] is to be told of steps of links. Asked once per wake-up.
    fn times_links(&self) -> bool {
        false
    }

    /// Told how long a step of a link took, soon after it.
    fn on_link_timed(&mut self, _timing: LinkTiming) {}

    /// Hands over what is to be sent to other nodes. Called once per wake-up, behind everything that may
    /// give rise to it and before [`Self::before_wait`]; and again, soon, after a link that was
    /// [`Full`] has room.
    fn send_peers(&mut self, _post: &mut Post<'_>) {}
}

/// What becomes of a link after a frame of another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerVerdict {
    /// It goes on with the next frame.
    Continue,
    /// It goes on with the next frame, but this one was as much work as so many ordinary ones: its
    /// turn is the shorter.
    Worked(usize),
    /// It is closed, as if it had broken.
    Close,
}

/// What becomes of a connection after a request.
pub enum Verdict<W: ?Sized> {
    /// It goes on with the next request.
    Continue,
    /// It goes on with the next request, but this one was as much work as so many ordinary ones: its
    /// turn is the shorter.
    Worked(usize),
    /// The rest of the reply comes from this, and then it goes on with the next request.
    Stream(Box<dyn Stream<W>>),
    /// The same, but the stream begins by waiting for a ticket that is not called yet, see
    /// [`Progress::Waits`].
    Parked(Box<dyn Stream<W>>, Ticket),
    /// It is closed once everything in the output buffer has been sent.
    Close,
}

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's end of the connection.
    pub address: SocketAddr,
}
