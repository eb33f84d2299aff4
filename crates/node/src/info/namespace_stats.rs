//! Statistics of a namespace, and after them its settings.

use std::sync::atomic::Ordering::Relaxed;

use config::EngineKind;
use engine::Namespace;
use engine::counters::CounterName as _;
use engine::stats::NamespaceCounter;

use super::call::{Call, Pairs, Refusal, put};
use super::holdings::{Held, Holdings, Standing};
use super::storage_stats::put_storage;
use crate::node::Node;

/// Counters that stand among the gauges instead of in the order of the others.
const AMONG_GAUGES: [NamespaceCounter; 3] = [
    NamespaceCounter::ExpiredObjects,
    NamespaceCounter::EvictedObjects,
    NamespaceCounter::SindexGcCleaned,
];

/// Of strong consistency, which is not there yet.
const APPEALS: [&str; 4] = [
    "appeals_tx_active",
    "appeals_rx_active",
    "appeals_tx_remaining",
    "appeals_records_exonerated",
];

/// `namespace/<ns>`, in the order of the original's replies. What belongs to parts that are not
/// there yet is at its idle value.
pub(super) fn namespace(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let Some(namespace) = call.node.namespace(call.command.arguments) else {
        put(out, "type=unknown");
        return Ok(());
    };
    let mut pairs = Pairs::new(out, b';');
    let standing = Standing::of(call.node, namespace);
    put_objects(call.node, namespace, &standing, &mut pairs);
    let now = call.node.host.now().seconds();
    pairs.put("current_time", now.0);
    put_supervision(namespace, &mut pairs);
    put_space(namespace, &mut pairs);
    put_storage(namespace, &mut pairs);
    put_compression(namespace, &mut pairs);
    put_cluster(&standing, &mut pairs);
    put_migrations(call.node, namespace, &mut pairs);
    pairs.put("migrate_fresh_partitions", standing.fresh_partitions);
    put_idle(&mut pairs, &APPEALS);
    let counters = NamespaceCounter::ALL.iter();
    for counter in counters.filter(|counter| !AMONG_GAUGES.contains(counter)) {
        pairs.put(counter.name(), namespace.counters.sum(*counter));
    }
    for (name, value) in config::namespace_config_pairs(&namespace.config()) {
        pairs.put(name, value);
    }
    Ok(())
}

fn put_idle(pairs: &mut Pairs<'_>, names: &[&str]) {
    names.iter().for_each(|name| pairs.put(name, 0));
}

fn put_objects(node: &Node, namespace: &Namespace, standing: &Standing, pairs: &mut Pairs<'_>) {
    let (objects, tombstones) = (namespace.object_count(), namespace.tombstone_count());
    let holdings = Holdings::of(node, namespace);
    pairs.put("ns_cluster_size", standing.nodes);
    pairs.put("effective_replication_factor", standing.replication_factor);
    pairs.put("objects", objects);
    pairs.put("tombstones", tombstones);
    put_idle(pairs, &["xdr_tombstones", "xdr_bin_cemeteries", "mrt_provisionals"]);
    let Holdings { master, prole, non_replica, unavailable } = holdings;
    for (part, held) in [("master", master), ("prole", prole), ("non_replica", non_replica)] {
        let Held { objects, tombstones } = held;
        pairs.put(format_args!("{part}_objects"), objects);
        pairs.put(format_args!("{part}_tombstones"), tombstones);
    }
    put_idle(pairs, &["unreplicated_records", "dead_partitions"]);
    pairs.put("unavailable_partitions", unavailable);
    put_idle(pairs, &["auto_revived_partitions"]);
    pairs.put("clock_skew_stop_writes", false);
    pairs.put("stop_writes", namespace.gauges.stop_writes.load(Relaxed));
    pairs.put("hwm_breached", namespace.gauges.hwm_breached.load(Relaxed));
}

fn put_supervision(namespace: &Namespace, pairs: &mut Pairs<'_>) {
    let gauges = &namespace.gauges;
    let evict_void_time = gauges.evict_void_time.load(Relaxed);
    let deleted = gauges.nsup_cycle_deleted_pct_hundredths.load(Relaxed);
    let counters = &namespace.counters;
    pairs.put("non_expirable_objects", gauges.non_expirable_objects.load(Relaxed));
    pairs.put("expired_objects", counters.sum(NamespaceCounter::ExpiredObjects));
    pairs.put("evicted_objects", counters.sum(NamespaceCounter::EvictedObjects));
    pairs.put("evict_ttl", gauges.evict_ttl_seconds.load(Relaxed));
    pairs.put("evict_void_time", evict_void_time);
    pairs.put("smd_evict_void_time", evict_void_time);
    pairs.put("nsup_cycle_duration", gauges.nsup_cycle_seconds.load(Relaxed));
    pairs.put("nsup_cycle_deleted_pct", format_args!("{}.{:02}", deleted / 100, deleted % 100));
    pairs.put("nsup_xdr_key_busy", 0);
    pairs.put("truncate_lut", gauges.truncate_lut.load(Relaxed));
    pairs.put("truncating", gauges.truncating.load(Relaxed));
    pairs.put("sindex_gc_cleaned", counters.sum(NamespaceCounter::SindexGcCleaned));
    put_idle(pairs, &["mrt_monitors_active", "xmem_id"]);
}

fn put_space(namespace: &Namespace, pairs: &mut Pairs<'_>) {
    let (index, set_index) = (namespace.index_used_bytes(), namespace.set_index_used_bytes());
    pairs.put("index_used_bytes", index);
    pairs.put("set_index_used_bytes", set_index);
    let sindex = namespace.sindexes.used_bytes();
    pairs.put("sindex_used_bytes", sindex);
    let budget = namespace.config().indexes_memory_budget_bytes;
    if let Some(used_pct) = ((index + set_index + sindex) * 100).checked_div(budget) {
        pairs.put("indexes_memory_used_pct", used_pct);
    }
    pairs.put("data_total_bytes", namespace.data_total_bytes());
    pairs.put("data_used_bytes", namespace.data_used_bytes());
    pairs.put("data_used_pct", namespace.data_used_pct());
    pairs.put("data_avail_pct", namespace.data_avail_pct());
    let ratio = namespace.storage_compression_ratio();
    pairs.put("data_compression_ratio", format_args!("{ratio:.3}"));
    if namespace.config().storage_engine.kind == EngineKind::Device {
        pairs.put("cache_read_pct", namespace.gauges.cache_read_pct_hundredths.load(Relaxed) / 100);
    }
}

fn put_compression(namespace: &Namespace, pairs: &mut Pairs<'_>) {
    let records = &namespace.compression;
    let uncompressed = records.uncompressed_pct();
    pairs.put("record_proto_uncompressed_pct", format_args!("{uncompressed:.3}"));
    pairs.put("record_proto_compression_ratio", format_args!("{:.3}", records.ratio()));
    let rows = &namespace.query_compression;
    let uncompressed = rows.uncompressed_pct();
    pairs.put("query_proto_uncompressed_pct", format_args!("{uncompressed:.3}"));
    pairs.put("query_proto_compression_ratio", format_args!("{:.3}", rows.ratio()));
}

fn put_cluster(standing: &Standing, pairs: &mut Pairs<'_>) {
    pairs.put("pending_quiesce", standing.pending_quiesce);
    pairs.put("effective_is_quiesced", standing.is_quiesced);
    pairs.put("nodes_quiesced", standing.nodes_quiesced);
    pairs.put("effective_prefer_uniform_balance", standing.is_uniform);
    pairs.put("effective_active_rack", standing.active_rack);
}

/// What moves, and what has moved.
fn put_migrations(node: &Node, namespace: &Namespace, pairs: &mut Pairs<'_>) {
    let place = namespace.number();
    let (left, counts) = (node.migrations_remaining(place), node.migrations.counts(place));
    // A receiver that is busy is asked again; nobody refuses for good.
    put_idle(pairs, &["migrate_tx_partitions_imbalance"]);
    pairs.put("migrate_tx_instances", left.active_tx);
    pairs.put("migrate_rx_instances", left.active_rx);
    pairs.put("migrate_tx_partitions_active", left.active_tx);
    pairs.put("migrate_rx_partitions_active", left.active_rx);
    pairs.put("migrate_tx_partitions_initial", counts.initial_tx.load(Relaxed));
    pairs.put("migrate_tx_partitions_remaining", left.tx);
    pairs.put("migrate_tx_partitions_lead_remaining", left.leads);
    pairs.put("migrate_rx_partitions_initial", counts.initial_rx.load(Relaxed));
    pairs.put("migrate_rx_partitions_remaining", left.rx);
    pairs.put("migrate_records_skipped", counts.records_skipped.load(Relaxed));
    pairs.put("migrate_records_transmitted", counts.records_sent.load(Relaxed));
    pairs.put("migrate_record_retransmits", counts.records_resent.load(Relaxed));
    pairs.put("migrate_record_receives", counts.records_received.load(Relaxed));
    pairs.put("migrate_records_unreadable", counts.records_unreadable.load(Relaxed));
    pairs.put("migrate_signals_active", left.active_signals);
    pairs.put("migrate_signals_remaining", left.signals);
}
