//! Changes that other nodes have to confirm.
//!
//! Each change of a record here is sent to all other replicas as the record that it made. It is under way
//! until they have confirmed it, whether or not its client still waits: a connection that breaks or
//! another view only has it sent again, as the record is then. Of versions that overtake each other the later
//! one counts wherever they arrive, so changes of one record need not wait for each other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::{Change, Kind, Removal, Status, Transfer};
use cluster::partition::{Nodes, Partition};
use config::WriteCommitOverride;
use engine::copies::{UnreadableRecord, Written};
use engine::stats::NamespaceCounter;
use engine::{Namespace, Stripe};
use record::{Generation, LastUpdateTime, RecordMeta};
use storage::Ticket;
use wire::{Digest, Info3, Request};

use super::{Asker, Peers, Question};
use crate::health::Sampler;
use crate::node::Node;
use crate::waits::Caller;

/// How long to wait before a change is sent again.
const RETRY: Duration = Duration::from_millis(20);

/// The same where the record cannot be read: its device was asked in vain.
const UNREADABLE_RETRY: Duration = Duration::from_secs(1);

/// Changes of an event loop that are under way.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    /// By their numbers, which are never used again: answers may come late.
    copies: HashMap<u64, Copy>,
    last: u64,
    /// Those that are to be sent again, the next one first.
    due: BinaryHeap<Reverse<(Duration, u64)>>,
    /// Chooses those that are timed.
    sampler: Sampler,
}

#[derive(Debug)]
struct Copy {
    namespace: Arc<Namespace>,
    digest: Digest,
    /// When it was removed, if it was.
    removed_at: Option<LastUpdateTime>,
    /// The partition as it was when it was sent. It is not handed over to another node before all have
    /// confirmed the change.
    partition: Arc<Partition>,
    /// Who has not confirmed it.
    left: Nodes,
    /// When it was sent first, if it is timed how long the others take.
    timed_from: Option<Duration>,
    /// What was sent last.
    sent: Option<(LastUpdateTime, Generation)>,
    /// Whether it stands in [`Copies::due`].
    is_due: bool,
    /// Whether it was sent, so that sending it is doing so again.
    was_sent: bool,
    cause: Cause,
}

/// On whose behalf a change was made.
#[derive(Debug)]
pub(crate) struct Cause {
    pub waiter: Waiter,
    /// Counts how often such changes are sent again.
    pub resent: Option<NamespaceCounter>,
}

impl Cause {
    /// That of what nodes do among themselves.
    pub const NONE: Self = Self { waiter: Waiter::Nobody, resent: None };
}

/// A change that came too late.
#[derive(Debug)]
pub(super) struct Lost {
    pub namespace: Arc<Namespace>,
    pub digest: Digest,
    pub sent: Option<(LastUpdateTime, Generation)>,
    pub waiter: Waiter,
}

/// Who waits for a change.
#[derive(Debug)]
pub(crate) enum Waiter {
    Nobody,
    /// A request of this loop.
    Ticket(Ticket),
    /// One of another loop, which hears of it when this is dropped.
    #[expect(dead_code, reason = "dropping it is all")]
    Caller(Arc<Caller>),
}

/// Whether the answer to a write waits for all replicas: unless the client, or the namespace, wants it
/// otherwise.
pub(crate) fn waits_for_all(namespace: &Namespace, request: &Request<'_>) -> bool {
    match namespace.config().write_commit_level_override {
        WriteCommitOverride::Off => !request.header.info3.contains(Info3::COMMIT_LEVEL_MASTER),
        WriteCommitOverride::All => true,
        WriteCommitOverride::Master => false,
    }
}

/// Who waits for a change that a request of another loop has made.
pub(crate) fn waiter_for(
    namespace: &Namespace,
    request: &Request<'_>,
    caller: Arc<Caller>,
) -> Waiter {
    if waits_for_all(namespace, request) { Waiter::Caller(caller) } else { Waiter::Nobody }
}

impl From<Option<Ticket>> for Waiter {
    fn from(ticket: Option<Ticket>) -> Self {
        ticket.map_or(Self::Nobody, Self::Ticket)
    }
}

/// A change that a thread without links has made.
#[derive(Debug)]
pub(crate) struct Uncopied {
    pub namespace: Arc<Namespace>,
    pub digest: Digest,
    pub removed_at: Option<LastUpdateTime>,
    pub cause: Cause,
    /// The partition as it was then.
    pub partition: Arc<Partition>,
}

impl Copies {
    /// When [`Peers::copy_again`] has something to do.
    pub fn next_at(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    /// Changes that are under way.
    pub fn count(&self) -> usize {
        self.copies.len()
    }

    fn insert(&mut self, copy: Copy) -> u64 {
        self.last += 1;
        self.copies.insert(self.last, copy);
        self.last
    }

    fn retry(&mut self, key: u64, at: Duration) {
        if let Some(copy) = self.copies.get_mut(&key)
            && !std::mem::replace(&mut copy.is_due, true)
        {
            self.due.push(Reverse((at, key)));
        }
    }
}

impl Peers {
    /// Sends a change to the other replicas of its partition, whose body is `bytes`. When all have
    /// confirmed it, whoever waits is told.
    pub fn copy(
        &mut self,
        node: &Node,
        namespace: &Arc<Namespace>,
        partition: &Arc<Partition>,
        (digest, written, bytes): (&Digest, Written, &[u8]),
        cause: Cause,
    ) {
        let version = match written {
            Written::Nothing => return,
            Written::Renewed => {
                // The answer to the read does not depend on it, so it need not be sent at once.
                let (namespace, digest) = (Arc::clone(namespace), *digest);
                let (removed_at, partition) = (None, Arc::clone(partition));
                let uncopied = Uncopied { namespace, digest, removed_at, cause, partition };
                return self.copy_later(node, uncopied);
            }
            Written::Stored(meta) => Outgoing::of_record(namespace, meta, bytes),
            Written::Removed(at) => Outgoing::Removal(at),
        };
        let left: Nodes = partition.others().collect();
        let is_timed = self.copies.sampler.takes_next(&node.health);
        let copy = Copy {
            namespace: Arc::clone(namespace),
            digest: *digest,
            removed_at: version.removed_at(),
            partition: Arc::clone(partition),
            left: left.clone(),
            timed_from: is_timed.then(|| node.host.monotonic()),
            sent: version.sent(),
            is_due: false,
            was_sent: true,
            cause,
        };
        let key = self.copies.insert(copy);
        let about = (&**namespace, digest, partition.cluster_key);
        self.send_copy(node, key, about, (&version, false), &left);
    }

    /// Takes over a change that a thread without links has made.
    pub fn copy_later(&mut self, node: &Node, uncopied: Uncopied) {
        let Uncopied { namespace, digest, removed_at, cause, partition } = uncopied;
        let left = partition.others().collect();
        let copy = Copy {
            namespace,
            digest,
            removed_at,
            partition,
            left,
            timed_from: None,
            sent: None,
            is_due: false,
            was_sent: false,
            cause,
        };
        let key = self.copies.insert(copy);
        self.copies.retry(key, node.host.monotonic());
    }

    fn send_copy(
        &mut self,
        node: &Node,
        key: u64,
        (namespace, digest, cluster_key): (&Namespace, &Digest, u64),
        (version, is_late): (&Outgoing<'_>, bool),
        to: &[NodeId],
    ) {
        let name = namespace.name.as_bytes();
        for &to in to {
            let kind = version.kind();
            let question = Question { cluster: &node.cluster, to, kind };
            let is_sent = self.ask(Asker::Copy(key), question, |out| match *version {
                Outgoing::Record(transfer) => {
                    let digest = *digest;
                    Change { cluster_key, namespace: name, digest, is_late, transfer }.encode(out);
                }
                Outgoing::Removal(at) => {
                    Removal { cluster_key, namespace: name, digest: *digest, at }.encode(out);
                }
            });
            if !is_sent {
                self.copies.retry(key, node.host.monotonic() + RETRY);
            }
        }
    }

    /// Takes in what a node said to a change. Returns the request that may go on.
    pub fn copy_answered(
        &mut self,
        node: &Node,
        key: u64,
        from: NodeId,
        status: Option<Status>,
    ) -> Option<Ticket> {
        let now = node.host.monotonic();
        let copy = self.copies.copies.get_mut(&key)?;
        match status {
            // A replica that cannot store it will get it when it can, by a migration.
            Some(Status::Done | Status::Failed) => {
                if let Some(sent_at) = copy.timed_from.filter(|_| copy.left.contains(&from)) {
                    let took = now.saturating_sub(sent_at);
                    node.health.replicated(from, copy.namespace.number(), took);
                }
                copy.left.retain(|node| *node != from);
            }
            _ => {
                self.copies.retry(key, now + RETRY);
                return None;
            }
        }
        self.end_if_done(key)
    }

    /// Gives up a change that came too late.
    pub(super) fn give_up_copy(&mut self, key: u64) -> Option<Lost> {
        let copy = self.copies.copies.remove(&key)?;
        let Copy { namespace, digest, sent, cause, .. } = copy;
        Some(Lost { namespace, digest, sent, waiter: cause.waiter })
    }

    /// Ends a change that all have confirmed.
    fn end_if_done(&mut self, key: u64) -> Option<Ticket> {
        let copy = self.copies.copies.get(&key)?;
        if !copy.left.is_empty() || copy.is_due {
            return None;
        }
        match self.copies.copies.remove(&key)?.cause.waiter {
            Waiter::Ticket(ticket) => Some(ticket),
            Waiter::Nobody | Waiter::Caller(_) => None,
        }
    }

    /// Sends again what was not confirmed; appends requests that may go on because nobody is left to
    /// confirm their changes.
    pub fn copy_again(&mut self, node: &Node, now: Duration, ready: &mut Vec<Ticket>) {
        while let Some(Reverse((at, key))) = self.copies.due.peek().copied()
            && at <= now
        {
            self.copies.due.pop();
            self.copy_anew(node, key, now);
            ready.extend(self.end_if_done(key));
        }
    }

    fn copy_anew(&mut self, node: &Node, key: u64, now: Duration) {
        let Some(copy) = self.copies.copies.get_mut(&key) else { return };
        copy.is_due = false;
        let table = node.cluster.table(copy.namespace.number());
        let partition = table.get(copy.digest.partition());
        let Some(serving) = partition.destination() else {
            // Nobody serves it. Once somebody does, it gets the change.
            self.copies.retry(key, now + 5 * RETRY);
            return;
        };
        let is_late = partition.working_master != Some(partition.me());
        if copy.partition.cluster_key != partition.cluster_key {
            // What was handed over since is the concern of the view that is over.
            copy.partition = Arc::clone(&partition);
            copy.timed_from = None;
            copy.left = match is_late {
                false => partition.others().collect(),
                // Whoever serves tells the others.
                true => [serving].into_iter().collect(),
            };
        }
        let (namespace, digest, left) =
            (Arc::clone(&copy.namespace), copy.digest, copy.left.clone());
        let mut bytes = Vec::new();
        let version = match copy.removed_at {
            // Whatever has been made in its place since is later, and told of by itself.
            Some(at) => Outgoing::Removal(at),
            None => match current(&namespace, &digest, &mut bytes) {
                Ok(Some(meta)) => Outgoing::of_record(&namespace, meta, &bytes),
                Ok(None) => {
                    // Whoever removed it tells the others.
                    copy.left.clear();
                    return;
                }
                Err(UnreadableRecord) => {
                    // Nobody has confirmed it, and it is not to look as if somebody had.
                    self.copies.retry(key, now + UNREADABLE_RETRY);
                    return;
                }
            },
        };
        copy.sent = version.sent();
        if std::mem::replace(&mut copy.was_sent, true)
            && let Some(counter) = copy.cause.resent
        {
            namespace.counters.raise(Stripe::SHARED, counter);
        }
        let about = (&*namespace, &digest, partition.cluster_key);
        self.send_copy(node, key, about, (&version, is_late), &left);
    }
}

/// What is sent of a change.
enum Outgoing<'a> {
    Record(Transfer<'a>),
    Removal(LastUpdateTime),
}

impl<'a> Outgoing<'a> {
    fn of_record(namespace: &'a Namespace, meta: RecordMeta, bytes: &'a [u8]) -> Self {
        let set_name = namespace.sets.by_id(meta.set).map_or(&[][..], |set| &set.name);
        Self::Record(Transfer { meta, set_name, bytes })
    }

    /// The version that it is, if it is one.
    fn sent(&self) -> Option<(LastUpdateTime, Generation)> {
        match self {
            Self::Record(Transfer { meta, .. }) => Some((meta.last_update_time, meta.generation)),
            Self::Removal(_) => None,
        }
    }

    fn removed_at(&self) -> Option<LastUpdateTime> {
        match self {
            Self::Record(_) => None,
            Self::Removal(at) => Some(*at),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Record(_) => Kind::Write,
            Self::Removal(_) => Kind::Remove,
        }
    }
}

/// The record as it is now. Waits for its device: this is seldom.
fn current(
    namespace: &Namespace,
    digest: &Digest,
    bytes: &mut Vec<u8>,
) -> Result<Option<RecordMeta>, UnreadableRecord> {
    let found = storage::blocking(|fetched| namespace.copy_out(digest, fetched, bytes))?;
    Ok(found.map(|(meta, _)| meta))
}
