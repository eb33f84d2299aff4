//! All nodes are restarted, one after the other, and nobody notices.

use std::time::Duration;

use anyhow::{Result, ensure};
use tests::announce;
use tests::cluster::{Cluster, Load, Plan, until};

use crate::{NAMESPACE, check_replicas, check_settled};

/// Restarts every node of a cluster as operators do: quiesced first, so that others have taken over
/// before it ends. Each is away for this long at least.
pub fn restart_all(cluster: &mut Cluster, away: Duration) -> Result<()> {
    for place in cluster.places() {
        cluster.tell(place, "quiesce:")?;
        let pending = cluster.value(place, NAMESPACE, "pending_quiesce")?;
        ensure!(pending == "true", "pending_quiesce of node {place} is {pending}");
        let principal = cluster.principal(&cluster.running())?;
        cluster.tell(principal, "recluster:")?;
        until("the node is quiesced", || {
            let quiesced = cluster.value(place, NAMESPACE, "effective_is_quiesced")?;
            ensure!(quiesced == "true", "effective_is_quiesced is {quiesced}");
            for other in cluster.running() {
                let count = cluster.number(other, NAMESPACE, "nodes_quiesced")?;
                ensure!(count == 1, "nodes_quiesced of {other} is {count}");
            }
            Ok(())
        })?;
        cluster.await_stable()?;
        await_no_requests(cluster, place)?;
        cluster.stop(place)?;
        cluster.await_stable()?;
        std::thread::sleep(away);
        cluster.restart(place)?;
        cluster.await_stable()?;
    }
    Ok(())
}

/// Clients have noticed when requests do not come to the node any more, as the handbook has operators wait
/// for.
fn await_no_requests(cluster: &Cluster, place: usize) -> Result<()> {
    let mut before = None;
    until("requests go elsewhere", || {
        let count = requests(cluster, place)?;
        if before.replace(count) != Some(count) {
            std::thread::sleep(Duration::from_millis(1500));
            anyhow::bail!("it has served {count} requests");
        }
        Ok(())
    })
}

fn requests(cluster: &Cluster, place: usize) -> Result<u64> {
    let names = ["client_read_success", "client_write_success", "client_proxy_complete"];
    names.iter().map(|name| cluster.number(place, NAMESPACE, name)).sum()
}

#[test]
fn a_rolling_restart_fails_no_request() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let load = Load::start(&cluster.addresses(), "roll", 200);
    load.await_successes(400)?;
    restart_all(&mut cluster, Duration::ZERO)?;
    load.await_successes(400)?;
    let (ledger, tally) = load.stop()?;
    announce(format_args!("rolling restart: {tally}"));
    tally.check_clean()?;
    ledger.verify(&cluster.addresses())?;
    check_settled(&cluster)?;
    check_replicas(&cluster, &ledger, 2)
}
