//! Getting to know each other: seeds, the check of who speaks, and nodes with the same id.

use std::net::SocketAddr;
use std::time::Duration;

use super::message::{
    Body, Envelope, Hello, REFUSED_CLUSTER, REFUSED_DUPLICATE, REFUSED_VERSION, Refused,
    address_bytes, address_of, addresses_of, decode,
};
use super::{Membership, Note};
use crate::{NodeId, Protocols};

/// More seeds are not looked at.
const SEEDS_MAX: usize = 4096;

/// Longest pause between calls to a seed that does not answer.
const CALL_PAUSE_MAX: Duration = Duration::from_secs(2);

/// An address without a known id.
pub(super) struct Seed {
    is_tip: bool,
    /// Who answered there.
    pub node: Option<NodeId>,
    next_call: Duration,
    calls: u32,
}

/// Whether a message can be listened to, and if not, why.
enum Standing {
    Known,
    /// Of a life that is over, or of one that cannot be judged yet.
    Ignored,
    /// The sender has the id of another node that lives.
    Duplicate {
        other_incarnation: u64,
        other: Option<SocketAddr>,
    },
}

impl Membership {
    pub(super) fn set_seeds(&mut self, addresses: &[SocketAddr]) {
        self.seeds.retain(|address, seed| seed.is_tip || addresses.contains(address));
        addresses.iter().for_each(|address| self.add_seed(*address, false));
    }

    pub(super) fn add_tip(&mut self, address: SocketAddr) {
        self.add_seed(address, true);
    }

    fn add_seed(&mut self, address: SocketAddr, is_tip: bool) {
        if self.seeds.len() < SEEDS_MAX || self.seeds.contains_key(&address) {
            let next_call = self.time();
            // All nodes may have the same list of seeds, themselves among them.
            let node = self.addresses.contains(&address).then_some(self.own);
            let seed = Seed { is_tip, node, next_call, calls: 0 };
            self.seeds.entry(address).or_insert(seed).is_tip |= is_tip;
        }
    }

    pub(super) fn clear_tips(&mut self, addresses: Option<&[SocketAddr]>) {
        let is_cleared = |at: &SocketAddr| addresses.is_none_or(|cleared| cleared.contains(at));
        self.seeds.retain(|address, seed| !(seed.is_tip && is_cleared(address)));
        self.peers.forget_at(addresses);
        if addresses.is_none() {
            self.gossip.forget();
        }
    }

    /// Says hello to seeds behind which nobody is heard.
    pub(super) fn call_seeds(&mut self) {
        let (now, own, interval) = (self.time(), self.own, self.timing.interval);
        let mut called = Vec::new();
        for (address, seed) in &mut self.seeds {
            let answered = seed.node.and_then(|node| self.peers.get(node));
            let is_heard = answered.is_some_and(|peer| peer.is_heard(now, &self.timing));
            if is_heard || seed.node == Some(own) || now < seed.next_call {
                continue;
            }
            let pause = (interval * (1 << seed.calls.min(16))).min(CALL_PAUSE_MAX.max(interval));
            seed.calls += 1;
            seed.next_call = now + pause;
            called.push(*address);
        }
        for address in called {
            let hello = self.hello(address_bytes(&address));
            self.send(address, Body::Hello(hello));
        }
    }

    /// Whether there are seeds of which nothing is known yet.
    pub(super) fn has_unknown_seeds(&self) -> bool {
        self.seeds.values().any(|seed| seed.node.is_none())
    }

    fn hello(&self, dialed: Vec<u8>) -> Hello {
        let addresses = self.addresses.iter().map(address_bytes).collect();
        Hello { dialed, addresses, cluster_name: self.cluster_name.clone() }
    }

    /// Takes a message.
    pub(super) fn message(&mut self, bytes: &[u8]) {
        self.counters.received(bytes.len());
        let Some(mut envelope) = decode(bytes) else {
            self.counters.messages_ignored += 1;
            return;
        };
        let Some(body) = envelope.body.take() else { return };
        if !self.speaks_our_language(&envelope, &body) {
            self.counters.messages_ignored += 1;
            return;
        }
        let node = NodeId(envelope.node);
        if let Body::Refused(refused) = body {
            self.refused(&refused);
        } else if node == self.own {
            self.namesake(&envelope, &body);
        } else {
            self.message_of(node, envelope.incarnation, body);
            if let Some(peer) = self.peers.get_mut(node)
                && peer.incarnation == envelope.incarnation
            {
                peer.protocols = Protocols::from_packed(envelope.versions);
            }
        }
    }

    fn message_of(&mut self, node: NodeId, incarnation: u64, body: Body) {
        let addresses = addresses_in(&body);
        match self.standing(node, incarnation, addresses.as_deref()) {
            Standing::Known => {}
            Standing::Ignored => return,
            Standing::Duplicate { other_incarnation, other } => {
                let later = addresses.unwrap_or_default();
                self.refuse_duplicate(node, incarnation, &later, other_incarnation, other);
                return;
            }
        }
        match body {
            Body::Pulse(pulse) => self.pulse(node, pulse),
            Body::Hello(hello) => self.greeted(node, hello, true),
            Body::HelloBack(hello) => self.greeted(node, hello, false),
            Body::Gossip(frame) if !self.is_out() => {
                let asked = self.gossip.frame(self.now.monotonic, &frame);
                self.carry_out(asked);
            }
            Body::Propose(propose) => self.proposed(node, &propose),
            Body::Accepted(ballot) => self.accepted(node, incarnation, ballot),
            Body::Declined(declined) => self.declined(node, &declined),
            Body::Commit(commit) => self.committed(node, commit),
            Body::Gossip(_) | Body::Refused(_) => {}
        }
    }

    /// Whether the sender is of this cluster and speaks a version of this protocol.
    fn speaks_our_language(&mut self, envelope: &Envelope, body: &Body) -> bool {
        let (node, theirs) = (NodeId(envelope.node), Protocols::from_packed(envelope.versions));
        let answer = if envelope.cluster != self.cluster {
            let name = match body {
                Body::Hello(hello) | Body::HelloBack(hello) => Some(hello.cluster_name.clone()),
                Body::Refused(refused) => Some(refused.cluster_name.clone()),
                _ => None,
            };
            self.note(Note::OtherCluster { node, name });
            REFUSED_CLUSTER
        } else if self.protocols.common(theirs).is_none() {
            self.note(Note::OtherVersion { node, versions: (theirs.low.0, theirs.high.0) });
            REFUSED_VERSION
        } else {
            return true;
        };
        // Said once for each hello, so that both sides know.
        if let Body::Hello(hello) = body
            && let Some(address) = addresses_of(&hello.addresses).first()
        {
            self.refuse(*address, answer, 0, 0, None);
        }
        false
    }

    fn refuse(
        &mut self,
        to: SocketAddr,
        reason: u32,
        incarnation: u64,
        other_incarnation: u64,
        other: Option<SocketAddr>,
    ) {
        let refused = Refused {
            reason,
            cluster_name: self.cluster_name.clone(),
            incarnation,
            other_incarnation,
            other_address: other.as_ref().map(address_bytes).unwrap_or_default(),
        };
        self.send(to, Body::Refused(refused));
    }

    /// Whether this life of the node is the one that is believed in. A new one is, where the one before
    /// is over: at the same address there can be only one.
    fn standing(
        &mut self,
        node: NodeId,
        incarnation: u64,
        addresses: Option<&[SocketAddr]>,
    ) -> Standing {
        let (now, timing) = (self.time(), self.timing);
        let Some(peer) = self.peers.get_mut(node) else {
            // A stranger who says where it is reached becomes known; one who does not will, as long as
            // it is not answered.
            let addresses = addresses.filter(|addresses| !addresses.is_empty());
            let Some(addresses) = addresses else { return Standing::Ignored };
            let is_added = self.peers.add(node, incarnation, addresses.to_vec(), now).is_some();
            return if is_added { Standing::Known } else { Standing::Ignored };
        };
        if incarnation == peer.incarnation {
            return Standing::Known;
        }
        let Some(addresses) = addresses.filter(|list| !list.is_empty()) else {
            return Standing::Ignored;
        };
        let is_over = !peer.is_heard(now, &timing);
        let is_later = incarnation > peer.incarnation;
        if is_over || (is_later && peer.shares(addresses)) {
            let was_here = peer.is_here;
            peer.reborn(incarnation, addresses.to_vec(), now);
            if was_here {
                self.note(Note::Restarted { node });
                self.touch();
            }
            return Standing::Known;
        }
        if is_later {
            let (other_incarnation, other) = (peer.incarnation, peer.address());
            return Standing::Duplicate { other_incarnation, other };
        }
        if peer.shares(addresses) || !is_lasting(&mut peer.rival, now, timing.timeout()) {
            return Standing::Ignored;
        }
        // The earlier one lives too, and has for longer than messages are on their way: it stays.
        let (later, later_life) = (peer.address(), peer.incarnation);
        peer.reborn(incarnation, addresses.to_vec(), now);
        self.touch();
        let later: Vec<_> = later.into_iter().collect();
        let earlier = addresses.first().copied();
        self.refuse_duplicate(node, later_life, &later, incarnation, earlier);
        Standing::Known
    }

    fn refuse_duplicate(
        &mut self,
        node: NodeId,
        incarnation: u64,
        later: &[SocketAddr],
        other_incarnation: u64,
        earlier: Option<SocketAddr>,
    ) {
        let to = later.first().copied();
        self.note(Note::DuplicateId { node, later: to, earlier });
        self.duplicates.insert(node, self.time());
        if let Some(to) = to {
            self.refuse(to, REFUSED_DUPLICATE, incarnation, other_incarnation, earlier);
        }
    }

    /// A message of a node with this node's own id: its own, come back; of its life before; or of another.
    fn namesake(&mut self, envelope: &Envelope, body: &Body) {
        if envelope.incarnation == self.incarnation {
            let (Body::Hello(hello) | Body::HelloBack(hello)) = body else { return };
            let seed = address_of(&hello.dialed).and_then(|dialed| self.seeds.get_mut(&dialed));
            if let Some(seed) = seed {
                seed.node = Some(self.own);
            }
            return;
        }
        let addresses = addresses_in(body).unwrap_or_default();
        let is_elsewhere = !addresses.iter().any(|address| self.addresses.contains(address));
        let Some(other) = addresses.first().copied().filter(|_| is_elsewhere) else { return };
        let here = self.addresses.first().copied();
        if envelope.incarnation > self.incarnation {
            let (later, own) = (envelope.incarnation, self.incarnation);
            self.refuse_duplicate(self.own, later, &[other], own, here);
        } else if is_lasting(&mut self.rival, self.now.monotonic, self.timing.timeout()) {
            self.stay_out(Some(other));
        }
    }

    fn refused(&mut self, refused: &Refused) {
        if refused.reason == REFUSED_DUPLICATE
            && refused.incarnation == self.incarnation
            && refused.other_incarnation != self.incarnation
        {
            self.stay_out(address_of(&refused.other_address));
        }
    }

    /// Another node has this one's id: no view, until that has not been heard of for a while.
    fn stay_out(&mut self, other: Option<SocketAddr>) {
        self.note(Note::OwnIdTaken { node: self.own, other });
        self.duplicates.insert(self.own, self.time());
        if !self.is_out() {
            self.lose_view();
            (self.round, self.promise) = (None, None);
            self.gossip.forget();
        }
        self.out_until = self.time() + self.timing.timeout() * 2;
        self.touch();
    }

    fn greeted(&mut self, node: NodeId, hello: Hello, is_question: bool) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.set_addresses(addresses_of(&hello.addresses));
            (peer.next_call, peer.calls) = (self.now.monotonic, 0);
        }
        if is_question {
            let back = self.hello(hello.dialed);
            self.send_to(node, Body::HelloBack(back));
        } else if let Some(dialed) = address_of(&hello.dialed)
            && let Some(seed) = self.seeds.get_mut(&dialed)
        {
            (seed.node, seed.calls) = (Some(node), 0);
        }
        if !self.is_out() {
            self.announce_to(node, false);
        }
    }
}

/// Where the sender of this is reached, if it says so.
fn addresses_in(body: &Body) -> Option<Vec<SocketAddr>> {
    match body {
        Body::Hello(hello) | Body::HelloBack(hello) => Some(addresses_of(&hello.addresses)),
        Body::Pulse(pulse) => Some(addresses_of(&pulse.details.as_ref()?.addresses)),
        _ => None,
    }
}

/// Whether signs of another node have come for longer than `long`, without pauses of that length: what was on
/// its way for long does not count.
fn is_lasting(signs: &mut Option<(Duration, Duration)>, now: Duration, long: Duration) -> bool {
    let first = signs.filter(|(_, latest)| now.saturating_sub(*latest) < long * 4);
    let first = first.map_or(now, |(first, _)| first);
    *signs = Some((first, now));
    now.saturating_sub(first) > long
}
