//! The nodes of a view in the order of their hashes: the same for all namespaces.

use std::cmp::Reverse;

use wire::PARTITIONS;

use super::hash::{fnv1a, one_at_a_time};
use crate::ids::NodeId;

/// Most nodes of a view: places in rows are bytes.
pub const NODES_MAX: usize = 256;

/// For each partition, the nodes in the order of a hash of both (`reference`: cluster.md, 5.1).
///
/// Which node is where follows from the two alone, but for the last 8 bits of the hash: there is the
/// node's place in the succession list, so that no two are equal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HashOrder {
    /// Descending: the succession list.
    nodes: Vec<NodeId>,
    /// Places in `nodes`, row by row.
    rows: Vec<u8>,
}

impl HashOrder {
    /// Computes the rows of a view: with 256 nodes, some tens of milliseconds.
    ///
    /// `None` for no nodes, for more than [`NODES_MAX`], and for one that is there twice.
    pub fn of(view: &[NodeId]) -> Option<Self> {
        let mut nodes = view.to_vec();
        nodes.sort_unstable_by_key(|node| Reverse(*node));
        nodes.dedup();
        if nodes.is_empty() || nodes.len() > NODES_MAX || nodes.len() != view.len() {
            return None;
        }
        let hashes: Vec<_> = nodes.iter().map(|node| fnv1a(&node.0.to_le_bytes())).collect();
        let mut rows = Vec::with_capacity(PARTITIONS * nodes.len());
        let mut scores = Vec::with_capacity(nodes.len());
        for partition in 0..PARTITIONS as u32 {
            let partition = fnv1a(&partition.to_le_bytes()).to_le_bytes();
            scores.clear();
            scores.extend(hashes.iter().zip(0_u64..).map(|(node, place)| {
                let mut both = [0; 16];
                both[..8].copy_from_slice(&node.to_le_bytes());
                both[8..].copy_from_slice(&partition);
                one_at_a_time(&both) & !0xff | place
            }));
            scores.sort_unstable_by_key(|score| Reverse(*score));
            rows.extend(scores.iter().map(|score| *score as u8));
        }
        Some(Self { nodes, rows })
    }

    /// The nodes, descending.
    pub fn nodes(&self) -> &[NodeId] {
        &self.nodes
    }

    /// Where in that list a node is.
    pub(super) fn place_of(&self, node: NodeId) -> Option<usize> {
        self.nodes.binary_search_by_key(&Reverse(node), |node| Reverse(*node)).ok()
    }

    /// The rows of all partitions, of places in that list.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[u8]> {
        self.rows.chunks_exact(self.nodes.len())
    }
}
