//! Which nodes could be a view: all hear each other, and as many as possible.
//!
//! A pure function of what a node knows. Nodes that know the same choose the same; while they know different things,
//! the acceptors of a proposal see to it that the better choice wins.

use std::collections::BTreeMap;

use crate::NodeId;

/// A node that can be chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub node: NodeId,
    /// Whether it is in the chooser's present view.
    pub is_present: bool,
    /// Key and size of another view that it holds on to, if it does.
    pub held: Option<(u64, usize)>,
}

/// Chooses among the candidates, all of which hear `own` and are heard by it. The result has `own` in it, is
/// descending, and has at most `size_max` members (but at least one).
///
/// - Whoever misses the most others goes first; among those nodes outside the present view go first, and
///   lower ids.
/// - Part of another view is taken only into a larger one: two views would tear at each other's members
///   otherwise.
pub(super) fn choose(
    own: NodeId,
    candidates: &[Candidate],
    are_adjacent: impl Fn(NodeId, NodeId) -> bool,
    size_max: usize,
) -> Vec<NodeId> {
    let mut candidates = candidates.to_vec();
    candidates.sort_by_key(|candidate| (candidate.is_present, candidate.node));
    loop {
        let mut chosen = largest(&candidates, &are_adjacent);
        // Members of the present view and higher ids stay where there are too many.
        let excess = (chosen.len() + 1).saturating_sub(size_max.max(1));
        chosen.drain(..excess.min(chosen.len()));
        let Some(torn) = torn_view(&chosen) else {
            let mut members: Vec<_> = chosen.iter().map(|one| one.node).chain([own]).collect();
            members.sort_by(|a, b| b.cmp(a));
            return members;
        };
        candidates.retain(|candidate| candidate.held.is_none_or(|(key, _)| key != torn));
    }
}

/// The key of a view of which only a part was chosen, and which is no smaller than what was chosen.
fn torn_view(chosen: &[Candidate]) -> Option<u64> {
    let mut parts: BTreeMap<u64, (usize, usize)> = BTreeMap::new();
    for (key, size) in chosen.iter().filter_map(|candidate| candidate.held) {
        let (count, size_most) = parts.entry(key).or_default();
        *count += 1;
        *size_most = size.max(*size_most);
    }
    let size = chosen.len() + 1;
    let torn = parts.iter().find(|(_, (count, whole))| count < whole && size <= *whole);
    torn.map(|(key, _)| *key)
}

/// A clique that nobody can be added to, in the order of `candidates`.
fn largest(
    candidates: &[Candidate],
    are_adjacent: &impl Fn(NodeId, NodeId) -> bool,
) -> Vec<Candidate> {
    let count = candidates.len();
    let node = |at: usize| candidates[at].node;
    let mut missing = vec![0_usize; count];
    let mut is_cut = vec![false; count * count];
    for a in 0..count {
        for b in a + 1..count {
            if !are_adjacent(node(a), node(b)) {
                is_cut[a * count + b] = true;
                is_cut[b * count + a] = true;
                missing[a] += 1;
                missing[b] += 1;
            }
        }
    }
    let mut is_in = vec![true; count];
    // The first of those that miss the most: candidates stand in the order in which they go.
    while let Some(worst) =
        (0..count).filter(|at| is_in[*at] && missing[*at] > 0).rev().max_by_key(|at| missing[*at])
    {
        is_in[worst] = false;
        for other in (0..count).filter(|other| is_cut[worst * count + other]) {
            missing[other] -= 1;
        }
    }
    for at in (0..count).rev() {
        let fits = |other: usize| other == at || !is_in[other] || !is_cut[at * count + other];
        if !is_in[at] && (0..count).all(fits) {
            is_in[at] = true;
        }
    }
    (0..count).filter(|at| is_in[*at]).map(|at| candidates[at]).collect()
}

/// By what two sets of members are compared: the larger one is better, then the one that keeps more of the
/// present view, then the one with the higher ids.
pub(super) fn rank(members: &[NodeId], present: &[NodeId]) -> (usize, usize, Vec<NodeId>) {
    let kept = members.iter().filter(|node| present.contains(node)).count();
    (members.len(), kept, members.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(own: u64, others: &[u64], cuts: &[(u64, u64)]) -> Vec<u64> {
        let candidate = |id: &u64| Candidate { node: NodeId(*id), is_present: true, held: None };
        let candidates: Vec<_> = others.iter().map(candidate).collect();
        let are_adjacent =
            |a: NodeId, b: NodeId| !cuts.contains(&(a.0, b.0)) && !cuts.contains(&(b.0, a.0));
        let members = choose(NodeId(own), &candidates, are_adjacent, 256);
        members.iter().map(|node| node.0).collect()
    }

    #[test]
    fn a_cut_costs_one_node() {
        assert_eq!(chosen(5, &[1, 2, 3, 4], &[]), [5, 4, 3, 2, 1]);
        assert_eq!(chosen(5, &[1, 2, 3, 4], &[(1, 4)]), [5, 4, 3, 2]);
        assert_eq!(chosen(1, &[2, 3, 4, 5], &[(5, 2), (5, 3)]), [4, 3, 2, 1]);
        assert_eq!(chosen(1, &[], &[]), [1]);
    }

    #[test]
    fn who_went_for_another_comes_back_when_that_one_went_too() {
        // 2-3, 3-4, 4-2 cut: only one of them can stay.
        assert_eq!(chosen(1, &[2, 3, 4], &[(2, 3), (3, 4), (4, 2)]), [4, 1]);
        // Two halves that are cut from each other.
        assert_eq!(chosen(9, &[1, 2, 3, 4], &[(1, 3), (1, 4), (2, 3), (2, 4)]), [9, 4, 3]);
    }

    #[test]
    fn part_of_a_view_is_taken_into_a_larger_one_only() {
        let of = |held: Option<(u64, usize)>, own_view: usize| {
            let foreign = Candidate { node: NodeId(9), is_present: false, held };
            let own = (2..=own_view as u64).map(|id| Candidate {
                node: NodeId(id),
                is_present: true,
                held: None,
            });
            let candidates: Vec<_> = own.chain([foreign]).collect();
            choose(NodeId(1), &candidates, |_, _| true, 256).len()
        };
        assert_eq!(of(Some((7, 2)), 1), 1);
        assert_eq!(of(Some((7, 2)), 2), 3);
        assert_eq!(of(Some((7, 1)), 1), 2);
        assert_eq!(of(None, 1), 2);
    }

    #[test]
    fn the_largest_size_is_kept() {
        let candidate = |id| Candidate { node: NodeId(id), is_present: id < 4, held: None };
        let candidates: Vec<_> = (2..10).map(candidate).collect();
        let members = choose(NodeId(1), &candidates, |_, _| true, 4);
        assert_eq!(members, [9, 3, 2, 1].map(NodeId));
    }
}
