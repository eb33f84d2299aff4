//! What goes into the state machine and what comes out of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::note::Note;
use super::timing::Timing;
use crate::{NodeId, Protocol, Protocols};

/// What a host says of its node.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its id; not 0.
    pub node: NodeId,
    /// The time of its start in milliseconds: a restart has a higher one.
    pub incarnation: u64,
    /// Nodes of another cluster are not listened to.
    pub cluster_name: String,
    /// What it speaks.
    pub protocols: Protocols,
    /// Where other nodes reach it; the first is tried first.
    pub addresses: Vec<SocketAddr>,
    /// The heartbeat's times.
    pub timing: Timing,
    /// A view of fewer members is not formed.
    pub min_cluster_size: usize,
    /// A view of more members is not formed.
    pub cluster_size_max: usize,
    /// What the node tells others of itself: opaque here, of 64 KiB at most. A longer one is taken for an
    /// empty one.
    pub card: Vec<u8>,
    /// Of its random numbers: view keys, pauses, who is gossiped to.
    pub seed: u64,
}

/// What time it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Moment {
    /// On a clock that only goes forward, at the same speed on all nodes; where it begins does not matter.
    pub monotonic: Duration,
    /// On the wall's clock, which may jump: milliseconds since 1970-01-01 UTC. Only shown, never decided by.
    pub wall_ms: u64,
}

/// What a host tells the machine.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// A deadline has come.
    Tick,
    /// A message from another node. Any bytes will do.
    Message(&'a [u8]),
    /// The list of seeds: resolved addresses of mesh seeds, or those heard by multicast. Replaces the list
    /// before.
    Seeds(Vec<SocketAddr>),
    /// One more seed, which stays when the list is replaced.
    Tip(SocketAddr),
    /// Forgets those tips and silent nodes at those addresses; `None`: all tips and all silent nodes.
    TipClear(Option<Vec<SocketAddr>>),
    /// A new card, of 64 KiB at most. A longer one changes nothing.
    Card(Vec<u8>),
    /// New times of the heartbeat. The gossip keeps those it began with.
    Timing(Timing),
    /// A view of fewer members is not formed from now on.
    SizeMin(usize),
    /// The principal is to form the same view under another key.
    Recluster,
}

/// What the machine tells its host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// A message for that address. It may be lost; what must arrive is repeated.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Up to some kilobytes.
        message: Vec<u8>,
    },
    /// A new view, with this node in it.
    View(View),
    /// There has been no view for 5 quanta: the node is to stop serving.
    Orphaned,
    /// A node arrived or has another card. Comes before any view with the node in it.
    PeerCard {
        /// The node.
        node: NodeId,
        /// Its life.
        incarnation: u64,
        /// What it says of itself.
        card: Vec<u8>,
    },
    /// A node is not heard any more. The view that it was in stays until there is another.
    PeerGone(NodeId),
    /// The answer to [`Input::Recluster`]: `false` from all but the principal, which ignore it.
    Reclustering(bool),
    /// For the log.
    Note(Note),
}

/// Nodes that all hear each other and have agreed to be together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct View {
    /// The cluster key: random, new for each view, 48 bits, not 0.
    pub key: u64,
    /// The succession list: descending; the first is the principal.
    pub members: Vec<NodeId>,
}

impl View {
    /// The member that heads it.
    pub fn principal(&self) -> Option<NodeId> {
        self.members.first().copied()
    }
}

/// What is known of another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Neighbour {
    /// Its id.
    pub node: NodeId,
    /// Its life.
    pub incarnation: u64,
    /// Where it is reached.
    pub address: Option<SocketAddr>,
    /// In which version it and this node speak.
    pub protocol: Protocol,
    /// Since its latest pulse; `None` if none ever came.
    pub last_heard: Option<Duration>,
    /// Its wall clock less this node's, in milliseconds; with it the time that the message took.
    pub skew_ms: i64,
    /// Whether its pulses come.
    pub is_heard: bool,
    /// Whether it and this node would both be in a view with each other.
    pub is_adjacent: bool,
}

/// Counted since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages sent.
    pub messages_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
    /// Messages received, with those that were ignored.
    pub messages_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Messages that were none, of other clusters, or of other versions.
    pub messages_ignored: u64,
    /// Pulses sent.
    pub pulses_sent: u64,
    /// Pulses received.
    pub pulses_received: u64,
    /// Proposals made.
    pub rounds_begun: u64,
    /// Of them, those that failed.
    pub rounds_failed: u64,
    /// Views that this node was in.
    pub views_formed: u64,
}

impl Counters {
    pub(super) fn sent(&mut self, bytes: usize) {
        self.messages_sent += 1;
        self.bytes_sent += bytes as u64;
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.messages_received += 1;
        self.bytes_received += bytes as u64;
    }
}
