//! What a node knows of the others, and of each at first hand: pulses, or their absence.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::message::list_hash;
use super::timing::Timing;
use crate::{NodeId, Protocol, Protocols};

/// A node that has been silent for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);

/// How often an unheard node is called at every interval, before pauses grow.
const EAGER_CALLS: u32 = 20;

/// Longest pause between calls to an unheard node.
const CALL_PAUSE_MAX: Duration = Duration::from_secs(5);

/// One other node.
pub(super) struct Peer {
    /// The life of it that is believed in.
    pub incarnation: u64,
    /// Where it is reached; the one in use is `addresses[address]`.
    addresses: Vec<SocketAddr>,
    address: usize,
    /// What it speaks.
    pub protocols: Protocols,
    /// When it, or this life of it, became known.
    pub known_since: Duration,
    /// When its latest pulse came.
    pub heard_at: Option<Duration>,
    /// Heard, and all is known that a view needs: its list and its card.
    pub is_here: bool,
    /// Of its latest pulse.
    pub sequence: u64,
    pub skew_ms: i64,
    pub key: u64,
    pub held_members: usize,
    /// With whom it would be in a view, ascending.
    pub list: Vec<NodeId>,
    pub list_hash: u64,
    pub wants_details: bool,
    pub card: Vec<u8>,
    pub card_hash: u64,
    pub wants_card: bool,
    /// So many pulses to it are still to have the long parts.
    pub details_due: u8,
    pub card_due: u8,
    /// Calls since it was last heard, and when the next is due.
    pub calls: u32,
    pub next_call: Duration,
    /// How often it was dropped, less what time has healed.
    pub drops: u8,
    pub dropped_at: Duration,
    /// Until then it is taken into no new view.
    pub hold_until: Duration,
    /// Until then it is in no view at all, not even the present one.
    pub shun_until: Duration,
    /// Rounds in a row that it let fail.
    pub refusals: u8,
    /// First and latest sign of another life with this id, elsewhere.
    pub rival: Option<(Duration, Duration)>,
}

impl Peer {
    fn new(incarnation: u64, addresses: Vec<SocketAddr>, now: Duration) -> Self {
        Self {
            incarnation,
            addresses,
            address: 0,
            // Until it has said so itself.
            protocols: Protocols::ALL.up_to(Protocol::FIRST),
            known_since: now,
            heard_at: None,
            is_here: false,
            sequence: 0,
            skew_ms: 0,
            key: 0,
            held_members: 0,
            list: Vec::new(),
            list_hash: list_hash(&[]),
            wants_details: true,
            card: Vec::new(),
            card_hash: 0,
            wants_card: true,
            details_due: 2,
            card_due: 2,
            calls: 0,
            next_call: now,
            drops: 0,
            dropped_at: Duration::ZERO,
            hold_until: Duration::ZERO,
            shun_until: Duration::ZERO,
            refusals: 0,
            rival: None,
        }
    }

    /// Another life of the same node: nothing that was known holds, but how often it was dropped. It is not
    /// kept out for what its former life did: it would serve by itself meanwhile, without what the others have.
    pub fn reborn(&mut self, incarnation: u64, addresses: Vec<SocketAddr>, now: Duration) {
        let new = Self {
            drops: self.drops,
            dropped_at: self.dropped_at,
            shun_until: self.shun_until,
            ..Self::new(incarnation, addresses, now)
        };
        *self = new;
    }

    /// Where it is reached.
    pub fn address(&self) -> Option<SocketAddr> {
        self.addresses.get(self.address).or(self.addresses.first()).copied()
    }

    /// Whether it is reached at one of these.
    pub fn shares(&self, addresses: &[SocketAddr]) -> bool {
        self.addresses.iter().any(|address| addresses.contains(address))
    }

    /// It says itself where it is reached.
    pub fn set_addresses(&mut self, addresses: Vec<SocketAddr>) {
        if !addresses.is_empty() && self.addresses != addresses {
            let used = self.address();
            self.address = addresses.iter().position(|address| Some(*address) == used).unwrap_or(0);
            self.addresses = addresses;
        }
    }

    /// Whether a pulse came within the timeout.
    pub fn is_heard(&self, now: Duration, timing: &Timing) -> bool {
        self.heard_at.is_some_and(|at| now.saturating_sub(at) <= timing.timeout())
    }

    /// Whether it would be in a view with that node.
    pub fn accepts(&self, node: NodeId) -> bool {
        self.list.binary_search(&node).is_ok()
    }

    /// Whether a node that is unheard is to be called now; plans the next call, to its next address.
    pub fn takes_call(&mut self, now: Duration, timing: &Timing) -> bool {
        if now < self.next_call {
            return false;
        }
        self.calls = self.calls.saturating_add(1);
        let growth = self.calls.saturating_sub(EAGER_CALLS).min(16);
        let pause = (timing.interval * (1 << growth)).min(CALL_PAUSE_MAX.max(timing.interval));
        self.next_call = now + pause;
        if self.calls.is_multiple_of(4) && !self.addresses.is_empty() {
            self.address = (self.address + 1) % self.addresses.len();
        }
        true
    }

    /// It was dropped from a view: each time in a row keeps it out longer.
    pub fn dropped(&mut self, now: Duration, timing: &Timing) {
        self.heal(now, timing);
        self.drops = self.drops.saturating_add(1).min(8);
        self.dropped_at = now;
        self.hold_until = now + timing.hold_off(self.drops);
    }

    /// It lets rounds fail: it is left alone for a while.
    pub fn shunned(&mut self, now: Duration, timing: &Timing) {
        self.drops = self.drops.max(1);
        self.dropped(now, timing);
        self.shun_until = self.hold_until;
        self.refusals = 0;
    }

    /// Time heals: one drop for every 32 quanta without another.
    fn heal(&mut self, now: Duration, timing: &Timing) {
        let step = timing.quantum() * 32;
        while self.drops > 0 && now.saturating_sub(self.dropped_at) >= step {
            self.drops -= 1;
            self.dropped_at += step;
        }
    }
}

/// The other nodes, by id.
pub(super) struct Peers {
    known: BTreeMap<NodeId, Peer>,
    count_max: usize,
}

impl Peers {
    pub fn new(size_max: usize) -> Self {
        Self { known: BTreeMap::new(), count_max: size_max.saturating_mul(4).max(64) }
    }

    pub fn get(&self, node: NodeId) -> Option<&Peer> {
        self.known.get(&node)
    }

    pub fn get_mut(&mut self, node: NodeId) -> Option<&mut Peer> {
        self.known.get_mut(&node)
    }

    pub fn iter(&self) -> impl Iterator<Item = (NodeId, &Peer)> {
        self.known.iter().map(|(node, peer)| (*node, peer))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (NodeId, &mut Peer)> {
        self.known.iter_mut().map(|(node, peer)| (*node, peer))
    }

    /// Adds a node. Where there are too many, the one that was silent the longest makes room, if any
    /// is silent.
    pub fn add(
        &mut self,
        node: NodeId,
        incarnation: u64,
        addresses: Vec<SocketAddr>,
        now: Duration,
    ) -> Option<&mut Peer> {
        if self.known.len() >= self.count_max && !self.known.contains_key(&node) {
            let silent = self.known.iter().filter(|(_, peer)| !peer.is_here);
            let oldest = silent.min_by_key(|(_, peer)| (peer.heard_at, peer.known_since));
            let oldest = oldest.map(|(node, _)| *node)?;
            self.known.remove(&oldest);
        }
        let peer = self.known.entry(node);
        Some(peer.or_insert_with(|| Peer::new(incarnation, addresses, now)))
    }

    /// Forgets who has been silent for an hour.
    pub fn forget_silent(&mut self, now: Duration) {
        self.known.retain(|_, peer| {
            let latest = peer.heard_at.unwrap_or(peer.known_since).max(peer.known_since);
            peer.is_here || now.saturating_sub(latest) < FORGOTTEN_AFTER
        });
    }

    /// Forgets the silent ones at these addresses; all silent ones without addresses.
    pub fn forget_at(&mut self, addresses: Option<&[SocketAddr]>) {
        self.known.retain(|_, peer| {
            peer.is_here || addresses.is_some_and(|addresses| !peer.shares(addresses))
        });
    }

    /// The node itself did not listen for so long: nobody's silence counts for that time.
    pub fn excuse(&mut self, pause: Duration) {
        for peer in self.known.values_mut() {
            peer.heard_at = peer.heard_at.map(|at| at + pause);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_in_a_row_keep_out_longer_and_time_heals() {
        let timing = Timing::default();
        let mut peer = Peer::new(1, Vec::new(), Duration::ZERO);
        let mut now = Duration::from_secs(10);
        let mut holds = Vec::new();
        for _ in 0..7 {
            peer.dropped(now, &timing);
            holds.push((peer.hold_until - now).as_millis() / 1810);
            now += Duration::from_secs(5);
        }
        assert_eq!(holds, [0, 2, 4, 8, 16, 32, 32]);
        peer.dropped(now + Duration::from_secs(3600), &timing);
        assert_eq!(peer.drops, 1);
    }

    #[test]
    fn a_restart_is_not_kept_out_for_its_former_life() {
        let timing = Timing::default();
        let mut peer = Peer::new(1, Vec::new(), Duration::ZERO);
        let now = Duration::from_secs(10);
        (0..3).for_each(|_| peer.dropped(now, &timing));
        assert!(peer.hold_until > now);
        peer.reborn(2, Vec::new(), now);
        assert!(peer.hold_until <= now && peer.drops == 3);
    }

    #[test]
    fn silent_nodes_make_room() {
        let mut peers = Peers::new(1);
        for id in 1..=100 {
            assert!(peers.add(NodeId(id), 1, Vec::new(), Duration::from_secs(id)).is_some());
        }
        assert_eq!(peers.iter().count(), 64);
        peers.iter_mut().for_each(|(_, peer)| peer.is_here = true);
        assert!(peers.add(NodeId(200), 1, Vec::new(), Duration::ZERO).is_none());
    }
}
