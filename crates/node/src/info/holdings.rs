//! What a node has of a namespace by the part that it plays in each partition, and how a namespace stands
//! in its cluster.

use std::sync::atomic::Ordering::Relaxed;

use cluster::exchange::NamespaceOffer;
use engine::Namespace;
use wire::PartitionId;

use crate::node::Node;

/// Records and tombstones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Held {
    pub objects: u64,
    pub tombstones: u64,
}

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Holdings {
    /// In partitions that this node serves.
    pub master: Held,
    /// In those that it is another replica of.
    pub prole: Held,
    /// In those that it is no replica of.
    pub non_replica: Held,
    /// Partitions that nobody serves.
    pub unavailable: u64,
}

impl Holdings {
    /// Of a namespace of a node.
    pub fn of(node: &Node, namespace: &Namespace) -> Self {
        let table = node.cluster.table(namespace.number());
        let mut holdings = Self::default();
        for partition in PartitionId::all() {
            let of = table.look(partition);
            let held = if of.serves() {
                &mut holdings.master
            } else if of.column().is_some() {
                &mut holdings.prole
            } else {
                &mut holdings.non_replica
            };
            let counts = namespace.partition_counts(partition);
            held.objects += counts.objects();
            held.tombstones += counts.tombstones;
            holdings.unavailable += u64::from(of.destination().is_none());
        }
        holdings
    }
}

/// How a namespace stands in its cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    /// Nodes that have the namespace.
    pub nodes: usize,
    /// Copies of each partition that there are to be.
    pub replication_factor: u32,
    /// Whether this node is to be quiesced when the cluster forms anew.
    pub pending_quiesce: bool,
    /// Whether it is.
    pub is_quiesced: bool,
    /// How many nodes are.
    pub nodes_quiesced: usize,
    /// Whether partitions are balanced to the last one.
    pub is_uniform: bool,
    /// The rack that has the masters; 0: none.
    pub active_rack: u32,
    /// Partitions of which no node had anything when the view was formed.
    pub fresh_partitions: usize,
}

impl Standing {
    /// Of a namespace of a node.
    pub fn of(node: &Node, namespace: &Namespace) -> Self {
        let (state, me) = (node.cluster.state(), node.cluster.me());
        let offers = state.offers.iter();
        let offers: Vec<_> = offers
            .filter_map(|(id, offer)| Some((*id, offer, offer.namespace(&namespace.name)?)))
            .collect();
        let quiesced = offers.iter().filter(|(_, offer, _)| offer.is_quiesced).count();
        // When all are, it is as if none were.
        let nodes_quiesced = if quiesced == offers.len() { 0 } else { quiesced };
        let is_mine = offers.iter().any(|(id, offer, _)| *id == me && offer.is_quiesced);
        let of_namespace: Vec<_> = offers.iter().map(|(_, _, offer)| *offer).collect();
        let is_uniform = match of_namespace.len() {
            // What is set now counts for a node alone: there is nothing to agree on.
            0 | 1 => namespace.config().prefer_uniform_balance,
            _ => of_namespace.iter().all(|offer| offer.is_uniform),
        };
        Self {
            nodes: of_namespace.len(),
            replication_factor: node.cluster.table(namespace.number()).replication_factor(),
            pending_quiesce: node.cluster.is_quiesced.load(Relaxed),
            is_quiesced: is_mine && nodes_quiesced > 0,
            nodes_quiesced,
            is_uniform,
            active_rack: active_rack(&of_namespace),
            fresh_partitions: fresh_partitions(&of_namespace),
        }
    }
}

/// The rack that all name.
fn active_rack(offers: &[&NamespaceOffer]) -> u32 {
    let mut racks = offers.iter().map(|offer| offer.active_rack.map_or(0, |rack| rack.0));
    let first = racks.next().filter(|_| offers.len() > 1).unwrap_or_default();
    if racks.all(|rack| rack == first) { first } else { 0 }
}

fn fresh_partitions(offers: &[&NamespaceOffer]) -> usize {
    if offers.len() <= 1 {
        // A node that comes up alone finds no copy of any partition.
        return wire::PARTITIONS;
    }
    let is_fresh =
        |partition: &PartitionId| offers.iter().all(|of| !of.versions.get(*partition).has_data());
    PartitionId::all().filter(is_fresh).count()
}
