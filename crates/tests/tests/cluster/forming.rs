//! Nodes that find each other and agree on who has what.

use anyhow::{Result, ensure};
use tests::cluster::{Client, Cluster, Plan};
use tests::raw::digest;

use crate::check_settled;

#[test]
fn three_nodes_form_a_cluster() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2).with("prefer-uniform-balance true"), 3)?;
    check_view(&cluster)?;
    cluster.map("test")?.check_complete(2)?;
    for place in cluster.places() {
        let name = "effective_prefer_uniform_balance";
        ensure!(cluster.value(place, "namespace/test", name)? == "true");
    }
    check_balance(&cluster, 2, 1)
}

#[test]
fn five_nodes_form_a_cluster_of_the_original_balance() -> Result<()> {
    let plan = Plan::in_memory(3).with("prefer-uniform-balance false");
    let cluster = Cluster::start(plan, 5)?;
    check_view(&cluster)?;
    cluster.map("test")?.check_complete(3)?;
    // Hashes decide, so that nodes have about as many.
    check_balance(&cluster, 3, 200)?;
    for place in cluster.places() {
        let command = "effective_prefer_uniform_balance";
        ensure!(cluster.value(place, "namespace/test", command)? == "false");
    }
    Ok(())
}

#[test]
fn every_node_serves_every_record() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let records: Vec<_> = (0..150).map(|record| digest(&format!("any{record}"))).collect();
    let mut client = Client::new(&cluster.addresses());
    for (place, record) in records.iter().enumerate() {
        let through = cluster.address(place % 3);
        client.write_through(through, record, 7).map_err(|failure| anyhow::anyhow!("{failure}"))?;
    }
    for place in cluster.places() {
        for record in &records {
            let found = client.read_through(cluster.address(place), record);
            ensure!(found == Ok((1, 7)), "through node {place}: {found:?}");
        }
    }
    let passed_on = cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_complete")?;
    ensure!(passed_on > 0, "nothing was passed on");
    ensure!(cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_error")? == 0);
    let before = passed_on;
    // By the map, nothing need be passed on.
    for record in &records {
        ensure!(client.read(record) == Ok((1, 7)));
    }
    ensure!(cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_complete")? == before);
    ensure!(cluster.sum(&[0, 1, 2], "namespace/test", "master_objects")? == 150);
    ensure!(cluster.sum(&[0, 1, 2], "namespace/test", "prole_objects")? == 150);
    check_settled(&cluster)
}

/// One view, of which all tell the same.
fn check_view(cluster: &Cluster) -> Result<()> {
    let places: Vec<_> = cluster.places().collect();
    let ids: Vec<_> =
        places.iter().rev().map(|place| format!("{:X}", Cluster::id(*place))).collect();
    let key = cluster.value(0, "statistics", "cluster_key")?;
    for &place in &places {
        ensure!(cluster.ask(place, "get-sl")? == ids.join(","));
        ensure!(cluster.value(place, "statistics", "cluster_key")? == key);
        ensure!(cluster.value(place, "statistics", "cluster_principal")? == ids[0]);
        let peers = cluster.ask(place, "peers-clear-std")?;
        for other in &places {
            let (id, address) = (format!("[{:X},", Cluster::id(*other)), cluster.address(*other));
            let is_told = peers.contains(&id) && peers.contains(&address.to_string());
            ensure!(is_told == (*other != place), "node {place} tells of {peers}");
        }
        let generation: u64 = cluster.ask(place, "rebalance-generation")?.parse()?;
        ensure!(generation > 0, "node {place} was never balanced");
    }
    Ok(())
}

/// In each column, nodes have as many partitions as the others, but for so many.
fn check_balance(cluster: &Cluster, columns: usize, spread_max: usize) -> Result<()> {
    let map = cluster.map("test")?;
    for column in 0..columns {
        let counts = map.counts(column);
        ensure!(counts.len() == cluster.places().len(), "column {column}: {counts:?}");
        let (least, most) = (counts.values().min(), counts.values().max());
        let spread = most.zip(least).map_or(0, |(most, least)| most - least);
        ensure!(spread <= spread_max || column > 0, "column {column}: {counts:?}");
    }
    Ok(())
}
