//! What a walk over a device shows: records, damage, blocks.

use serde::Serialize;
use storage::format::flat::{Found, Kind, Packing};
use wire::Digest;

use crate::original::{FlatRecord, Ignored};
use crate::version::Version;

/// Where a record lies.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Location {
    /// Number of the device on the command line, from 0.
    pub device: u16,
    /// Number of the block.
    pub block: u32,
    /// Where in the block, in bytes.
    pub at: u32,
}

/// The set that a record is in, as far as the walk can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SetName<'b> {
    /// Its name; empty for none.
    Known(&'b [u8]),
    /// It is encrypted.
    Hidden,
}

/// A sound record, whether or not it is the newest version.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'b> {
    /// Its digest.
    pub digest: Digest,
    /// What decides whether it is the newest.
    pub version: Version,
    /// What it is.
    pub kind: Kind,
    /// Where it lies.
    pub location: Location,
    /// The sequence number of its block: of equal versions the one written last counts. 0 where blocks
    /// have none.
    pub sequence: u64,
    /// What it takes on the device, in bytes.
    pub size_bytes: u32,
    /// The set that it is in.
    pub set: SetName<'b>,
    /// All of it, to be read by [`crate::content`].
    pub raw: Raw<'b>,
}

impl Seen<'_> {
    /// Whether its payload is encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(self.raw, Raw::Own(found) if found.header.encrypted)
    }

    /// Whether its body is compressed.
    pub fn is_compressed(&self) -> bool {
        matches!(self.raw, Raw::Own(found) if found.header.packing != Packing::Plain)
    }
}

/// A record in the form of its device.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'b> {
    /// Ours.
    Own(Found<'b>),
    /// The original's.
    Original(FlatRecord<'b>),
}

/// Bytes that should be something and are not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Damage {
    /// Number of the block; none for the header region.
    pub block: Option<u32>,
    /// Where on the device it begins, in bytes.
    pub offset_bytes: u64,
    /// How many bytes.
    pub size_bytes: u64,
    /// What is wrong.
    pub what: String,
}

/// State of a block.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// Nothing was ever written there.
    Blank,
    /// It holds nothing any more.
    Free,
    /// In use, with its end mark.
    Sealed,
    /// In use, and was being filled.
    Open,
    /// In use, without an end mark and with remains of a write behind the last record.
    Torn,
    /// Its header is damaged.
    DamagedHeader,
    /// It could not be read.
    Unreadable,
    /// In use; the original's blocks tell no more.
    InUse,
    /// Not looked at: the original does not read so far.
    Skipped,
}

impl BlockState {
    /// Every state, in the order in which reports count them.
    pub const ALL: [Self; 9] = [
        Self::Sealed,
        Self::Open,
        Self::Torn,
        Self::InUse,
        Self::Free,
        Self::Blank,
        Self::DamagedHeader,
        Self::Unreadable,
        Self::Skipped,
    ];

    /// What a report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Free => "free",
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Torn => "torn",
            Self::DamagedHeader => "header damaged",
            Self::Unreadable => "unreadable",
            Self::InUse => "in use",
            Self::Skipped => "not read",
        }
    }
}

/// What a walk found out about a block.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct BlockInfo {
    /// Its number.
    pub number: u32,
    /// Its state.
    pub state: BlockState,
    /// Its sequence number, if it has one.
    pub sequence: Option<u64>,
    /// Sound records in it, of every kind and age.
    pub records: u32,
    /// Of these, the newest version of a record that is not gone.
    pub live: u32,
    /// Bytes of all records.
    pub used_bytes: u64,
    /// Bytes of the live ones.
    pub live_bytes: u64,
}

impl BlockInfo {
    /// A block without records.
    pub fn new(number: u32, state: BlockState, sequence: Option<u64>) -> Self {
        Self { number, state, sequence, records: 0, live: 0, used_bytes: 0, live_bytes: 0 }
    }
}

/// Takes what a walk shows.
pub trait Visitor {
    /// A sound record.
    ///
    /// # Errors
    /// To end the walk.
    fn record(&mut self, seen: &Seen<'_>) -> anyhow::Result<()>;

    /// A sound record that does not count.
    fn ignored(&mut self, why: Ignored) {
        let _ = why;
    }

    /// Damage.
    fn damage(&mut self, damage: Damage) {
        let _ = damage;
    }

    /// A block, after all that is in it.
    fn block(&mut self, info: BlockInfo) {
        let _ = info;
    }
}
