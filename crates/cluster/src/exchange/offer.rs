//! What a node tells of itself.

use crate::balance::Versions;
use crate::ids::RackId;

/// What a node offers to a view.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Offer {
    /// Its namespaces.
    pub namespaces: Vec<NamespaceOffer>,
    /// Whether it is to give up what it has.
    pub is_quiesced: bool,
    /// The clock by which it writes records, in ms since 2010: what others write from now on shall be later.
    pub time_ms: u64,
}

/// A namespace of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamespaceOffer {
    /// Its name.
    pub name: String,
    /// Copies of a partition that its configuration asks for.
    pub replication_factor: u32,
    /// The rack that the node stands in.
    pub rack: RackId,
    /// The rack that is to have the masters, if the configuration names one.
    pub active_rack: Option<RackId>,
    /// Whether the configuration asks for uniform balance.
    pub is_uniform: bool,
    /// What the node has of each partition.
    pub versions: Versions,
}

impl Offer {
    /// The namespace with this name.
    pub fn namespace(&self, name: &str) -> Option<&NamespaceOffer> {
        self.namespaces.iter().find(|namespace| namespace.name == name)
    }
}
