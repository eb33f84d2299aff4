//! Whether replicas have the same records, nobody else has any, and statistics count what is there.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use cluster::NodeId;
use engine::Namespace;
use record::{RecordMeta, SecondsSince2010};
use wire::{Digest, PartitionId};

use super::{Finding, report};
use crate::devices::Storage;
use crate::machine::Process;
use crate::world::World;

/// What the trace of a delete takes on a device.
const GRAVE_BYTES: u64 = storage::format::flat::HEADER_BYTES as u64;

/// A record as it is compared: its metadata without the set, whose number is each node's own, and its body.
type Version = (u64, u16, u32, bool, Vec<u8>);

impl World {
    /// Compares what nodes hold.
    pub fn check_replicas(&self, findings: &mut Vec<Finding>) {
        let processes: Vec<_> =
            self.machines.iter().filter_map(|machine| machine.process.as_ref()).collect();
        let mut already = 0;
        // Each node removes by itself what has expired.
        let now = self.latest_seconds();
        for partition in PartitionId::all() {
            compare_partition(partition, &processes, now, findings, &mut already);
        }
        for process in processes {
            recount(process, &self.setup.storage, findings);
        }
    }
}

/// What a node has of a partition, but for what expires by then.
fn records_of(
    namespace: &Namespace,
    partition: PartitionId,
    now: SecondsSince2010,
) -> BTreeMap<[u8; 20], Version> {
    let mut digests = Vec::new();
    namespace.visit_partition(partition, |digest, meta| {
        if !meta.void_time.is_expired(now) {
            digests.push(*digest);
        }
    });
    let records = digests.into_iter().filter_map(|digest| {
        let (meta, bytes) = stored(namespace, &digest)?;
        Some((digest.0, version(&meta, bytes)))
    });
    records.collect()
}

/// A record as it is stored, from its device if it is there.
pub(super) fn stored(namespace: &Namespace, digest: &Digest) -> Option<(RecordMeta, Vec<u8>)> {
    let mut bytes = Vec::new();
    let found =
        storage::blocking(|fetched| namespace.copy_out(digest, fetched, &mut bytes)).ok().flatten();
    found.map(|(meta, _)| (meta, bytes))
}

fn version(meta: &RecordMeta, bytes: Vec<u8>) -> Version {
    (meta.last_update_time.0, meta.generation.0, meta.void_time.0, meta.tombstone, bytes)
}

fn compare_partition(
    partition: PartitionId,
    processes: &[&Process],
    now: SecondsSince2010,
    findings: &mut Vec<Finding>,
    already: &mut usize,
) {
    let number = partition.index();
    let mut first: Option<(NodeId, BTreeMap<[u8; 20], Version>)> = None;
    for process in processes {
        let of = process.table().look(partition);
        let records = records_of(&process.node.namespaces[0], partition, now);
        if of.column().is_none() {
            if !records.is_empty() {
                let (me, count) = (of.me(), records.len());
                report(
                    findings,
                    already,
                    format_args!(
                        "{me} is no replica of partition {number} and has {count} records"
                    ),
                );
            }
            continue;
        }
        let Some((other, theirs)) = &first else {
            first = Some((of.me(), records));
            continue;
        };
        for digest in records.keys().chain(theirs.keys()) {
            let (one, another) = (records.get(digest), theirs.get(digest));
            if one != another {
                let (me, digest) = (of.me(), Digest(*digest));
                report(
                    findings,
                    already,
                    format_args!(
                        "replicas differ in record {digest:?} of partition {number}: {me} has {}, \
                         {other} has {}",
                        brief(one),
                        brief(another)
                    ),
                );
            }
        }
    }
}

fn brief(version: Option<&Version>) -> String {
    match version {
        None => "nothing".into(),
        Some((time, generation, _, tombstone, bytes)) => {
            let kind = if *tombstone { "tombstone" } else { "record" };
            format!("{kind} of {time}, generation {generation}, {} bytes", bytes.len())
        }
    }
}

/// Compares statistics with what is there.
fn recount(process: &Process, storage: &Storage, findings: &mut Vec<Finding>) {
    let namespace = &process.node.namespaces[0];
    let (mut objects, mut tombstones, mut size_bytes, mut graves) = (0u64, 0u64, 0u64, 0u64);
    for partition in PartitionId::all() {
        graves += namespace.partition_counts(partition).graves;
        let mut digests = Vec::new();
        namespace.visit_partition(partition, |digest, _| digests.push(*digest));
        for digest in digests {
            let seen = namespace.inspect(&digest, |of| (of.meta.tombstone, of.size_bytes));
            let Some((tombstone, bytes)) = seen else { continue };
            *(if tombstone { &mut tombstones } else { &mut objects }) += 1;
            size_bytes += bytes as u64;
        }
    }
    let counted =
        (namespace.object_count(), namespace.tombstone_count(), namespace.data_used_bytes());
    let sum = |of: fn(&engine::sets::Set) -> u64| namespace.sets.iter().map(of).sum::<u64>();
    let by_set = (
        sum(|set| set.objects.load(Ordering::Relaxed)),
        sum(|set| set.tombstones.load(Ordering::Relaxed)),
        sum(|set| set.data_used_bytes.load(Ordering::Relaxed)),
    );
    let there = (objects, tombstones, size_bytes);
    // A record in memory weighs what the original's form of it would; the device behind it has ours.
    let is_comparable = storage.disks().is_none_or(|disks| !disks.is_behind_memory);
    // Traces of deletes take space on devices, and are in no set.
    let graves_bytes = graves * GRAVE_BYTES;
    let expected_bytes = if is_comparable { size_bytes + graves_bytes } else { counted.2 };
    if counted != (objects, tombstones, expected_bytes) || by_set != there {
        let me = process.node.cluster.me();
        findings.push(Finding(format!(
            "{me} counts {counted:?} objects, tombstones and bytes, by sets {by_set:?}; there are {there:?} \
             and {graves} traces"
        )));
    }
}
