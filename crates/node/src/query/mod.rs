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
//! `stream.rs`, jobs that change records in `background.rs`, the table of jobs in `jobs.rs`.

mod background;
mod jobs;
mod pace;
mod plan;
mod stream;
mod walk;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use engine::Turn;
use wire::{FieldType, Info2, Request, ResultCode, reply};

pub(crate) use self::background::Queue;
pub(crate) use self::jobs::{Job, JobKind, Jobs};
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
        let changes = match udf_op(request) {
            Ok(op) => op.map_or(request.header.info2.contains(Info2::WRITE), |op| op == BACKGROUND),
            Err(result) => {
                reply::header_only(out, result, 0, 0);
                return Answer::POINT;
            }
        };
        let begun = if changes {
            self.background(request, body, from, out).map(|()| Answer::POINT)
        } else {
            let begun = self.begin_query(request, from, woken, turn);
            begun.map(|query| query.start(turn, waits, out))
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
        if request.present.contains(FieldType::UDF_FILENAME) {
            // Aggregations come with a later step.
            return Err(ResultCode::UNSUPPORTED_FEATURE);
        }
        let planned = Plan::of(request, namespace, &self.config(), turn.now);
        let begun = planned.and_then(|plan| Query::new(self, plan, from, woken, turn.stripe));
        begun.inspect_err(|_| {
            let has_where = request.present.contains(FieldType::INDEX_RANGE);
            let is_short = plan::is_short(request, &self.config());
            let counter = stream::counter(has_where, is_short, stream::End::Failed);
            namespace.counters.raise(turn.stripe, counter);
        })
    }
}
