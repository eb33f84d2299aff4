//! What a node knows of its cluster, for whoever reads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cluster::exchange::Offers;
use cluster::fabric::Channel;
use cluster::{NodeId, Protocol};

use super::Card;

/// What was last agreed on, and what is known of the others.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Names the view; 0: none yet.
    pub cluster_key: u64,
    /// Its members, descending: the first is the principal.
    pub members: Vec<NodeId>,
    /// Views so far.
    pub generation: u64,
    /// Balances of partitions so far.
    pub rebalances: u64,
    /// When the last one was, by the monotonic clock.
    pub rebalanced_at: Duration,
    /// Whether partitions are balanced for this view.
    pub is_balanced: bool,
    /// Whether there was no view for so long that nothing is served.
    pub is_orphan: bool,
    /// What the members told each other.
    pub(crate) offers: Arc<Offers>,
    /// Peers, as clients are told.
    pub(crate) directory: Arc<Directory>,
}

/// Peers that there are and were.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directory {
    /// How often it has changed.
    pub generation: u64,
    pub peers: BTreeMap<NodeId, Listed>,
}

/// A peer.
#[derive(Clone, Debug)]
pub(crate) struct Listed {
    /// What it told of itself.
    pub card: Card,
    /// In which version this node speaks to it.
    pub protocol: Protocol,
    /// Whether it is in the view.
    pub is_present: bool,
    /// Generation of the directory in which this changed last.
    pub changed: u64,
}

impl State {
    /// The principal of the view.
    pub fn principal(&self) -> Option<NodeId> {
        self.members.first().copied()
    }

    /// Where a member listens for what goes on a channel, and in which version it is spoken to.
    pub(crate) fn route(&self, node: NodeId, channel: Channel) -> Option<(SocketAddr, Protocol)> {
        let Listed { card, protocol, .. } = self.directory.peers.get(&node)?;
        let address = match channel {
            Channel::Control => card.control.first(),
            Channel::Record | Channel::Bulk => card.fabric.first().or(card.control.first()),
        };
        Some((*address?, *protocol))
    }

    /// The member that listens here for what goes on a channel.
    pub(crate) fn member_at(&self, address: SocketAddr, channel: Channel) -> Option<NodeId> {
        let is_there = |node: &&NodeId| {
            self.route(**node, channel).is_some_and(|(listens, _)| listens == address)
        };
        self.members.iter().find(is_there).copied()
    }
}

impl Directory {
    /// Takes note of who is there and what they tell of themselves. Says whether that is news.
    pub fn update(&mut self, present: &BTreeMap<NodeId, (Card, Protocol)>) -> bool {
        let next = self.generation + 1;
        let mut is_news = false;
        for (node, (card, protocol)) in present {
            let is_known = |known: &Listed| {
                known.is_present && known.card == *card && known.protocol == *protocol
            };
            if !self.peers.get(node).is_some_and(is_known) {
                let (card, protocol) = (card.clone(), *protocol);
                let listed = Listed { card, protocol, is_present: true, changed: next };
                self.peers.insert(*node, listed);
                is_news = true;
            }
        }
        for (node, listed) in &mut self.peers {
            if listed.is_present && !present.contains_key(node) {
                listed.is_present = false;
                listed.changed = next;
                is_news = true;
            }
        }
        if is_news {
            self.generation = next;
        }
        is_news
    }
}
