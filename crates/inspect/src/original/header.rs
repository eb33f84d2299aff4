//! The header of a device of the original: 8 MiB at its beginning, of which little is used.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 8 | magic |
//! | 8 | 4 | version, 4 |
//! | 12 | 32 | namespace, padded with zeros |
//! | 44 | 4 | number of devices |
//! | 48 | 8 | random number that devices of one set share |
//! | 56 | 4 | flags |
//! | 60 | 4 | size of a write block |
//! | 64 | 12 | regime, unused, generation of the roster |
//! | 4,096 | 16 each | for each partition its version (8), its tree (1), zeros |
//! | 69,632 | 4 | number of this device in its set, from 0 |
//! | 69,640 | 80 | the wrapped key and its check, with encryption |
//! | 69,720 | 8 | where the part of the device begins that was never written; 0 for unknown |

use std::io;

use serde::Serialize;
use wire::{Digest, PARTITIONS};

use super::Cursor;

/// Bytes of the header region.
pub const REGION_BYTES: u64 = 8 << 20;
/// Bytes of it that hold something of interest.
pub const USED_BYTES: usize = UNIQUE_AT + UNIQUE_BYTES;

const MAGIC: u64 = 0x4349_7472_7573_0322;
const VERSION: u32 = 4;
const NAMESPACE_BYTES: usize = 32;
const PARTITIONS_AT: usize = 4096;
const PARTITION_BYTES: usize = 16;
const UNIQUE_AT: usize = PARTITIONS_AT + PARTITIONS * PARTITION_BYTES;
const UNIQUE_BYTES: usize = 96;
/// The part of a partition's version that is zero when the node holds nothing of it.
const CLUSTER_KEY_BITS: u64 = (1 << 48) - 1;

/// What a device's flags say.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Flags {
    /// Closed in order.
    pub trusted: bool,
    /// Records without bin names, of old versions.
    pub single_bin: bool,
    /// Encrypted.
    pub encrypted: bool,
    /// The namespace is strongly consistent.
    pub strong_consistency: bool,
    /// Every write is flushed before it is answered.
    pub commit_to_device: bool,
}

/// The header of a device of the original.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceHeader {
    /// Name of the namespace.
    pub namespace: String,
    /// How many devices the set has.
    pub device_count: u32,
    /// The number that they share; 0 on a device that was never used.
    pub random: u64,
    /// The flags.
    pub flags: Flags,
    /// Size in bytes of the blocks that it was last written in.
    pub write_block_bytes: u32,
    /// Its number in the set, from 0.
    pub device: u32,
    /// From here on, in bytes, nothing was ever written; 0 for unknown.
    pub pristine_offset_bytes: u64,
    /// For each partition its tree, or `None` for those of which the node holds nothing.
    #[serde(skip)]
    pub trees: Vec<Option<u8>>,
}

/// Why a device cannot be inspected as one of the original's.
#[derive(Debug, thiserror::Error)]
pub enum NotOriginal {
    /// It cannot be read at all.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// It is smaller than a header.
    #[error("is too small for a device of Aerospike: {0} bytes")]
    TooSmall(u64),
    /// Its beginning is zeros: the original takes it for a fresh one.
    #[error("is fresh: no header was ever written")]
    Fresh,
    /// It does not begin with the original's magic.
    #[error("is not a device of Aerospike")]
    Magic,
    /// It was written by a version with another layout.
    #[error(
        "has version {0} of the layout; this program reads version 4, that of Aerospike 4.6 to 8"
    )]
    Version(u32),
    /// Its records cannot be read without the Enterprise Edition.
    #[error("is encrypted, which only the Enterprise Edition can read")]
    Encrypted,
    /// Its records have no bin names, as in versions before 6.4.
    #[error("holds single-bin data, which no version since 7.0 reads")]
    SingleBin,
    /// Its namespace has no name, or one that is not text.
    #[error("has a damaged header: {0}")]
    Damaged(&'static str),
}

/// Whether bytes begin as a device of the original does.
pub fn is_header(bytes: &[u8]) -> bool {
    Cursor(bytes).u64() == Some(MAGIC)
}

impl DeviceHeader {
    /// Reads a header from the first [`USED_BYTES`] of a device.
    ///
    /// # Errors
    /// [`NotOriginal`] if it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotOriginal> {
        if !is_header(bytes) {
            let fresh = bytes.iter().all(|&byte| byte == 0);
            return Err(if fresh { NotOriginal::Fresh } else { NotOriginal::Magic });
        }
        let version = bytes.get(8..).and_then(|rest| Cursor(rest).u32()).unwrap_or_default();
        if version != VERSION {
            return Err(NotOriginal::Version(version));
        }
        let header = Self::parts(bytes).ok_or(NotOriginal::Damaged("it is not whole"))?;
        match header.namespace.as_str() {
            "" => Err(NotOriginal::Damaged("the namespace has no name")),
            _ if header.flags.encrypted => Err(NotOriginal::Encrypted),
            _ if header.flags.single_bin => Err(NotOriginal::SingleBin),
            _ => Ok(header),
        }
    }

    fn parts(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes.get(12..)?);
        let name = cursor.take(NAMESPACE_BYTES)?;
        let end = name.iter().position(|&byte| byte == 0)?;
        let namespace = String::from_utf8(name.get(..end)?.to_vec()).ok()?;
        let (device_count, random) = (cursor.u32()?, cursor.u64()?);
        let (flags, write_block_bytes) = (cursor.u32()?, cursor.u32()?);
        let partitions = bytes.get(PARTITIONS_AT..UNIQUE_AT)?.chunks_exact(PARTITION_BYTES);
        let mut unique = Cursor(bytes.get(UNIQUE_AT..)?);
        let device = unique.u32()?;
        // Padding, then the key and its check.
        unique.take(4 + 64 + 16)?;
        Some(Self {
            namespace,
            device_count,
            random,
            flags: Flags {
                trusted: flags & 0x01 != 0,
                single_bin: flags & 0x02 != 0,
                encrypted: flags & 0x04 != 0,
                strong_consistency: flags & 0x08 != 0,
                commit_to_device: flags & 0x10 != 0,
            },
            write_block_bytes,
            device,
            pristine_offset_bytes: unique.u64()?,
            trees: partitions.map(tree).collect(),
        })
    }

    /// The tree in which the partition of this record lives, or `None` if the node holds nothing of
    /// the partition.
    pub fn tree_of(&self, digest: &Digest) -> Option<u8> {
        self.trees.get(digest.partition().index()).copied().flatten()
    }
}

fn tree(partition: &[u8]) -> Option<u8> {
    let mut cursor = Cursor(partition);
    let (version, tree) = (cursor.u64()?, cursor.u8()?);
    (version & CLUSTER_KEY_BITS != 0).then_some(tree)
}
