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
    let mut cluster = Cluster::start(plan.isolated(), 5)?;
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
    let sides = [("left", ones[0]), ("right", others[0])];
    for (generation, (side, place)) in sides.into_iter().enumerate() {
        change_metadata(&cluster, side, place, generation + 1)?;
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
    check_metadata(&cluster)?;
    check_replicas(&cluster, &ledger, 2)?;
    cluster.kill(0)?;
    cluster.restart(0)?;
    cluster.await_stable()?;
    check_metadata(&cluster)
}

/// Changes something of each kind of metadata on one side of a split: something that the other does not know,
/// and, of what both change, this many times.
fn change_metadata(cluster: &Cluster, side: &str, place: usize, times: usize) -> Result<()> {
    let content = "cmV0dXJuIDEK";
    let module = format!("udf-put:filename={side}.lua;content={content};content-len=12");
    cluster.tell(place, &module)?;
    let bin = side;
    cluster
        .tell(place, &format!("sindex-create:ns=test;indexname={side};indexdata={bin},numeric"))?;
    cluster.tell(place, &format!("truncate:namespace=test;set={side}"))?;
    let setting =
        format!("set-config:context=namespace;namespace=test;set={side};enable-index=true");
    cluster.tell(place, &setting)?;
    for time in 1..=times {
        let count = format!("stop-writes-count={times}00{time}");
        let setting = format!("set-config:context=namespace;namespace=test;set=both;{count}");
        cluster.tell(place, &setting)?;
    }
    Ok(())
}

/// All nodes know what both sides have changed, and of the same thing what was changed more often.
fn check_metadata(cluster: &Cluster) -> Result<()> {
    let settled = || {
        for place in cluster.places() {
            let ask = |command: &str| cluster.ask(place, command);
            for side in ["left", "right"] {
                let (indexes, modules) = (ask("sindex-list")?, ask("udf-list")?);
                ensure!(indexes.contains(&format!("indexname={side}:")), "{indexes}");
                ensure!(modules.contains(&format!("filename={side}.lua,")), "{modules}");
                let truncations = ask("smd-show:module=truncate")?;
                ensure!(truncations.contains(&format!("test|{side}=")), "{truncations}");
                let set = ask(&format!("sets/test/{side}"))?;
                ensure!(set.contains(":enable-index=true:"), "{set}");
            }
            let set = ask("sets/test/both")?;
            ensure!(set.contains(":stop-writes-count=2002:"), "{set}");
        }
        Ok(())
    };
    tests::cluster::until("all nodes have the same metadata", settled)
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
