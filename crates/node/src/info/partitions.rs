//! Partition maps: which node has which partition. A node alone has them all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster::balance::PartitionVersion;
use wire::{PARTITIONS, PartitionId};

use super::call::{Call, Refusal, c_number, put, put_joined};

/// Bytes of a map: a bit for each partition.
const MAP_BYTES: usize = PARTITIONS / 8;
/// Most bytes of a number of maps.
const MAX_BYTES_MAX: usize = 3;
/// Replicas of each partition on a node alone, whatever the replication factor.
const REPLICAS: u32 = 1;

/// How often a bit of a map has changed since the first balance: never, on a node alone.
pub(super) fn generation(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, 0);
    Ok(())
}

pub(super) fn rebalance_generation(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, call.node.view.lock().rebalances);
    Ok(())
}

pub(super) fn count(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, PARTITIONS);
    Ok(())
}

/// Regime, number of maps, and maps of each namespace. `max` limits the maps; a node alone has one
/// in any case.
pub(super) fn replicas(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if let Some(max) = call.optional("max", MAX_BYTES_MAX)? {
        c_number(max).ok_or_else(|| Refusal::parameter("bad max"))?;
    }
    put_maps(call, out, &format!("0,{REPLICAS},"))
}

pub(super) fn replicas_all(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_maps(call, out, &format!("{REPLICAS},"))
}

pub(super) fn replicas_master(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_maps(call, out, "")
}

fn put_maps(call: &Call<'_>, out: &mut Vec<u8>, before: &str) -> Result<(), Refusal> {
    let map = BASE64.encode([0xFF; MAP_BYTES]);
    put_joined(out, b';', &call.node.namespaces, |out, namespace| {
        put(out, format_args!("{}:{before}{map}", namespace.name));
    });
    Ok(())
}

/// Names of the columns of `partition-info`.
const INFO_COLUMNS: &str = "namespace:partition:state:n_replicas:replica:n_dupl:working_master:\
    proxy_dst:emigrates:lead_emigrates:immigrates:records:tombstones:regime:version:final_version";

/// A record for each partition of each namespace.
pub(super) fn info(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let node = call.node.id();
    let version = PartitionVersion::complete(call.node.view.lock().cluster_key, true);
    put(out, INFO_COLUMNS);
    for namespace in &call.node.namespaces {
        for partition in PartitionId::all() {
            let counts = namespace.partition_counts(partition);
            put(
                out,
                format_args!(
                    ";{}:{}:S:{REPLICAS}:0:0:{node:X}:{node:X}:0:0:0:{}:{}:0:{version}:{version}",
                    namespace.name,
                    partition.index(),
                    counts.objects(),
                    counts.tombstones,
                ),
            );
        }
    }
    Ok(())
}
