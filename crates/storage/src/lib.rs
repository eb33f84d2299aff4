//! The engines that keep records, each joined to the primary index of a namespace.
//!
//! [`Records`] is all that other crates see: records found by digest, locked while they are worked
//! on. Where a body lies is between the index and the engine, so a location can neither be forged nor
//! outlive its record.

mod aligned;
pub mod device;
mod fetch;
pub mod format;
mod memory;
pub mod packing;
mod pledge;
mod reader;
mod records;

pub use aligned::{ALIGN_BYTES, AlignedBuf, Span};
pub use fetch::{Fetch, FetchDone, Fetched};
pub use pledge::{Pledge, Pledges, Settled};
pub use reader::{Reader, Signal, Ticket};
pub use records::{Miss, ReadGuard, Records, Refusal, Size, Stored, Verdict, WriteGuard};

pub use index::{Counts, OutOfMemory, SetIndexState, Swept};
