//! Replies that take more than one turn.

/// The rest of a reply, produced slice by slice as the client takes it.
///
/// Dropped before its end when the connection is closed. A panic closes the connection, as one of the
/// worker's does.
pub trait Stream<W: ?Sized> {
    /// Appends the next slice to `out`, which holds no more than a turn should take: some hundred
    /// microseconds of work, some hundred kilobytes. Called once a turn, when nothing is owed.
    fn advance(&mut self, worker: &mut W, out: &mut Vec<u8>) -> Progress;

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
    /// The reply is whole.
    Over,
}
