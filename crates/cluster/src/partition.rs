//! A partition as one node has it in a view: what it holds, who serves, what still has to move.
//!
//! [`Partition`] is a value. Every node of a view makes its own of what all have told each other
//! ([`Partition::of`]), and makes the next of the one before when something has moved:
//!
//! 1. whoever serves and whoever has something else *give* what they have to the first of the row;
//! 2. the one that served hands over: from then on the first of the row serves;
//! 3. when the first has everything, it gives that to the replicas that need it;
//! 4. then it tells those that are no replicas to give up what they have.
//!
//! The rules of who gives what are those of [`Roles`].

use std::sync::Arc;

use smallvec::SmallVec;

use crate::NodeId;
use crate::balance::{PartitionVersion, Roles};

/// A few nodes.
pub type Nodes = SmallVec<[NodeId; 3]>;

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Partition {
    /// The view.
    pub cluster_key: u64,
    /// What this node holds.
    pub version: PartitionVersion,
    /// Who serves, as far as this node knows; `None` where there is no view.
    pub working_master: Option<NodeId>,
    /// Who has something that whoever serves may not have. Known to whoever serves.
    pub duplicates: Nodes,
    /// Whether duplicates may have versions that whoever serves has never seen, however old.
    pub restarts_comparison: bool,
    me: NodeId,
    row: Arc<[NodeId]>,
    replicas: usize,
    /// Who still gives to this node.
    awaits: Nodes,
    /// To whom this node still gives.
    gives: Nodes,
    /// Of those, to whom it gave up serving while it gives the rest.
    hands_over: bool,
    /// Whom this node tells at the end.
    informs: Nodes,
    /// Replicas that do not have everything yet, as a set of places.
    open: u32,
    /// Whether this node keeps what it has though it is no replica.
    lingers: bool,
}

/// A step that a node did not expect of another: it is of another view, or came twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unexpected;

/// What a node is to do next for a partition beside serving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Errand {
    /// Give what it has to this node. `leads`: somebody waits for it to be merged, or to serve.
    Give {
        /// To whom.
        to: NodeId,
        /// Whether the receiver, the first of the row, needs it to serve all.
        leads: bool,
    },
    /// Tell this node that everything has moved.
    Inform(NodeId),
}

impl Partition {
    /// The partition on `me` in a row of nodes that have these versions; the first `replicas` are to
    /// have it. `lingers` says of a node whether it keeps what it has though it is no replica.
    ///
    /// `None` if `me` is not in the row.
    pub fn of(
        me: NodeId,
        row: &Arc<[NodeId]>,
        versions: &[PartitionVersion],
        replicas: usize,
        cluster_key: u64,
        lingers: impl Fn(NodeId) -> bool,
    ) -> Option<Self> {
        let place = row.iter().position(|node| *node == me)?;
        let roles = Roles::of(versions, replicas);
        let nodes =
            |places: &[usize]| -> Nodes { places.iter().map(|place| row[*place]).collect() };
        let mut partition = Self {
            cluster_key,
            version: roles.version_at(place, versions, cluster_key, lingers(me)),
            working_master: Some(row[roles.working_master]),
            duplicates: match place == roles.working_master {
                true => nodes(&roles.duplicates),
                false => Nodes::new(),
            },
            restarts_comparison: roles.restarts_comparison,
            me,
            row: Arc::clone(row),
            replicas,
            awaits: Nodes::new(),
            gives: Nodes::new(),
            hands_over: false,
            informs: Nodes::new(),
            open: roles.immigrators.iter().fold(0, |open, place| open | 1 << place),
            lingers: lingers(me),
        };
        if roles.immigrators.is_empty() {
            return Some(partition);
        }
        let served = [roles.working_master];
        let sources = served.iter().chain(&roles.duplicates).filter(|place| **place != 0);
        let sources: Nodes = sources.map(|place| row[*place]).collect();
        let first = row[0];
        if place == 0 {
            partition.gives = nodes(&roles.immigrators);
            partition.gives.retain(|node| *node != first);
            let has_more = (replicas..row.len()).filter(|place| versions[*place].has_data());
            partition.informs = has_more.map(|place| row[place]).collect();
            partition.awaits = sources;
        } else {
            if sources.contains(&me) {
                partition.gives.push(first);
            }
            if roles.immigrators.contains(&place) {
                partition.awaits.push(first);
            }
        }
        Some(partition)
    }

    /// The partition on a node that has nothing to do with it, in a row of others.
    pub fn elsewhere(
        me: NodeId,
        row: &Arc<[NodeId]>,
        versions: &[PartitionVersion],
        replicas: usize,
        cluster_key: u64,
    ) -> Self {
        let nowhere = Self::nowhere(me, PartitionVersion::NONE);
        let first = row.first().copied();
        let of_first = first
            .and_then(|first| Self::of(first, row, versions, replicas, cluster_key, |_| false));
        match of_first {
            Some(of_first) => Self {
                cluster_key,
                working_master: of_first.working_master,
                row: Arc::clone(row),
                replicas: of_first.replicas,
                ..nowhere
            },
            None => nowhere,
        }
    }

    /// The partition of a node alone: all its own.
    pub fn alone(me: NodeId, cluster_key: u64) -> Self {
        let row: Arc<[NodeId]> = [me].into();
        let versions = [PartitionVersion::NONE];
        // The node is in the row.
        let alone = Self::of(me, &row, &versions, 1, cluster_key, |_| false);
        alone.unwrap_or_else(|| Self::nowhere(me, PartitionVersion::NONE))
    }

    /// The partition of a node that is in no view: nobody serves it.
    pub fn nowhere(me: NodeId, version: PartitionVersion) -> Self {
        Self {
            cluster_key: 0,
            version: version.isolated(),
            working_master: None,
            duplicates: Nodes::new(),
            restarts_comparison: false,
            me,
            row: [].into(),
            replicas: 0,
            awaits: Nodes::new(),
            gives: Nodes::new(),
            hands_over: false,
            informs: Nodes::new(),
            open: 0,
            lingers: true,
        }
    }

    /// This node.
    pub fn me(&self) -> NodeId {
        self.me
    }

    /// All nodes in the order in which they are to have the partition.
    pub fn row(&self) -> &[NodeId] {
        &self.row
    }

    /// The nodes that are to have it.
    pub fn replicas(&self) -> &[NodeId] {
        &self.row[..self.replicas]
    }

    /// The place of this node among the replicas.
    pub fn column(&self) -> Option<usize> {
        self.replicas().iter().position(|node| *node == self.me)
    }

    /// Whether this node serves.
    pub fn serves(&self) -> bool {
        self.working_master == Some(self.me) && !self.hands_over
    }

    /// Whether this node serves and no other is to hear of writes, nor has anything: the whole truth
    /// is here.
    #[inline]
    pub fn is_sole(&self) -> bool {
        self.replicas == 1 && self.serves() && self.open == 0
    }

    /// Whether this node is a replica that has everything that there is.
    pub fn is_complete(&self) -> bool {
        self.awaits.is_empty() && self.column().is_some()
    }

    /// Whether a query finds everything here.
    pub fn can_be_queried(&self) -> bool {
        let serves_all = self.serves() && self.duplicates.is_empty();
        self.awaits.is_empty() && (self.column().is_some() || serves_all)
    }

    /// Where a request goes that this node cannot serve; `None` where there is no view.
    pub fn destination(&self) -> Option<NodeId> {
        match self.hands_over {
            true => self.row.first().copied(),
            false => self.working_master,
        }
    }

    /// The other nodes that hear of each write here.
    pub fn others(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.replicas().iter().copied().filter(|node| *node != self.me)
    }

    /// Whether clients are told that this node has the partition in a column of the map: 0 is who
    /// serves.
    pub fn shows_in(&self, column: usize) -> bool {
        if column >= self.replicas.max(1) {
            return false;
        }
        if self.working_master == Some(self.me) && !self.hands_over {
            let is_own = self.column() == Some(column);
            return column == 0 || is_own || self.open & 1 << column != 0;
        }
        column > 0 && self.column() == Some(column) && self.awaits.is_empty()
    }

    /// Who still gives to this node.
    pub fn awaits(&self) -> &[NodeId] {
        &self.awaits
    }

    /// To whom this node still gives, now or later.
    pub fn gives(&self) -> &[NodeId] {
        &self.gives
    }

    /// How many of those somebody waits for: the first of the row, which is to have all.
    pub fn lead_gives(&self) -> usize {
        if self.row.first() == Some(&self.me) { 0 } else { self.gives.len() }
    }

    /// Whom this node still tells that everything has moved.
    pub fn informs(&self) -> &[NodeId] {
        &self.informs
    }

    /// What is to be done now.
    pub fn errand(&self) -> Option<Errand> {
        let is_first = self.row.first() == Some(&self.me);
        if is_first && !self.awaits.is_empty() {
            return None;
        }
        let give = self.gives.first().map(|to| Errand::Give { to: *to, leads: !is_first });
        give.or_else(|| self.informs.first().map(|to| Errand::Inform(*to)))
    }

    /// Whether anything is still to come or to go.
    pub fn is_moving(&self) -> bool {
        !(self.awaits.is_empty() && self.gives.is_empty() && self.informs.is_empty())
    }

    /// Who serves gives it up, because the first of the row has all but the last few records: requests
    /// go there from now on, and wait there.
    #[must_use]
    pub fn handing_over(&self) -> Self {
        Self { hands_over: true, ..self.clone() }
    }

    /// Whether this node gives to that one what it serves.
    pub fn hands_over_to(&self, to: NodeId) -> bool {
        self.working_master == Some(self.me) && self.row.first() == Some(&to) && to != self.me
    }

    /// Another node has given all it has.
    ///
    /// # Errors
    /// [`Unexpected`].
    pub fn received(&self, from: NodeId) -> Result<Self, Unexpected> {
        if !self.awaits.contains(&from) {
            return Err(Unexpected);
        }
        let mut next = self.clone();
        next.awaits.retain(|node| *node != from);
        let is_first = self.column() == Some(0);
        if self.working_master == Some(from) && is_first {
            next.working_master = Some(self.me);
            // What this node itself had that the other lacked is now in one place.
            next.duplicates = next.awaits.clone();
        }
        if is_first && self.working_master == Some(self.me) {
            next.duplicates.retain(|node| *node != from);
        }
        if next.awaits.is_empty() {
            next.version = PartitionVersion::complete(self.cluster_key, is_first);
            next.open &= !self.column().map_or(0, |column| 1 << column);
        }
        Ok(next)
    }

    /// This node has given another all it has.
    ///
    /// # Errors
    /// [`Unexpected`].
    pub fn gave(&self, to: NodeId) -> Result<Self, Unexpected> {
        if !self.gives.contains(&to) {
            return Err(Unexpected);
        }
        let mut next = self.clone();
        next.gives.retain(|node| *node != to);
        if self.row.first() == Some(&self.me) {
            let place = self.row.iter().position(|node| *node == to);
            next.open &= !place.map_or(0, |place| 1 << place);
            return Ok(next);
        }
        // A replica that served all there was has all there is, and hears of every write from now on.
        let keeps_all = self.is_complete() && self.version.is_full();
        next.version = match keeps_all {
            true => PartitionVersion::complete(self.cluster_key, false),
            false => self.version.into_part(self.cluster_key),
        };
        if self.working_master == Some(self.me) {
            next.working_master = Some(to);
            next.hands_over = false;
            next.duplicates = Nodes::new();
            next.open = 0;
        }
        Ok(next)
    }

    /// This node has told another one that everything has moved.
    ///
    /// # Errors
    /// [`Unexpected`].
    pub fn informed(&self, node: NodeId) -> Result<Self, Unexpected> {
        if !self.informs.contains(&node) {
            return Err(Unexpected);
        }
        let mut next = self.clone();
        next.informs.retain(|other| *other != node);
        Ok(next)
    }

    /// Everything has moved, says the first of the row. Says whether this node gives up what it has.
    ///
    /// # Errors
    /// [`Unexpected`].
    pub fn all_done(&self) -> Result<(Self, bool), Unexpected> {
        if self.column().is_some() || !self.gives.is_empty() || self.cluster_key == 0 {
            return Err(Unexpected);
        }
        let mut next = self.clone();
        if self.lingers {
            next.version = self.version.into_part(self.cluster_key);
            return Ok((next, false));
        }
        next.version = PartitionVersion::NONE;
        Ok((next, self.version.has_data()))
    }
}

#[cfg(test)]
mod tests;
