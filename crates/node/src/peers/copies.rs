//! Changes that other nodes have to confirm.
//!
//! Each change of a record here is sent to all other replicas as the record that it made. It is under way
//! until they have confirmed it, whether or not its client still waits: a connection that breaks or
//! another view only has it sent again, as the record is then. Of versions that overtake each other the later
//! one counts wherever they arrive, so changes of one record need not wait for each other.
//!
//! As long as a change is under way, its partition is not handed over: whoever serves next has to have it
//! before it serves. If another view has another node serve, that one may have served without the change, and
//! what it confirms then says nothing of that: the client is not told that its change was made.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::{Change, Kind, Removal, Status, Transfer};
use cluster::partition::{Nodes, Partition};
use engine::Namespace;
use engine::copies::Written;
use record::LastUpdateTime;
use slab::Slab;
use storage::{Fetched, Ticket};
use wire::Digest;

use super::{Asker, Peers, Question};
use crate::node::Node;
use crate::waits::Caller;

/// How long to wait before a change is sent again.
const RETRY: Duration = Duration::from_millis(20);

/// Changes of an event loop that are under way.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    copies: Slab<Copy>,
    /// Those that are to be sent again, the next one first.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
}

#[derive(Debug)]
struct Copy {
    namespace: Arc<Namespace>,
    digest: Digest,
    /// When it was removed, if it was.
    removed_at: Option<LastUpdateTime>,
    /// The view in which it was sent.
    cluster_key: u64,
    /// The partition as it was then: whoever hands it over waits until nobody holds that any more.
    partition: Option<Arc<Partition>>,
    /// Who has not confirmed it.
    left: Nodes,
    /// Whether it stands in [`Copies::due`].
    is_due: bool,
    waiter: Waiter,
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

/// A change that a thread without links has made.
#[derive(Debug)]
pub(crate) struct Uncopied {
    pub namespace: Arc<Namespace>,
    pub digest: Digest,
    pub removed_at: Option<LastUpdateTime>,
    pub waiter: Waiter,
}

impl Copies {
    /// Changes that are under way.
    pub fn count(&self) -> usize {
        self.copies.len()
    }

    /// When [`Peers::copy_again`] has something to do.
    pub fn next_at(&self) -> Option<Duration> {
        self.due.peek().map(|Reverse((at, _))| *at)
    }

    fn retry(&mut self, key: usize, at: Duration) {
        if let Some(copy) = self.copies.get_mut(key)
            && !std::mem::replace(&mut copy.is_due, true)
        {
            self.due.push(Reverse((at, key)));
        }
    }
}

impl Peers {
    /// Sends a change to the other replicas of its partition, whose body is `bytes`. When all have
    /// confirmed it, `waiter` is to be told.
    pub fn copy(
        &mut self,
        node: &Node,
        namespace: &Arc<Namespace>,
        partition: &Arc<Partition>,
        (digest, written, bytes): (&Digest, Written, &[u8]),
        waiter: Option<Ticket>,
    ) {
        let removed_at = match written {
            Written::Nothing => return,
            Written::Stored(_) => None,
            Written::Removed(at) => Some(at),
        };
        let left: Nodes = partition.others().collect();
        let copy = Copy {
            namespace: Arc::clone(namespace),
            digest: *digest,
            removed_at,
            cluster_key: partition.cluster_key,
            partition: Some(Arc::clone(partition)),
            left: left.clone(),
            is_due: false,
            waiter: waiter.map_or(Waiter::Nobody, Waiter::Ticket),
        };
        let key = self.copies.copies.insert(copy);
        let version = Outgoing::of(namespace, written, bytes);
        self.send_copy(node, key, (namespace, digest, partition.cluster_key), &version, &left);
    }

    /// Takes over a change that a thread without links has made.
    pub fn copy_later(&mut self, node: &Node, uncopied: Uncopied) {
        let Uncopied { namespace, digest, removed_at, waiter } = uncopied;
        let left = Nodes::new();
        let copy = Copy {
            namespace,
            digest,
            removed_at,
            cluster_key: 0,
            partition: None,
            left,
            is_due: false,
            waiter,
        };
        let key = self.copies.copies.insert(copy);
        self.copies.retry(key, node.host.monotonic());
    }

    fn send_copy(
        &mut self,
        node: &Node,
        key: usize,
        (namespace, digest, cluster_key): (&Namespace, &Digest, u64),
        version: &Outgoing<'_>,
        to: &[NodeId],
    ) {
        let name = namespace.name.as_bytes();
        for &to in to {
            let kind = version.kind();
            let question = Question { cluster: &node.cluster, to, kind };
            let is_sent = self.ask(Asker::Copy(key), question, |out| match *version {
                Outgoing::Record(transfer) => {
                    Change { cluster_key, namespace: name, digest: *digest, transfer }.encode(out);
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
        key: usize,
        from: NodeId,
        status: Option<Status>,
        now: Duration,
    ) -> Option<Ticket> {
        let copy = self.copies.copies.get_mut(key)?;
        match status {
            // A replica that cannot store it will get it when it can, by a migration.
            Some(Status::Done | Status::Failed) => copy.left.retain(|node| *node != from),
            _ => {
                self.copies.retry(key, now + RETRY);
                return None;
            }
        }
        self.end_if_done(key)
    }

    /// Ends a change that all have confirmed.
    fn end_if_done(&mut self, key: usize) -> Option<Ticket> {
        let copy = self.copies.copies.get(key)?;
        if !copy.left.is_empty() || copy.is_due {
            return None;
        }
        match self.copies.copies.remove(key).waiter {
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

    fn copy_anew(&mut self, node: &Node, key: usize, now: Duration) {
        let Some(copy) = self.copies.copies.get_mut(key) else { return };
        copy.is_due = false;
        let table = node.cluster.table(copy.namespace.number());
        let partition = table.get(copy.digest.partition());
        let Some(serving) = partition.destination() else {
            // Nobody serves it. Once somebody does, it gets the change.
            self.copies.retry(key, now + 5 * RETRY);
            return;
        };
        if partition.cluster_key != copy.cluster_key {
            copy.cluster_key = partition.cluster_key;
            copy.partition = Some(Arc::clone(&partition));
            copy.left = partition.others().collect();
            if serving != partition.me() && matches!(copy.waiter, Waiter::Ticket(_)) {
                copy.waiter = Waiter::Nobody;
            }
            if serving != partition.me() && !copy.left.contains(&serving) {
                copy.left.push(serving);
            }
        }
        let (namespace, digest, left) =
            (Arc::clone(&copy.namespace), copy.digest, copy.left.clone());
        let removed_at = copy.removed_at;
        let mut bytes = Vec::new();
        let written = match current(&namespace, &digest, &mut bytes) {
            Some(meta) => Written::Stored(meta),
            None => match removed_at {
                Some(at) => Written::Removed(at),
                // Whoever removed it tells the others.
                None => {
                    copy.left.clear();
                    return;
                }
            },
        };
        let version = Outgoing::of(&namespace, written, &bytes);
        let key_of_view = partition.cluster_key;
        self.send_copy(node, key, (&namespace, &digest, key_of_view), &version, &left);
    }
}

/// What is sent of a change.
enum Outgoing<'a> {
    Record(Transfer<'a>),
    Removal(LastUpdateTime),
}

impl<'a> Outgoing<'a> {
    fn of(namespace: &'a Namespace, written: Written, bytes: &'a [u8]) -> Self {
        match written {
            Written::Stored(meta) => {
                let set_name = namespace.sets.by_id(meta.set).map_or(&[][..], |set| &set.name);
                Self::Record(Transfer { meta, set_name, bytes })
            }
            Written::Removed(at) => Self::Removal(at),
            Written::Nothing => Self::Removal(LastUpdateTime(0)),
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
) -> Option<record::RecordMeta> {
    let mut fetched = Fetched::default();
    loop {
        match namespace.copy_out(digest, &fetched, bytes) {
            Ok(found) => return found.map(|(meta, _)| meta),
            Err(fetch) => {
                fetched.clear();
                fetched.add(fetch.read_now());
            }
        }
    }
}
