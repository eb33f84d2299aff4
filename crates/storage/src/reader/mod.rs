//! Reads from devices that block no thread.
//!
//! Each event loop has a [`Reader`]. It hands reads over and collects their outcomes when its
//! [`Signal`] says that there are some.

mod signal;

pub use signal::Signal;

use crate::fetch::{Fetch, FetchDone};

/// A number by which whoever waits for something finds what came of it.
pub type Ticket = u64;

/// Reads for one thread.
#[derive(Debug)]
pub struct Reader {
    done: Vec<(Ticket, FetchDone)>,
}

impl Reader {
    /// A reader that reads at once, in the calling thread: for tests, and for tools that may wait.
    pub fn inline() -> Self {
        Self { done: Vec::new() }
    }

    /// Begins a read. It may wait for [`Self::flush`].
    pub fn submit(&mut self, fetch: &Fetch, ticket: Ticket) {
        self.done.push((ticket, fetch.read_now()));
    }

    /// Sees to it that all reads submitted so far are under way.
    pub fn flush(&mut self) {}

    /// Collects the outcomes of reads that are over.
    pub fn reap(&mut self, mut collect: impl FnMut(Ticket, FetchDone)) {
        self.done.drain(..).for_each(|(ticket, done)| collect(ticket, done));
    }
}
