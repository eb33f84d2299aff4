//! Where a namespace's records are.
//!
//! [`PrimaryIndex`] maps a record's digest to its [`Entry`]: what is known of the record without
//! reading it, and where it is stored. A namespace is 4,096 partitions of 16 sprigs. A sprig is a
//! lock over a sorted run of entries; **its lock is the record lock**: whoever works on a record
//! holds it from the look-up to the last change ([`PrimaryIndex::read`], [`PrimaryIndex::write`]).
//!
//! Records are enumerated in descending digest order, and a scan resumes below any digest
//! ([`PrimaryIndex::scan_desc`]). A set with an index of its own is scanned without walking the
//! others ([`PrimaryIndex::scan_set_desc`]). What records hold is found by [`SecondaryIndex`], whose
//! entries lead back to the primary index ([`PrimaryIndex::scan_secondary`]).
//!
//! A record costs 39 bytes and its share of slack: about 43 all told. The arithmetic, the
//! alternatives and the measurements stand in `docs/decisions/0001-primary-index.md`.
//!
//! **Invariants.** A thread holds at most one sprig lock at a time. The lock of a set index
//! or a secondary index is taken inside that of a sprig, never around it. This crate never follows a [`Location`].

mod block;
mod entry;
mod guard;
mod handle;
mod heap;
mod pool;
mod prefetch;
mod primary;
mod scan;
mod search;
mod secondary;
mod set_index;
mod size_class;
#[cfg(test)]
mod testing;
mod tree;
mod zeroed;

pub use entry::{Entry, Location, Marks, SPRIGS, SPRIGS_PER_PARTITION};
pub use guard::{ReadGuard, WriteGuard};
pub use heap::OutOfMemory;
pub use prefetch::prefetch;
pub use primary::{Counts, PrimaryIndex};
pub use scan::{ScanItem, ScanProgress, Swept, Verdict};
pub use secondary::{
    BvalOrder, Populated, SecondaryIndex, SecondaryItem, SecondaryPool, SecondaryRange,
};
pub use set_index::SetIndexState;
