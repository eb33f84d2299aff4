//! What a node has of a partition, as far as it is compared with another node.

use cluster::fabric::migration::{Known, SPRIGS};
use engine::Namespace;
use wire::{Digest, PartitionId};

/// All records of a partition, tombstones too.
pub(super) fn known(namespace: &Namespace, partition: PartitionId) -> Vec<Known> {
    let mut known = Vec::new();
    namespace.visit_partition(partition, |digest, meta| {
        let (last_update_time, generation) = (meta.last_update_time, meta.generation);
        known.push(Known { digest: *digest, last_update_time, generation });
    });
    known.sort_unstable_by_key(|known| known.digest.0);
    known
}

/// The number of the sprig that a record is in, within its partition.
pub(super) fn sprig_of(digest: &Digest) -> usize {
    usize::from(digest.0[1] >> 4)
}

/// A hash over each sprig: equal where the same versions of the same records are. 0 stands for nothing.
pub(super) fn hashes(known: &[Known]) -> [u64; SPRIGS] {
    let mut hashes = [0u64; SPRIGS];
    for known in known {
        let hash = &mut hashes[sprig_of(&known.digest)];
        *hash = hash.wrapping_add(hash_of(known));
    }
    hashes
}

/// A hash of one version. Digests are hashes already, so little mixing is needed.
fn hash_of(known: &Known) -> u64 {
    let (first, rest) = known.digest.0.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    let second = rest.first_chunk::<8>().unwrap_or(&[0; 8]);
    let version = known.last_update_time.0 << 16 | u64::from(known.generation.0);
    let mixed = u64::from_le_bytes(*first) ^ version.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ mixed >> 31).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (mixed ^ mixed >> 27 ^ u64::from_le_bytes(*second)) | 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::{Generation, LastUpdateTime};

    fn version(number: u8, time: u64, generation: u16) -> Known {
        Known {
            digest: Digest([number; 20]),
            last_update_time: LastUpdateTime(time),
            generation: Generation(generation),
        }
    }

    #[test]
    fn hashes_tell_versions_apart_and_not_their_order() {
        let (one, two) = (version(0x11, 5, 1), version(0x12, 5, 1));
        assert_eq!(hashes(&[one, two]), hashes(&[two, one]));
        assert_eq!(sprig_of(&one.digest), 1);
        for other in [version(0x11, 6, 1), version(0x11, 5, 2), version(0x13, 5, 1)] {
            assert_ne!(hashes(&[one]), hashes(&[other]));
        }
        assert_eq!(hashes(&[]), [0; SPRIGS]);
        assert!(hashes(&[one])[1] != 0);
    }
}
