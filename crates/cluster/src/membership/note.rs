//! What the log is told.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use super::View;
use crate::NodeId;

/// Something that an operator may want to know. As text it is a sentence; where something is wrong, with the cure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// A node is heard, and known well enough to be in a view.
    Arrived {
        /// The node.
        node: NodeId,
        /// Where it is reached.
        address: Option<SocketAddr>,
    },
    /// A node is not heard any more.
    Departed {
        /// The node.
        node: NodeId,
        /// Without a pulse for so long.
        silent: Duration,
    },
    /// A node was started anew.
    Restarted {
        /// The node.
        node: NodeId,
    },
    /// A view was formed, with this node in it.
    ViewFormed {
        /// The view.
        view: View,
        /// Members of the view before that are not in it.
        left: Vec<NodeId>,
    },
    /// Too few nodes for a view.
    TooFew {
        /// So many hear each other.
        members: usize,
        /// So many are wanted at least.
        members_min: usize,
    },
    /// A view was not formed, because nodes did not accept it in time.
    RoundFailed {
        /// Those nodes.
        missing: Vec<NodeId>,
    },
    /// A node lets views fail time and again, and is left out for a while.
    LeftOut {
        /// The node.
        node: NodeId,
        /// How long.
        pause: Duration,
    },
    /// Two nodes have the same id; the later one stays out.
    DuplicateId {
        /// The id.
        node: NodeId,
        /// Where the later one is reached.
        later: Option<SocketAddr>,
        /// Where the earlier one is reached.
        earlier: Option<SocketAddr>,
    },
    /// Another node had this node's id before: this node stays out.
    OwnIdTaken {
        /// The id.
        node: NodeId,
        /// Where the other is reached.
        other: Option<SocketAddr>,
    },
    /// A message of another cluster was ignored.
    OtherCluster {
        /// Who sent it.
        node: NodeId,
        /// The name of that cluster, if it was said.
        name: Option<String>,
    },
    /// A message of a node was ignored whose releases have no version of the protocol in common with this one.
    OtherVersion {
        /// Who sent it.
        node: NodeId,
        /// The lowest and the highest version that it speaks.
        versions: (u16, u16),
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Arrived { node, address } => {
                write!(f, "node {node} arrived{}", Place(*address))
            }
            Self::Departed { node, silent } => {
                write!(f, "node {node} departed: not heard for {} ms", silent.as_millis())
            }
            Self::Restarted { node } => write!(f, "node {node} was restarted"),
            Self::ViewFormed { view, left } => formed(f, view, left),
            Self::TooFew { members, members_min } => write!(
                f,
                "no cluster is formed: {members} nodes hear each other, min-cluster-size wants {members_min}; start \
                 more nodes or lower min-cluster-size"
            ),
            Self::RoundFailed { missing } => {
                write!(
                    f,
                    "a cluster was not formed: no consent from {}; it is tried again",
                    Nodes(missing)
                )
            }
            Self::LeftOut { node, pause } => write!(
                f,
                "node {node} is heard but lets the cluster fail to form, and is left out for {} s; look at its log",
                pause.as_secs()
            ),
            Self::DuplicateId { node, later, earlier } => write!(
                f,
                "two nodes have the id {node}: the earlier one{} stays, the later one{} is kept out; give one of \
                 them another node-id",
                Place(*earlier),
                Place(*later)
            ),
            Self::OwnIdTaken { node, other } => write!(
                f,
                "another node{} already has this node's id {node}: this node stays out of the cluster; give one of \
                 them another node-id",
                Place(*other)
            ),
            Self::OtherCluster { node, name } => write!(
                f,
                "messages of node {node} are ignored: it is of {}; correct cluster-name or the seeds on one side",
                Cluster(name.as_deref())
            ),
            Self::OtherVersion { node, versions: (low, high) } => write!(
                f,
                "messages of node {node} are ignored: it speaks versions {low} to {high} of the protocol between \
                 nodes, and none of this node's; upgrade in smaller steps"
            ),
        }
    }
}

fn formed(f: &mut fmt::Formatter<'_>, view: &View, left: &[NodeId]) -> fmt::Result {
    write!(
        f,
        "cluster {:x} formed of {} nodes: {}",
        view.key,
        view.members.len(),
        Nodes(&view.members)
    )?;
    if left.is_empty() { Ok(()) } else { write!(f, "; left: {}", Nodes(left)) }
}

/// ` at <address>`, or nothing.
struct Place(Option<SocketAddr>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| write!(f, " at {address}"))
    }
}

/// A cluster by its name, if there is one.
struct Cluster<'a>(Option<&'a str>);

impl fmt::Display for Cluster<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            // What another node sent is shown escaped.
            Some(name) => write!(f, "cluster {name:?}"),
            None => f.write_str("another cluster"),
        }
    }
}

struct Nodes<'a>(&'a [NodeId]);

impl fmt::Display for Nodes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, node) in self.0.iter().enumerate() {
            write!(f, "{}{node}", if place == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

/// What [`Note`]s that strangers can cause are counted by: each is shown once in a while.
impl Note {
    pub(super) fn throttled_by(&self) -> Option<(u8, NodeId)> {
        match self {
            Self::DuplicateId { node, .. } => Some((0, *node)),
            Self::OwnIdTaken { node, .. } => Some((1, *node)),
            Self::OtherCluster { node, .. } => Some((2, *node)),
            Self::OtherVersion { node, .. } => Some((3, *node)),
            Self::TooFew { .. } => Some((4, NodeId(0))),
            Self::RoundFailed { .. } => Some((5, NodeId(0))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_name_cause_and_cure() {
        let address = "10.0.0.1:3002".parse().ok();
        let note = Note::OwnIdTaken { node: NodeId(0xa1), other: address };
        assert_eq!(
            note.to_string(),
            "another node at 10.0.0.1:3002 already has this node's id A1: this node stays out of the cluster; give \
             one of them another node-id"
        );
        let view = View { key: 0xabc, members: vec![NodeId(2), NodeId(1)] };
        let note = Note::ViewFormed { view, left: vec![NodeId(3)] };
        assert_eq!(note.to_string(), "cluster abc formed of 2 nodes: 2 1; left: 3");
    }
}
