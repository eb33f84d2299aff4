//! Pulses: first-hand evidence of who lives, and of who hears whom.

use super::message::{
    Body, Details, Pulse, WANTS_CARD, WANTS_DETAILS, address_bytes, addresses_of, list_hash,
};
use super::{Membership, Note, Output};
use crate::NodeId;
use crate::balance::fnv1a;

/// A longer card is not taken.
pub(super) const CARD_BYTES_MAX: usize = 64 * 1024;
/// After a change, so many pulses have the long part.
const REPEATS: u8 = 2;
/// In so many intervals on average, a node is asked for those that it knows.
const ASKS_EVERY: u8 = 8;
/// More nodes of a list are not looked at.
const LIST_MAX: usize = 4096;

/// By what cards are told apart.
pub(super) fn card_hash(card: &[u8]) -> u64 {
    fnv1a(card)
}

impl Membership {
    pub(super) fn set_card(&mut self, card: Vec<u8>) {
        if card.len() > CARD_BYTES_MAX {
            return;
        }
        self.card_hash = card_hash(&card);
        self.card = card;
        self.peers.iter_mut().for_each(|(_, peer)| peer.card_due = REPEATS);
    }

    /// Sends the pulses that are due.
    pub(super) fn beat(&mut self) {
        let (now, timing) = (self.time(), self.timing);
        let is_due = now >= self.next_pulse;
        if is_due {
            let next = self.next_pulse + timing.interval;
            self.next_pulse = if next > now { next } else { now + timing.interval };
            self.peers.forget_silent(now);
            self.keep_gossiping();
        }
        let mut due = Vec::new();
        for (node, peer) in self.peers.iter_mut() {
            let is_heard = peer.is_heard(now, &timing);
            if if is_heard { is_due } else { peer.takes_call(now, &timing) } {
                due.push(node);
            }
        }
        if due.is_empty() {
            return;
        }
        self.sequence += 1;
        let is_good = self.is_good();
        let held_members = self.view().filter(|_| is_good).map_or(0, |view| view.members.len());
        let held_members = u32::try_from(held_members).unwrap_or(u32::MAX);
        let short = Pulse {
            sequence: self.sequence,
            wall_ms: self.now.wall_ms,
            key: self.view().map_or(0, |view| view.key),
            held_members,
            list_hash: self.list_hash,
            card_hash: self.card_hash,
            ballot: self.ballot,
            ..Pulse::default()
        };
        for node in due {
            let pulse = self.pulse_for(node, short.clone());
            self.counters.pulses_sent += 1;
            self.send_to(node, Body::Pulse(pulse));
        }
    }

    /// Makes sure that the gossip knows a node that is heard, some other one each time, and that this node
    /// knows those that the other hears.
    fn keep_gossiping(&mut self) {
        if self.list.is_empty() || self.random.u8(..ASKS_EVERY) != 0 {
            return;
        }
        let at = self.random.usize(..self.list.len());
        let Some((node, peer)) = self.list.get(at).and_then(|n| Some((*n, self.peers.get(*n)?)))
        else {
            return;
        };
        let is_stranger = |node: &NodeId| *node != self.own && self.peers.get(*node).is_none();
        let hears_strangers = peer.list.iter().any(is_stranger);
        self.announce_to(node, hears_strangers);
    }

    fn pulse_for(&mut self, node: NodeId, mut pulse: Pulse) -> Pulse {
        let (now, timing) = (self.time(), self.timing);
        let Some(peer) = self.peers.get_mut(node) else { return pulse };
        let is_heard = peer.is_heard(now, &timing);
        if !is_heard || peer.details_due > 0 {
            peer.details_due = peer.details_due.saturating_sub(1);
            pulse.details = Some(Details {
                list: self.list.iter().map(|node| node.0).collect(),
                addresses: self.addresses.iter().map(address_bytes).collect(),
            });
        }
        if is_heard && peer.card_due > 0 {
            peer.card_due -= 1;
            pulse.card = Some(self.card.clone());
        }
        let wants = |is_wanted, bit| if is_wanted { bit } else { 0 };
        pulse.wants = wants(peer.wants_details, WANTS_DETAILS) | wants(peer.wants_card, WANTS_CARD);
        pulse
    }

    /// Takes a pulse of a node whose life is believed in.
    pub(super) fn pulse(&mut self, node: NodeId, pulse: Pulse) {
        let (now, timing, own_key) = (self.time(), self.timing, self.view().map_or(0, |v| v.key));
        self.saw_ballot(pulse.ballot);
        let Some(peer) = self.peers.get_mut(node) else { return };
        if peer.heard_at.is_some() && pulse.sequence <= peer.sequence {
            return;
        }
        self.counters.pulses_received += 1;
        if !peer.is_heard(now, &timing) {
            (peer.calls, peer.next_call) = (0, now);
            (peer.details_due, peer.card_due) = (REPEATS, REPEATS);
        }
        peer.heard_at = Some(now);
        peer.sequence = pulse.sequence;
        peer.skew_ms = (pulse.wall_ms as i64).saturating_sub(self.now.wall_ms as i64);
        let held_members = usize::try_from(pulse.held_members).unwrap_or(usize::MAX);
        let mut is_news =
            (peer.key, peer.held_members) != (pulse.key, held_members) && pulse.key != own_key;
        if peer.key != pulse.key {
            self.good = None;
        }
        (peer.key, peer.held_members) = (pulse.key, held_members);
        if let Some(details) = pulse.details {
            let mut list: Vec<_> = details.list.into_iter().take(LIST_MAX).map(NodeId).collect();
            list.sort();
            list.dedup();
            is_news |= list != peer.list;
            peer.list_hash = list_hash(&list);
            peer.list = list;
            peer.set_addresses(addresses_of(&details.addresses));
        }
        peer.wants_details = peer.list_hash != pulse.list_hash;
        let card = pulse.card.filter(|card| card.len() <= CARD_BYTES_MAX);
        let card = card.filter(|card| card_hash(card) != peer.card_hash);
        let has_new_card = card.is_some();
        if let Some(card) = card {
            peer.card_hash = card_hash(&card);
            peer.card = card;
        }
        peer.wants_card = peer.card_hash != pulse.card_hash;
        if pulse.wants & WANTS_DETAILS != 0 {
            peer.details_due = peer.details_due.max(1);
        }
        if pulse.wants & WANTS_CARD != 0 {
            peer.card_due = peer.card_due.max(1);
        }
        self.welcome(node, has_new_card);
        if is_news {
            self.touch();
        }
    }

    /// Tells the host of a node that is heard and known, once, and of its new cards.
    fn welcome(&mut self, node: NodeId, has_new_card: bool) {
        let Some(peer) = self.peers.get_mut(node) else { return };
        let arrives = !peer.is_here && !peer.wants_details && !peer.wants_card;
        let is_told = arrives || (peer.is_here && has_new_card);
        if !is_told {
            return;
        }
        peer.is_here = true;
        let (incarnation, card, address) = (peer.incarnation, peer.card.clone(), peer.address());
        self.out.push(Output::PeerCard { node, incarnation, card });
        if arrives {
            self.note(Note::Arrived { node, address });
            self.touch();
            if !self.is_out() {
                self.announce_to(node, false);
            }
            self.relist();
        }
    }

    /// Looks who has been silent for too long.
    pub(super) fn survey(&mut self) {
        let (now, timing) = (self.time(), self.timing);
        let mut gone = Vec::new();
        for (node, peer) in self.peers.iter_mut() {
            if peer.is_here && !peer.is_heard(now, &timing) {
                peer.is_here = false;
                (peer.wants_card, peer.wants_details) = (true, true);
                // What it says next is news in any case.
                (peer.card_hash, peer.list_hash) = (0, 0);
                peer.list.clear();
                let silent = peer.heard_at.map_or(now, |at| now.saturating_sub(at));
                gone.push((node, silent));
            }
        }
        for (node, silent) in gone {
            self.note(Note::Departed { node, silent });
            self.out.push(Output::PeerGone(node));
            self.touch();
        }
        self.relist();
    }

    /// Draws up the list of nodes with whom this one would be in a view: those that are heard, but for
    /// those that are kept out for a while.
    fn relist(&mut self) {
        let (now, view, is_out) = (self.time(), self.view.as_ref(), self.is_out());
        let is_member = |node| view.is_some_and(|held| held.lives.contains_key(&node));
        let is_listed = |node, peer: &super::peers::Peer| {
            let is_held = now < peer.hold_until && !is_member(node);
            peer.is_here && !is_out && !is_held && now >= peer.shun_until
        };
        let listed = self.peers.iter().filter(|(node, peer)| is_listed(*node, peer));
        let list: Vec<_> = listed.map(|(node, _)| node).collect();
        if list != self.list {
            self.list_hash = list_hash(&list);
            self.list = list;
            self.peers.iter_mut().for_each(|(_, peer)| peer.details_due = REPEATS);
            self.touch();
        }
    }

    /// Whether the two would both be in a view with each other.
    pub(super) fn is_adjacent(&self, node: NodeId) -> bool {
        self.list.binary_search(&node).is_ok()
            && self.peers.get(node).is_some_and(|peer| peer.accepts(self.own))
    }

    /// Whether two nodes, of which neither is this one, are adjacent by what they say.
    pub(super) fn are_adjacent(&self, a: NodeId, b: NodeId) -> bool {
        let accepts = |from, to| self.peers.get(from).is_some_and(|peer| peer.accepts(to));
        accepts(a, b) && accepts(b, a)
    }
}
