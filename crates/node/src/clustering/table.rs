//! Who has which partition of a namespace, as this node knows it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::{ArcSwap, Guard};
use cluster::NodeId;
use cluster::balance::{Family, PartitionVersion, Versions};
use cluster::partition::Partition;
use engine::Namespace;
use wire::PartitionId;

/// What a node has of a partition that it finds on its devices when it comes up: it is like nothing that
/// others have, until it is compared.
const RESTORED: PartitionVersion = PartitionVersion {
    cluster_key: 1,
    family: Family::UNIQUE,
    is_master: false,
    is_subset: true,
    is_evade: false,
};

/// See the module. Each partition is a value that is replaced as a whole: whoever holds one sees it as it
/// was, and the one who replaces it learns when nobody does any more.
#[derive(Debug)]
pub struct PartitionTable {
    partitions: Box<[ArcSwap<Partition>]>,
    /// Copies of a partition that there are to be.
    replication_factor: AtomicU32,
}

impl PartitionTable {
    /// Nobody else is known, and this node has what the namespace has now.
    pub(super) fn new(me: NodeId, namespace: &Namespace) -> Self {
        let of = |version| Arc::new(Partition::nowhere(me, version));
        let (nothing, restored) = (of(PartitionVersion::NONE), of(RESTORED));
        let partitions = PartitionId::all().map(|partition| {
            let is_empty = namespace.partition_counts(partition).entries == 0;
            ArcSwap::new(Arc::clone(if is_empty { &nothing } else { &restored }))
        });
        Self { partitions: partitions.collect(), replication_factor: AtomicU32::new(1) }
    }

    /// A partition as it is now, for a short look.
    #[inline]
    pub fn look(&self, partition: PartitionId) -> Guard<Arc<Partition>> {
        self.partitions[partition.index()].load()
    }

    /// A partition as it is now.
    pub fn get(&self, partition: PartitionId) -> Arc<Partition> {
        self.partitions[partition.index()].load_full()
    }

    /// Replaces a partition; returns what it was. Requests that began before hold on to that.
    pub(crate) fn set(&self, partition: PartitionId, to: Partition) -> Arc<Partition> {
        self.partitions[partition.index()].swap(Arc::new(to))
    }

    /// Copies of a partition that there are to be: no more than there are nodes.
    pub fn replication_factor(&self) -> u32 {
        self.replication_factor.load(Ordering::Relaxed)
    }

    pub(crate) fn set_replication_factor(&self, factor: u32) {
        self.replication_factor.store(factor, Ordering::Relaxed);
    }

    /// What this node has of all partitions.
    pub(crate) fn versions(&self) -> Versions {
        Versions::of(|partition| self.look(partition).version)
    }
}
