//! Messages of the cluster's membership, to a node that is in a view with two others.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cluster::membership::{Input, Membership, Moment, Output, Settings, Timing};
use cluster::{NodeId, Protocols};

use super::{Entry, Outcome, Target};

/// What a message leads to is never more than this: a message to each known node, and a frame or two.
const OUTPUTS_MAX: usize = 4096;

/// Messages to the node at once; many of them make it begin anew.
const STEPS: u64 = 500;

pub const ENTRY: Entry = Entry {
    name: "membership",
    what: "messages between nodes about who is alive",
    seeds: |_| Trio::run().1,
    make: |_| Box::new(Trio::run().0),
};

fn address(at: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, at), 3002))
}

fn node(at: u8) -> Membership {
    let settings = Settings {
        node: NodeId(u64::from(at) + 1),
        incarnation: 1_700_000_000_000,
        protocols: Protocols::ALL,
        cluster_name: "fuzz".to_owned(),
        addresses: vec![address(at)],
        timing: Timing::default(),
        min_cluster_size: 1,
        cluster_size_max: 8,
        card: vec![at; 20],
        seed: u64::from(at),
    };
    Membership::new(settings, Moment::default())
}

/// A node as two others left it.
struct Trio {
    target: Membership,
    now: Duration,
    steps: u64,
}

impl Trio {
    /// Lets three nodes form a view, and returns one with the messages that went to it.
    fn run() -> (Self, Vec<Vec<u8>>) {
        let mut nodes: Vec<_> = (0..3).map(node).collect();
        let mut messages: Vec<Vec<u8>> = Vec::new();
        let mut on_way: Vec<(SocketAddr, Vec<u8>)> = Vec::new();
        for step in 0..800_u64 {
            let now = Duration::from_millis(step * 5);
            let moment = Moment { monotonic: now, wall_ms: 1_700_000_000_000 + step * 5 };
            let mut out = Vec::new();
            for (to, message) in std::mem::take(&mut on_way) {
                if let Some(at) = (0..3).find(|at| address(*at) == to) {
                    let machine = &mut nodes[usize::from(at)];
                    machine.step(moment, Input::Message(&message), &mut out);
                    if at == 0 {
                        messages.push(message);
                    }
                }
            }
            for machine in &mut nodes {
                let is_new = step == 0;
                let input = if is_new { Input::Seeds(vec![address(0)]) } else { Input::Tick };
                machine.step(moment, input, &mut out);
            }
            on_way.extend(out.into_iter().filter_map(|output| match output {
                Output::Send { to, message } => Some((to, message)),
                _ => None,
            }));
        }
        let target = nodes.swap_remove(0);
        assert_eq!(target.view().map(|view| view.members.len()), Some(3));
        // Of pulses there are many alike.
        messages.sort_by_key(Vec::len);
        messages.dedup_by_key(|message| message.len());
        (Self { target, now: Duration::from_millis(4000), steps: 0 }, messages)
    }
}

impl Target for Trio {
    fn feed(&mut self, input: &[u8]) -> Outcome {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS) {
            *self = Self::run().0;
        }
        let ignored = self.target.counters().messages_ignored;
        let mut out = Vec::new();
        let moment = |now: Duration| Moment { monotonic: now, wall_ms: now.as_millis() as u64 };
        self.target.step(moment(self.now), Input::Message(input), &mut out);
        let answers = out.len();
        self.now += Duration::from_millis(20);
        self.target.step(moment(self.now), Input::Tick, &mut out);
        assert!(out.len() <= OUTPUTS_MAX, "{} outputs", out.len());
        assert!(self.target.neighbours().count() <= 64, "strangers are remembered without bound");
        for output in &out {
            if let Output::View(view) = output {
                assert!(view.members.contains(&self.target.node()) && view.members.len() <= 8);
            }
            if let Output::Note(note) = output {
                assert!(!note.to_string().is_empty());
            }
        }
        let is_ignored = self.target.counters().messages_ignored > ignored;
        Outcome::of((is_ignored, answers.min(3), self.target.view().map(|view| view.members.len())))
    }
}
