//! The 20 bytes that identify a record, and what is derived from them.

use std::fmt;

use ripemd::{Digest as _, Ripemd160};

use crate::ParticleType;

/// Partitions of a namespace. Clients compute a record's partition, so the number is part of the
/// protocol.
pub const PARTITIONS: usize = 4096;

/// RIPEMD-160 of a record's set and key. Clients send it; the server never derives it from the key.
///
/// Digests order as byte strings: that is the order in which resumable scans deliver a partition.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct Digest(pub [u8; Digest::SIZE]);

impl Digest {
    /// Bytes of a digest.
    pub const SIZE: usize = 20;

    /// Digest of a user key as every client computes it: set name, key type, key bytes. Integer and
    /// float keys are 8 bytes big-endian, all others their raw bytes.
    pub fn of_key(set: &[u8], key_type: ParticleType, key: &[u8]) -> Self {
        let mut hash = Ripemd160::new();
        hash.update(set);
        hash.update([key_type.0]);
        hash.update(key);
        Self(hash.finalize().into())
    }

    /// The partition that holds this record.
    pub fn partition(&self) -> PartitionId {
        PartitionId(u16::from_le_bytes([self.0[0], self.0[1]]) & (PARTITIONS as u16 - 1))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A partition: always below [`PARTITIONS`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PartitionId(u16);

impl PartitionId {
    /// The partition numbered `id`, or `None` beyond the last.
    pub fn new(id: u16) -> Option<Self> {
        (usize::from(id) < PARTITIONS).then_some(Self(id))
    }

    /// All partitions, ascending.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..PARTITIONS as u16).map(Self)
    }

    /// Its number, for use as an index.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integer_key_digest_matches_the_clients() {
        // The digest that the official clients compute for set "yinfo", string key "r0".
        let digest = Digest::of_key(b"yinfo", ParticleType::STRING, b"r0");
        assert_eq!(digest.to_string(), "fb095f4b17f21e1f1663b7497d442894404dc3e5");
    }

    #[test]
    fn partition_takes_the_low_twelve_bits() {
        let mut digest = Digest([0; 20]);
        digest.0[0] = 0x34;
        digest.0[1] = 0xF2;
        assert_eq!(digest.partition().index(), 0x234);
    }
}
