//! Nodes of two releases in one cluster, while it is upgraded one by one.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use tests::announce;
use tests::cluster::{Cluster, Load, Plan};
use tests::harness::Release;

use crate::rolling::restart_all;
use crate::{check_replicas, check_settled};

/// The program of an older release, where there is one.
const OLD_BINARY: &str = "BOLIDE_OLD_BINARY";

/// What makes the release under test behave as an older one. This is the only place that says it.
const OLDER_ARGUMENTS: [&str; 2] = ["--peer-protocol-max", "1"];

/// The release that the cluster is upgraded from; says which.
fn older() -> Result<Release> {
    let Some(program) = std::env::var_os(OLD_BINARY) else {
        announce(format_args!("upgrade from this release with {OLDER_ARGUMENTS:?}"));
        let arguments = OLDER_ARGUMENTS.map(str::to_owned).to_vec();
        return Ok(Release { program: None, arguments });
    };
    let told = Command::new(&program).arg("--version").output().context(OLD_BINARY)?;
    let version = String::from_utf8_lossy(&told.stdout).trim().to_owned();
    announce(format_args!("upgrade from {}: {version}", program.display()));
    Ok(Release { program: Some(program.into()), arguments: Vec::new() })
}

#[test]
fn an_upgrade_one_by_one_fails_no_request() -> Result<()> {
    let mut plan = Plan::in_memory(2);
    plan.release = older()?;
    let mut cluster = Cluster::start(plan, 3)?;
    let load = Load::start(&cluster.addresses(), "upgrade", 200);
    load.await_successes(400)?;
    // Whoever is restarted from now on comes back as the new one.
    cluster.plan().release = Release::default();
    restart_all(&mut cluster, Duration::ZERO)?;
    load.await_successes(400)?;
    let (ledger, tally) = load.stop()?;
    announce(format_args!("upgrade: {tally}"));
    tally.check_clean()?;
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}
