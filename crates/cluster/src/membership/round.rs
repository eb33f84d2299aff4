//! Forming a view: the highest member proposes, all accept, and the proposer says under which key it holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::message::{Ballot, Body, Commit, Declined, Propose};
use super::timing::Timing;
use super::{Membership, Note, Output, View};
use crate::NodeId;

/// A node that lets so many rounds in a row fail is left out for a while.
const REFUSALS_MAX: u8 = 4;

/// A higher number of a proposal is damage: nobody counts so far, and numbers must not run out.
const BALLOT_MAX: u64 = 1 << 56;

/// The view that this node is in.
pub(super) struct Held {
    pub view: View,
    /// Each member with the life in which it accepted.
    pub lives: BTreeMap<NodeId, u64>,
    pub since: Duration,
}

/// A proposal that this node has accepted, its own ones too. It accepts no earlier one.
pub(super) struct Promise {
    ballot: Ballot,
    lives: BTreeMap<NodeId, u64>,
    at: Duration,
    is_done: bool,
}

impl Promise {
    /// Whether the view may still come.
    pub fn is_open(&self, now: Duration, timing: &Timing) -> bool {
        !self.is_done && now < self.at + timing.round()
    }
}

/// A proposal of this node's own that not all have accepted.
pub(super) struct Round {
    ballot: Ballot,
    lives: BTreeMap<NodeId, u64>,
    accepted: BTreeSet<NodeId>,
    begun: Duration,
    sent: Duration,
}

/// A view that not all members are known to have learned of.
pub(super) struct Spread {
    commit: Commit,
    sent: Duration,
}

/// Members as a view lists them.
fn descending(lives: &BTreeMap<NodeId, u64>) -> Vec<NodeId> {
    lives.keys().rev().copied().collect()
}

impl Membership {
    /// Proposes a view of these, which begin with this node.
    pub(super) fn begin_round(&mut self, members: &[NodeId]) {
        let life = |node: &NodeId| {
            let peer = self.peers.get(*node).map(|peer| peer.incarnation);
            if *node == self.own { Some(self.incarnation) } else { peer }
        };
        let lives = members.iter().filter_map(|node| Some((*node, life(node)?))).collect();
        self.counters.rounds_begun += 1;
        self.propose(lives, self.time());
    }

    fn propose(&mut self, lives: BTreeMap<NodeId, u64>, begun: Duration) {
        let now = self.time();
        self.ballot = self.ballot.saturating_add(1);
        let ballot = Ballot { number: self.ballot, proposer: self.own.0 };
        self.promise = Some(Promise { ballot, lives: lives.clone(), at: now, is_done: false });
        let accepted = BTreeSet::from([self.own]);
        self.round = Some(Round { ballot, lives, accepted, begun, sent: now });
        self.send_proposals();
        self.finish_round();
    }

    fn send_proposals(&mut self) {
        let Some(round) = &self.round else { return };
        let message = Propose {
            ballot: round.ballot,
            members: round.lives.keys().rev().map(|node| node.0).collect(),
            lives: round.lives.values().rev().copied().collect(),
        };
        let missing: Vec<_> =
            round.lives.keys().filter(|node| !round.accepted.contains(node)).copied().collect();
        for node in missing {
            self.send_to(node, Body::Propose(message.clone()));
        }
    }

    /// Repeats what may have been lost, and gives up when it is time to.
    pub(super) fn watch_round(&mut self) {
        let (now, timing) = (self.time(), self.timing);
        let Some(round) = &mut self.round else { return };
        let is_here = |(node, life): (&NodeId, &u64)| {
            let peer = self.peers.get(*node);
            *node == self.own || peer.is_some_and(|peer| peer.is_here && peer.incarnation == *life)
        };
        if !round.lives.iter().all(is_here) {
            // The evidence has changed; what follows from it is decided soon.
            self.give_up();
        } else if now >= round.begun + timing.round() {
            let missing: Vec<_> =
                round.lives.keys().filter(|node| !round.accepted.contains(node)).copied().collect();
            self.give_up();
            self.decision.failures += 1;
            let growth = 1 << self.decision.failures.min(3);
            let pause = timing.quantum() / 8 * growth;
            self.decision.not_before = now + pause.mul_f64(0.5 + self.random.f64());
            for node in &missing {
                let refusals = self.peers.get_mut(*node).map_or(0, |peer| {
                    peer.refusals = peer.refusals.saturating_add(1);
                    peer.refusals
                });
                if refusals >= REFUSALS_MAX {
                    self.leave_out(*node);
                }
            }
            self.note(Note::RoundFailed { missing });
        } else if now >= round.sent + timing.retransmit() {
            round.sent = now;
            self.send_proposals();
        }
    }

    fn give_up(&mut self) {
        self.counters.rounds_failed += 1;
        (self.round, self.promise) = (None, None);
        self.touch();
    }

    /// Another node knows of proposals up to this number.
    pub(super) fn saw_ballot(&mut self, number: u64) {
        if number <= BALLOT_MAX {
            self.ballot = self.ballot.max(number);
        }
    }

    /// Another node proposes a view.
    pub(super) fn proposed(&mut self, node: NodeId, propose: &Propose) {
        let ballot = propose.ballot;
        if self.is_out() || ballot.proposer != node.0 || ballot.number > BALLOT_MAX {
            return;
        }
        let lives = self.acceptable(node, propose);
        let promise = self.promise.as_ref();
        if promise.is_some_and(|promise| {
            promise.ballot == ballot && Some(&promise.lives) == lives.as_ref()
        }) {
            // It was accepted; the answer was lost.
            self.send_to(node, Body::Accepted(ballot));
            return;
        }
        let promised = promise.map(|promise| promise.ballot).unwrap_or_default();
        let is_stale = ballot.number < self.ballot || ballot <= promised;
        self.saw_ballot(ballot.number);
        let Some(lives) = lives.filter(|_| !is_stale) else {
            let declined = Declined { ballot, number: self.ballot, is_stale };
            self.send_to(node, Body::Declined(declined));
            return;
        };
        // A proposal of this node's own gives way to a higher node's.
        if self.round.take().is_some() {
            self.counters.rounds_failed += 1;
            self.touch();
        }
        self.promise = Some(Promise { ballot, lives, at: self.time(), is_done: false });
        self.send_to(node, Body::Accepted(ballot));
    }

    /// The members with their lives, if this node would be in a view with them now.
    fn acceptable(&mut self, proposer: NodeId, propose: &Propose) -> Option<BTreeMap<NodeId, u64>> {
        let members: Vec<_> = propose.members.iter().copied().map(NodeId).collect();
        let is_descending = members.is_sorted_by(|a, b| a > b);
        let is_sized = (self.size_min..=self.size_max).contains(&members.len());
        let is_whole = propose.lives.len() == members.len();
        if !is_descending || !is_sized || !is_whole || members.first() != Some(&proposer) {
            return None;
        }
        let lives: BTreeMap<_, _> =
            members.iter().copied().zip(propose.lives.iter().copied()).collect();
        let is_heard = |(node, life): (&NodeId, &u64)| {
            if *node == self.own {
                return *life == self.incarnation;
            }
            let peer = self.peers.get(*node);
            self.list.binary_search(node).is_ok()
                && peer.is_some_and(|peer| peer.incarnation == *life)
        };
        if !lives.contains_key(&self.own) || !lives.iter().all(is_heard) {
            return None;
        }
        // Another proposal is on its way: only a higher node's may take its place.
        let open = self.promise.as_ref().filter(|one| one.is_open(self.time(), &self.timing));
        if open.is_some_and(|open| open.ballot.proposer > proposer.0) {
            return None;
        }
        self.is_no_worse(&members, proposer).then_some(lives)
    }

    /// A member accepts this node's proposal.
    pub(super) fn accepted(&mut self, node: NodeId, incarnation: u64, ballot: Ballot) {
        let Some(round) = self.round.as_mut().filter(|round| round.ballot == ballot) else {
            return;
        };
        if round.lives.get(&node) == Some(&incarnation) {
            round.accepted.insert(node);
            if let Some(peer) = self.peers.get_mut(node) {
                peer.refusals = 0;
            }
            self.finish_round();
        }
    }

    /// A member does not accept it, or not yet: until the round's time is over it is asked again.
    pub(super) fn declined(&mut self, _node: NodeId, declined: &Declined) {
        self.saw_ballot(declined.number);
        let is_current = |round: &mut Round| round.ballot == declined.ballot;
        if !declined.is_stale {
            return;
        }
        if let Some(round) = self.round.take_if(is_current) {
            self.propose(round.lives, round.begun);
        }
    }

    fn finish_round(&mut self) {
        let is_complete = |round: &mut Round| round.accepted.len() == round.lives.len();
        let Some(round) = self.round.take_if(is_complete) else { return };
        let key = self.random.u64(1..1 << 48);
        self.decision.failures = 0;
        let commit = Commit { ballot: round.ballot, key };
        for node in descending(&round.lives).into_iter().skip(1) {
            self.send_to(node, Body::Commit(commit));
        }
        self.spread = Some(Spread { commit, sent: self.time() });
        self.install(key, round.lives);
    }

    /// All have accepted what this node accepted: that is the view.
    pub(super) fn committed(&mut self, node: NodeId, commit: Commit) {
        let is_ours = |promise: &&mut Promise| {
            promise.ballot == commit.ballot && promise.ballot.proposer == node.0 && !promise.is_done
        };
        let Some(promise) = self.promise.as_mut().filter(is_ours) else { return };
        if commit.key == 0 || commit.key >= 1 << 48 {
            return;
        }
        let lives = promise.lives.clone();
        self.spread = None;
        self.install(commit.key, lives);
    }

    fn install(&mut self, key: u64, lives: BTreeMap<NodeId, u64>) {
        let (now, timing) = (self.time(), self.timing);
        if let Some(promise) = &mut self.promise {
            promise.is_done = true;
        }
        let before = self.view.take().map(|held| held.lives).unwrap_or_default();
        let mut left = Vec::new();
        for (node, life) in before.into_iter().rev().filter(|(node, _)| !lives.contains_key(node)) {
            // One that has restarted meanwhile is not blamed for what its former life did.
            if let Some(peer) = self.peers.get_mut(node).filter(|peer| peer.incarnation == life) {
                peer.dropped(now, &timing);
            }
            left.push(node);
        }
        let view = View { key, members: descending(&lives) };
        self.good = None;
        self.view = Some(Held { view: view.clone(), lives, since: now });
        (self.without_view, self.is_orphaned) = (None, false);
        self.decision.waiting_for = None;
        self.counters.views_formed += 1;
        // The others are to learn of the key as soon as they can.
        self.next_pulse = self.next_pulse.min(now);
        self.out.push(Output::View(view.clone()));
        self.note(Note::ViewFormed { view, left });
    }

    /// Repeats the outcome to members whose pulses do not show the key.
    pub(super) fn spread_commit(&mut self) {
        let now = self.time();
        let (Some(held), Some(spread)) = (&self.view, &mut self.spread) else { return };
        if now < spread.sent + self.timing.retransmit() {
            return;
        }
        spread.sent = now;
        let (commit, own) = (spread.commit, self.own);
        let key_of = |node: &NodeId| self.peers.get(*node).map(|peer| peer.key);
        let lacks = |node: &&NodeId| **node != own && key_of(node) != Some(commit.key);
        let lacking: Vec<_> = held.lives.keys().filter(lacks).copied().collect();
        if lacking.is_empty() {
            self.spread = None;
        }
        for node in lacking {
            self.send_to(node, Body::Commit(commit));
        }
    }
}

#[cfg(test)]
impl Promise {
    pub fn ballot(&self) -> Ballot {
        self.ballot
    }
}

#[cfg(test)]
impl Membership {
    /// Hashes what decides how rounds go on.
    pub(super) fn rounds_hash(&self, hasher: &mut impl std::hash::Hasher) {
        use std::hash::Hash as _;
        let ballot = |ballot: &Ballot| (ballot.number, ballot.proposer);
        let promise = self.promise.as_ref();
        promise.map(|of| (ballot(&of.ballot), &of.lives, of.at, of.is_done)).hash(hasher);
        let round = self.round.as_ref();
        round.map(|of| (ballot(&of.ballot), &of.lives, &of.accepted, of.sent)).hash(hasher);
        let spread = self.spread.as_ref();
        spread.map(|of| (ballot(&of.commit.ballot), of.commit.key, of.sent)).hash(hasher);
        let held = self.view.as_ref();
        held.map(|of| (of.view.key, &of.view.members, of.since)).hash(hasher);
        (self.ballot, self.time()).hash(hasher);
    }
}
