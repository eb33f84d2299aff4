//! When to decide who belongs together, and what is decided.

use std::time::Duration;

use super::clique::{Candidate, choose, rank};
use super::round::Held;
use super::timing::Timing;
use super::{Membership, Note, Output};
use crate::NodeId;

/// For so many quanta a node waits for another to propose a view, before it leaves that one out.
const PATIENCE: u32 = 3;

/// When the next decision is due.
pub(super) struct Decision {
    /// Since when there is evidence that was not decided on.
    pending_since: Option<Duration>,
    /// When evidence last changed.
    changed_at: Duration,
    /// Without any evidence, a decision each quantum: what could not be done is tried again.
    next_quantum: Duration,
    /// After a failed round, not before this.
    pub not_before: Duration,
    /// Rounds in a row that failed.
    pub failures: u32,
    /// The principal was asked for another key.
    pub is_forced: bool,
    /// Who is to propose a view, and since when.
    pub waiting_for: Option<(NodeId, Duration)>,
}

impl Decision {
    pub fn begin(now: Duration, timing: &Timing) -> Self {
        Self {
            pending_since: Some(now),
            changed_at: now,
            next_quantum: now + timing.quantum(),
            not_before: Duration::ZERO,
            failures: 0,
            is_forced: false,
            waiting_for: None,
        }
    }

    fn is_due(&self, now: Duration, timing: &Timing) -> bool {
        let pending = self.pending_since.is_some_and(|since| {
            now >= self.changed_at + timing.quiet() || now >= since + timing.quantum()
        });
        now >= self.not_before && (pending || self.is_forced || now >= self.next_quantum)
    }
}

impl Membership {
    /// Evidence changed: there is something to decide on.
    pub(super) fn touch(&mut self) {
        let now = self.time();
        self.decision.pending_since.get_or_insert(now);
        self.decision.changed_at = now;
        self.good = None;
    }

    pub(super) fn recluster(&mut self) {
        let is_principal = self.is_principal();
        self.decision.is_forced |= is_principal;
        self.out.push(Output::Reclustering(is_principal));
    }

    /// Decides, if it is time to.
    pub(super) fn decide(&mut self) {
        let (now, timing) = (self.time(), self.timing);
        let is_busy = self.round.is_some()
            || self.promise.as_ref().is_some_and(|promise| promise.is_open(now, &timing));
        if self.is_out() || is_busy || !self.decision.is_due(now, &timing) || self.is_starting() {
            return;
        }
        self.decision.pending_since = None;
        self.decision.next_quantum = now + timing.quantum();
        let is_forced = std::mem::take(&mut self.decision.is_forced);
        let is_good = self.is_good();
        if is_good && !is_forced && self.list.len() < self.view().map_or(0, |v| v.members.len()) {
            // Nobody is there who is not in it.
            self.decision.waiting_for = None;
            return;
        }
        let members = self.candidate();
        if members.len() == 1 && self.is_newcomer() {
            return;
        }
        let is_better = self.view().is_none_or(|view| members.len() > view.members.len());
        if is_good && !is_better && !is_forced {
            self.decision.waiting_for = None;
        } else if members.len() < self.size_min {
            if !is_good {
                self.lose_view();
                self.note(Note::TooFew { members: members.len(), members_min: self.size_min });
            }
        } else if is_good && is_forced && !is_better {
            let same = self.view().map(|view| view.members.clone()).unwrap_or_default();
            self.begin_round(&same);
        } else if members.first() == Some(&self.own) {
            self.decision.waiting_for = None;
            self.begin_round(&members);
        } else if let Some(principal) = members.first() {
            self.wait_for(*principal, is_good);
        }
    }

    /// Whether the node has just begun and may not know yet whom there is to know: for a quantum, seeds that
    /// have not answered and nodes that have not been heard are waited for.
    fn is_starting(&self) -> bool {
        let now = self.time();
        let is_new = |since: Duration| now < since + self.timing.quantum();
        let is_alone = self.list.is_empty();
        let awaits = |peer: &super::peers::Peer| !peer.is_here && is_new(peer.known_since);
        is_new(self.started)
            && ((is_alone && self.has_unknown_seeds())
                || self.peers.iter().any(|(_, peer)| awaits(peer)))
    }

    /// Whether the node has come to a view that it hears and was never in one: that is to take it in. Alone, it would
    /// serve without what the others have. If they don't, it goes its own way after some time.
    fn is_newcomer(&self) -> bool {
        let hears_view = || self.peers.iter().any(|(_, peer)| peer.is_here && peer.key != 0);
        self.counters.views_formed == 0
            && self.time() < self.started + self.timing.orphaned()
            && hears_view()
    }

    /// It is for another to propose. One that never does is left out.
    fn wait_for(&mut self, principal: NodeId, is_good: bool) {
        let (now, timing) = (self.time(), self.timing);
        let since = match self.decision.waiting_for {
            Some((node, since)) if node == principal && !is_good => since,
            _ => now,
        };
        self.decision.waiting_for = Some((principal, since));
        if now.saturating_sub(since) >= timing.quantum() * PATIENCE {
            self.leave_out(principal);
            self.decision.waiting_for = None;
        }
    }

    /// Leaves a node out for a while that lets views fail.
    pub(super) fn leave_out(&mut self, node: NodeId) {
        let (now, timing) = (self.time(), self.timing);
        let Some(peer) = self.peers.get_mut(node) else { return };
        peer.shunned(now, &timing);
        let pause = peer.shun_until.saturating_sub(now);
        self.note(Note::LeftOut { node, pause });
        self.touch();
    }

    /// The best set of members that this node knows of, with itself; descending.
    pub(super) fn candidate(&self) -> Vec<NodeId> {
        let view = self.view.as_ref();
        let own_key = view.map_or(0, |held| held.view.key);
        let adjacent = self.list.iter().filter(|node| self.is_adjacent(**node));
        let candidates: Vec<_> = adjacent
            .filter_map(|node| self.peers.get(*node).map(|peer| (*node, peer)))
            .map(|(node, peer)| Candidate {
                node,
                is_present: self.has_survived(node),
                held: (peer.key != 0 && peer.key != own_key && peer.held_members > 0)
                    .then_some((peer.key, peer.held_members)),
            })
            .collect();
        choose(self.own, &candidates, |a, b| self.are_adjacent(a, b), self.size_max)
    }

    /// Whether the present view holds: all its members live the lives with which they came into it, are adjacent,
    /// and say that they are in it. Looked at anew after evidence has changed only: every pulse says it, and it
    /// takes the square of the members.
    pub(super) fn is_good(&mut self) -> bool {
        let now = self.time();
        if let Some((is_good, until)) = self.good
            && now < until
        {
            return is_good;
        }
        let Some(held) = &self.view else { return false };
        // What members say of their view is a moment behind.
        let settled = held.since + self.timing.quantum();
        let is_good = !self.is_out() && self.holds(held, now < settled);
        self.good = Some((is_good, if now < settled { settled } else { Duration::MAX }));
        is_good
    }

    fn holds(&self, held: &Held, is_fresh: bool) -> bool {
        let others: Vec<_> = held.lives.iter().filter(|(node, _)| **node != self.own).collect();
        let is_in = |(node, life): &(&NodeId, &u64)| {
            let peer = self.peers.get(**node);
            peer.is_some_and(|peer| {
                peer.incarnation == **life && (is_fresh || peer.key == held.view.key)
            }) && self.is_adjacent(**node)
        };
        let rest = |at: usize| others.iter().skip(at + 1);
        others.iter().all(is_in)
            && others
                .iter()
                .enumerate()
                .all(|(at, (a, _))| rest(at).all(|(b, _)| self.are_adjacent(**a, **b)))
    }

    /// Whether a member of the present view still lives the life with which it came into it. One that has
    /// restarted is a newcomer: what it had may be gone.
    fn has_survived(&self, node: NodeId) -> bool {
        let incarnation = match node == self.own {
            true => Some(self.incarnation),
            false => self.peers.get(node).map(|peer| peer.incarnation),
        };
        let life = self.view.as_ref().and_then(|held| held.lives.get(&node).copied());
        life.is_some() && life == incarnation
    }

    /// Members of the present view that have.
    fn survivors(&self) -> Vec<NodeId> {
        let members = self.view().map_or(&[][..], |view| &view.members).iter().copied();
        members.filter(|node| self.has_survived(*node)).collect()
    }

    /// Whether to be in a view with these members is no worse than what this node would choose, if `proposer`
    /// proposes it.
    pub(super) fn is_no_worse(&mut self, members: &[NodeId], proposer: NodeId) -> bool {
        if !self.is_good() {
            let present = self.survivors();
            return rank(members, &present) >= rank(&self.candidate(), &present);
        }
        let present = self.view().map(|view| view.members.as_slice()).unwrap_or_default();
        let is_of_principal = present.first() == Some(&proposer);
        members.len() > present.len()
            || (is_of_principal && rank(members, present) >= rank(present, present))
    }
}
