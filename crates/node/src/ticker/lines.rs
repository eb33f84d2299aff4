//! The ticker's lines (configuration reference, ticker lines). Scripts and log tools parse them:
//! the words are the original's.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use config::EngineKind;
use engine::Namespace;
use engine::latency::Counts;

use super::families;
use crate::counters::ServiceCounter;
use crate::host::Connections;
use crate::info::{Holdings, heap_efficiency_pct};
use crate::node::Node;

/// Buckets of a histogram in a line.
const BUCKETS_PER_LINE: usize = 4;

/// Lines about the node as a whole.
pub(super) fn of_node(node: &Node, out: &mut Vec<String>) {
    let config = node.config();
    let name = config.service.cluster_name.as_deref().unwrap_or_default();
    let size = node.cluster.state().members.len();
    out.push(format!("NODE-ID {:x} CLUSTER-SIZE {size} CLUSTER-NAME {name}", node.id()));
    out.push(format!("   cluster-clock: skew-ms {}", node.clock_skew_ms()));
    of_host(node, out);
    of_peers(node, out);
    of_counters(node, out);
}

fn of_peers(node: &Node, out: &mut Vec<String>) {
    let (records, proxies) = node.traffic.under_way();
    let queries = node.jobs.active_count();
    out.push(format!(
        "   in-progress: info-q 0 rw-hash {records} proxy-hash {proxies} tree-gc-q 0 \
         long-queries {queries}"
    ));
    let Connections { clients, heartbeat, fabric, .. } = node.host.connections();
    let [clients, heartbeat, fabric] =
        [clients, heartbeat, fabric].map(|of| format!("({},{},{})", of.open, of.opened, of.closed));
    out.push(format!("   fds: proto {clients} heartbeat {heartbeat} fabric {fabric}"));
    let foreign = node.traffic.heartbeats_received();
    out.push(format!("   heartbeat-received: self 0 foreign {foreign}"));
    let [b_out, b_in, c_out, c_in, m_out, m_in, r_out, r_in] = node.traffic.rates();
    out.push(format!(
        "   fabric-bytes-per-second: bulk ({b_out},{b_in}) ctrl ({c_out},{c_in}) \
         meta ({m_out},{m_in}) rw ({r_out},{r_in})"
    ));
}

fn of_host(node: &Node, out: &mut Vec<String>) {
    let vitals = node.host.vitals();
    let (user, kernel) = (vitals.system_user_cpu_pct, vitals.system_kernel_cpu_pct);
    out.push(format!(
        "   system: total-cpu-pct {} user-cpu-pct {user} kernel-cpu-pct {kernel} \
         free-mem-kbytes {} free-mem-pct {} thp-mem-kbytes {}",
        user + kernel,
        vitals.system_free_memory_kbytes,
        vitals.system_free_memory_pct,
        vitals.system_thp_memory_kbytes,
    ));
    out.push(format!(
        "   process: cpu-pct {} threads ({},0,0,0) heap-kbytes ({},{},{}) \
         heap-efficiency-pct {:.1}",
        vitals.process_cpu_pct,
        vitals.threads,
        vitals.heap_allocated_kbytes,
        vitals.heap_active_kbytes,
        vitals.heap_mapped_kbytes,
        heap_efficiency_pct(&vitals),
    ));
}

fn of_counters(node: &Node, out: &mut Vec<String>) {
    use ServiceCounter::*;
    let sum = |counter| node.counters.sum(counter);
    let early = [
        DemarshalError,
        EarlyTsvcClientError,
        EarlyTsvcFromProxyError,
        EarlyTsvcFromProxyBatchSubError,
    ]
    .map(sum);
    if early != [0; 4] {
        let [demarshal, client, from_proxy, from_proxy_batch_sub] = early;
        out.push(format!(
            "   early-fail: demarshal {demarshal} tsvc-client {client} \
             tsvc-from-proxy {from_proxy} tsvc-from-proxy-batch-sub {from_proxy_batch_sub}"
        ));
    }
    let batches =
        [BatchIndexComplete, BatchIndexError, BatchIndexTimeout, BatchIndexDelay].map(sum);
    if batches != [0; 4] {
        let [complete, error, timeout, delays] = batches;
        out.push(format!("   batch-index: batches ({complete},{error},{timeout}) delays {delays}"));
    }
}

/// Lines about a namespace.
pub(super) fn of_namespace(node: &Node, namespace: &Namespace, out: &mut Vec<String>) {
    let name = format!("{{{}}}", namespace.name);
    let (objects, tombstones) = (namespace.object_count(), namespace.tombstone_count());
    let Holdings { master, prole, non_replica, .. } = Holdings::of(node, namespace);
    out.push(format!(
        "{name} objects: all {objects} master {} prole {} non-replica {}",
        master.objects, prole.objects, non_replica.objects
    ));
    if tombstones != 0 {
        out.push(format!(
            "{name} tombstones: all {tombstones} xdr (0,0) master {} prole {} non-replica {}",
            master.tombstones, prole.tombstones, non_replica.tombstones
        ));
    }
    out.push(format!("{name} migrations: {}", migrations(node, namespace)));
    out.push(format!("{name} index-usage: used-bytes {}", namespace.index_used_bytes()));
    let set_index = namespace.set_index_used_bytes();
    if set_index != 0 {
        out.push(format!("{name} set-index-usage: used-bytes {set_index}"));
    }
    let sindex = namespace.sindexes.used_bytes();
    if sindex != 0 {
        out.push(format!("{name} sindex-usage: used-bytes {sindex}"));
    }
    let (used, avail_pct) = (namespace.data_used_bytes(), namespace.data_avail_pct());
    let cache_read = cache_read(namespace).unwrap_or_default();
    out.push(format!("{name} data-usage: used-bytes {used} avail-pct {avail_pct}{cache_read}"));
    families::FAMILIES.iter().for_each(|family| out.extend(family.line(namespace)));
}

/// What is still to move of a namespace.
fn migrations(node: &Node, namespace: &Namespace) -> String {
    let place = namespace.number();
    let (left, counts) = (node.migrations_remaining(place), node.migrations.counts(place));
    let remaining = left.tx + left.rx;
    if remaining + left.signals == 0 {
        return "complete".into();
    }
    let initial = [&counts.initial_tx, &counts.initial_rx].map(|of| of.load(Ordering::Relaxed));
    let initial = initial.iter().sum::<u64>().max(remaining as u64).max(1);
    let complete_pct = (1.0 - remaining as f64 / initial as f64) * 100.0;
    format!(
        "remaining ({},{},{}) active ({},{},0) complete-pct {complete_pct:.2}",
        left.tx, left.rx, left.signals, left.active_tx, left.active_rx
    )
}

/// Share of the reads that needed no device, for those that have one.
fn cache_read(namespace: &Namespace) -> Option<String> {
    let hundredths = namespace.gauges.cache_read_pct_hundredths.load(Ordering::Relaxed);
    let shown = format!(" cache-read-pct {}.{:02}", hundredths / 100, hundredths % 100);
    (namespace.config().storage_engine.kind == EngineKind::Device).then_some(shown)
}

/// A dump of a latency histogram: a headline, then the buckets that hold something.
pub(super) fn of_histogram(name: &str, unit: &str, counts: &Counts, out: &mut Vec<String>) {
    out.push(format!("histogram dump: {name} ({} total) {unit}", counts.total()));
    let filled: Vec<_> = counts.0.iter().enumerate().filter(|(_, count)| **count != 0).collect();
    for buckets in filled.chunks(BUCKETS_PER_LINE) {
        let mut line = String::new();
        for (bucket, count) in buckets {
            // Writing to a string cannot fail.
            let _ = write!(line, " ({bucket:02}: {count:010})");
        }
        out.push(line);
    }
}
