//! Aggregations: a function that counts records, over a query.
//!
//! Every node is asked, and counts those that it serves: there are as many as all say together.

use std::collections::BTreeSet;
use std::time::Duration;

use wire::client::RequestBuilder;
use wire::{FieldType, Info1, Info3, ParticleType, ResultCode};

use super::query::{Wanted, range_field};
use super::request::{NO_ARGUMENTS, messages, with_function};
use super::{CallId, Outcome};
use crate::machine::NAMESPACE;

/// How a query applies a function to a stream of records.
const AGGREGATION: u8 = 1;

/// See the module.
#[derive(Debug)]
pub struct Aggregation {
    /// Whose it is; `None`: an audit.
    pub client: Option<usize>,
    /// What it counts.
    pub wanted: Wanted,
    /// When it began.
    pub begun: Duration,
    /// When it ended.
    pub ended: Duration,
    /// Whether nothing moved between nodes when it began.
    pub was_settled: bool,
    /// What is not answered.
    left: BTreeSet<CallId>,
    /// What the others have counted.
    pub count: i64,
    /// How it ended: done or in doubt, if it has.
    pub outcome: Outcome,
    has_failed: bool,
}

impl Aggregation {
    /// One that begins now.
    pub fn new(client: Option<usize>, wanted: Wanted, now: Duration) -> Self {
        Self {
            client,
            wanted,
            begun: now,
            ended: Duration::MAX,
            was_settled: false,
            left: BTreeSet::new(),
            count: 0,
            outcome: Outcome::Open,
            has_failed: false,
        }
    }

    /// The body of the request to a node.
    pub fn body(&self) -> Vec<u8> {
        let begin = RequestBuilder::new().namespace(NAMESPACE).set(self.wanted.set);
        let begin = with_function(begin.info1(Info1::READ), b"count", NO_ARGUMENTS);
        let builder = begin.field(FieldType::UDF_OP, &[AGGREGATION]);
        match self.wanted.range {
            Some(range) => builder.field(FieldType::INDEX_RANGE, &range_field(range)).into_body(),
            None => builder.into_body(),
        }
    }

    /// A call is under way.
    pub fn asks(&mut self, call: CallId) {
        self.left.insert(call);
    }

    /// A call is answered, or lost (`None`). Says whether that was the last one.
    pub fn answered(&mut self, call: CallId, frames: Option<&[u8]>) -> bool {
        self.left.remove(&call);
        let mut result = None;
        messages(frames.unwrap_or_default(), |reply| {
            if reply.header.info3.contains(Info3::LAST) {
                result = Some(reply.header.result);
            }
            for op in reply.ops().filter(|op| op.particle_type == ParticleType::INTEGER) {
                self.count += op.value.try_into().map_or(0, i64::from_be_bytes);
            }
        });
        self.has_failed |= result != Some(ResultCode::OK);
        self.left.is_empty()
    }

    /// All have answered, or will not.
    pub fn end(&mut self, now: Duration) {
        self.ended = now;
        self.outcome = if self.has_failed { Outcome::Doubt } else { Outcome::Done };
    }
}
