//! What decides who is to have a partition, beside the hash.

use crate::ids::{NodeId, RackId};

/// A node that has a namespace, and what it wants of the balance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which.
    pub node: NodeId,
    /// The rack that it stands in.
    pub rack: RackId,
    /// Whether it is to give up what it has: it comes last, but still counts as a member.
    pub is_quiesced: bool,
}

/// How a namespace is balanced. All members agree on this when they exchange what they have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Copies of a partition that are wanted; there are never more than members that are not quiesced.
    pub replication_factor: usize,
    /// The rack whose members are to be masters. Without effect where there are more racks than copies.
    pub active_rack: Option<RackId>,
    /// Whether all members are to be master, first replica and so on equally often. It moves a few
    /// partitions more when a member comes or goes.
    pub is_uniform: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { replication_factor: 2, active_rack: None, is_uniform: true }
    }
}
