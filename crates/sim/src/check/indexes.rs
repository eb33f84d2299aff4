//! Whether secondary indexes have the records that are there, and no others.

use wire::PartitionId;

use super::Finding;
use super::replicas::stored;
use crate::machine::Process;
use crate::world::World;
use engine::sindex::{Definition, Sindex, Source};
use record::Body;

impl World {
    /// Recounts the entries of all indexes.
    pub fn check_indexes(&self, findings: &mut Vec<Finding>) {
        for process in self.processes() {
            for index in process.node.namespaces[0].sindexes.all().iter() {
                let (entries, there) = (index.stats().entries, recount(process, index));
                if entries != there {
                    let (me, name) = (process.node.cluster.me(), index.name());
                    let name = String::from_utf8_lossy(&name).into_owned();
                    findings.push(Finding(format!(
                        "{me} has {entries} entries in {name}, and {there} records for it"
                    )));
                }
            }
        }
    }
}

/// Records that have a number in the bin of an index, and are in its set.
fn recount(process: &Process, index: &Sindex) -> u64 {
    let Definition { set, source, .. } = &index.definition;
    let Source::Bin { name, .. } = source else { return 0 };
    let namespace = &process.node.namespaces[0];
    let mut digests = Vec::new();
    for partition in PartitionId::all() {
        namespace.visit_partition(partition, |digest, meta| {
            let of = namespace.sets.by_id(meta.set).map(|set| &set.name[..]);
            if !meta.tombstone && (set.is_none() || of == set.as_deref()) {
                digests.push(*digest);
            }
        });
    }
    let has_bin = |digest: &&wire::Digest| {
        let body = stored(namespace, digest).map(|(_, bytes)| bytes).unwrap_or_default();
        Body::checked(&body).is_some_and(|body| body.bin(name).is_some())
    };
    digests.iter().filter(has_bin).count() as u64
}
