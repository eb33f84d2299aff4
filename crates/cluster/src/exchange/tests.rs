//! Exchanges over links that lose, repeat and delay.

use std::time::Duration;

use super::codec::{Kind, Message, decode, encode};
use super::*;
use crate::balance::{Family, PartitionVersion, Versions};
use crate::ids::RackId;

fn offer(node: u64) -> Offer {
    let versions = Versions::of(|partition| {
        let number = partition.index();
        let whole = PartitionVersion::complete(node + 1, number.is_multiple_of(3));
        let part = PartitionVersion { family: Family::UNIQUE, is_evade: true, ..whole }.isolated();
        [PartitionVersion::NONE, whole, part][number / 7 % 3]
    });
    let namespace = NamespaceOffer {
        name: "test".to_owned(),
        replication_factor: 2,
        rack: RackId(node as u32),
        active_rack: Some(RackId(1)).filter(|_| node.is_multiple_of(2)),
        is_uniform: true,
        versions,
    };
    Offer { namespaces: vec![namespace], is_quiesced: node.is_multiple_of(3), time_ms: node }
}

struct World {
    random: fastrand::Rng,
    nodes: BTreeMap<NodeId, Exchange>,
    /// What is on its way: when it arrives, from whom to whom.
    mail: Vec<(Duration, NodeId, NodeId, Vec<u8>)>,
    complete: BTreeMap<NodeId, Vec<Offers>>,
    sent: usize,
    loss_pct: u32,
}

impl World {
    fn new(seed: u64, nodes: u64, loss_pct: u32) -> Self {
        let nodes = (1..=nodes).map(NodeId);
        let interval = Duration::from_millis(150);
        Self {
            random: fastrand::Rng::with_seed(seed),
            nodes: nodes.map(|node| (node, Exchange::new(node, interval))).collect(),
            mail: Vec::new(),
            complete: BTreeMap::new(),
            sent: 0,
            loss_pct,
        }
    }

    fn begin(&mut self, now: Duration, node: NodeId, key: u64) {
        let members: Vec<_> = self.nodes.keys().rev().copied().collect();
        let (mut out, offer) = (Vec::new(), offer(node.0));
        self.nodes.get_mut(&node).unwrap().begin(now, key, &members, offer, &mut out);
        self.carry_out(now, node, out);
    }

    fn carry_out(&mut self, now: Duration, from: NodeId, out: Vec<Output>) {
        for output in out {
            match output {
                Output::Complete(offers) => self.complete.entry(from).or_default().push(offers),
                Output::Send { to, message } => {
                    self.sent += 1;
                    for _ in 0..=u32::from(self.random.u8(0..10) == 0) {
                        if self.random.u32(0..100) >= self.loss_pct {
                            let delay = Duration::from_millis(self.random.u64(0..300));
                            self.mail.push((now + delay, from, to, message.clone()));
                        }
                    }
                }
            }
        }
    }

    /// Runs until nobody has anything to do.
    fn run(&mut self, mut now: Duration) -> Duration {
        loop {
            let arrivals = self.mail.iter().map(|mail| mail.0);
            let next =
                arrivals.chain(self.nodes.values().filter_map(Exchange::next_deadline)).min();
            let Some(next) = next else { return now };
            now = now.max(next);
            assert!(now < Duration::from_secs(600), "there is no end to it");
            let due: Vec<_> = self.mail.extract_if(.., |mail| mail.0 <= now).collect();
            for (_, from, to, message) in due {
                let mut out = Vec::new();
                self.nodes.get_mut(&to).unwrap().receive(from, &message, &mut out);
                self.carry_out(now, to, out);
            }
            for node in self.nodes.keys().copied().collect::<Vec<_>>() {
                let mut out = Vec::new();
                self.nodes.get_mut(&node).unwrap().tick(now, &mut out);
                self.carry_out(now, node, out);
            }
        }
    }
}

#[test]
fn all_members_go_on_with_the_same_offers() {
    for seed in 0..60 {
        let (count, loss_pct) = (1 + seed % 6, [0, 10, 40][seed as usize % 3]);
        let mut world = World::new(seed, count, loss_pct);
        for node in (1..=count).map(NodeId) {
            world.begin(Duration::from_millis(node.0 * 40), node, 9);
        }
        world.run(Duration::ZERO);
        let expected: Offers =
            (1..=count).map(|node| (NodeId(node), Arc::new(offer(node)))).collect();
        for node in world.nodes.keys() {
            assert_eq!(world.complete[node], std::slice::from_ref(&expected), "once each");
        }
        assert!(world.nodes.values().all(|node| !node.is_under_way()));
    }
}

#[test]
fn a_new_view_begins_anew() {
    let mut world = World::new(5, 4, 20);
    for (key, members) in [(1, 1..4), (2, 1..5)] {
        for node in members.map(NodeId) {
            world.begin(Duration::from_millis(key * 200), node, key);
        }
    }
    assert_eq!(world.nodes[&NodeId(1)].missing().len(), 3);
    world.run(Duration::from_millis(400));
    assert!(world.complete.values().all(|of| of.len() == 1), "nothing came of the first");
    let mut out = Vec::new();
    let node = world.nodes.get_mut(&NodeId(2)).unwrap();
    let late = encode(&Message { key: 1, kind: Kind::Complete });
    node.receive(NodeId(4), &late, &mut out);
    node.receive(NodeId(4), b"nonsense", &mut out);
    node.stop();
    node.receive(NodeId(4), &encode(&Message { key: 2, kind: Kind::Ready }), &mut out);
    assert!(out.is_empty() && !node.is_under_way());
}

#[test]
fn messages_come_back_as_they_went() {
    let kinds = [Kind::Offer(offer(4)), Kind::Delivered, Kind::Ready, Kind::Complete];
    for kind in kinds {
        let message = Message { key: 0xFFFF_FFFF_FFFF, kind };
        let bytes = encode(&message);
        assert_eq!(decode(&bytes), Some(message));
        for end in 1..bytes.len().min(200) {
            _ = decode(&bytes[..end]);
        }
    }
    let versions = Versions::default();
    let settled = NamespaceOffer { versions, ..offer(1).namespaces.remove(0) };
    let offer = Offer { namespaces: vec![settled], ..Offer::default() };
    assert!(
        encode(&Message { key: 1, kind: Kind::Offer(offer) }).len() < 40,
        "equal ones are one run"
    );
}
