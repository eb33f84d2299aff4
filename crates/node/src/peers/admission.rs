//! Who carries a request about a record out: this node, or another (`reference`: cluster.md, 5.5).

use std::sync::Arc;

use arc_swap::Guard;
use cluster::NodeId;
use cluster::partition::Partition;
use config::ReadConsistencyOverride;
use engine::Namespace;
use wire::{Digest, Info1, Info2, Request};

use crate::node::Node;

/// What is to be done with a request.
pub(crate) enum Admission {
    /// It is carried out here. The partition is what it was then.
    Here(Guard<Arc<Partition>>),
    /// It is carried out here once these nodes have been asked what they have of the record.
    AfterLookup(Arc<Partition>),
    /// Another node carries it out.
    Elsewhere(NodeId),
    /// Nobody does: there is no view.
    Unavailable,
}

/// What matters of a request for that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Intent {
    /// Whether it changes the record.
    pub writes: bool,
    /// Whether the record has to be the last of all versions, wherever they are.
    pub wants_last: bool,
}

impl Intent {
    /// That of a request to a namespace.
    pub fn of(request: &Request<'_>, namespace: &Namespace) -> Self {
        let writes = request.header.info2.contains(Info2::WRITE);
        let config = namespace.config();
        let wants_last = match writes {
            true => !config.disable_write_dup_res,
            false => match config.read_consistency_level_override {
                ReadConsistencyOverride::Off => {
                    request.header.info1.contains(Info1::CONSISTENCY_LEVEL_ALL)
                }
                ReadConsistencyOverride::One => false,
                ReadConsistencyOverride::All => true,
            },
        };
        Self { writes, wants_last }
    }
}

impl Node {
    /// Decides on a request about a record. `has_looked`: other nodes have been asked already.
    #[inline]
    pub(crate) fn admit(
        &self,
        namespace: &Namespace,
        request: &Request<'_>,
        digest: &Digest,
        has_looked: bool,
    ) -> Admission {
        let partition = self.cluster.table(namespace.number()).look(digest.partition());
        if partition.is_sole() {
            return Admission::Here(partition);
        }
        self.admit_shared(namespace, request, partition, has_looked)
    }

    fn admit_shared(
        &self,
        namespace: &Namespace,
        request: &Request<'_>,
        partition: Guard<Arc<Partition>>,
        has_looked: bool,
    ) -> Admission {
        if self.cluster.is_stale(self.host.monotonic()) {
            return Admission::Unavailable;
        }
        let intent = Intent::of(request, namespace);
        if partition.serves() {
            let is_open = intent.wants_last && !partition.duplicates.is_empty() && !has_looked;
            return match is_open {
                true => Admission::AfterLookup(Guard::into_inner(partition)),
                false => Admission::Here(partition),
            };
        }
        if !intent.writes && !intent.wants_last && partition.is_complete() {
            return Admission::Here(partition);
        }
        match partition.destination() {
            Some(node) => Admission::Elsewhere(node),
            None => Admission::Unavailable,
        }
    }
}
