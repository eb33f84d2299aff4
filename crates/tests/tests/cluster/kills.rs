//! A node that dies under load.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::announce;
use tests::cluster::{Cluster, Load, Plan, until};

use crate::{check_replicas, check_settled};

/// A heartbeat that is missed ten times, a quantum, and what a loaded machine takes besides.
const BOUND: Duration = Duration::from_secs(10);

#[test]
fn a_killed_node_takes_nothing_along() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let load = Load::start(&cluster.addresses(), "kill", 200);
    load.await_successes(800)?;
    load.tally().check_clean()?;
    // The principal, which makes it harder for the others.
    let (killed, left) = (2, [0, 1]);
    let begun = Instant::now();
    cluster.kill(killed)?;
    until("masters for all partitions", || cluster.map_of(&left, "test")?.check_masters())?;
    let served = begun.elapsed();
    until("copies of all partitions", || cluster.map_of(&left, "test")?.check_complete(2))?;
    let copied = begun.elapsed();
    announce(format_args!("kill -9: all is served after {served:?}, and copied after {copied:?}"));
    ensure!(served < BOUND, "it took {served:?} until every partition had a master");
    load.await_successes(400)?;
    cluster.await_stable()?;
    let (ledger, tally) = load.stop()?;
    announce(format_args!("kill -9: {tally}"));
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)?;
    // It comes back with nothing and gets its share.
    cluster.restart(killed)?;
    cluster.await_stable()?;
    cluster.map("test")?.check_complete(2)?;
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}
