//! The life of a partition on nodes that come and go, part and meet again: nothing that was
//! acknowledged is lost as long as the nodes keep what they have.
//!
//! Contents are sets of writes. In a view, writes go to whoever serves and to all replicas; what has to
//! move moves at some time, or the next view comes first. A node that goes down may lose what it was
//! given last, as long as another one of its view has it.

use std::collections::BTreeSet;

use crate::balance::{PartitionVersion, Roles};

#[derive(Clone, Default, Debug)]
struct Node {
    version: PartitionVersion,
    data: BTreeSet<u32>,
    is_down: bool,
}

/// A view, and what is left to do in it.
#[derive(Debug)]
struct View {
    key: u64,
    /// The nodes in the order of the partition's row.
    row: Vec<usize>,
    replicas: usize,
    serving: usize,
    /// Places that send to the first.
    sources: Vec<usize>,
    /// Places that receive from the first after that.
    receivers: Vec<usize>,
    /// Writes since it was formed.
    writes: BTreeSet<u32>,
    is_done: bool,
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
        let roles = Roles::of(&versions, replicas);
        self.check(&row, &versions, &roles);
        for (place, &node) in row.iter().enumerate() {
            let version = roles.version_at(place, &versions, key, false);
            self.set_version(node, version);
        }
        let serving = roles.working_master;
        let is_settled = roles.immigrators.is_empty();
        let mut sources = roles.duplicates;
        if serving != 0 {
            sources.push(serving);
        }
        sources.retain(|place| *place != 0);
        let receivers = roles.immigrators.into_iter().filter(|place| *place != 0).collect();
        let writes = BTreeSet::new();
        View { key, row, replicas, serving, sources, receivers, writes, is_done: is_settled }
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
        let replicas = view.row[..view.replicas].iter();
        for &node in replicas.chain([&view.row[view.serving]]) {
            self.nodes[node].data.insert(self.writes);
        }
    }

    /// Something moves that is to. False if nothing is.
    fn migrate(&mut self, at: usize) -> bool {
        let view = &mut self.views[at];
        let (key, first) = (view.key, view.row[0]);
        if !view.sources.is_empty() {
            let place = view.sources.swap_remove(self.random.usize(0..view.sources.len()));
            let (node, is_last) = (view.row[place], view.sources.is_empty());
            if view.serving == place {
                view.serving = 0;
            }
            let data = self.nodes[node].data.clone();
            self.nodes[first].data.extend(data);
            self.nodes[node].version = self.nodes[node].version.into_part(key);
            if is_last {
                self.nodes[first].version = PartitionVersion::complete(key, true);
            }
        } else if !view.receivers.is_empty() {
            let place = view.receivers.swap_remove(self.random.usize(0..view.receivers.len()));
            let node = view.row[place];
            if self.random.u8(0..4) == 0 {
                // It begins, and does not get far.
                view.receivers.push(place);
                self.nodes[node].version = self.nodes[node].version.into_part(key);
            } else {
                let data = self.nodes[first].data.clone();
                self.nodes[node].data.extend(data);
                self.nodes[node].version = PartitionVersion::complete(key, false);
            }
        } else if !view.is_done {
            view.is_done = true;
            let superfluous = view.row[view.replicas..].to_vec();
            superfluous.into_iter().for_each(|node| self.set_version(node, PartitionVersion::NONE));
        } else {
            return false;
        }
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
