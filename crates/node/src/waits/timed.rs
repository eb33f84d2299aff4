//! How long reads from devices take, for the health of the devices.

use std::sync::Arc;
use std::time::Duration;

use storage::{Fetch, FetchDone, Ticket};

use crate::health::Sampler;
use crate::node::Node;

/// Times some of a loop's reads: from when a request wants one until the loop finds that it is over. That
/// includes what the loop does meanwhile, which is the same for all devices.
pub(crate) struct TimedReads {
    node: Arc<Node>,
    sampler: Sampler,
    under_way: Vec<TimedRead>,
}

struct TimedRead {
    ticket: Ticket,
    fetch: Fetch,
    began: Duration,
}

impl TimedReads {
    /// Those of a loop of this node.
    pub fn new(node: &Arc<Node>) -> Self {
        Self { node: Arc::clone(node), sampler: Sampler::default(), under_way: Vec::new() }
    }

    /// A read begins.
    #[inline]
    pub fn begin(&mut self, fetch: &Fetch, ticket: Ticket) {
        if self.sampler.takes_next(&self.node.health) {
            let (fetch, began) = (fetch.clone(), self.node.host.monotonic());
            self.under_way.push(TimedRead { ticket, fetch, began });
        }
    }

    /// A read is over.
    #[inline]
    pub fn end(&mut self, ticket: Ticket, done: &FetchDone) {
        if !self.under_way.is_empty() {
            self.end_if_timed(ticket, done);
        }
    }

    fn end_if_timed(&mut self, ticket: Ticket, done: &FetchDone) {
        let is_it = |read: &TimedRead| read.ticket == ticket && done.is_of(&read.fetch);
        let Some(place) = self.under_way.iter().position(is_it) else { return };
        let TimedRead { fetch, began, .. } = self.under_way.swap_remove(place);
        // How long a failure takes says nothing of how quick the device is.
        if done.bytes().is_ok() {
            let took = self.node.host.monotonic().saturating_sub(began);
            self.node.health.device_read(fetch.device.name(), took);
        }
    }
}

impl std::fmt::Debug for TimedReads {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimedReads")
            .field("under_way", &self.under_way.len())
            .finish_non_exhaustive()
    }
}
