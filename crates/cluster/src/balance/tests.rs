//! Rows against recorded ones, and what holds of all rows.

use std::collections::{BTreeMap, BTreeSet};

use wire::{PARTITIONS, PartitionId};

use super::*;
use crate::{NodeId, RackId};

const SCRIPTS: &str = include_str!("../../testdata/succession.txt");

fn member(text: &str) -> Member {
    let (text, is_quiesced) = text.strip_suffix('!').map_or((text, false), |text| (text, true));
    let (id, rack) = text.split_once('@').unwrap_or((text, "0"));
    Member { node: NodeId::parse(id).unwrap(), rack: RackId(rack.parse().unwrap()), is_quiesced }
}

fn rules(words: &str) -> Rules {
    let mut rules = Rules { is_uniform: false, ..Rules::default() };
    for word in words.split_whitespace() {
        match word.split_once('=').unwrap() {
            ("factor", factor) => rules.replication_factor = factor.parse().unwrap(),
            ("active", rack) => rules.active_rack = Some(RackId(rack.parse().unwrap())),
            (unknown, _) => panic!("{unknown}"),
        }
    }
    rules
}

/// The rows where all nodes of a view have the namespace.
fn of(members: &[Member], rules: &Rules) -> Option<Succession> {
    let nodes: Vec<_> = members.iter().map(|member| member.node).collect();
    Succession::of(&HashOrder::of(&nodes)?, members, rules)
}

fn row(succession: &Succession, partition: u16) -> Vec<NodeId> {
    succession.row(PartitionId::new(partition).unwrap()).collect()
}

#[test]
fn rows_are_as_recorded() {
    let (mut members, mut succession, mut rows) = (Vec::new(), None, 0);
    for line in SCRIPTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.split_once(' ').unwrap() {
            ("members", words) => members = words.split(' ').map(member).collect(),
            ("rules", words) => succession = of(&members, &rules(words)),
            (partition, words) => {
                let expected: Vec<_> =
                    words.split(' ').map(|id| NodeId::parse(id).unwrap()).collect();
                let row = row(succession.as_ref().unwrap(), partition.parse().unwrap());
                assert_eq!(row, expected, "{line}");
                rows += 1;
            }
        }
    }
    assert_eq!(rows, 21);
}

#[test]
fn a_view_is_a_set_of_some_size() {
    let members: Vec<_> = (1..=257).map(|id| member(&format!("{id:X}"))).collect();
    let rules = Rules::default();
    let of = |members: &[Member]| of(members, &rules);
    assert!(of(&[]).is_none() && of(&members).is_none());
    let twice = [members[0], members[1], members[0]];
    assert!(of(&twice).is_none());
    let most = of(&members[..NODES_MAX]).unwrap();
    assert_eq!(most.members().len(), NODES_MAX);
    assert!(most.members().is_sorted_by(|a, b| a > b));
    let order = HashOrder::of(&[members[0].node, members[1].node]).unwrap();
    assert_eq!(order.nodes(), [members[1].node, members[0].node]);
    assert!(Succession::of(&order, &[], &rules).is_none());
    assert!(Succession::of(&order, &members[..3], &rules).is_none(), "not in the view");
    assert!(Succession::of(&order, &twice, &rules).is_none());
}

/// Namespaces that some nodes of the view do not have are balanced as if it was of the others alone.
#[test]
fn rows_of_some_are_parts_of_the_rows_of_all() {
    let members: Vec<_> = (1..=9).map(|id| member(&format!("{id:X}"))).collect();
    let nodes: Vec<_> = members.iter().map(|member| member.node).collect();
    let order = HashOrder::of(&nodes).unwrap();
    let plain = rules("factor=2");
    let all = Succession::of(&order, &members, &plain).unwrap();
    let some = Succession::of(&order, &members[3..7], &plain).unwrap();
    for partition in PartitionId::all() {
        let has = |node: &NodeId| nodes[3..7].contains(node);
        assert!(all.row(partition).filter(has).eq(some.row(partition)));
    }
}

/// Some members of some racks, quiesced at random.
fn random_view(random: &mut fastrand::Rng) -> Vec<Member> {
    let (count, racks) = (random.usize(1..24), random.u32(1..5));
    let ids: BTreeSet<_> = (0..count).map(|_| random.u64(1..)).collect();
    let member = |id| Member {
        node: NodeId(id),
        rack: RackId(random.u32(0..racks)),
        is_quiesced: random.u8(0..8) == 0,
    };
    let mut members: Vec<_> = ids.into_iter().map(member).collect();
    random.shuffle(&mut members);
    members
}

#[test]
fn what_holds_of_all_rows() {
    let mut random = fastrand::Rng::with_seed(6);
    for _ in 0..60 {
        let members = random_view(&mut random);
        let rules = Rules {
            replication_factor: random.usize(1..6),
            active_rack: random.bool().then(|| RackId(random.u32(0..4))),
            is_uniform: random.bool(),
        };
        let succession = of(&members, &rules).unwrap();
        let by_id: BTreeMap<_, _> = members.iter().map(|member| (member.node, member)).collect();
        let active: Vec<_> = members.iter().filter(|member| !member.is_quiesced).collect();
        let active = if active.is_empty() { members.iter().collect() } else { active };
        let racks: BTreeSet<_> = active.iter().map(|member| member.rack).collect();
        let factor = succession.replication_factor();
        assert_eq!(factor, rules.replication_factor.min(active.len()));
        for partition in PartitionId::all() {
            let row: Vec<_> = succession.row(partition).map(|node| by_id[&node]).collect();
            let distinct: BTreeSet<_> = row.iter().map(|member| member.node).collect();
            assert_eq!(distinct.len(), members.len(), "each member is there once");
            let (replicas, rest) = row.split_at(factor);
            if active.len() < members.len() {
                assert!(replicas.iter().all(|member| !member.is_quiesced));
                assert!(rest.is_sorted_by_key(|member| member.is_quiesced));
            }
            let used: BTreeSet<_> = replicas.iter().map(|member| member.rack).collect();
            assert_eq!(used.len(), factor.min(racks.len()), "as many racks as there are");
            let rack = rules.active_rack.filter(|rack| racks.contains(rack));
            if let Some(rack) = rack.filter(|_| racks.len() <= factor) {
                assert_eq!(row[0].rack, rack);
            }
        }
    }
}

/// How often each node is in a column.
fn counts(succession: &Succession, column: usize) -> BTreeMap<NodeId, usize> {
    let mut counts: BTreeMap<_, _> = succession.members().map(|node| (node, 0)).collect();
    for partition in PartitionId::all() {
        *counts.get_mut(&succession.row(partition).nth(column).unwrap()).unwrap() += 1;
    }
    counts
}

#[test]
fn uniform_balance_gives_all_the_same() {
    let mut random = fastrand::Rng::with_seed(7);
    for count in [1, 2, 3, 4, 5, 7, 16, 100, 256] {
        let members: Vec<_> =
            (0..count).map(|_| member(&format!("{:X}", random.u64(1..)))).collect();
        let rules = Rules { replication_factor: 3, ..Rules::default() };
        let succession = of(&members, &rules).unwrap();
        for column in 0..succession.replication_factor() {
            let counts = counts(&succession, column);
            let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
            assert_eq!(*least, PARTITIONS / count, "column {column} of {count}");
            assert_eq!(*most, PARTITIONS.div_ceil(count), "column {column} of {count}");
        }
    }
}

/// Copies that have to move when a member goes, beyond those that it had.
fn moved(before: &Succession, after: &Succession, gone: NodeId) -> usize {
    let factor = before.replication_factor();
    let moves = |partition: PartitionId| {
        let had: BTreeSet<_> = before.row(partition).take(factor).collect();
        let lost = usize::from(had.contains(&gone));
        after.row(partition).take(factor).filter(|node| !had.contains(node)).count() - lost
    };
    PartitionId::all().map(moves).sum()
}

#[test]
fn who_goes_takes_little_along() {
    let mut random = fastrand::Rng::with_seed(8);
    let members: Vec<_> = (0..16).map(|_| member(&format!("{:X}", random.u64(1..)))).collect();
    for (is_uniform, most_pct) in [(false, 0), (true, 10)] {
        let rules = Rules { is_uniform, ..Rules::default() };
        let before = of(&members, &rules).unwrap();
        let after = of(&members[1..], &rules).unwrap();
        let moved = moved(&before, &after, members[0].node);
        assert!(moved * 100 <= 2 * PARTITIONS * most_pct, "{moved} copies move, {is_uniform}");
    }
}

#[test]
fn rows_leave_out_who_has_to_do_with_nothing() {
    let mut random = fastrand::Rng::with_seed(4);
    for count in [1u64, 3, 70, 256] {
        let members: Vec<_> = (1..=count)
            .map(|id| Member { node: NodeId(id), rack: RackId(0), is_quiesced: false })
            .collect();
        let succession = of(&members, &Rules::default()).unwrap();
        let share = (count / 4).max(2);
        let versions: BTreeMap<_, _> = members
            .iter()
            .map(|member| {
                let part = random.u64(..share);
                let has_data = |of: PartitionId| of.index() as u64 % share == part;
                let version = PartitionVersion::complete(member.node.0, false);
                let version = |of| if has_data(of) { version } else { PartitionVersion::NONE };
                (member.node, Versions::of(version))
            })
            .collect();
        let rows = Rows::of(&succession, |node| versions.get(&node)).unwrap();
        for partition in PartitionId::all() {
            let Row { nodes, versions: found } = rows.row(partition);
            let all = succession.row(partition).enumerate();
            let all = all.map(|(place, node)| (place, node, versions[&node].get(partition)));
            let expected: Vec<_> = all
                .filter(|(place, _, of)| *place < succession.replication_factor() || of.has_data())
                .map(|(_, node, of)| (node, of))
                .collect();
            assert_eq!(nodes.iter().copied().zip(found).collect::<Vec<_>>(), expected);
        }
        assert!(Rows::of(&succession, |_| None).is_none());
    }
}
