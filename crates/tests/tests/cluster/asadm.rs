//! The operators' tool against a cluster. It is no package of a registry, so it runs where somebody names it.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::cluster::{Cluster, Load, Plan};

/// The command that runs it, with its arguments: `python3 asadm.py`.
const ASADM: &str = "BOLIDE_ASADM";

/// What it is asked, and what its answer has to have of three healthy nodes.
const COMMANDS: [(&str, &[&str]); 16] = [
    ("info", &["Number of rows: 3"]),
    ("info network", &["Number of rows: 3", "True"]),
    ("info namespace", &["Number of rows: 3", "0.000"]),
    ("info set", &[]),
    ("info sindex", &["tool_index", "Read-Write"]),
    ("summary", &["Cluster Size", "|3 ", "Migrations", "|False"]),
    ("health", &["PASS: count", "Cluster integrity fault check", "Services list discrepancy test"]),
    ("show statistics", &["cluster_size", "migrate_partitions_remaining"]),
    ("show config", &["heartbeat.interval", "replication-factor"]),
    ("show config diff", &["node-id"]),
    ("show pmap", &["|   4096|     4096|          0|   0"]),
    ("show stop-writes", &["stop-writes-sys-memory-pct", "False"]),
    ("show best-practices", &["Number of rows: 3"]),
    ("show latencies", &["write"]),
    ("show racks", &["A3"]),
    ("enable; asinfo -v cluster-stable:size=3", &[]),
];

#[test]
fn asadm_shows_a_healthy_cluster() -> Result<()> {
    let Some(given) = std::env::var(ASADM).ok().filter(|given| !given.is_empty()) else {
        announce(format_args!("SKIPPED: asadm, {ASADM} does not say how to run it"));
        return Ok(());
    };
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let load = Load::start(&cluster.addresses(), "tool", 100);
    load.await_successes(200)?;
    load.stop()?.1.check_clean()?;
    cluster.tell(0, "sindex-create:namespace=test;indexname=tool_index;indexdata=n,numeric")?;
    for (command, parts) in COMMANDS {
        let shown = ask(&given, &cluster, command)?;
        for part in parts {
            ensure!(shown.contains(part), "{command} lacks {part}:\n{shown}");
        }
    }
    Ok(())
}

/// What it prints, which is no complaint.
fn ask(given: &str, cluster: &Cluster, command: &str) -> Result<String> {
    let mut words = given.split_whitespace();
    let output = Command::new(words.next().context(ASADM)?)
        .args(words)
        .args(["--no-config-file", "-h", &cluster.address(0).to_string(), "-e", command])
        .output()
        .context(ASADM)?;
    let shown = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    ensure!(output.status.success(), "{command} ended with {}:\n{shown}", output.status);
    // What it says of single nodes that do not answer, or answer with a refusal.
    for complaint in ["Traceback", "ERROR:", "Unable to", "Could not", "CRITICAL"] {
        ensure!(!shown.contains(complaint), "{command}: {complaint}\n{shown}");
    }
    Ok(shown)
}
