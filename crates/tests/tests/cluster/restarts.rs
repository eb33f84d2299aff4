//! The whole cluster is switched off and on again.

use anyhow::Result;
use tests::announce;
use tests::cluster::{Cluster, Ledger, Load, Plan};

use crate::{check_replicas, check_settled};

#[test]
fn a_cluster_on_devices_comes_back_whole() -> Result<()> {
    let mut cluster = Cluster::start(Plan::on_files(2), 3)?;
    let ledger = filled(&cluster)?;
    for place in cluster.places() {
        cluster.stop(place)?;
    }
    back_again(&mut cluster, &ledger)
}

/// Kills lose nothing either of what was flushed; with `commit-to-device` that is everything.
#[test]
fn a_killed_cluster_on_devices_comes_back_whole() -> Result<()> {
    let mut plan = Plan::on_files(2);
    plan.namespaces = plan.namespaces.replace("filesize", "commit-to-device true\n\t\tfilesize");
    let mut cluster = Cluster::start(plan, 3)?;
    let ledger = filled(&cluster)?;
    for place in cluster.places() {
        cluster.kill(place)?;
    }
    back_again(&mut cluster, &ledger)
}

fn filled(cluster: &Cluster) -> Result<Ledger> {
    let load = Load::start(&cluster.addresses(), "cold", 300);
    load.await_successes(1500)?;
    let (ledger, tally) = load.stop()?;
    announce(format_args!("cold start: {tally}"));
    tally.check_clean()?;
    Ok(ledger)
}

fn back_again(cluster: &mut Cluster, ledger: &Ledger) -> Result<()> {
    for place in cluster.places() {
        cluster.restart(place)?;
    }
    cluster.await_stable()?;
    cluster.map("test")?.check_complete(2)?;
    ledger.verify(&cluster.addresses())?;
    check_settled(cluster)?;
    check_replicas(cluster, ledger, 2)
}
