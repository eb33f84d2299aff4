//! Who is to have each partition: a pure function of the members of a view and the rules of a
//! namespace (`reference`: cluster.md, section 5).
//!
//! Every node computes the same for the same view, and computes nothing else: there is no table that
//! is passed around. A node's place in a partition's row follows from a hash of both ([`HashOrder`]), so that a
//! node that comes or goes changes no order among the others. The rules of a namespace then move members within rows
//! ([`Succession`]):
//!
//! 1. quiesced ones to the end;
//! 2. with an active rack, one of its members to the front;
//! 3. with uniform balance, those to the front whose turn it is, so that all members are master, first
//!    replica and so on equally often;
//! 4. replicas onto as many racks as there are.
//!
//! What the nodes of a row have differs where they were apart, or are new. [`PartitionVersion`] says what
//! a node has, [`Rows`] which nodes have to do with a partition therefore, [`Roles`] who of them serves meanwhile
//! and what has to move.

mod hash;
mod order;
mod roles;
mod rows;
mod rules;
mod succession;
mod version;
mod versions;

pub(crate) use hash::fnv1a;
pub use order::{HashOrder, NODES_MAX};
pub use roles::Roles;
pub use rows::{Row, Rows};
pub use rules::{Member, Rules};
pub use succession::Succession;
pub use version::{Family, PartitionVersion};
pub use versions::Versions;

#[cfg(test)]
mod tests;
