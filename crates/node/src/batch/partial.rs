//! A batch between two slices.

use std::fmt;
use std::sync::Arc;

use engine::{Stripe, Turn};
use wire::Request;
use wire::batch::Rows;

use super::{State, slice};
use crate::counters::ServiceCounter;
use crate::node::Node;
use crate::worker::{Progress, Worker};

/// The part of a batch that is still to come. It keeps the message and the place in it, no replies.
pub struct Batch {
    node: Arc<Node>,
    stripe: Stripe,
    body: Box<[u8]>,
    state: State,
    is_over: bool,
}

impl Batch {
    pub(super) fn new(node: Arc<Node>, stripe: Stripe, body: &[u8], state: State) -> Self {
        Self { node, stripe, body: body.into(), state, is_over: false }
    }

    /// Appends the replies of one slice to `out`. The worker is that which began the batch.
    pub fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        let mut turn = worker.turn();
        let ran = self.run(&mut turn, out);
        self.is_over = ran.is_none_or(|ran| ran.is_over);
        if self.is_over { Progress::Over } else { Progress::More }
    }

    /// `None` if the message is not what it was, which cannot be.
    fn run(&mut self, turn: &mut Turn<'_>, out: &mut Vec<u8>) -> Option<slice::Ran> {
        let message = Request::parse(&self.body).ok()?;
        let (_, mut rows) = Rows::of(&message).ok()?;
        rows.resume(self.state.place).ok()?;
        Some(slice::run(&self.node, &mut self.state, &mut rows, turn, out))
    }

    /// Notes that the client did not take all that the last slice gave.
    pub fn delayed(&mut self) {
        self.node.counters.raise(self.stripe, ServiceCounter::BatchIndexDelay);
    }

    /// Memory that it holds, in bytes.
    pub fn buffered_bytes(&self) -> usize {
        self.body.len()
    }
}

impl Drop for Batch {
    /// A batch whose client has gone is one that failed.
    fn drop(&mut self) {
        if !self.is_over {
            self.node.counters.raise(self.stripe, ServiceCounter::BatchIndexError);
        }
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("state", &self.state).finish_non_exhaustive()
    }
}
