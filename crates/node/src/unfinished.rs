//! Answers that are not whole yet.

use storage::Ticket;

use crate::batch::Batch;
use crate::info::Administration;
use crate::query::{Aggregation, Query};
use crate::single::Single;
use crate::udf::Pending;
use crate::worker::Worker;

/// Time in ms that a client has to take something, unless it says otherwise.
pub(crate) const SEND_TIMEOUT_MS_DEFAULT: u32 = 10_000;

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
    /// To a query that runs a function over its records.
    Aggregation(Box<Aggregation>),
    /// To a request that calls a function.
    Call(Box<Pending>),
    /// To info commands that change what nodes have in common.
    Info(Box<Administration>),
}

impl Unfinished {
    /// Goes on, and appends to `out`. The worker is that which began the answer.
    pub fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        match self {
            Self::Single(single) => single.advance(worker, out),
            Self::Batch(batch) => batch.advance(worker, out),
            Self::Query(query) => query.advance(worker, out),
            Self::Aggregation(aggregation) => aggregation.advance(worker, out),
            Self::Call(call) => call.advance(worker, out),
            Self::Info(info) => info.advance(worker, out),
        }
    }

    /// The ticket for which it waits first, if there is nothing before.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Self::Single(single) => Some(single.ticket()),
            Self::Batch(batch) => batch.ticket(),
            Self::Query(query) => query.ticket(),
            Self::Aggregation(aggregation) => Some(aggregation.ticket()),
            Self::Call(call) => Some(call.ticket()),
            Self::Info(info) => Some(info.ticket()),
        }
    }

    /// Time in ms in which the client has to take something of what it is given; 0: no limit.
    pub fn send_timeout_ms(&self) -> u32 {
        match self {
            Self::Query(query) => query.send_timeout_ms(),
            Self::Aggregation(aggregation) => aggregation.send_timeout_ms(),
            _ => SEND_TIMEOUT_MS_DEFAULT,
        }
    }

    /// Notes that the client did not take at once all that it was given last.
    pub fn delayed(&mut self) {
        match self {
            Self::Single(_) | Self::Call(_) | Self::Info(_) => {}
            Self::Aggregation(aggregation) => aggregation.delayed(),
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
            Self::Aggregation(aggregation) => aggregation.buffered_bytes(),
            Self::Call(call) => call.buffered_bytes(),
            Self::Info(info) => info.buffered_bytes(),
        }
    }
}

#[cfg(test)]
mod tests;
