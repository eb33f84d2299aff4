//! Metadata on all nodes of a cluster (`reference`: cluster.md, section 13).
//!
//! The principal of the view carries changes out, one after the other, and sends what has changed to all
//! members. A member that changes something by itself sends it to the principal. Whoever gets items merges
//! them, which is the same in whatever order they come and however often, and answers with a hash over each
//! of its modules. Where that is another than the principal's, all items of the module go back and forth until
//! it is the same: after a loss, a restart, or when two sides of a split meet.
//!
//! All of that waits for the disk, and so do changes that are asked for: a thread of their own does it, since an
//! event loop that waits hears no other node, and one that is not heard for long is no member any more.
//!
//! Records move between nodes only once all members know of all truncations that any of them knows of. Otherwise
//! one that was truncated elsewhere could take the place of what was written since, and then be truncated.
//!
//! Nothing here decides anything by majority: metadata can be changed on the lone survivor of a cluster,
//! and on both sides of a split. Of each key, what [`merge`](super::merge) says counts once they meet.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::Kind;
use parking_lot::Mutex;
use prost::Message as _;
use record::LastUpdateTime;

use super::{Item, Module};
use crate::clustering::{Mailbox, State};
use crate::node::Node;

/// How often a member tells the principal what it has while that is not the same.
const RETRY: Duration = Duration::from_millis(500);

/// The same in a view that was just formed: records wait for that.
const RETRY_AT_FIRST: Duration = Duration::from_millis(50);

/// How often it does otherwise.
const PERIOD: Duration = Duration::from_secs(5);

/// How long records wait for truncations after a balance. A member may be unable to take them over, or be of a
/// version that does not say that it has.
const TRUNCATIONS_WAIT: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Default)]
pub(crate) struct Spread {
    /// Messages of other nodes, and what wakes the thread that reads them.
    pub mailbox: Mailbox,
    /// Changes that were asked for and are not carried out.
    tasks: Mutex<Vec<Task>>,
    /// What has changed here and was not sent.
    changed: Mutex<Vec<(Module, Vec<Item>)>>,
    /// Event loops look into it: nobody who has it waits for the disk.
    known: Mutex<Known>,
}

/// Something that changes metadata.
type Task = Box<dyn FnOnce(&Node) + Send>;

/// What is known of the others.
#[derive(Default)]
struct Known {
    /// The view.
    cluster_key: u64,
    /// What members have, as they said last.
    states: BTreeMap<NodeId, Hashes>,
    /// When the principal is told again.
    due: Duration,
    /// Whether all members know of all truncations that any of them had when the view was formed.
    are_truncations_known: bool,
}

/// A hash over the items of each module, in the order of [`Module::ALL`]; not of those that came after the
/// version of the node that sends it.
type Hashes = Vec<u64>;

/// A message of a member, with the hashes that it has.
type Letter = (NodeId, Hashes, Wire);

/// Modules that there have always been.
const MODULES_AT_FIRST: usize = 7;

/// Some items, or none; and a hash over all that the sender has.
#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    /// Of the modules that there have always been: nodes that know no others take nothing else.
    #[prost(fixed64, repeated, tag = "1")]
    hashes: Vec<u64>,
    /// The module's name; empty if there are no items.
    #[prost(string, tag = "2")]
    module: String,
    #[prost(message, repeated, tag = "3")]
    items: Vec<WireItem>,
    /// Whether these are all items of the module.
    #[prost(bool, tag = "4")]
    is_all: bool,
    /// Hashes of the modules that came later.
    #[prost(fixed64, repeated, tag = "5")]
    later_hashes: Vec<u64>,
    /// Whether the principal has seen that all members have the same truncations.
    #[prost(bool, tag = "6")]
    are_truncations_known: bool,
    /// The view that the sender is in; 0 if its version does not say so.
    #[prost(fixed64, tag = "7")]
    cluster_key: u64,
}

impl Wire {
    /// A message without items, of a node with these hashes.
    fn of(hashes: &[u64]) -> Self {
        let (hashes, later_hashes) = hashes.split_at(MODULES_AT_FIRST);
        let (hashes, later_hashes) = (hashes.to_vec(), later_hashes.to_vec());
        Self { hashes, later_hashes, ..Self::default() }
    }

    /// The sender's hashes; `None` if this is no message.
    fn all_hashes(&self) -> Option<Hashes> {
        let is_whole = self.hashes.len() == MODULES_AT_FIRST;
        is_whole.then(|| [&self.hashes[..], &self.later_hashes].concat())
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireItem {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "2")]
    value: Option<Vec<u8>>,
    #[prost(uint32, tag = "3")]
    generation: u32,
    #[prost(uint64, tag = "4")]
    timestamp: u64,
}

impl Spread {
    /// Something has changed here.
    pub fn changed(&self, module: Module, items: &[Item]) {
        self.changed.lock().push((module, items.to_vec()));
        self.mailbox.wake();
    }
}

impl Node {
    /// Spreads metadata over the cluster: takes in what other nodes send, and tells them what is new. Waits
    /// for the disk. Returns how long to wait before the next call if no message comes.
    pub fn spread_metadata(&self) -> Duration {
        let tasks = std::mem::take(&mut *self.spread.tasks.lock());
        tasks.into_iter().for_each(|task| task(self));
        let state = self.cluster.state();
        let (me, principal) = (self.cluster.me(), state.principal());
        let letters = self.spread.mailbox.take();
        let of_members = letters.iter().filter(|letter| state.members.contains(&letter.from));
        let decoded = of_members.filter_map(|letter| {
            let wire = Wire::decode(&letter.body[..]).ok()?;
            Some((letter.from, wire.all_hashes()?, wire))
        });
        let letters: Vec<Letter> = decoded.collect();
        self.merge_metadata(letters.iter().map(|(.., wire)| wire), principal == Some(me));
        let mut known = self.spread.known.lock();
        if known.cluster_key != state.cluster_key {
            *known = Known { cluster_key: state.cluster_key, ..Known::default() };
        }
        let is_of_view = |wire: &Wire| [0, state.cluster_key].contains(&wire.cluster_key);
        for (from, theirs, _) in letters.iter().filter(|(.., wire)| is_of_view(wire)) {
            known.states.insert(*from, theirs.clone());
        }
        self.learn_of_truncations(&mut known, &state, &letters);
        for (from, theirs, wire) in &letters {
            self.answer_metadata((*from, theirs, wire), principal == Some(me), &known);
        }
        let changed = std::mem::take(&mut *self.spread.changed.lock());
        for (module, items) in changed {
            let to: Vec<_> = match principal == Some(me) {
                true => state.members.iter().copied().filter(|node| *node != me).collect(),
                false => principal.into_iter().collect(),
            };
            to.into_iter().for_each(|to| self.send_items(to, module, &items, false, &known));
        }
        self.report_to_principal(&mut known, principal.filter(|principal| *principal != me))
    }

    /// Finds out whether all members have the same truncations, or is told so by the principal.
    fn learn_of_truncations(&self, known: &mut Known, state: &State, letters: &[Letter]) {
        if known.are_truncations_known {
            return;
        }
        let own = self.metadata.hash(Module::Truncate);
        let says_so = |(_, theirs, wire): &Letter| {
            wire.cluster_key == state.cluster_key
                && wire.are_truncations_known
                && theirs.get(Module::Truncate as usize) == Some(&own)
        };
        let is_principal = state.principal() == Some(self.cluster.me());
        known.are_truncations_known = match is_principal {
            true => self.have_all(known, state, Module::Truncate),
            false => letters.iter().any(says_so),
        };
        if known.are_truncations_known {
            self.wake_migration();
            let others = state.members.iter().filter(|node| **node != self.cluster.me());
            let others = others.filter(|_| is_principal);
            others.for_each(|to| self.send_metadata(*to, &self.report(known)));
        }
    }

    /// Has metadata changed by the thread that may wait for the disk.
    pub(crate) fn change_metadata(&self, task: Task) {
        self.spread.tasks.lock().push(task);
        self.spread.mailbox.wake();
    }

    /// Waits until there is metadata to spread, or the time is over.
    pub fn wait_for_metadata(&self, at_most: Duration) {
        self.spread.mailbox.wait(at_most);
    }

    /// Whether there may be some since somebody last waited or asked: for hosts without threads.
    pub fn has_called_for_metadata(&self) -> bool {
        self.spread.mailbox.was_woken()
    }

    /// Has whoever waits for that wake up.
    pub fn wake_metadata(&self) {
        self.spread.mailbox.wake();
    }

    /// Whether all members of the view that know a module have what this node has of it.
    pub(crate) fn is_spread(&self, module: Module) -> bool {
        let state = self.cluster.state();
        let known = self.spread.known.lock();
        state.members.len() <= 1 || self.have_all(&known, &state, module)
    }

    fn have_all(&self, known: &Known, state: &State, module: Module) -> bool {
        let (me, own) = (self.cluster.me(), self.metadata.hash(module));
        let has = |node: &NodeId| {
            let hash =
                |hashes: &Hashes| hashes.get(module as usize).is_none_or(|hash| *hash == own);
            known.states.get(node).is_some_and(hash)
        };
        known.cluster_key == state.cluster_key
            && state.members.iter().all(|node| *node == me || has(node))
    }

    /// Whether no member of the view has a truncation that another does not know of, as far as can be known.
    pub(crate) fn are_truncations_known(&self) -> bool {
        let state = self.cluster.state();
        if state.members.len() <= 1
            || self.host.monotonic() >= state.rebalanced_at + TRUNCATIONS_WAIT
        {
            return true;
        }
        let known = self.spread.known.lock();
        known.cluster_key == state.cluster_key && known.are_truncations_known
    }

    /// Tells the principal what this node has, if it is time for that.
    fn report_to_principal(&self, known: &mut Known, principal: Option<NodeId>) -> Duration {
        let Some(principal) = principal else { return PERIOD };
        let now = self.host.monotonic();
        let own = self.hashes();
        let is_same = known.states.get(&principal).is_some_and(|theirs| are_same(&own, theirs));
        if known.due <= now {
            self.send_metadata(principal, &self.report(known));
            known.due = now
                + match is_same {
                    _ if !known.are_truncations_known => RETRY_AT_FIRST,
                    true => PERIOD,
                    false => RETRY,
                };
        }
        known.due - now
    }

    /// Takes over what messages bring, of each module together: every time is one for the disk.
    fn merge_metadata<'w>(&self, wires: impl Iterator<Item = &'w Wire>, is_principal: bool) {
        let mut brought: [Vec<Item>; Module::ALL.len()] = Default::default();
        for wire in wires {
            if let Some(module) = Module::named(wire.module.as_bytes()) {
                brought[module as usize].extend(wire.items.iter().cloned().map(Item::from));
            }
        }
        let brought = Module::ALL.into_iter().zip(brought);
        for (module, items) in brought.filter(|(_, items)| !items.is_empty()) {
            match self.metadata.merge(module, &items) {
                Ok(0) => {}
                // Others have not heard of that from anybody.
                Ok(_) if is_principal => {
                    let all = self.metadata.items(module);
                    self.spread.changed.lock().push((module, all));
                }
                Ok(_) => {}
                Err(error) => {
                    self.metadata
                        .complain(&format!("{} of other nodes: {error}", module.contents()));
                }
            }
        }
    }

    /// Answers a message, whose sender has these hashes.
    fn answer_metadata(
        &self,
        (from, theirs, wire): (NodeId, &Hashes, &Wire),
        is_principal: bool,
        known: &Known,
    ) {
        let module = Module::named(wire.module.as_bytes());
        let own = self.hashes();
        let differing = Module::ALL.into_iter().zip(own.iter().zip(theirs));
        let differing = differing.filter(|(_, (own, theirs))| own != theirs);
        let mut is_answered = false;
        for (of, _) in differing {
            // Whoever got all items of a module and has more gives all of its own.
            if is_principal && module.is_none() || wire.is_all && module == Some(of) {
                self.send_items(from, of, &self.metadata.items(of), true, known);
                is_answered = true;
            }
        }
        if !is_answered && (module.is_some() || is_principal && known.are_truncations_known) {
            self.send_metadata(from, &self.report(known));
        }
    }

    /// A message without items.
    fn report(&self, known: &Known) -> Wire {
        let Known { are_truncations_known, cluster_key, .. } = *known;
        Wire { are_truncations_known, cluster_key, ..Wire::of(&self.hashes()) }
    }

    fn send_items(&self, to: NodeId, module: Module, items: &[Item], is_all: bool, known: &Known) {
        let items = items.iter().map(WireItem::from).collect();
        let module = module.name().to_owned();
        self.send_metadata(to, &Wire { module, items, is_all, ..self.report(known) });
    }

    /// Sends a message; it may get lost.
    fn send_metadata(&self, to: NodeId, wire: &Wire) {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(&wire.encode_to_vec());
        self.cluster.send(to, Kind::Metadata, write);
    }

    fn hashes(&self) -> Hashes {
        Module::ALL.map(|module| self.metadata.hash(module)).to_vec()
    }
}

/// Whether two nodes have the same items of all modules that both know.
fn are_same(ours: &[u64], theirs: &[u64]) -> bool {
    ours.iter().zip(theirs).all(|(ours, theirs)| ours == theirs)
}

/// A hash that is the same where the same items are, in whatever order.
pub(super) fn hash_of_all(items: &[Item]) -> u64 {
    items.iter().fold(0, |hash, item| hash ^ hash_of(item))
}

/// The hash by Fowler, Noll and Vo over all parts of an item.
fn hash_of(item: &Item) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    };
    add(&item.key);
    add(&[u8::from(item.value.is_some())]);
    add(item.value.as_deref().unwrap_or_default());
    add(&item.generation.to_le_bytes());
    add(&item.timestamp.0.to_le_bytes());
    hash
}

impl From<&Item> for WireItem {
    fn from(item: &Item) -> Self {
        Self {
            key: item.key.to_vec(),
            value: item.value.as_deref().map(<[u8]>::to_vec),
            generation: item.generation,
            timestamp: item.timestamp.0,
        }
    }
}

impl From<WireItem> for Item {
    fn from(wire: WireItem) -> Self {
        Self {
            key: wire.key.into(),
            value: wire.value.map(Into::into),
            generation: wire.generation,
            timestamp: LastUpdateTime(wire.timestamp),
        }
    }
}

impl fmt::Debug for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spread").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nodes whose version does not know the last module send as many hashes as it has modules.
    #[test]
    fn a_module_that_one_of_two_nodes_does_not_know_is_none_of_their_difference() {
        let ours: Hashes = (0..Module::ALL.len() as u64).collect();
        let wire = Wire::decode(&*Wire::of(&ours).encode_to_vec()).unwrap();
        assert_eq!(wire.all_hashes(), Some(ours.clone()));
        assert_eq!(wire.hashes.len(), MODULES_AT_FIRST);
        let older = Wire { later_hashes: Vec::new(), ..wire.clone() };
        let newer = Wire { later_hashes: [&wire.later_hashes[..], &[9]].concat(), ..wire.clone() };
        for theirs in [older, newer] {
            assert!(are_same(&ours, &theirs.all_hashes().unwrap()));
        }
        let mut other = wire.clone();
        other.later_hashes[0] ^= 1;
        assert!(!are_same(&ours, &other.all_hashes().unwrap()));
        for count in [0, 6, 8] {
            let none = Wire { hashes: vec![0; count], ..wire.clone() };
            assert_eq!(none.all_hashes(), None);
        }
    }
}
