//! For each partition, the members in the order in which they are to have it.

use std::cmp::Reverse;

use wire::{PARTITIONS, PartitionId};

use super::order::HashOrder;
use super::rules::{Member, Rules};
use crate::ids::{NodeId, RackId};

/// The rows of all partitions: see [`super`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Succession {
    /// Descending: the succession list.
    members: Vec<Member>,
    replication_factor: usize,
    /// Places in `members`, row by row.
    rows: Vec<u8>,
}

impl Succession {
    /// Computes the rows of a namespace that these nodes of a view have, in any order.
    ///
    /// `None` for no members, for one that is there twice, and for one that is not in the view.
    pub fn of(order: &HashOrder, members: &[Member], rules: &Rules) -> Option<Self> {
        let mut members = members.to_vec();
        members.sort_by_key(|member| Reverse(member.node));
        let is_set = members.windows(2).all(|pair| pair[0].node != pair[1].node);
        if members.is_empty() || !is_set {
            return None;
        }
        if members.iter().all(|member| member.is_quiesced) {
            // Somebody has to have the partitions.
            members.iter_mut().for_each(|member| member.is_quiesced = false);
        }
        let replication_factor = rules.replication_factor.clamp(1, active(&members).count());
        let rows = hashed_rows(order, &members)?;
        let mut succession = Self { members, replication_factor, rows };
        for column in 0..replication_factor {
            succession.fill_column(column, rules);
        }
        Some(succession)
    }

    /// The members, descending.
    pub fn members(&self) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.members.iter().map(|member| member.node)
    }

    /// Copies of a partition that there are to be.
    pub fn replication_factor(&self) -> usize {
        self.replication_factor
    }

    /// All members in the order in which they are to have a partition. The first
    /// [`Self::replication_factor`] are its replicas, the first of these its final master.
    pub fn row(&self, partition: PartitionId) -> impl ExactSizeIterator<Item = NodeId> + '_ {
        self.row_of_members(partition).map(|(_, node)| node)
    }

    /// The same with the places that they have among the members.
    pub(super) fn row_of_members(
        &self,
        partition: PartitionId,
    ) -> impl ExactSizeIterator<Item = (usize, NodeId)> + '_ {
        let places = self.places(partition.index()).iter();
        places.map(|place| (usize::from(*place), self.member(*place).node))
    }

    fn member(&self, place: u8) -> &Member {
        &self.members[usize::from(place)]
    }

    fn places(&self, row: usize) -> &[u8] {
        let len = self.members.len();
        &self.rows[row * len..][..len]
    }

    /// Moves a member forward to a column; those that it passes keep their order.
    fn pull(&mut self, row: usize, column: usize, from: usize) {
        let len = self.members.len();
        self.rows[row * len..][column..=from].rotate_right(1);
    }

    /// Decides who is in a column; those before are decided already.
    fn fill_column(&mut self, column: usize, rules: &Rules) {
        let choice = Choice::new(&self.members, column, self.replication_factor, rules);
        let mut claims = Claims::new(&self.members, &choice);
        for row in 0..PARTITIONS {
            let pick = self.pick(row, &choice, &claims, rules.is_uniform);
            let pick = pick.unwrap_or_else(|| self.trade(row, &choice, &mut claims));
            claims.take(self.places(row)[pick]);
            self.pull(row, column, pick);
        }
    }

    /// Where in a row the first candidate is; with uniform balance the first with claims left, if any has.
    fn pick(
        &self,
        row: usize,
        choice: &Choice,
        claims: &Claims,
        is_uniform: bool,
    ) -> Option<usize> {
        let places = self.places(row);
        let mut candidates = choice.candidates(&self.members, places);
        candidates.find(|at| !is_uniform || claims.are_left_to(places[*at]))
    }

    /// Where no candidate of a row has claims left, looks for one that gives its place in an earlier row
    /// to a member that has, and returns where it is. If there is none it is the one that took least.
    fn trade(&mut self, row: usize, choice: &Choice, claims: &mut Claims) -> usize {
        let (places, column) = (self.places(row), choice.column);
        let candidates: Vec<_> = choice.candidates(&self.members, places).collect();
        let wanted: Vec<_> = candidates.iter().map(|at| places[*at]).collect();
        // With racks few trades are possible, and shares are not equal in any case.
        let others = if choice.has_racks { 0..0 } else { 0..row };
        for earlier in others.rev() {
            let others = self.places(earlier);
            let Some(at) = wanted.iter().position(|place| *place == others[column]) else {
                continue;
            };
            let may_take = |at: &usize| {
                !self.member(others[*at]).is_quiesced && claims.are_left_to(others[*at])
            };
            if let Some(taker) = (column + 1..others.len()).find(may_take) {
                claims.take(others[taker]);
                claims.give_back(wanted[at]);
                self.pull(earlier, column, taker);
                return candidates[at];
            }
        }
        let least = candidates.iter().min_by_key(|at| claims.taken_by(self.places(row)[**at]));
        least.copied().unwrap_or(column)
    }
}

/// The members' rows: in the order of the hashes, quiesced ones last.
fn hashed_rows(order: &HashOrder, members: &[Member]) -> Option<Vec<u8>> {
    let mut place_of = vec![None; order.nodes().len()];
    for (member, place) in members.iter().zip(0..) {
        place_of[order.place_of(member.node)?] = Some(place as u8);
    }
    let mut rows = Vec::with_capacity(PARTITIONS * members.len());
    for row in order.rows() {
        let places = row.iter().filter_map(|place| place_of[usize::from(*place)]);
        let is_quiesced = |place: &u8| members[usize::from(*place)].is_quiesced;
        rows.extend(places.clone().filter(|place| !is_quiesced(place)));
        rows.extend(places.filter(is_quiesced));
    }
    Some(rows)
}

/// Who may be in a column.
struct Choice {
    column: usize,
    /// The rack whose members it is for.
    rack: Option<RackId>,
    /// Whether replicas are spread over racks.
    has_racks: bool,
}

impl Choice {
    fn new(members: &[Member], column: usize, replication_factor: usize, rules: &Rules) -> Self {
        let mut racks: Vec<_> = active(members).map(|member| member.rack).collect();
        racks.sort_unstable();
        racks.dedup();
        let wanted = rules.active_rack.filter(|rack| racks.contains(rack));
        let rack = wanted.filter(|_| column == 0 && racks.len() <= replication_factor);
        Self { column, rack, has_racks: racks.len() > 1 }
    }

    /// Where in a row those are that may be in the column, first choice first.
    fn candidates<'a>(
        &'a self,
        members: &'a [Member],
        places: &'a [u8],
    ) -> impl Iterator<Item = usize> + 'a {
        let member = |at: usize| &members[usize::from(places[at])];
        let may_be = move |at: &usize| {
            let candidate = member(*at);
            !candidate.is_quiesced && self.rack.is_none_or(|rack| candidate.rack == rack)
        };
        let is_apart = move |at: &usize| {
            (0..self.column).all(|before| member(before).rack != member(*at).rack)
        };
        let all = move || (self.column..places.len()).filter(may_be);
        let spreads = self.has_racks && all().any(|at| is_apart(&at));
        all().filter(move |at| !spreads || is_apart(at))
    }
}

fn active(members: &[Member]) -> impl Iterator<Item = &Member> {
    members.iter().filter(|member| !member.is_quiesced)
}

/// How often each member is in a column, and may be.
struct Claims {
    taken: Vec<u16>,
    /// What each may take.
    share: u16,
    /// How many may take one more.
    extras: usize,
}

impl Claims {
    fn new(members: &[Member], choice: &Choice) -> Self {
        let is_meant = |member: &&Member| choice.rack.is_none_or(|rack| member.rack == rack);
        let count = active(members).filter(is_meant).count().max(1);
        let taken = vec![0; members.len()];
        Self { taken, share: (PARTITIONS / count) as u16, extras: PARTITIONS % count }
    }

    fn taken_by(&self, place: u8) -> u16 {
        self.taken[usize::from(place)]
    }

    fn are_left_to(&self, place: u8) -> bool {
        let taken = self.taken_by(place);
        taken < self.share || taken == self.share && self.extras > 0
    }

    fn take(&mut self, place: u8) {
        let taken = &mut self.taken[usize::from(place)];
        if *taken == self.share {
            self.extras = self.extras.saturating_sub(1);
        }
        *taken += 1;
    }

    fn give_back(&mut self, place: u8) {
        let taken = &mut self.taken[usize::from(place)];
        *taken -= 1;
        if *taken == self.share {
            self.extras += 1;
        }
    }
}
