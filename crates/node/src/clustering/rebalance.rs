//! From what the members of a view told each other to who has which partition.

use std::collections::BTreeSet;
use std::sync::Arc;

use cluster::NodeId;
use cluster::balance::{HashOrder, Member, Rows, Rules, Succession};
use cluster::exchange::{NamespaceOffer, Offers};
use cluster::partition::Partition;
use engine::Namespace;
use record::LastUpdateTime;
use wire::PartitionId;

use super::State;
use crate::host::Topic;
use crate::node::Node;

/// A member of the view that has a namespace.
struct Participant<'o> {
    node: NodeId,
    offer: &'o NamespaceOffer,
    is_quiesced: bool,
}

impl Node {
    /// Balances all namespaces by what the members of the view have.
    pub(super) fn rebalance(&self, offers: Offers) {
        let nodes: Vec<_> = offers.keys().copied().collect();
        let Some(order) = HashOrder::of(&nodes) else { return };
        offers.values().for_each(|offer| self.observe_time(LastUpdateTime(offer.time_ms)));
        let key = self.cluster.state().cluster_key;
        let mut is_visible = self.cluster.partition_generation() < 0;
        for (place, namespace) in self.namespaces.iter().enumerate() {
            match self.balance_namespace(place, namespace, &order, &offers, key) {
                Ok(is_visible_here) => is_visible |= is_visible_here,
                Err(reason) => {
                    let name = &namespace.name;
                    let text = format!("{{{name}}} is not balanced: {reason}");
                    self.host.log().tell(Topic::PartitionTrouble, &text);
                }
            }
        }
        let state = self.cluster.state();
        self.cluster.state.store(Arc::new(State {
            is_balanced: true,
            rebalances: state.rebalances + 1,
            rebalanced_at: self.host.monotonic(),
            offers: Arc::new(offers),
            ..State::clone(&state)
        }));
        if is_visible {
            self.cluster.partitions_changed();
        }
        if nodes.len() > 1 {
            let moves = (0..self.namespaces.len()).map(|place| self.migrations_remaining(place));
            let moves = moves.map(|left| left.tx + left.rx);
            let text = format!(
                "rebalanced under cluster key {key:x}: {} partitions of this node are to move",
                moves.sum::<usize>()
            );
            self.host.log().tell(Topic::Partition, &text);
        }
        // Whoever is told what others have may be waited for.
        self.wake_metadata();
        *self.cluster.moving.lock() = true;
        self.migrations.begin();
    }

    /// Says whether clients are told of another map than before.
    fn balance_namespace(
        &self,
        place: usize,
        namespace: &Arc<Namespace>,
        order: &HashOrder,
        offers: &Offers,
        key: u64,
    ) -> Result<bool, String> {
        let participants: Vec<_> = participants(offers, &namespace.name).collect();
        let rules = rules_of(&participants)?;
        let members: Vec<_> = participants.iter().map(Participant::member).collect();
        let succession = Succession::of(order, &members, &rules)
            .ok_or("the members of the view contradict each other")?;
        let versions = |node| Some(&offers.get(&node)?.namespace(&namespace.name)?.versions);
        let rows =
            Rows::of(&succession, versions).ok_or("not all members have told what they have")?;
        let quiesced = participants.iter().filter(|of| of.is_quiesced);
        let quiesced: BTreeSet<_> = quiesced.map(|of| of.node).collect();
        let table = self.cluster.table(place);
        let replicas = succession.replication_factor();
        let mut is_visible = table.replication_factor() != replicas as u32;
        table.set_replication_factor(replicas as u32);
        namespace.drops.set_on(participants.len() > 1);
        for partition in PartitionId::all() {
            let row = rows.row(partition);
            let lingers = |node| quiesced.contains(&node);
            let (me, versions) = (self.cluster.me(), &row.versions);
            let next = Partition::of(me, &row.nodes, versions, replicas, key, lingers);
            let next = next
                .unwrap_or_else(|| Partition::elsewhere(me, &row.nodes, versions, replicas, key));
            namespace.drops.set_moving(partition, next.is_moving() || !next.duplicates.is_empty());
            let before = table.look(partition);
            is_visible |=
                (0..replicas).any(|column| before.shows_in(column) != next.shows_in(column));
            drop(before);
            table.set(partition, next);
        }
        Ok(is_visible)
    }

    /// Has nobody serve anything.
    pub(super) fn revoke_partitions(&self) {
        for place in 0..self.namespaces.len() {
            let table = self.cluster.table(place);
            for partition in PartitionId::all() {
                let version = table.look(partition).version;
                table.set(partition, Partition::nowhere(self.cluster.me(), version));
            }
        }
        self.cluster.partitions_changed();
    }
}

impl Participant<'_> {
    fn member(&self) -> Member {
        Member { node: self.node, rack: self.offer.rack, is_quiesced: self.is_quiesced }
    }
}

fn participants<'o>(offers: &'o Offers, name: &str) -> impl Iterator<Item = Participant<'o>> {
    offers.iter().filter_map(move |(node, of)| {
        let offer = of.namespace(name)?;
        Some(Participant { node: *node, offer, is_quiesced: of.is_quiesced })
    })
}

/// The rules that all members of a namespace agree on.
fn rules_of(participants: &[Participant<'_>]) -> Result<Rules, String> {
    let mut factors = participants.iter().map(|of| of.offer.replication_factor);
    let factor = factors.next().unwrap_or(1);
    if let Some(other) = factors.find(|other| *other != factor) {
        return Err(format!(
            "replication-factor is {factor} on one node and {other} on another; set the same on all \
             nodes and restart those that differ"
        ));
    }
    let mut racks = participants.iter().map(|of| of.offer.active_rack);
    let active_rack = racks.next().flatten().filter(|rack| racks.all(|other| other == Some(*rack)));
    let is_uniform = participants.iter().all(|of| of.offer.is_uniform);
    Ok(Rules { replication_factor: factor as usize, active_rack, is_uniform })
}
