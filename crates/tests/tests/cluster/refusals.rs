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
    Ok(())
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
