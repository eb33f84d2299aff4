//! Partition maps: which node has which partition.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use cluster::balance::PartitionVersion;
use cluster::partition::Partition;
use wire::{PARTITIONS, PartitionId};

use super::call::{Call, Refusal, c_number, put, put_joined};

/// Bytes of a map: a bit for each partition.
const MAP_BYTES: usize = PARTITIONS / 8;
/// Most bytes of a number of maps.
const MAX_BYTES_MAX: usize = 3;

/// How often a bit of a map has changed since the first balance; -1 before that.
pub(super) fn generation(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, call.node.cluster.partition_generation());
    Ok(())
}

pub(super) fn rebalance_generation(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, call.node.cluster.state().rebalances);
    Ok(())
}

pub(super) fn count(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, PARTITIONS);
    Ok(())
}

/// Regime, number of maps, and maps of each namespace. `max` limits the maps.
pub(super) fn replicas(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let max = match call.optional("max", MAX_BYTES_MAX)? {
        Some(max) => c_number(max).ok_or_else(|| Refusal::parameter("bad max"))?,
        None => 0,
    };
    let max = if max == 0 { usize::MAX } else { max as usize };
    put_maps(call, out, "0,", max);
    Ok(())
}

pub(super) fn replicas_all(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_maps(call, out, "", usize::MAX);
    Ok(())
}

pub(super) fn replicas_master(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b';', call.node.namespaces.iter().enumerate(), |out, (place, namespace)| {
        put(out, format_args!("{}:{}", namespace.name, map(call, place, 0)));
    });
    Ok(())
}

fn put_maps(call: &Call<'_>, out: &mut Vec<u8>, before: &str, max: usize) {
    put_joined(out, b';', call.node.namespaces.iter().enumerate(), |out, (place, namespace)| {
        let columns = call.node.cluster.table(place).replication_factor();
        put(out, format_args!("{}:{before}{columns}", namespace.name));
        for column in 0..(columns as usize).min(max) {
            put(out, format_args!(",{}", map(call, place, column)));
        }
    });
}

/// The partitions that clients are told to be here in a column.
fn map(call: &Call<'_>, place: usize, column: usize) -> String {
    let mut bits = [0u8; MAP_BYTES];
    for partition in PartitionId::all() {
        if call.node.cluster.table(place).look(partition).shows_in(column) {
            let index = partition.index();
            bits[index / 8] |= 0x80 >> (index % 8);
        }
    }
    BASE64.encode(bits)
}

/// Names of the columns of `partition-info`.
const INFO_COLUMNS: &str = "namespace:partition:state:n_replicas:replica:n_dupl:working_master:\
    proxy_dst:emigrates:lead_emigrates:immigrates:records:tombstones:regime:version:final_version";

/// A record for each partition of each namespace.
pub(super) fn info(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, INFO_COLUMNS);
    for (place, namespace) in call.node.namespaces.iter().enumerate() {
        for partition in PartitionId::all() {
            let counts = namespace.partition_counts(partition);
            let of = call.node.cluster.table(place).look(partition);
            let (state, replica) = (state_of(&of, counts.entries > 0), of.column());
            // A node that is no replica is shown in the column behind the last.
            let replica = replica.unwrap_or(of.replicas().len());
            let node = of.destination().map_or(0, |node| node.0);
            let leads = of.lead_gives();
            let (version, last) = (of.version, final_version(&of));
            put(
                out,
                format_args!(
                    ";{}:{}:{state}:{}:{replica}:{}:{node:X}:{node:X}:{}:{leads}:{}:{}:{}:0:\
                     {version}:{last}",
                    namespace.name,
                    partition.index(),
                    of.replicas().len(),
                    of.duplicates.len(),
                    of.gives().len(),
                    of.awaits().len(),
                    counts.objects(),
                    counts.tombstones,
                ),
            );
        }
    }
    Ok(())
}

/// A replica that has everything or waits for it, no replica with data or without, or nothing at all.
fn state_of(partition: &Partition, has_records: bool) -> char {
    match (partition.column(), partition.awaits(), partition.version.has_data()) {
        (Some(_), [], _) => 'S',
        (Some(_), _, _) => 'D',
        (None, _, true) if has_records => 'Z',
        (None, _, true) => 'X',
        (None, _, false) => 'A',
    }
}

/// What the version is to be once nothing moves any more.
fn final_version(partition: &Partition) -> PartitionVersion {
    match partition.column() {
        Some(column) => PartitionVersion::complete(partition.cluster_key, column == 0),
        None => PartitionVersion::NONE,
    }
}
