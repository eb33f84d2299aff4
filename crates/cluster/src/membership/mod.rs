//! Who is alive, and the view that all members of a connected side agree on (`reference`: cluster.md, sections 2 and 3).
//!
//! One state machine a node, without I/O: [`Membership::step`] takes the time and an input and appends what is to be
//! done; [`Membership::next_deadline`] says when to call again. Messages may be lost, repeated, delayed and
//! reordered.
//!
//! 1. **Who else is there** is hearsay: addresses of nodes that nobody knows yet are asked for their id
//!    (`hello`), the rest is gossip.
//! 2. **Who is alive** is first-hand: every node sends a pulse to every other each interval (`pulse`). A pulse also
//!    lists with whom its sender would be in a view. Two nodes are adjacent if each lists the other.
//! 3. **Who belongs together**: as many nodes as possible that are all adjacent (`clique`). Each node decides
//!    that for itself, once the evidence has been quiet for a moment (`decide`).
//! 4. **The view**: the highest of them proposes it, all accept, and it holds under a new random key (`round`). A
//!    node accepts nothing that is worse than what it would choose itself.
//!
//! Every side of a split has a view of its own, and so has a node that nobody else can hear. Views merge when all
//! their members are adjacent. A node that was dropped more than once is kept out for growing times, so that a link
//! that comes and goes does not form views without end.

mod clique;
mod decide;
mod frame;
mod gossip;
mod hello;
mod input;
mod message;
mod note;
mod peers;
mod pulse;
mod round;
mod timing;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use input::{Counters, Input, Moment, Neighbour, Output, Settings, View};
pub use note::Note;
pub use timing::Timing;

use crate::{NodeId, Protocols};
use decide::Decision;
use gossip::{Asked, Gossip, Identity};
use hello::Seed;
use message::{Body, cluster_hash, encode, list_hash};
use peers::Peers;
use round::{Held, Promise, Round, Spread};

/// A note that strangers can cause is shown once in so long.
const NOTE_PAUSE: Duration = Duration::from_secs(60);
/// So many different ones are remembered.
const NOTES_MAX: usize = 256;

/// The membership of one node: see the module.
pub struct Membership {
    own: NodeId,
    incarnation: u64,
    cluster_name: String,
    cluster: u64,
    protocols: Protocols,
    addresses: Vec<SocketAddr>,
    timing: Timing,
    size_min: usize,
    size_max: usize,
    card: Vec<u8>,
    card_hash: u64,
    random: fastrand::Rng,
    started: Duration,
    now: Moment,
    next_tick: Duration,

    gossip: Gossip,
    seeds: BTreeMap<SocketAddr, Seed>,
    peers: Peers,
    /// With whom this node would be in a view, ascending.
    list: Vec<NodeId>,
    list_hash: u64,
    sequence: u64,
    next_pulse: Duration,

    decision: Decision,
    view: Option<Held>,
    /// Whether the view was found to be good, and until when that holds unless evidence changes.
    good: Option<(bool, Duration)>,
    /// The highest number of a proposal that is known.
    ballot: u64,
    promise: Option<Promise>,
    round: Option<Round>,
    spread: Option<Spread>,
    /// Since when there is no view.
    without_view: Option<Duration>,
    is_orphaned: bool,
    /// Until then this node stays out: its id is another's.
    out_until: Duration,
    rival: Option<(Duration, Duration)>,
    /// Ids that several nodes were seen to have, and when last.
    duplicates: BTreeMap<NodeId, Duration>,

    noted: BTreeMap<(u8, NodeId), Duration>,
    counters: Counters,
    out: Vec<Output>,
}

impl Membership {
    /// A node that knows nobody yet. Its first deadline is at once.
    pub fn new(settings: Settings, now: Moment) -> Self {
        let timing = settings.timing.bounded();
        let size_max = settings.cluster_size_max.max(1);
        let card =
            if settings.card.len() > pulse::CARD_BYTES_MAX { Vec::new() } else { settings.card };
        // Nodes that a host gave the same seed are not to draw the same keys.
        let seed = settings.seed ^ settings.node.0.rotate_left(32) ^ settings.incarnation;
        let mut random = fastrand::Rng::with_seed(seed);
        let unspecified = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let address = settings.addresses.first().copied().unwrap_or(unspecified);
        let gossip = Gossip::new(
            settings.node,
            settings.incarnation,
            address,
            &timing,
            size_max,
            random.u64(..),
        );
        // Nodes that start together do not send together.
        let phase = timing.interval.mul_f64(random.f64());
        Self {
            own: settings.node,
            incarnation: settings.incarnation,
            protocols: settings.protocols,
            cluster: cluster_hash(&settings.cluster_name),
            cluster_name: settings.cluster_name,
            addresses: settings.addresses,
            timing,
            size_min: settings.min_cluster_size,
            size_max,
            card_hash: pulse::card_hash(&card),
            card,
            random,
            started: now.monotonic,
            now,
            next_tick: now.monotonic,
            gossip,
            seeds: BTreeMap::new(),
            peers: Peers::new(size_max),
            list: Vec::new(),
            list_hash: list_hash(&[]),
            sequence: 0,
            next_pulse: now.monotonic + phase,
            decision: Decision::begin(now.monotonic, &timing),
            view: None,
            good: None,
            ballot: 0,
            promise: None,
            round: None,
            spread: None,
            without_view: Some(now.monotonic),
            is_orphaned: false,
            out_until: Duration::ZERO,
            rival: None,
            duplicates: BTreeMap::new(),
            noted: BTreeMap::new(),
            counters: Counters::default(),
            out: Vec::new(),
        }
    }

    /// Takes an input at that moment and appends what follows from it. Time never goes back.
    pub fn step(&mut self, now: Moment, input: Input<'_>, out: &mut Vec<Output>) {
        self.advance(now);
        match input {
            Input::Tick => {}
            Input::Message(bytes) => self.message(bytes),
            Input::Seeds(addresses) => self.set_seeds(&addresses),
            Input::Tip(address) => self.add_tip(address),
            Input::TipClear(addresses) => self.clear_tips(addresses.as_deref()),
            Input::Card(card) => self.set_card(card),
            Input::Timing(timing) => self.timing = timing.bounded(),
            Input::SizeMin(size) => self.size_min = size,
            Input::Recluster => self.recluster(),
        }
        if self.next_tick <= self.time() {
            self.next_tick = self.time() + self.tick_length();
            self.tick();
        }
        if self.gossip.next_deadline().is_some_and(|at| at <= self.time()) && !self.is_out() {
            let asked = self.gossip.tick(self.time());
            self.carry_out(asked);
        }
        out.append(&mut self.out);
    }

    /// Forms a view of this node alone at once, unless views have to be larger: for a host that knows of no
    /// seeds and hears nobody, and need not wait for others.
    pub fn begin_alone(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.advance(now);
        if self.view.is_none() && self.size_min <= 1 {
            self.begin_round(&[self.own]);
        }
        out.append(&mut self.out);
    }

    /// When [`Membership::step`] is to be called again at the latest, on the monotonic clock.
    pub fn next_deadline(&self) -> Duration {
        let gossip = self.gossip.next_deadline().filter(|_| !self.is_out());
        gossip.map_or(self.next_tick, |gossip| gossip.min(self.next_tick))
    }

    fn time(&self) -> Duration {
        self.now.monotonic
    }

    /// The timer's rhythm: twice an interval, 75 ms at most.
    fn tick_length(&self) -> Duration {
        (self.timing.interval / 2).min(Duration::from_millis(75))
    }

    fn advance(&mut self, now: Moment) {
        // A process that was stopped has messages waiting that it has not read: the others' silence
        // was its own. They will have dropped it, which their pulses say.
        let due = self.next_deadline();
        let late = now.monotonic.saturating_sub(due);
        if late > self.timing.interval * 2 {
            self.peers.excuse(late);
        }
        self.now = Moment { monotonic: now.monotonic.max(self.time()), wall_ms: now.wall_ms };
    }

    fn tick(&mut self) {
        self.survey();
        self.watch_round();
        self.decide();
        self.beat();
        self.call_seeds();
        self.spread_commit();
        self.watch_orphan();
    }

    /// Whether this node stays out, because another has its id.
    fn is_out(&self) -> bool {
        self.time() < self.out_until
    }

    fn watch_orphan(&mut self) {
        let Some(since) = self.without_view.filter(|_| !self.is_orphaned) else { return };
        if self.time().saturating_sub(since) >= self.timing.orphaned() {
            self.is_orphaned = true;
            self.out.push(Output::Orphaned);
        }
    }

    /// The view is no more, and there is none in its place.
    fn lose_view(&mut self) {
        if self.view.take().is_some() {
            self.without_view = Some(self.time());
            (self.spread, self.good) = (None, None);
        }
    }

    fn carry_out(&mut self, asked: Asked) {
        for (to, frame) in asked.frames {
            self.send(to.address, Body::Gossip(frame));
        }
        for identity in asked.found {
            self.heard_of(identity);
        }
    }

    /// Hearsay: somebody is said to be there. It is believed of nodes only of which nothing better is known.
    fn heard_of(&mut self, identity: Identity) {
        if identity.node == self.own {
            return;
        }
        let (now, addresses) = (self.time(), vec![identity.address]);
        let is_heard = |peer: &peers::Peer| peer.is_heard(now, &self.timing);
        match self.peers.get(identity.node) {
            Some(peer) if is_heard(peer) || peer.incarnation >= identity.incarnation => {}
            Some(_) => {
                if let Some(peer) = self.peers.get_mut(identity.node) {
                    peer.reborn(identity.incarnation, addresses, now);
                }
            }
            None => {
                self.peers.add(identity.node, identity.incarnation, addresses, now);
            }
        }
    }

    /// Makes a node known to the gossip. `in_any_case`: although it is, to be told of others.
    fn announce_to(&mut self, node: NodeId, in_any_case: bool) {
        let Some(peer) = self.peers.get(node) else { return };
        let Some(address) = peer.address() else { return };
        let incarnation = peer.incarnation;
        let identity = Identity { node, incarnation, renewals: 0, address };
        let asked = self.gossip.announce(self.now.monotonic, identity, in_any_case);
        self.carry_out(asked);
    }

    fn send(&mut self, to: SocketAddr, body: Body) {
        let message = encode(self.own, self.incarnation, self.cluster, self.protocols, body);
        self.counters.sent(message.len());
        self.out.push(Output::Send { to, message });
    }

    fn send_to(&mut self, node: NodeId, body: Body) {
        if let Some(address) = self.peers.get(node).and_then(peers::Peer::address) {
            self.send(address, body);
        }
    }

    fn note(&mut self, note: Note) {
        if let Some(key) = note.throttled_by() {
            let now = self.time();
            if self.noted.get(&key).is_some_and(|at| now.saturating_sub(*at) < NOTE_PAUSE) {
                return;
            }
            if self.noted.len() >= NOTES_MAX {
                self.noted.clear();
            }
            self.noted.insert(key, now);
        }
        self.out.push(Output::Note(note));
    }
}

/// What is known, for those who show it.
impl Membership {
    /// This node.
    pub fn node(&self) -> NodeId {
        self.own
    }

    /// The view that this node is in.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref().map(|held| &held.view)
    }

    /// Whether this node heads its view.
    pub fn is_principal(&self) -> bool {
        self.view().is_some_and(|view| view.principal() == Some(self.own))
    }

    /// Whether there has been no view for so long that the node is not to serve.
    pub fn is_orphaned(&self) -> bool {
        self.is_orphaned
    }

    /// The known nodes, ascending by id, heard or not.
    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour> {
        self.peers.iter().map(|(node, peer)| Neighbour {
            node,
            incarnation: peer.incarnation,
            address: peer.address(),
            protocol: self.protocols.common(peer.protocols).unwrap_or(self.protocols.low),
            last_heard: peer.heard_at.map(|at| self.time().saturating_sub(at)),
            skew_ms: peer.skew_ms,
            is_heard: peer.is_heard(self.time(), &self.timing),
            is_adjacent: self.is_adjacent(node),
        })
    }

    /// Ids that more than one node has, as far as was seen of late, ascending.
    pub fn duplicates(&self) -> impl Iterator<Item = NodeId> {
        let recent = self.time().saturating_sub(NOTE_PAUSE);
        self.duplicates.iter().filter(move |(_, seen)| **seen >= recent).map(|(node, _)| *node)
    }

    /// How far apart the wall clocks of the nodes are that are heard, this one included, in milliseconds; with
    /// it the time that messages took.
    pub fn clock_skew_ms(&self) -> u64 {
        let heard = self.peers.iter().filter(|(_, peer)| peer.is_here);
        let (low, high) = heard.fold((0_i64, 0_i64), |(low, high), (_, peer)| {
            (low.min(peer.skew_ms), high.max(peer.skew_ms))
        });
        high.abs_diff(low)
    }

    /// What was counted since the start.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The heartbeat's times in use.
    pub fn timing(&self) -> Timing {
        self.timing
    }
}

#[cfg(test)]
mod tests;
