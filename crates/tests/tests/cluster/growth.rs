//! A node joins under load.

use anyhow::{Result, ensure};
use tests::announce;
use tests::cluster::{Cluster, Load, Plan};

use crate::{NAMESPACE, check_replicas, check_settled};

#[test]
fn a_node_that_joins_gets_its_share() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    // Records that nobody writes while they move, and others.
    let load = Load::start(&cluster.addresses(), "still", 600);
    load.await_successes(1500)?;
    let (still, tally) = load.stop()?;
    tally.check_clean()?;
    let load = Load::start(&cluster.addresses(), "grow", 200);
    load.await_successes(500)?;
    let joined = cluster.add()?;
    cluster.await_stable()?;
    load.await_successes(400)?;
    let (mut ledger, tally) = load.stop()?;
    ledger.extend(still);
    announce(format_args!("growth: {tally}"));
    tally.check_clean()?;
    cluster.map("test")?.check_complete(2)?;
    ledger.verify(&cluster.addresses())?;
    ledger.verify_through(cluster.address(joined))?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)?;
    let all: Vec<_> = cluster.places().collect();
    let records = ledger.len() as u64;
    ensure!(cluster.sum(&all, NAMESPACE, "master_objects")? == records);
    ensure!(cluster.sum(&all, NAMESPACE, "prole_objects")? == records);
    ensure!(cluster.sum(&all, NAMESPACE, "objects")? == 2 * records);
    ensure!(cluster.number(joined, NAMESPACE, "objects")? > records / 4);
    let sum = |name| cluster.sum(&all, NAMESPACE, name);
    let (sent, received) = (sum("migrate_records_transmitted")?, sum("migrate_record_receives")?);
    announce(format_args!("growth: {sent} records were sent, {received} received"));
    ensure!(received > 0 && sent >= received, "{sent} records sent, {received} received");
    ensure!(cluster.number(joined, NAMESPACE, "migrate_rx_partitions_initial")? > 0);
    Ok(())
}
