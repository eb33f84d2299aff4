//! The node's part in a cluster: whom it hears, which view they agree on, and who has which partition.
//!
//! The machines of [`cluster`] decide; here they get time, randomness and messages. A thread of the host
//! calls [`Node::conduct`] when a message has come or time is over ([`Clustering::wait`]). What it sends goes
//! through the outbox of the first event loop. Everybody else reads: the [`State`] that was last agreed on,
//! and of each namespace a [`PartitionTable`].
//!
//! | task | file |
//! |---|---|
//! | messages in and out, views, the exchange | `conductor.rs` |
//! | what follows from an exchange | `rebalance.rs` |
//! | what is known of the others | `state.rs`, `card.rs` |
//! | what they say | `mailbox.rs` |
//! | who has which partition | `table.rs` |

mod card;
mod conductor;
mod mailbox;
mod rebalance;
mod state;
mod table;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use cluster::fabric::{Channel, Head, Kind};
use cluster::{NodeId, Protocols};
use config::Config;
use engine::Namespace;
use parking_lot::Mutex;
use storage::Signal;

pub(crate) use card::Card;
use conductor::Driver;
pub(crate) use mailbox::{Letter, Mailbox};
pub(crate) use state::Listed;
pub use state::State;
pub use table::PartitionTable;

use crate::host::Host;

/// See the module.
pub struct Clustering {
    me: NodeId,
    driver: Mutex<Driver>,
    /// Messages of other nodes for the driver.
    pub(crate) mailbox: Mailbox,
    /// Messages for other nodes that the first loop has not sent.
    outbox: Mutex<Vec<Parcel>>,
    /// Told when the outbox gets something.
    sender: Mutex<Option<Signal>>,
    state: ArcSwap<State>,
    tables: Box<[PartitionTable]>,
    /// How often a bit of a partition map has changed; -1 before there is one.
    partition_generation: AtomicI32,
    /// When the machines were last looked after, in ms of the monotonic clock.
    conducted_ms: AtomicU64,
    /// How long after that others still count this node as alive, in ms.
    lease_ms: AtomicU64,
    /// Whether partitions may change because something has moved: not while a view is being formed.
    pub(crate) moving: Mutex<bool>,
    /// Whether an operator has asked for what this node has to be taken over by others.
    pub(crate) is_quiesced: AtomicBool,
}

/// A frame for another node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parcel {
    /// Where it listens.
    pub to: SocketAddr,
    /// On which connection.
    pub channel: Channel,
    /// The frame.
    pub frame: Vec<u8>,
}

impl std::fmt::Debug for Clustering {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clustering").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl Clustering {
    /// In no view yet. Namespaces may have records of an earlier life.
    pub(crate) fn new(config: &Config, namespaces: &[Arc<Namespace>], host: &dyn Host) -> Self {
        let me = NodeId(config.service.node_id.unwrap_or_default());
        let tables =
            namespaces.iter().map(|namespace| PartitionTable::new(me, namespace)).collect();
        Self {
            me,
            driver: Mutex::new(Driver::new(me, config, host)),
            mailbox: Mailbox::default(),
            outbox: Mutex::default(),
            sender: Mutex::default(),
            state: ArcSwap::default(),
            tables,
            partition_generation: AtomicI32::new(-1),
            conducted_ms: AtomicU64::new(0),
            lease_ms: AtomicU64::new(u64::MAX),
            moving: Mutex::new(false),
            is_quiesced: AtomicBool::new(config.service.stay_quiesced),
        }
    }

    /// Whether this node stood still for so long that others may have gone on without it. It does not know
    /// what they did, so it serves nothing that they may serve.
    pub(crate) fn is_stale(&self, now: Duration) -> bool {
        let silent_ms =
            (now.as_millis() as u64).saturating_sub(self.conducted_ms.load(Ordering::Acquire));
        silent_ms > self.lease_ms.load(Ordering::Relaxed)
    }

    /// The machines are looked after. Says whether the node was stale before.
    fn renew_lease(&self, now: Duration, lease: Duration) -> bool {
        let was_stale = self.is_stale(now);
        self.lease_ms.store(lease.as_millis() as u64, Ordering::Relaxed);
        if !was_stale {
            self.conducted_ms.store(now.as_millis() as u64, Ordering::Release);
        }
        was_stale
    }

    /// It is sure again who serves what.
    fn end_staleness(&self, now: Duration) {
        self.conducted_ms.store(now.as_millis() as u64, Ordering::Release);
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// What was last agreed on.
    pub fn state(&self) -> Arc<State> {
        self.state.load_full()
    }

    /// The same, for a moment: cheaper where that is often done.
    pub(crate) fn look(&self) -> Guard<Arc<State>> {
        self.state.load()
    }

    /// Who has which partition of the namespace at this place of the configuration.
    pub fn table(&self, namespace: usize) -> &PartitionTable {
        &self.tables[namespace]
    }

    /// How often a bit of a partition map has changed; -1 before there is one.
    pub fn partition_generation(&self) -> i32 {
        self.partition_generation.load(Ordering::Acquire)
    }

    /// Notes that a bit of a partition map has changed.
    pub(crate) fn partitions_changed(&self) {
        self.partition_generation.fetch_add(1, Ordering::Release);
    }

    /// Forgets peers that are gone.
    pub(crate) fn forget_departed(&self) {
        let _driver = self.driver.lock();
        let state = self.state();
        let mut directory = (*state.directory).clone();
        directory.peers.retain(|_, peer| peer.is_present);
        let directory = Arc::new(directory);
        self.state.store(Arc::new(State { directory, ..State::clone(&state) }));
    }

    /// Waits until there is something to conduct, or the time is over.
    pub fn wait(&self, at_most: Duration) {
        self.mailbox.wait(at_most);
    }

    /// Has whoever waits wake up.
    pub fn wake(&self) {
        self.mailbox.wake();
    }

    /// Says whom to tell when there is something to send.
    pub(crate) fn set_sender(&self, signal: Signal) {
        *self.sender.lock() = Some(signal);
    }

    /// Hands over what is to be sent.
    pub(crate) fn take_parcels(&self, parcels: &mut Vec<Parcel>) {
        parcels.append(&mut self.outbox.lock());
    }

    /// Sends something to a node that nobody waits for an answer to; it may get lost. `write` appends it.
    pub(crate) fn send(&self, to: NodeId, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let channel = kind.channel();
        let Some((to, protocol)) = self.look().route(to, channel) else { return };
        let frame = Head { protocol, kind, call: 0, from: self.me }.frame(write);
        self.post([Parcel { to, channel, frame }]);
    }

    /// Sends a message of the membership, which may be to a node of which nothing is known yet.
    fn send_membership(&self, to: SocketAddr, message: &[u8]) {
        let (protocol, kind) = (Protocols::ALL.low, Kind::Membership);
        let head = Head { protocol, kind, call: 0, from: self.me };
        let frame = head.frame(|out| out.extend_from_slice(message));
        self.post([Parcel { to, channel: Channel::Control, frame }]);
    }

    fn post(&self, parcels: impl IntoIterator<Item = Parcel>) {
        let mut outbox = self.outbox.lock();
        let before = outbox.len();
        outbox.extend(parcels);
        let is_more = outbox.len() > before;
        drop(outbox);
        if is_more {
            self.raise_sender();
        }
    }

    /// Has the first loop look for what is to be sent.
    pub(crate) fn raise_sender(&self) {
        if let Some(sender) = &*self.sender.lock() {
            sender.raise();
        }
    }
}
