//! The ticker's lines (configuration reference, ticker lines). Scripts and log tools parse them:
//! the words are the original's.

use std::fmt::Write as _;
use std::sync::atomic::Ordering;

use config::EngineKind;
use engine::Namespace;
use engine::latency::Counts;

use super::families;
use crate::counters::ServiceCounter;
use crate::info::heap_efficiency_pct;
use crate::node::Node;

/// Buckets of a histogram in a line.
const BUCKETS_PER_LINE: usize = 4;

/// Lines about the node as a whole. There are no peers, so what concerns them is zero.
pub(super) fn of_node(node: &Node, out: &mut Vec<String>) {
    let config = node.config();
    let name = config.service.cluster_name.as_deref().unwrap_or_default();
    out.push(format!("NODE-ID {:x} CLUSTER-SIZE 1 CLUSTER-NAME {name}", node.id()));
    out.push("   cluster-clock: skew-ms 0".into());
    of_host(node, out);
    out.push("   in-progress: info-q 0 rw-hash 0 proxy-hash 0 tree-gc-q 0 long-queries 0".into());
    let fds = node.host.connections();
    let (open, opened, closed) = (fds.open, fds.opened, fds.closed);
    out.push(format!("   fds: proto ({open},{opened},{closed}) heartbeat (0,0,0) fabric (0,0,0)"));
    out.push("   heartbeat-received: self 0 foreign 0".into());
    out.push("   fabric-bytes-per-second: bulk (0,0) ctrl (0,0) meta (0,0) rw (0,0)".into());
    of_counters(node, out);
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

/// Lines about a namespace. A node alone is the master of all its partitions.
pub(super) fn of_namespace(namespace: &Namespace, out: &mut Vec<String>) {
    let name = format!("{{{}}}", namespace.name);
    let (objects, tombstones) = (namespace.object_count(), namespace.tombstone_count());
    out.push(format!("{name} objects: all {objects} master {objects} prole 0 non-replica 0"));
    if tombstones != 0 {
        out.push(format!(
            "{name} tombstones: all {tombstones} xdr (0,0) master {tombstones} prole 0 \
             non-replica 0"
        ));
    }
    out.push(format!("{name} migrations: complete"));
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
