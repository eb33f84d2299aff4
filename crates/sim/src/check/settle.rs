//! Whether a world has come to rest.

use cluster::NodeId;
use wire::PartitionId;

use crate::machine::{Process, id_of};
use crate::world::World;

impl World {
    /// What is not at rest, if anything is not: all nodes are to be of one view, to agree on who has which
    /// partition, and to have nothing that still moves.
    pub fn unsettled(&self) -> Option<String> {
        let running: Vec<_> = self.running().collect();
        let mut members: Vec<_> = running.iter().map(|machine| NodeId(id_of(*machine))).collect();
        members.sort_unstable_by(|one, other| other.cmp(one));
        let mut key = None;
        let processes = || self.machines.iter().filter_map(|machine| machine.process.as_ref());
        for process in processes() {
            let (me, state) = (process.node.cluster.me(), process.node.cluster.state());
            if state.members != members {
                return Some(format!("{me} sees {:?} of {members:?}", state.members));
            }
            if *key.get_or_insert(state.cluster_key) != state.cluster_key || !state.is_balanced {
                return Some(format!("{me} is not balanced in the view of the others"));
            }
        }
        if self.machines.iter().any(|machine| machine.paused_until > self.now) {
            return Some("a process is stopped".into());
        }
        PartitionId::all().find_map(|partition| unsettled_partition(partition, processes()))
    }

    /// Whether a node has nothing any more that others need.
    pub fn is_drained(&self, machine: usize) -> bool {
        let Some(process) = &self.machines[machine].process else { return true };
        let is_replica = |partition| process.table().look(partition).column().is_some();
        self.unsettled().is_none() && !PartitionId::all().any(is_replica)
    }
}

fn unsettled_partition<'p>(
    partition: PartitionId,
    processes: impl Iterator<Item = &'p Process>,
) -> Option<String> {
    let number = partition.index();
    let mut first: Option<Vec<NodeId>> = None;
    let mut shown = Vec::new();
    let mut count = 0;
    for process in processes {
        count += 1;
        let of = process.table().look(partition);
        let me = of.me();
        if of.is_moving() || !of.duplicates.is_empty() {
            return Some(format!("{me} still moves partition {number}: {:?}", **of));
        }
        // Who serves is not compared: nodes that took no part in handing it over ask those that did.
        let says = of.replicas().to_vec();
        if first.get_or_insert_with(|| says.clone()) != &says {
            return Some(format!("nodes disagree on partition {number}: {first:?} and {says:?}"));
        }
        if of.column().is_some() && !(of.is_complete() && of.version.is_full()) {
            return Some(format!("{me} lacks parts of partition {number}: {:?}", **of));
        }
        for column in 0..of.replicas().len() {
            if of.shows_in(column) {
                shown.push(column);
            }
        }
    }
    let factor = first.as_ref().map_or(0, Vec::len);
    shown.sort_unstable();
    if count > 0 && (shown != (0..factor).collect::<Vec<_>>() || factor == 0) {
        return Some(format!("partition {number} is shown in columns {shown:?} of {factor}"));
    }
    None
}
