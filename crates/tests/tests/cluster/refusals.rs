//! Nodes that must not come in.

use anyhow::{Result, ensure};
use tests::cluster::{Cluster, Plan, until};

#[test]
fn a_second_node_of_the_same_id_stays_out() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 2)?;
    let double = cluster.add_as(Cluster::id(1))?;
    until("the double is noticed", || {
        let log = cluster.log(double)?;
        let tells = log.lines().any(|line| line.contains("a2") && line.contains("node-id"));
        let is_told = log.to_lowercase().contains("duplicate") || tells;
        ensure!(is_told, "its log: {log}");
        Ok(())
    })?;
    // The others go on, and do not know it.
    cluster.await_stable_among(&[0, 1], false)?;
    ensure!(!cluster.ask(0, "peers-clear-std")?.contains(&cluster.address(double).to_string()));
    ensure!(cluster.value(double, "statistics", "cluster_size")? != "2");
    until("statistics tell of it", || {
        for place in [0, double] {
            let told = cluster.value(place, "statistics", "cluster_duplicate_nodes")?;
            ensure!(told == "A2", "node {place} knows of duplicates {told}");
        }
        Ok(())
    })
}

/// As operators do to take a node out of the cluster without stopping it.
#[test]
fn a_node_without_heartbeats_is_left_out_until_it_has_them_again() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    cluster.tell(2, "set-config:context=network;heartbeat.protocol=none")?;
    cluster.await_stable_among(&[0, 1], false)?;
    until("the node is alone", || {
        let size = cluster.value(2, "statistics", "cluster_size")?;
        ensure!(size != "3", "its cluster has {size} nodes");
        Ok(())
    })?;
    cluster.tell(2, "set-config:context=network;heartbeat.protocol=v3")?;
    cluster.await_stable()
}

#[test]
fn a_node_of_another_cluster_is_ignored() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 2)?;
    cluster.plan().name = "another".into();
    let stranger = cluster.add()?;
    cluster.await_stable_among(&[stranger], false)?;
    cluster.await_stable_among(&[0, 1], false)?;
    ensure!(cluster.ask(stranger, "cluster-name")? == "another");
    ensure!(!cluster.ask(0, "peers-clear-std")?.contains(&cluster.address(stranger).to_string()));
    Ok(())
}
