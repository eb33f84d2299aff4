//! For each partition, the members that have to do with it.

use std::sync::Arc;

use wire::{PARTITIONS, PartitionId};

use super::{PartitionVersion, Succession, Versions};
use crate::ids::NodeId;

/// The rows of a [`Succession`] without the members that neither are to have a partition nor have anything of
/// it: in a large cluster nearly all.
#[derive(Debug)]
pub struct Rows<'v> {
    succession: &'v Succession,
    /// What the members have, in their order.
    versions: Vec<&'v Versions>,
    /// A bit for each member, partition by partition: whether it has something.
    has_data: Vec<u64>,
}

/// A row: its members in the order in which they are to have a partition, with what they have of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The members. The first as many as there are to be copies are replicas.
    pub nodes: Arc<[NodeId]>,
    /// What each has.
    pub versions: Vec<PartitionVersion>,
}

const WORD_BITS: usize = u64::BITS as usize;

impl<'v> Rows<'v> {
    /// The rows of members that have these versions; `None` if those of one are not known.
    pub fn of(
        succession: &'v Succession,
        versions_of: impl Fn(NodeId) -> Option<&'v Versions>,
    ) -> Option<Self> {
        let versions: Vec<_> = succession.members().map(versions_of).collect::<Option<_>>()?;
        let words = versions.len().div_ceil(WORD_BITS);
        let mut has_data = vec![0; PARTITIONS * words];
        for (member, of_member) in versions.iter().enumerate() {
            let (word, bit) = (member / WORD_BITS, 1 << (member % WORD_BITS));
            let with_data = of_member.ranges().filter(|(_, version)| version.has_data());
            for partition in with_data.flat_map(|(range, _)| range) {
                has_data[partition * words + word] |= bit;
            }
        }
        Some(Self { succession, versions, has_data })
    }

    /// The row of a partition.
    pub fn row(&self, partition: PartitionId) -> Row {
        let words = self.versions.len().div_ceil(WORD_BITS);
        let has_data = &self.has_data[partition.index() * words..][..words];
        let holds = |member: usize| has_data[member / WORD_BITS] >> (member % WORD_BITS) & 1 == 1;
        let replicas = self.succession.replication_factor();
        let mut holders = has_data.iter().map(|word| word.count_ones()).sum::<u32>();
        let (mut nodes, mut versions) = (Vec::new(), Vec::new());
        for (place, (member, node)) in self.succession.row_of_members(partition).enumerate() {
            if place >= replicas && holders == 0 {
                // The rest, mostly hundreds, has to do with nothing.
                break;
            }
            let holds = holds(member);
            holders -= u32::from(holds);
            if place < replicas || holds {
                nodes.push(node);
                versions.push(self.versions[member].get(partition));
            }
        }
        Row { nodes: nodes.into(), versions }
    }
}
