//! All orders in which the messages of a few concurrent rounds may arrive, or be lost: checked one by one, with the
//! machines that ship.
//!
//! A machine cannot be copied, but a course of events can be run again: a state is the course that led to it,
//! and two courses are the same state if all machines know the same of rounds and the same messages are on their
//! way. Pulses and gossip stand still meanwhile, so that everybody goes on hearing everybody.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use stateright::{Checker as _, Model, Property};

use super::*;

/// So many steps of time a course goes on.
const TICKS_MAX: usize = 1;

/// Messages that a course may lose.
const LOSSES_MAX: usize = 1;

/// So many numbers of proposals are gone through.
const BALLOTS: u64 = 2;

/// Something that happens.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Action {
    /// The oldest message between two nodes that is on its way arrives.
    Deliver(usize, usize),
    /// It is lost.
    Lose(usize, usize),
    /// So much time passes that what was not answered is sent again.
    Tick,
}

/// A course of events, by where it leads.
#[derive(Clone, Debug)]
struct Course {
    actions: Vec<Action>,
    place: u64,
    outcome: Outcome,
}

/// What is asked of a course.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Outcome {
    /// On whose way messages are: from, to.
    under_way: Vec<(usize, usize)>,
    /// Whether views of one key had different members.
    is_ambiguous: bool,
    /// Whether somebody came into a view that a member had not accepted.
    is_imposed: bool,
    /// Whether all are in one view.
    is_agreed: bool,
    /// The highest number of a proposal.
    ballot: u64,
}

impl PartialEq for Course {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Hash for Course {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.place.hash(state);
    }
}

/// Some nodes, of which some propose at the same moment.
struct Rounds {
    nodes: usize,
    /// Who proposes a view of all up to itself.
    proposers: Vec<usize>,
    /// Proposals of a higher number are not followed.
    ballot_max: u64,
}

struct World {
    machines: Vec<Membership>,
    now: u64,
    /// First in, first out, between every two nodes.
    wires: BTreeMap<(usize, usize), Vec<Vec<u8>>>,
    views: BTreeMap<u64, BTreeSet<Vec<NodeId>>>,
    /// Who has accepted which proposal.
    consents: BTreeSet<(NodeId, u64, u64)>,
    is_imposed: bool,
}

fn id(place: usize) -> NodeId {
    NodeId(place as u64 + 1)
}

fn place_of(address: SocketAddr) -> usize {
    (1..).position(|node| settings(NodeId(node)).addresses[0] == address).unwrap()
}

impl World {
    /// Nodes that hear each other, and are in one view.
    fn new(nodes: usize) -> Self {
        let machines =
            (0..nodes).map(|place| Membership::new(settings(id(place)), at(0))).collect();
        let mut world = Self {
            machines,
            now: 0,
            wires: BTreeMap::new(),
            views: BTreeMap::new(),
            consents: BTreeSet::new(),
            is_imposed: false,
        };
        for place in 0..nodes {
            world.step(place, Input::Seeds(vec![settings(id(0)).addresses[0]]), |_| true);
        }
        let whole = |world: &Self| {
            world
                .machines
                .iter()
                .all(|of| of.view().is_some_and(|view| view.members.len() == nodes))
        };
        while !whole(&world) {
            assert!(world.now < 20_000, "they find each other");
            world.pass(10, |_| true);
            while let Some(wire) = world.wires.iter().find(|(_, wire)| !wire.is_empty()) {
                let (from, to) = *wire.0;
                world.deliver(from, to, |_| true);
            }
        }
        world.wires.clear();
        world
    }

    fn pass(&mut self, ms: u64, matters: fn(&Body) -> bool) {
        self.now += ms;
        for place in 0..self.machines.len() {
            self.step(place, Input::Tick, matters);
        }
    }

    fn deliver(&mut self, from: usize, to: usize, matters: fn(&Body) -> bool) {
        let wire = self.wires.entry((from, to)).or_default();
        if !wire.is_empty() {
            let message = wire.remove(0);
            self.step(to, Input::Message(&message), matters);
        }
    }

    /// A machine does something; of what it says goes on its way what `matters`.
    fn step(&mut self, place: usize, input: Input<'_>, matters: fn(&Body) -> bool) {
        let mut out = Vec::new();
        self.machines[place].step(at(self.now), input, &mut out);
        self.take_out(place, out, matters);
    }

    fn take_out(&mut self, place: usize, out: Vec<Output>, matters: fn(&Body) -> bool) {
        for output in out {
            match output {
                Output::Send { to, message } => {
                    let Some(body) = message::decode(&message).and_then(|of| of.body) else {
                        continue;
                    };
                    match &body {
                        Body::Accepted(ballot) => self.consent(place, *ballot),
                        Body::Propose(propose) => self.consent(place, propose.ballot),
                        _ => {}
                    }
                    if matters(&body) {
                        self.wires.entry((place, place_of(to))).or_default().push(message);
                    }
                }
                Output::View(view) => self.enter(place, view),
                _ => {}
            }
        }
    }

    fn consent(&mut self, place: usize, ballot: Ballot) {
        self.consents.insert((id(place), ballot.number, ballot.proposer));
    }

    fn enter(&mut self, place: usize, view: View) {
        let promise = self.machines[place].promise.as_ref();
        let ballot = promise.map(|promise| promise.ballot()).unwrap_or_default();
        let consents = |node: &NodeId| {
            view.members.len() == 1
                || self.consents.contains(&(*node, ballot.number, ballot.proposer))
        };
        self.is_imposed |= !view.members.iter().all(consents);
        self.views.entry(view.key).or_default().insert(view.members);
    }

    fn course(&self, actions: Vec<Action>) -> Course {
        let mut hasher = DefaultHasher::new();
        for machine in &self.machines {
            machine.rounds_hash(&mut hasher);
        }
        let wires = self.wires.iter().filter(|(_, wire)| !wire.is_empty());
        for (way, wire) in wires.clone() {
            (way, wire).hash(&mut hasher);
        }
        let spent =
            |is_meant: fn(&Action) -> bool| actions.iter().filter(|of| is_meant(of)).count();
        (spent(|of| *of == Action::Tick), spent(|of| matches!(of, Action::Lose(..))))
            .hash(&mut hasher);
        let mut held = self.machines.iter().map(|machine| machine.view().map(|view| view.key));
        let first = held.next();
        let outcome = Outcome {
            under_way: wires.map(|(way, _)| *way).collect(),
            is_ambiguous: self.views.values().any(|lists| lists.len() > 1),
            is_imposed: self.is_imposed,
            is_agreed: held.all(|key| Some(key) == first),
            ballot: self.machines.iter().map(|machine| machine.ballot).max().unwrap_or_default(),
        };
        Course { actions, place: hasher.finish(), outcome }
    }
}

/// What belongs to rounds. Nothing else travels while they are looked at.
fn is_of_rounds(body: &Body) -> bool {
    matches!(body, Body::Propose(_) | Body::Accepted(_) | Body::Declined(_) | Body::Commit(_))
}

impl Rounds {
    /// Where a course leads.
    fn replay(&self, actions: &[Action]) -> World {
        let mut world = World::new(self.nodes);
        for &place in &self.proposers {
            let members: Vec<_> = (0..=place).rev().map(id).collect();
            let machine = &mut world.machines[place];
            machine.begin_round(&members);
            let out = std::mem::take(&mut machine.out);
            world.take_out(place, out, is_of_rounds);
        }
        for action in actions {
            match *action {
                Action::Deliver(from, to) => world.deliver(from, to, is_of_rounds),
                Action::Lose(from, to) => {
                    world.wires.entry((from, to)).and_modify(|wire| drop(wire.remove(0)));
                }
                Action::Tick => world.pass(100, is_of_rounds),
            }
        }
        world
    }
}

impl Model for Rounds {
    type State = Course;
    type Action = Action;

    fn init_states(&self) -> Vec<Course> {
        vec![self.replay(&[]).course(Vec::new())]
    }

    fn actions(&self, course: &Course, actions: &mut Vec<Action>) {
        let lost = course.actions.iter().filter(|of| matches!(of, Action::Lose(..))).count();
        let ticks = course.actions.iter().filter(|of| **of == Action::Tick).count();
        for &(from, to) in &course.outcome.under_way {
            actions.push(Action::Deliver(from, to));
            if lost < LOSSES_MAX {
                actions.push(Action::Lose(from, to));
            }
        }
        if ticks < TICKS_MAX {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, course: &Course, action: Action) -> Option<Course> {
        let actions: Vec<_> = course.actions.iter().copied().chain([action]).collect();
        Some(self.replay(&actions).course(actions))
    }

    /// A proposal that comes late is made again under a higher number, and makes others late: while no time
    /// passes, that may go on for ever.
    fn within_boundary(&self, course: &Course) -> bool {
        course.outcome.ballot <= self.ballot_max
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("a key names one list", |_, course: &Course| {
                !course.outcome.is_ambiguous
            }),
            Property::always("all members consent", |_, course: &Course| {
                !course.outcome.is_imposed
            }),
            Property::sometimes("all come into one view", |_, course: &Course| {
                course.outcome.is_agreed && course.outcome.under_way.is_empty()
            }),
        ]
    }
}

/// The highest proposes all of them while the next one proposes the others.
#[test]
fn rounds_that_meet_end_in_views_that_their_members_have_accepted() {
    let begun = World::new(3).machines.iter().map(|machine| machine.ballot).max().unwrap();
    let rounds = Rounds { nodes: 3, proposers: vec![1, 2], ballot_max: begun + BALLOTS };
    let checker = rounds.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    assert!(checker.unique_state_count() > 5000, "every order was looked at");
}
