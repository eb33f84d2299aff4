//! Replies that take more than one turn.

use std::time::Duration;

use super::connection::SEND_TIMEOUT;

/// A number by which a loop finds the stream that waits for something. The worker chooses it; of the
/// streams of one loop no two wait with the same.
pub type Ticket = u64;

/// The rest of a reply, produced slice by slice as the client takes it.
///
/// Dropped before its end when the connection is closed. A panic closes the connection, as one of the
/// worker's does.
pub trait Stream<W: ?Sized> {
    /// Appends the next slice to `out`, which holds no more than a turn should take: some hundred
    /// microseconds of work, some hundred kilobytes. Called once a turn, when nothing is owed.
    ///
    /// A stream that waited looks itself whether what it waited for is there: its ticket may have
    /// been called before it waited, and is then not called again.
    fn advance(&mut self, worker: &mut W, out: &mut Vec<u8>) -> Progress;

    /// How long the client may take nothing of what it is given before it is cut off; `None`: as long as it
    /// likes.
    fn send_timeout(&self) -> Option<Duration> {
        Some(SEND_TIMEOUT)
    }

    /// Told when the socket did not take the whole slice at once.
    fn delayed(&mut self) {}

    /// Memory that it holds, in bytes: counted with the buffers of the connection.
    fn buffered_bytes(&self) -> usize;
}

/// Whether a stream is at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to come.
    More,
    /// There is more to come when [`Worker::on_wake_fd`](super::Worker::on_wake_fd) calls this ticket.
    Waits(Ticket),
    /// The reply is whole.
    Over,
}
