//! What a machine does with messages that no sound peer would send. How sound ones get on with each other is tested in
//! a simulated world.

use super::message::{Ballot, Commit, Propose};
use super::*;

const OWN: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);
const CLUSTER: &str = "test";

fn settings(node: NodeId) -> Settings {
    Settings {
        node,
        incarnation: 1,
        protocols: Protocols::ALL,
        cluster_name: CLUSTER.to_owned(),
        addresses: vec![SocketAddr::from(([10, 0, 0, node.0 as u8], 3002))],
        timing: Timing::default(),
        min_cluster_size: 1,
        cluster_size_max: 8,
        card: vec![1, 2, 3],
        seed: 7,
    }
}

fn at(ms: u64) -> Moment {
    Moment { monotonic: Duration::from_millis(ms), wall_ms: ms }
}

/// Two machines that talk to each other until that time, with the second lost where it says so.
fn talk(until_ms: u64) -> [Membership; 2] {
    let mut nodes = [OWN, OTHER].map(|node| Membership::new(settings(node), at(0)));
    let mut out = Vec::new();
    let seed = Input::Seeds(vec![settings(OWN).addresses[0]]);
    nodes[1].step(at(0), seed, &mut out);
    for ms in 0..until_ms {
        let messages: Vec<_> = out
            .drain(..)
            .filter_map(|output| match output {
                Output::Send { to, message } => Some((to, message)),
                _ => None,
            })
            .collect();
        for (to, message) in messages {
            let receiver = usize::from(to == settings(OTHER).addresses[0]);
            nodes[receiver].step(at(ms), Input::Message(&message), &mut out);
        }
        nodes.iter_mut().for_each(|node| node.step(at(ms), Input::Tick, &mut out));
    }
    nodes
}

fn say(to: &mut Membership, ms: u64, body: Body) -> Vec<Output> {
    let message = encode(OTHER, 1, cluster_hash(CLUSTER), Protocols::ALL, body);
    let mut out = Vec::new();
    to.step(at(ms), Input::Message(&message), &mut out);
    out
}

/// The bodies of what was sent.
fn bodies(out: &[Output]) -> Vec<Body> {
    let sent = out.iter().filter_map(|output| match output {
        Output::Send { message, .. } => message::decode(message)?.body,
        _ => None,
    });
    sent.collect()
}

fn propose(number: u64, members: &[u64], lives: &[u64]) -> Body {
    let ballot = Ballot { number, proposer: OTHER.0 };
    Body::Propose(Propose { ballot, members: members.to_vec(), lives: lives.to_vec() })
}

#[test]
fn proposals_that_make_no_view_are_declined() {
    let [mut node, _] = talk(3000);
    let view = node.view().cloned();
    assert_eq!(view.as_ref().map(|view| view.members.len()), Some(2));
    let wrong: [(&[u64], &[u64]); 8] = [
        (&[], &[]),
        (&[2], &[1]),
        (&[2, 1], &[1]),
        (&[2, 1], &[1, 2]),
        (&[2, 1], &[9, 1]),
        (&[1, 2], &[1, 1]),
        (&[2, 2, 1], &[1, 1, 1]),
        (&[3, 2, 1], &[1, 1, 1]),
    ];
    for (members, lives) in wrong {
        let out = say(&mut node, 3000, propose(50, members, lives));
        assert!(matches!(bodies(&out)[..], [Body::Declined(_)]), "{members:?} {lives:?}");
    }
    let out = say(&mut node, 3000, propose(2, &[2, 1], &[1, 1]));
    assert!(matches!(&bodies(&out)[..], [Body::Declined(one)] if one.is_stale));
    assert!(say(&mut node, 3000, propose(u64::MAX, &[2, 1], &[1, 1])).is_empty());
    assert_eq!(node.view().cloned(), view);
}

#[test]
fn what_was_accepted_is_installed_once() {
    let [mut node, _] = talk(3000);
    let accepted = Ballot { number: 60, proposer: OTHER.0 };
    for _ in 0..2 {
        let out = say(&mut node, 3000, propose(60, &[2, 1], &[1, 1]));
        assert_eq!(bodies(&out), [Body::Accepted(accepted)]);
    }
    let commit =
        |number, key| Body::Commit(Commit { ballot: Ballot { number, proposer: OTHER.0 }, key });
    let views = |out: Vec<Output>| {
        out.into_iter().filter(|output| matches!(output, Output::View(_))).count()
    };
    for (number, key) in [(59, 5), (61, 5), (60, 0), (60, 1 << 48)] {
        assert_eq!(views(say(&mut node, 3000, commit(number, key))), 0);
    }
    assert_eq!(views(say(&mut node, 3000, commit(60, 5))), 1);
    assert_eq!(views(say(&mut node, 3000, commit(60, 6))), 0);
    assert_eq!(node.view().map(|view| view.key), Some(5));
}

#[test]
fn noise_changes_nothing() {
    let [mut node, other] = talk(3000);
    let view = node.view().cloned();
    let mut random = fastrand::Rng::with_seed(1);
    let pulse = message::Pulse { sequence: 1, ballot: u64::MAX, ..Default::default() };
    let sound = encode(OTHER, 1, cluster_hash(CLUSTER), Protocols::ALL, Body::Pulse(pulse));
    for _ in 0..20_000 {
        let mut bytes = sound.clone();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
        }
        node.step(
            at(3000),
            Input::Message(&bytes[..random.usize(..=bytes.len())]),
            &mut Vec::new(),
        );
    }
    assert_eq!(node.view().cloned(), view);
    assert_eq!(node.view(), other.view());
    assert!(node.neighbours().count() <= 64);
}
