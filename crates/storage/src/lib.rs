//! The engines that keep records, each joined to the primary index of a namespace.
//!
//! [`Records`] is all that other crates see: records found by digest, locked while they are worked
//! on. Where a body lies is between the index and the engine, so a location can neither be forged nor
//! outlive its record.

mod aligned;
mod cipher;
mod codec;
mod defrag;
pub mod device;
mod engine;
mod fetch;
pub mod format;
mod guard;
mod headers;
mod log;
mod memory;
mod order;
pub mod packing;
mod pledge;
mod raid;
mod reader;
mod records;
mod secondary;
mod start;
mod tuning;
mod upkeep;
mod volume;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use aligned::{ALIGN_BYTES, AlignedBuf, Span};
pub use cipher::{Cipher, CipherKind, Encryption, KeyError, Secret};
pub use defrag::Moved;
pub use fetch::{Fetch, FetchDone, Fetched, blocking};
pub use guard::{ReadGuard, WriteGuard};
pub use pledge::{Pledge, Pledges, Settled};
pub use reader::{Desk, Reader, Signal, Ticket};
pub use records::{Miss, Records, Refusal, Size, Stored, Verdict};
pub use start::{Bodies, Fate, OpenError, Opening, Progress, Report, Rules, Setup, Way};
pub use tuning::TuningValues;
pub use upkeep::{DeviceStats, ImagePlan, Space};
pub use volume::Incident;

pub use index::{
    BvalOrder, Counts, OutOfMemory, Populated, ScanProgress, SecondaryIndex, SecondaryItem,
    SecondaryPool, SecondaryRange, SetIndexState, Swept,
};
