//! Where copies are: racks, replication factors, namespaces that not all nodes have.

use anyhow::{Result, ensure};
use tests::cluster::{Cluster, Plan};

use crate::NAMESPACE;

#[test]
fn copies_are_on_different_racks() -> Result<()> {
    let mut cluster = Cluster::prepare(Plan::in_memory(2))?;
    // Two racks of two nodes.
    for place in 0..4 {
        let rack = place / 2 + 1;
        *cluster.plan() = Plan::in_memory(2).with(&format!("rack-id {rack}"));
        cluster.add()?;
    }
    cluster.await_stable()?;
    let map = cluster.map("test")?;
    map.check_complete(2)?;
    let rack = |column, partition| map.node(column, partition).map(|place| place / 2);
    for partition in 0..4096 {
        ensure!(rack(0, partition) != rack(1, partition), "partition {partition} is on one rack");
    }
    for place in cluster.places() {
        let racks = cluster.ask(place, "racks:namespace=test")?;
        ensure!(racks == "rack_1=A2,A1:rack_2=A4,A3", "{racks}");
        ensure!(cluster.ask(place, "racks:")? == format!("ns=test:{racks}"));
        ensure!(cluster.ask(place, "rack-ids")? == format!("test:{}", place / 2 + 1));
    }
    Ok(())
}

#[test]
fn three_copies_and_a_namespace_that_others_lack() -> Result<()> {
    let mut cluster = Cluster::prepare(Plan::in_memory(3))?;
    for place in 0..3 {
        let plan = Plan::in_memory(3);
        *cluster.plan() = if place == 1 { plan } else { plan.and_namespace("more", 2, "") };
        cluster.add()?;
    }
    cluster.await_stable()?;
    cluster.map("test")?.check_complete(3)?;
    cluster.map_of(&[0, 2], "more")?.check_complete(2)?;
    ensure!(!cluster.ask(1, "replicas")?.contains("more"));
    ensure!(cluster.number(0, NAMESPACE, "effective_replication_factor")? == 3);
    for place in [0, 2] {
        ensure!(cluster.number(place, "namespace/more", "ns_cluster_size")? == 2);
        ensure!(cluster.number(place, "namespace/more", "effective_replication_factor")? == 2);
    }
    Ok(())
}

/// More copies than nodes are not to be had.
#[test]
fn copies_are_at_most_as_many_as_nodes() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(3), 2)?;
    cluster.map("test")?.check_complete(2)?;
    ensure!(cluster.number(0, NAMESPACE, "effective_replication_factor")? == 2);
    cluster.stop(1)?;
    cluster.await_stable()?;
    cluster.map("test")?.check_complete(1)?;
    ensure!(cluster.number(0, NAMESPACE, "effective_replication_factor")? == 1);
    Ok(())
}
