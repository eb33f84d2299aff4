//! Queries: requests about the records of partitions, answered by a stream of rows.
//!
//! A query that returns records runs as a batch does: on the event loop that read it, in slices, and only as fast
//! as its client takes the rows (`docs/decisions/0004`). It is a value with a place in the partitions that it goes
//! through, and holds no record between two slices. What has to be read from devices is read for several records
//! together.
//!
//! *Long* queries are jobs: they are listed, paced and aborted. *Short* ones are neither, and end at a deadline.
//!
//! Where to look: what a request asks for in `plan.rs`, the way through partitions in `walk.rs`, the stream of rows in
//! `stream.rs`, functions over records in `aggregate.rs`, jobs that change records in `background.rs`
//! and who carries them out in `queue.rs`, the table of jobs in `jobs.rs`, what is counted in `counters.rs`.

mod aggregate;
mod background;
mod counters;
mod jobs;
mod pace;
mod patience;
mod plan;
mod queue;
mod stream;
mod walk;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Turn;
use wire::{FieldType, Info2, Request, ResultCode, reply};

pub use self::aggregate::Aggregation;
pub(crate) use self::jobs::{Job, JobKind, Jobs};
pub(crate) use self::queue::Queue;
pub use self::stream::Query;

use self::plan::Plan;
use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::waits::Waits;
use crate::worker::Answer;

/// Ways in which a query applies a function.
const AGGREGATION: u8 = 1;
const BACKGROUND: u8 = 2;

/// How a query applies its function, if it has one.
fn udf_op(request: &Request<'_>) -> Result<Option<u8>, ResultCode> {
    if !request.present.contains(FieldType::UDF_FILENAME) {
        return Ok(None);
    }
    match request.field(FieldType::UDF_OP) {
        Some(&[op @ (AGGREGATION | BACKGROUND)]) => Ok(Some(op)),
        _ => Err(ResultCode::PARAMETER),
    }
}

impl Node {
    /// Answers a query, or begins to. `body` is that of its message.
    pub(crate) fn query(
        self: &Arc<Self>,
        (request, body): (&Request<'_>, &[u8]),
        from: SocketAddr,
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut Waits,
        out: &mut Vec<u8>,
    ) -> Answer {
        let changes = request.header.info2.contains(Info2::WRITE);
        let begun = match udf_op(request) {
            Ok(Some(AGGREGATION)) => self.aggregation(request, body, from, turn, waits),
            Ok(op) if changes || op.is_some() => {
                self.background(request, body, from, out).map(|()| Answer::POINT)
            }
            Ok(_) => {
                let begun = self.begin_query(request, from, woken, turn);
                begun.map(|query| query.start(turn, waits, out))
            }
            Err(result) => Err(result),
        };
        begun.unwrap_or_else(|result| {
            if result == ResultCode::NAMESPACE {
                self.counters.raise(turn.stripe, ServiceCounter::EarlyTsvcClientError);
            }
            reply::header_only(out, result, 0, 0);
            Answer::POINT
        })
    }

    fn begin_query(
        self: &Arc<Self>,
        request: &Request<'_>,
        from: SocketAddr,
        woken: Duration,
        turn: &Turn<'_>,
    ) -> Result<Query, ResultCode> {
        let namespace = request.namespace.and_then(|name| self.namespace(name));
        let namespace = namespace.ok_or(ResultCode::NAMESPACE)?;
        let planned = Plan::of(request, namespace, turn);
        let begun = planned.and_then(|plan| Query::new(self, plan, from, woken, turn.stripe));
        begun.inspect_err(|_| {
            let has_where = request.present.contains(FieldType::INDEX_RANGE);
            let is_short = plan::is_short(request, namespace);
            let counter = counters::of_basic(has_where, is_short, counters::End::Failed);
            namespace.counters.raise(turn.stripe, counter);
        })
    }
}
