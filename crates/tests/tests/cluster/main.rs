//! Clusters of real processes: forming, failures, restarts, growth, splits, and what operators see of them.
//!
//! Tests that cut links need networks of their own (as root on Linux); elsewhere they say so and pass.

mod asadm;
mod clients;
mod forming;
mod growth;
mod kills;
mod pauses;
mod racks;
mod refusals;
mod restarts;
mod rolling;
mod splits;
mod statistics;
mod upgrades;

use anyhow::{Result, ensure};
use tests::cluster::{Cluster, Ledger};

const NAMESPACE: &str = "namespace/test";

/// Demands that nothing moves any more and that nobody keeps what it need not.
fn check_settled(cluster: &Cluster) -> Result<()> {
    for place in cluster.running() {
        let left = cluster.number(place, "statistics", "migrate_partitions_remaining")?;
        ensure!(left == 0, "{left} partitions are to move at node {place}");
        let alien = cluster.number(place, NAMESPACE, "non_replica_objects")?;
        ensure!(alien == 0, "node {place} keeps {alien} records that others have");
    }
    Ok(())
}

/// Demands that so many nodes have each record, and that all have the same of it.
fn check_replicas(cluster: &Cluster, ledger: &Ledger, copies: usize) -> Result<()> {
    // What a record is, without where it is.
    let essence = |shown: &str| {
        let words = shown.split([',', ';', ':']);
        let kept = words.filter(|word| {
            ["generation=", "lut=", "void-time=", "bin-name=", "value="]
                .iter()
                .any(|name| word.starts_with(name))
        });
        kept.collect::<Vec<_>>().join(" ")
    };
    let mut wrong = Vec::new();
    for record in ledger.records() {
        let hex: String = record.iter().map(|byte| format!("{byte:02X}")).collect();
        let command = format!("debug-record:namespace=test;keyd={hex}");
        let mut found = Vec::new();
        for place in cluster.running() {
            let shown = cluster.ask(place, &command)?;
            if !shown.starts_with("ERROR") {
                found.push(essence(&shown));
            }
        }
        if found.len() != copies || found.iter().any(|other| *other != found[0]) {
            wrong.push(format!("{hex}: {found:#?}"));
        }
    }
    let (bad, all) = (wrong.len(), ledger.records().count());
    wrong.truncate(3);
    ensure!(wrong.is_empty(), "{bad} of {all} records differ:\n{}", wrong.join("\n"));
    Ok(())
}
