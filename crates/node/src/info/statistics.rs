//! Statistics of the node as a whole.

use engine::counters::CounterName as _;

use super::call::{Call, Pairs, Refusal, put};
use super::identity::COMPATIBILITY_ID;
use crate::counters::ServiceCounter;
use crate::host::{Connections, Vitals};
use crate::node::Node;
use crate::traffic::RATED;

/// Most bytes of a context's name.
const CONTEXT_BYTES_MAX: usize = 127;

/// All objects of the node.
pub(super) fn objects(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, object_count(call.node));
    Ok(())
}

fn object_count(node: &Node) -> u64 {
    node.namespaces.iter().map(|namespace| namespace.object_count()).sum()
}

/// Statistics of a context. Only shipping has some, and without data centers it has none either.
pub(super) fn of_context(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    match call.required("context", CONTEXT_BYTES_MAX)? {
        b"xdr" => Ok(()),
        _ => Err(Refusal::parameter("unknown context")),
    }
}

/// Statistics of the node, in the order of the statistics reference. What belongs to parts that are
/// not there yet is at its idle value.
pub(super) fn statistics(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut pairs = Pairs::new(out, b';');
    pairs.put("failed_best_practices", false);
    put_cluster(call.node, &mut pairs);
    put_host(call.node, &mut pairs);
    put_work(call.node, &mut pairs);
    put_batches(call.node, &mut pairs);
    put_balance(call.node, &mut pairs);
    Ok(())
}

fn put_cluster(node: &Node, pairs: &mut Pairs<'_>) {
    let state = node.cluster.state();
    let cards = state.directory.peers.values().filter(|peer| peer.is_present);
    let ids: Vec<_> =
        cards.map(|peer| peer.card.compatibility_id).chain([COMPATIBILITY_ID]).collect();
    pairs.put("cluster_size", state.members.len());
    pairs.put("cluster_key", format_args!("{:X}", state.cluster_key));
    pairs.put("cluster_generation", state.generation);
    pairs.put("cluster_principal", format_args!("{:X}", state.principal().map_or(0, |of| of.0)));
    pairs.put("cluster_min_compatibility_id", ids.iter().min().unwrap_or(&COMPATIBILITY_ID));
    pairs.put("cluster_max_compatibility_id", ids.iter().max().unwrap_or(&COMPATIBILITY_ID));
    pairs.put("cluster_integrity", node.has_cluster_integrity());
    pairs.put("cluster_is_member", !state.members.is_empty());
    let duplicates: Vec<_> = node.duplicate_nodes().iter().map(ToString::to_string).collect();
    match &duplicates[..] {
        [] => pairs.put("cluster_duplicate_nodes", "null"),
        ids => pairs.put("cluster_duplicate_nodes", ids.join(",")),
    }
    pairs.put("cluster_clock_skew_stop_writes_sec", 0);
    pairs.put("cluster_clock_skew_ms", node.clock_skew_ms());
    pairs.put("cluster_clock_skew_outliers", "null");
}

fn put_host(node: &Node, pairs: &mut Pairs<'_>) {
    let vitals = node.host.vitals();
    pairs.put("uptime", node.uptime().as_secs());
    pairs.put("system_total_cpu_pct", vitals.system_user_cpu_pct + vitals.system_kernel_cpu_pct);
    pairs.put("system_user_cpu_pct", vitals.system_user_cpu_pct);
    pairs.put("system_kernel_cpu_pct", vitals.system_kernel_cpu_pct);
    pairs.put("system_free_mem_kbytes", vitals.system_free_memory_kbytes);
    pairs.put("system_free_mem_pct", vitals.system_free_memory_pct);
    pairs.put("system_thp_mem_kbytes", vitals.system_thp_memory_kbytes);
    pairs.put("process_cpu_pct", vitals.process_cpu_pct);
    pairs.put("threads_joinable", vitals.threads);
    pairs.put("threads_detached", 0);
    pairs.put("threads_pool_total", 0);
    pairs.put("threads_pool_active", 0);
    pairs.put("heap_allocated_kbytes", vitals.heap_allocated_kbytes);
    pairs.put("heap_active_kbytes", vitals.heap_active_kbytes);
    pairs.put("heap_mapped_kbytes", vitals.heap_mapped_kbytes);
    pairs.put("heap_efficiency_pct", format_args!("{:.0}", heap_efficiency_pct(&vitals)));
    pairs.put("heap_site_count", 0);
}

/// Share of the allocator's active pages that is handed out, in percent.
pub(crate) fn heap_efficiency_pct(vitals: &Vitals) -> f64 {
    match vitals.heap_active_kbytes {
        0 => 0.0,
        active => vitals.heap_allocated_kbytes as f64 * 100.0 / active as f64,
    }
}

fn put_work(node: &Node, pairs: &mut Pairs<'_>) {
    let connections = node.host.connections();
    let tombstones: u64 = node.namespaces.iter().map(|of| of.tombstone_count()).sum();
    pairs.put("objects", object_count(node));
    pairs.put("tombstones", tombstones);
    let (records, proxies) = node.traffic.under_way();
    pairs.put("info_queue", 0);
    pairs.put("rw_in_progress", records);
    pairs.put("proxy_in_progress", proxies);
    pairs.put("tree_gc_queue", 0);
    let Connections { clients, heartbeat, fabric, reaped } = connections;
    for (kind, of) in [("client", clients), ("heartbeat", heartbeat), ("fabric", fabric)] {
        pairs.put(format_args!("{kind}_connections"), of.open);
        pairs.put(format_args!("{kind}_connections_opened"), of.opened);
        pairs.put(format_args!("{kind}_connections_closed"), of.closed);
    }
    // Nobody hears itself.
    pairs.put("heartbeat_received_self", 0);
    pairs.put("heartbeat_received_foreign", node.traffic.heartbeats_received());
    pairs.put("reaped_fds", reaped);
    for counter in [
        ServiceCounter::InfoComplete,
        ServiceCounter::InfoTimeout,
        ServiceCounter::DemarshalError,
        ServiceCounter::EarlyTsvcClientError,
        ServiceCounter::EarlyTsvcFromProxyError,
        ServiceCounter::EarlyTsvcFromProxyBatchSubError,
    ] {
        put_counter(node, pairs, counter);
    }
    pairs.put("long_queries_active", node.jobs.active_count());
}

fn put_counter(node: &Node, pairs: &mut Pairs<'_>, counter: ServiceCounter) {
    pairs.put(counter.name(), node.counters.sum(counter));
}

fn put_batches(node: &Node, pairs: &mut Pairs<'_>) {
    let threads = node.config().service.batch_index_threads.unwrap_or(1);
    let queues = vec!["0:0"; threads as usize].join(",");
    put_counter(node, pairs, ServiceCounter::BatchIndexInitiate);
    pairs.put("batch_index_queue", queues);
    for counter in [
        ServiceCounter::BatchIndexComplete,
        ServiceCounter::BatchIndexError,
        ServiceCounter::BatchIndexTimeout,
        ServiceCounter::BatchIndexDelay,
    ] {
        put_counter(node, pairs, counter);
    }
    // Frames are written where they are sent from: none is kept, none is left.
    let created = node.counters.sum(ServiceCounter::BatchIndexCreatedBuffers);
    pairs.put("batch_index_unused_buffers", 0);
    put_counter(node, pairs, ServiceCounter::BatchIndexHugeBuffers);
    put_counter(node, pairs, ServiceCounter::BatchIndexCreatedBuffers);
    pairs.put("batch_index_destroyed_buffers", created);
    let compression = &node.batch_compression;
    let (uncompressed_pct, ratio) = (compression.uncompressed_pct(), compression.ratio());
    pairs.put("batch_index_proto_uncompressed_pct", format_args!("{uncompressed_pct:.3}"));
    pairs.put("batch_index_proto_compression_ratio", format_args!("{ratio:.3}"));
}

fn put_balance(node: &Node, pairs: &mut Pairs<'_>) {
    let state = node.cluster.state();
    let since = node.host.monotonic().saturating_sub(state.rebalanced_at);
    let remaining: usize = (0..node.namespaces.len())
        .map(|place| node.migrations_remaining(place))
        .map(|of| of.tx + of.rx + of.signals)
        .sum();
    pairs.put("paxos_principal", format_args!("{:X}", state.principal().map_or(0, |of| of.0)));
    pairs.put("time_since_rebalance", since.as_secs());
    pairs.put("migrate_allowed", state.is_balanced);
    pairs.put("migrate_partitions_remaining", remaining);
    for (counter, rate) in RATED.iter().zip(node.traffic.rates()) {
        pairs.put(counter.name(), rate);
    }
}
