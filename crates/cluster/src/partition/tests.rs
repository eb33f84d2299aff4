//! The life of a partition on nodes that come and go, part and meet again: nothing that was
//! acknowledged is lost as long as the nodes keep what they have.
//!
//! Contents are sets of writes. In a view, writes go to whoever serves and to all replicas; what has to
//! move moves at some time, or the next view comes first. A node that goes down may lose what it was
//! given last, as long as another one of its view has it.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Errand, Partition, Unexpected};
use crate::NodeId;
use crate::balance::{PartitionVersion, Roles};

#[derive(Clone, Default, Debug)]
struct Node {
    version: PartitionVersion,
    data: BTreeSet<u32>,
    is_down: bool,
}

/// A view.
#[derive(Debug)]
struct View {
    key: u64,
    /// The nodes in the order of the partition's row.
    row: Vec<usize>,
    /// What each of them knows.
    partitions: Vec<Partition>,
    /// Writes since it was formed.
    writes: BTreeSet<u32>,
}

struct World {
    random: fastrand::Rng,
    nodes: Vec<Node>,
    views: Vec<View>,
    replicas: usize,
    next_key: u64,
    writes: u32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let nodes = vec![Node::default(); random.usize(2..=6)];
        let replicas = random.usize(1..=3);
        let mut world = Self { random, nodes, views: Vec::new(), replicas, next_key: 1, writes: 0 };
        world.meet();
        world
    }

    /// All nodes are up and in one view.
    fn meet(&mut self) {
        let all = (0..self.nodes.len()).collect();
        self.regroup(vec![all]);
    }

    /// Nodes part into some views, and some go down.
    fn part(&mut self) {
        let mut groups = vec![Vec::new(); 4];
        for node in 0..self.nodes.len() {
            groups[self.random.usize(0..4)].push(node);
        }
        let down = groups.pop().unwrap();
        down.iter().for_each(|node| self.nodes[*node].is_down = true);
        down.into_iter().for_each(|node| self.forget_some(node));
        if self.random.bool() {
            let other = groups.pop().unwrap();
            groups[0].extend(other);
            groups[0].sort_unstable();
        }
        self.regroup(groups);
    }

    /// Some of the writes of its last view that a node in there still has.
    fn forget_some(&mut self, node: usize) {
        let Some(view) = self.views.iter().find(|view| view.row.contains(&node)) else { return };
        let others = || view.row.iter().map(|node| &self.nodes[*node]).filter(|of| !of.is_down);
        let is_elsewhere = |write: &u32| others().any(|other| other.data.contains(write));
        let mut lost: Vec<u32> = view.writes.iter().copied().filter(is_elsewhere).collect();
        lost.retain(|_| self.random.bool());
        lost.iter().for_each(|write| _ = self.nodes[node].data.remove(write));
    }

    fn regroup(&mut self, groups: Vec<Vec<usize>>) {
        self.views.clear();
        for row in groups.into_iter().filter(|row| !row.is_empty()) {
            let view = self.form(row);
            self.views.push(view);
        }
    }

    fn form(&mut self, row: Vec<usize>) -> View {
        for &node in &row {
            let node = &mut self.nodes[node];
            if std::mem::take(&mut node.is_down) {
                node.version = node.version.isolated();
            }
        }
        let key = self.next_key;
        self.next_key += 1;
        let versions: Vec<_> = row.iter().map(|node| self.nodes[*node].version).collect();
        let replicas = self.replicas.min(row.len());
        self.check(&row, &versions, &Roles::of(&versions, replicas));
        let ids: Arc<[NodeId]> = row.iter().map(|node| id(*node)).collect();
        let of = |node: &usize| Partition::of(id(*node), &ids, &versions, replicas, key, |_| false);
        let partitions: Vec<_> = row.iter().map(|node| of(node).unwrap()).collect();
        for (partition, &node) in partitions.iter().zip(&row) {
            self.set_version(node, partition.version);
        }
        let view = View { key, row, partitions, writes: BTreeSet::new() };
        view.check();
        view
    }

    /// Whoever serves finds all that anybody has, on its own or on duplicates.
    fn check(&self, row: &[usize], versions: &[PartitionVersion], roles: &Roles) {
        let data = |place: &usize| self.nodes[row[*place]].data.iter();
        let looked_at = roles.duplicates.iter().chain([&roles.working_master]);
        let found: BTreeSet<_> = looked_at.flat_map(data).collect();
        let all: BTreeSet<_> = (0..row.len()).collect::<Vec<_>>().iter().flat_map(data).collect();
        assert_eq!(found, all, "{versions:?} {roles:?}");
        let first_receives = roles.immigrators.contains(&0);
        assert!(roles.working_master == 0 || first_receives, "{versions:?} {roles:?}");
    }

    fn set_version(&mut self, node: usize, version: PartitionVersion) {
        self.nodes[node].version = version;
        if !version.has_data() {
            self.nodes[node].data.clear();
        }
    }

    fn write(&mut self, view: usize) {
        let view = &mut self.views[view];
        self.writes += 1;
        view.writes.insert(self.writes);
        let serving = view.partitions.iter().find(|partition| partition.serves()).unwrap();
        for node in serving.others().chain([serving.me()]) {
            self.nodes[node.0 as usize - 1].data.insert(self.writes);
        }
        let looked_at: Vec<_> = serving.duplicates.iter().chain([&serving.me()]).copied().collect();
        let found = looked_at.iter().flat_map(|node| &self.nodes[node.0 as usize - 1].data);
        let found: BTreeSet<_> = found.collect();
        let all: BTreeSet<_> = view.row.iter().flat_map(|node| &self.nodes[*node].data).collect();
        assert_eq!(found, all, "whoever serves finds everything: {:?}", view.partitions);
    }

    /// Something moves that is to. False if nothing is.
    fn migrate(&mut self, at: usize) -> bool {
        let view = &mut self.views[at];
        let places = 0..view.partitions.len();
        let busy: Vec<_> =
            places.filter(|place| view.partitions[*place].errand().is_some()).collect();
        if busy.is_empty() {
            return false;
        }
        let place = busy[self.random.usize(0..busy.len())];
        match view.partitions[place].errand().unwrap() {
            Errand::Give { to, .. } => {
                let other = view.place_of(to);
                if view.partitions[place].hands_over_to(to) {
                    view.partitions[place] = view.partitions[place].handing_over();
                }
                let data = self.nodes[view.row[place]].data.clone();
                self.nodes[view.row[other]].data.extend(data);
                let from = view.partitions[place].me();
                view.partitions[other] = view.partitions[other].received(from).unwrap();
                view.partitions[place] = view.partitions[place].gave(to).unwrap();
                assert_eq!(view.partitions[other].received(from), Err(Unexpected));
                assert_eq!(view.partitions[place].gave(to), Err(Unexpected));
            }
            Errand::Inform(node) => {
                let other = view.place_of(node);
                let (next, gives_up) = view.partitions[other].all_done().unwrap();
                assert!(gives_up);
                view.partitions[other] = next;
                view.partitions[place] = view.partitions[place].informed(node).unwrap();
            }
        }
        view.check();
        let versions = view.partitions.iter().map(|partition| partition.version);
        let versions: Vec<_> = view.row.iter().copied().zip(versions).collect();
        versions.into_iter().for_each(|(node, version)| self.set_version(node, version));
        true
    }

    fn step(&mut self) {
        let view = self.random.usize(0..self.views.len().max(1));
        match self.random.u8(0..16) {
            0 => self.part(),
            1 => self.meet(),
            _ if self.views.is_empty() => {}
            2..8 => self.write(view),
            _ => _ = self.migrate(view),
        }
    }

    /// Once all are together and nothing is left to do, replicas have everything and nobody else has
    /// anything.
    fn settle(&mut self) {
        self.meet();
        let mut moves = 0;
        while self.migrate(0) {
            moves += 1;
            assert!(moves < 1000, "there is no end to it");
        }
        let all: BTreeSet<_> = (1..=self.writes).collect();
        let replicas = self.replicas.min(self.nodes.len());
        for (place, node) in self.nodes.iter().enumerate() {
            let is_replica = place < replicas;
            let key = self.views[0].key;
            let version = match is_replica {
                true => PartitionVersion::complete(key, place == 0),
                false => PartitionVersion::NONE,
            };
            assert_eq!(node.version, version);
            assert!(node.data == if is_replica { all.clone() } else { BTreeSet::new() });
        }
    }
}

impl View {
    fn place_of(&self, node: NodeId) -> usize {
        self.partitions.iter().position(|partition| partition.me() == node).unwrap()
    }

    /// What clients are told leads to one node for each column, and that one can answer.
    fn check(&self) {
        let serving = self.partitions.iter().filter(|partition| partition.serves());
        assert_eq!(serving.count(), 1, "{self:?}");
        for column in 0..self.partitions[0].replicas().len() {
            let shown = self.partitions.iter().filter(|partition| partition.shows_in(column));
            let shown: Vec<_> = shown.collect();
            assert!(!shown.is_empty(), "column {column} of {self:?}");
            assert!(shown.iter().all(|partition| partition.serves() || partition.is_complete()));
        }
        for partition in &self.partitions {
            let serving = self.place_of(partition.destination().unwrap());
            let is_known = self.partitions[serving].serves();
            let is_told = self.partitions[serving].destination().unwrap();
            assert!(is_known || self.partitions[self.place_of(is_told)].serves(), "{self:?}");
        }
        let moves = self.partitions.iter().any(Partition::is_moving);
        let can_move = self.partitions.iter().any(|partition| partition.errand().is_some());
        assert_eq!(moves, can_move, "{self:?}");
    }
}

fn id(node: usize) -> NodeId {
    NodeId(node as u64 + 1)
}

#[test]
fn nothing_is_lost_while_nodes_part_and_meet() {
    for seed in 0..2_000 {
        let mut world = World::new(seed);
        for _ in 0..120 {
            world.step();
        }
        world.settle();
    }
}

#[test]
fn a_node_in_no_view_serves_nobody_and_may_have_missed_something() {
    let me = NodeId(7);
    let alone = Partition::alone(me, 0xabc);
    assert!(alone.is_sole() && alone.is_complete() && alone.can_be_queried() && alone.shows_in(0));
    assert!(!alone.shows_in(1) && !alone.is_moving());
    let nowhere = Partition::nowhere(me, alone.version);
    assert_eq!(nowhere.version.to_string(), "000000000abc.0.-s-");
    assert!(!nowhere.serves() && nowhere.destination().is_none() && !nowhere.shows_in(0));
    assert!(!nowhere.can_be_queried() && nowhere.errand().is_none());
    assert_eq!(nowhere.all_done(), Err(Unexpected));
}

#[test]
fn a_replica_that_served_for_an_empty_first_is_whole_afterwards() {
    let row: Arc<[NodeId]> = [id(0), id(1), id(2)].into();
    let key = 0xabc;
    let versions = [
        PartitionVersion::NONE,
        PartitionVersion::complete(0xab, true),
        PartitionVersion::complete(0xab, false),
    ];
    let of = |node| Partition::of(id(node), &row, &versions, 2, key, |_| false).unwrap();
    let served = of(1).handing_over().gave(id(0)).unwrap();
    assert_eq!(served.version, PartitionVersion::complete(key, false));
    assert!(served.is_complete() && !served.is_moving() && served.shows_in(1));
    assert_eq!(of(0).received(id(1)).unwrap().version, PartitionVersion::complete(key, true));
    // What is no replica gave all it had, and will not hear of what is written next.
    let versions = [PartitionVersion::NONE, PartitionVersion::NONE, versions[1]];
    let other = Partition::of(id(2), &row, &versions, 2, key, |_| false).unwrap();
    assert!(other.gave(id(0)).unwrap().version.is_subset);
}

#[test]
fn only_who_serves_knows_duplicates() {
    let row: Arc<[NodeId]> = [id(0), id(1), id(2)].into();
    let versions = [0xaa, 0xab, 0xac].map(|key| PartitionVersion::complete(key, true));
    for node in 0..3 {
        let of = Partition::of(id(node), &row, &versions, 2, 0xabc, |_| false).unwrap();
        assert_eq!(of.duplicates.is_empty(), !of.serves(), "{of:?}");
    }
}
