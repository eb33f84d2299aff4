//! A node that stands still for longer than the others wait.

use std::time::Duration;

use anyhow::Result;
use tests::announce;
use tests::cluster::{Cluster, Load, Plan};

use crate::{check_replicas, check_settled};

/// Ten times what the heartbeat allows.
const PAUSE: Duration = Duration::from_secs(5);

#[test]
fn a_frozen_node_is_dropped_and_comes_back() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let load = Load::start(&cluster.addresses(), "pause", 200);
    load.await_successes(400)?;
    cluster.freeze(0)?;
    let begun = std::time::Instant::now();
    cluster.await_stable_among(&[1, 2], true)?;
    announce(format_args!("freeze: dropped after {:?}", begun.elapsed()));
    load.await_successes(200)?;
    std::thread::sleep(PAUSE.saturating_sub(begun.elapsed()));
    cluster.thaw(0)?;
    cluster.await_stable()?;
    load.await_successes(400)?;
    // For a moment after it wakes, the node does not know that others serve in its place.
    let (ledger, tally) = load.stop_with_stale_reads();
    announce(format_args!("freeze: {tally} {:?}", tally.wrong.first()));
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}
