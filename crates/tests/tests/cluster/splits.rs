//! Links that carry nothing, in both directions or in one.

use anyhow::{Result, ensure};
use tests::announce;
use tests::cluster::{Client, Cluster, Links, Load, Plan};
use tests::raw::digest;

use crate::{check_replicas, check_settled};

/// Cuts all links between two groups.
fn cut(cluster: &Cluster, ones: &[usize], others: &[usize]) -> Result<()> {
    for &one in ones {
        for &other in others {
            cluster.links()?.cut(one, other)?;
            cluster.links()?.cut(other, one)?;
        }
    }
    Ok(())
}

fn heal(cluster: &Cluster, ones: &[usize], others: &[usize]) -> Result<()> {
    for &one in ones {
        for &other in others {
            cluster.links()?.heal(one, other)?;
            cluster.links()?.heal(other, one)?;
        }
    }
    Ok(())
}

#[test]
fn both_sides_of_a_split_serve_and_become_one_again() -> Result<()> {
    if !Links::are_possible() {
        return Ok(());
    }
    let plan = Plan::in_memory(2).with("conflict-resolution-policy last-update-time");
    let cluster = Cluster::start(plan.isolated(), 5)?;
    let (ones, others) = ([0, 1], [2, 3, 4]);
    let load = Load::start(&cluster.addresses(), "split", 200);
    load.await_successes(800)?;
    let (mut ledger, tally) = load.stop()?;
    tally.check_clean()?;
    cut(&cluster, &ones, &others)?;
    cluster.await_stable_among(&ones, false)?;
    cluster.await_stable_among(&others, false)?;
    cluster.map_of(&ones, "test")?.check_complete(2)?;
    cluster.map_of(&others, "test")?.check_complete(2)?;
    // Both sides write: first the one, then the other, whose writes are the last.
    let records: Vec<_> = (0..100).map(|record| digest(&format!("both{record}"))).collect();
    for (place, v) in [(ones[0], 1), (others[0], 2)] {
        let mut client = Client::new(&[cluster.address(place)]);
        for record in &records {
            let written = client.write(record, v);
            ensure!(written == Ok(()), "on the side of node {place}: {written:?}");
            ensure!(client.read(record) == Ok((1, v)));
        }
    }
    // What only one side writes is taken over.
    for (label, place) in [("left", ones[1]), ("right", others[1])] {
        let load = Load::start(&[cluster.address(place)], label, 50);
        load.await_successes(200)?;
        let (its, tally) = load.stop()?;
        tally.check_clean()?;
        ledger.extend(its);
    }
    heal(&cluster, &ones, &others)?;
    cluster.await_stable()?;
    announce(format_args!("split: one cluster again"));
    cluster.map("test")?.check_complete(2)?;
    ledger.verify(&cluster.addresses())?;
    let mut client = Client::new(&cluster.addresses());
    for record in &records {
        let found = client.read(record);
        ensure!(found == Ok((1, 2)), "{record:x?} is {found:?}");
    }
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}

/// Whoever is heard by one but does not hear it cannot be in a cluster with it; the rest goes on.
#[test]
fn a_link_that_is_cut_in_one_direction_parts_two_nodes() -> Result<()> {
    if !Links::are_possible() {
        return Ok(());
    }
    let cluster = Cluster::start(Plan::in_memory(2).isolated(), 3)?;
    let load = Load::start(&cluster.addresses(), "oneway", 100);
    load.await_successes(300)?;
    let (ledger, tally) = load.stop()?;
    tally.check_clean()?;
    cluster.links()?.cut(0, 2)?;
    // Either of the two is left out.
    tests::cluster::until("one of the two nodes is left out", || {
        let size = |place| cluster.number(place, "statistics", "cluster_size");
        let sizes = [size(0)?, size(1)?, size(2)?];
        let is_parted = sizes[1] == 2 && (sizes[0] == 2) != (sizes[2] == 2);
        ensure!(is_parted, "the sizes are {sizes:?}");
        Ok(())
    })?;
    cluster.links()?.heal(0, 2)?;
    cluster.await_stable()?;
    cluster.map("test")?.check_complete(2)?;
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}
