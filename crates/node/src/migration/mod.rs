//! Partitions that move between nodes (`reference`: cluster.md, section 9).
//!
//! What has to move follows from the [`Partition`]s of the tables: each says what its next
//! [`Errand`] is. A thread of the host calls [`Node::migrate`], which takes in what other nodes send,
//! goes on with what this node gives, and gives memory back that partitions took which are no more here. It may wait for
//! devices; no request waits for it.
//!
//! Every step between two nodes is confirmed, and sent again when that takes too long: a link that
//! breaks costs a moment. Another view ends everything; what has moved by then need not move again, since only what
//! differs does.
//!
//! | task | file |
//! |---|---|
//! | which partitions, when | this one |
//! | the side that gives | `give.rs` |
//! | what waits to be given | `waiting.rs` |
//! | the side that receives | `receive.rs` |
//! | what a node has of a partition | `contents.rs` |

mod contents;
mod give;
mod receive;
mod waiting;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::Kind;
use cluster::fabric::migration::{Step, What};
use cluster::partition::{Errand, Partition, Unexpected};
use engine::Namespace;
use parking_lot::Mutex;
use wire::PartitionId;

use crate::clustering::Mailbox;
use crate::node::Node;
use give::Giving;
use waiting::Waiting;

/// How long to wait at most before everything is looked at again.
const WAIT_MAX: Duration = Duration::from_millis(500);

/// How long a receiver that is busy is left alone.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// For how long a giver counts that says nothing more. One that cannot read a record leaves the partition for
/// later, and others would wait for ever for its place.
const SILENCE_MAX: Duration = Duration::from_secs(1);

/// Records of a partition that is given up that are removed at a time.
const DISCARD_RECORDS: usize = 512;

/// A partition of a namespace, by its place.
type Place = (usize, PartitionId);

/// See the module.
#[derive(Default)]
pub(crate) struct Migrations {
    active: Mutex<Active>,
    /// Messages of other nodes, and what wakes the thread that reads them.
    pub mailbox: Mailbox,
    /// Whether a view was balanced since it was last looked.
    is_renewed: AtomicBool,
    /// What is counted of each namespace.
    counts: Box<[Counts]>,
}

/// What is counted of a namespace.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Partitions to give and to receive when the view was balanced.
    pub initial_tx: AtomicU64,
    pub initial_rx: AtomicU64,
    pub records_sent: AtomicU64,
    pub records_received: AtomicU64,
    pub records_skipped: AtomicU64,
    /// Records of parts that were sent again because nobody confirmed them.
    pub records_resent: AtomicU64,
    /// Records that could not be read, and so did not move.
    pub records_unreadable: AtomicU64,
    /// What is under way, as of the thread's last turn.
    active_tx: AtomicUsize,
    active_rx: AtomicUsize,
    active_signals: AtomicUsize,
}

/// What is under way.
#[derive(Default)]
struct Active {
    waiting: Waiting,
    giving: BTreeMap<Place, Giving>,
    /// Who gives something to this node, and when that was heard last.
    receiving: BTreeMap<(Place, NodeId), Duration>,
    /// Partitions whose records are to be removed.
    discards: VecDeque<Place>,
}

/// How much is left to move.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Remaining {
    pub tx: usize,
    /// Of those, what somebody waits for: gifts to the first of a row.
    pub leads: usize,
    pub rx: usize,
    pub signals: usize,
    pub active_tx: usize,
    pub active_rx: usize,
    pub active_signals: usize,
}

impl Migrations {
    pub fn new(namespaces: usize) -> Self {
        let counts = (0..namespaces).map(|_| Counts::default()).collect();
        Self { counts, ..Self::default() }
    }

    pub fn counts(&self, namespace: usize) -> &Counts {
        &self.counts[namespace]
    }

    /// A view was balanced: whatever was under way is over, and there is something else to do. Whoever
    /// says so waits for nothing.
    pub fn begin(&self) {
        self.is_renewed.store(true, Ordering::Release);
        self.mailbox.wake();
    }

    /// Finds out what there is to do in a view that was balanced.
    fn renew(&self, node: &Node, active: &mut Active) {
        *active = Active::default();
        let mut errands = Vec::new();
        for (place, namespace) in node.namespaces.iter().enumerate() {
            let (mut tx, mut rx) = (0, 0);
            let order = namespace.config().migrate_order;
            for partition in PartitionId::all() {
                let of = node.cluster.table(place).look(partition);
                tx += of.gives().len() as u64;
                rx += of.awaits().len() as u64;
                let counts = namespace.partition_counts(partition);
                match of.errand() {
                    Some(Errand::Give { leads, .. }) => {
                        errands.push(((order, !leads, counts.entries), (place, partition)));
                    }
                    Some(Errand::Inform(_)) => errands.push(((order, true, 0), (place, partition))),
                    None => {}
                }
                if !of.version.has_data() && counts.entries > 0 {
                    active.discards.push_back((place, partition));
                }
            }
            let counts = self.counts(place);
            counts.initial_tx.store(tx, Ordering::Relaxed);
            counts.initial_rx.store(rx, Ordering::Relaxed);
        }
        errands.sort_unstable();
        active.waiting = errands.into_iter().map(|(_, place)| place).collect();
    }

    /// Says how much is under way, so that whoever asks need not wait for the thread, which may wait for devices.
    fn publish(&self, active: &Active) {
        for (number, counts) in self.counts.iter().enumerate() {
            let of = active.giving.iter().filter(|((namespace, _), _)| *namespace == number);
            let (signals, gifts): (Vec<_>, Vec<_>) = of.partition(|(_, giving)| giving.is_signal());
            let receiving =
                active.receiving.keys().filter(|((place, _), _)| *place == number).count();
            counts.active_tx.store(gifts.len(), Ordering::Relaxed);
            counts.active_rx.store(receiving, Ordering::Relaxed);
            counts.active_signals.store(signals.len(), Ordering::Relaxed);
        }
    }
}

impl Node {
    /// Goes on with what moves between nodes. Returns how long to wait before the next call if no message
    /// comes.
    pub fn migrate(&self) -> Duration {
        let letters = self.migrations.mailbox.take();
        let mut active = self.migrations.active.lock();
        if self.migrations.is_renewed.swap(false, Ordering::AcqRel) {
            self.migrations.renew(self, &mut active);
        }
        for letter in &letters {
            let Some(step) = Step::decode(&letter.body) else { continue };
            if let Some(namespace) = self.namespace(step.namespace) {
                let place = (namespace.number(), step.partition);
                self.take_step(&mut active, namespace, place, letter.from, &step);
            }
        }
        self.start_giving(&mut active);
        let next = self.go_on_giving(&mut active);
        let is_more = self.discard_some(&mut active);
        self.migrations.publish(&active);
        if is_more { Duration::ZERO } else { next.unwrap_or(WAIT_MAX).min(WAIT_MAX) }
    }

    /// Waits until there is something to migrate, or the time is over.
    pub fn wait_for_migration(&self, at_most: Duration) {
        self.migrations.mailbox.wait(at_most);
    }

    /// Has whoever waits for that wake up.
    pub fn wake_migration(&self) {
        self.migrations.mailbox.wake();
    }

    fn take_step(
        &self,
        active: &mut Active,
        namespace: &Arc<Namespace>,
        place: Place,
        from: NodeId,
        step: &Step<'_>,
    ) {
        match step.what {
            What::Begin(_)
            | What::List(..)
            | What::Records(..)
            | What::Packed(..)
            | What::End
            | What::AllDone => {
                self.receive(active, namespace, place, from, step);
            }
            _ => self.given(active, namespace, place, from, step),
        }
    }

    /// Sends a step to another node. It may get lost.
    fn send_step(
        &self,
        namespace: &Namespace,
        (cluster_key, partition): (u64, PartitionId),
        to: NodeId,
        what: What<'_>,
    ) {
        let name = namespace.name.as_bytes();
        let step = Step { cluster_key, namespace: name, partition, what };
        self.cluster.send(to, Kind::Migration, |out| step.encode(out));
    }

    /// Replaces a partition by what follows from it, unless a view is being formed: then everything stays
    /// as the members have told each other. Returns what it was.
    fn transition<T>(
        &self,
        (place, partition): Place,
        next: impl FnOnce(&Partition) -> Result<(Partition, T), Unexpected>,
    ) -> Result<(Arc<Partition>, T), Unexpected> {
        let moving = self.cluster.moving.lock();
        if !*moving {
            return Err(Unexpected);
        }
        let table = self.cluster.table(place);
        let (next, more) = next(&table.look(partition))?;
        let is_moving = next.is_moving() || !next.duplicates.is_empty();
        self.namespaces[place].drops.set_moving(partition, is_moving);
        let before = table.set(partition, next);
        drop(moving);
        Ok((before, more))
    }

    /// Whether there is something to be given of a partition, and has it be.
    fn look_for_errand(&self, active: &mut Active, place: Place) {
        let partition = self.cluster.table(place.0).look(place.1);
        if partition.errand().is_some() && !active.giving.contains_key(&place) {
            active.waiting.push(place);
        }
    }

    /// Removes some of the records of partitions that are not here any more. Says whether there are more.
    fn discard_some(&self, active: &mut Active) -> bool {
        let Some(&(place, partition)) = active.discards.front() else { return false };
        let namespace = &self.namespaces[place];
        let is_gone = || !self.cluster.table(place).look(partition).version.has_data();
        if !is_gone() || !namespace.discard(partition, self.host.now(), DISCARD_RECORDS, is_gone) {
            active.discards.pop_front();
        }
        !active.discards.is_empty()
    }

    /// Whether anything of a namespace is still to move.
    pub(crate) fn is_migrating(&self, namespace: &Namespace) -> bool {
        let table = self.cluster.table(namespace.number());
        PartitionId::all().any(|partition| table.look(partition).is_moving())
    }

    /// How much is left to move of a namespace.
    pub(crate) fn migrations_remaining(&self, place: usize) -> Remaining {
        let mut remaining = Remaining::default();
        for partition in PartitionId::all() {
            let of = self.cluster.table(place).look(partition);
            remaining.tx += of.gives().len();
            remaining.leads += of.lead_gives();
            remaining.rx += of.awaits().len();
            remaining.signals += of.informs().len();
        }
        let counts = self.migrations.counts(place);
        remaining.active_tx = counts.active_tx.load(Ordering::Relaxed);
        remaining.active_rx = counts.active_rx.load(Ordering::Relaxed);
        remaining.active_signals = counts.active_signals.load(Ordering::Relaxed);
        remaining
    }
}

impl fmt::Debug for Migrations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrations").field("counts", &self.counts).finish_non_exhaustive()
    }
}
