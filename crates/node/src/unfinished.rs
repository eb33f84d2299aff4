//! Answers that are not whole yet.

use storage::Ticket;

use crate::batch::Batch;
use crate::query::Query;
use crate::single::Single;
use crate::udf::Pending;
use crate::worker::Worker;

/// How an answer goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is more, for another turn.
    More,
    /// That was all.
    Over,
    /// There is nothing before [`Worker::reap`] names this ticket.
    Waits(Ticket),
}

/// An answer that is not whole yet: a value with a copy of its message. Whoever drops it gives the
/// request up; reads that are under way for it then come to nothing.
#[derive(Debug)]
pub enum Unfinished {
    /// To a request about one record, which waits for a device.
    Single(Single),
    /// To a batch, of which a slice has been run.
    Batch(Batch),
    /// To a query, of which a slice has been run.
    Query(Box<Query>),
    /// To a request that calls a function.
    Call(Box<Pending>),
}

impl Unfinished {
    /// Goes on, and appends to `out`. The worker is that which began the answer.
    pub fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Single(single) => single.advance(worker, out),
            Self::Batch(batch) => batch.advance(worker, out),
            Self::Query(query) => query.advance(worker, out),
            Self::Call(call) => call.advance(worker, out),
        }
    }

    /// The ticket for which it waits first, if there is nothing before.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Single(single) => Some(single.ticket()),
            Self::Batch(batch) => batch.ticket(),
            Self::Query(query) => query.ticket(),
            Self::Call(call) => Some(call.ticket()),
        }
    }

    /// Notes that the client did not take at once all that it was given last.
    pub fn delayed(&mut self) {
        match self {
            Self::Single(_) | Self::Call(_) => {}
            Self::Batch(batch) => batch.delayed(),
            Self::Query(query) => query.delayed(),
        }
    }

    /// Memory that it holds, in bytes.
    pub fn buffered_bytes(&self) -> usize {
        match self {
            Self::Single(single) => single.buffered_bytes(),
            Self::Batch(batch) => batch.buffered_bytes(),
            Self::Query(query) => query.buffered_bytes(),
            Self::Call(call) => call.buffered_bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
