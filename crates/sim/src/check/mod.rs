//! What must hold.
//!
//! In the end, when all has healed and nobody writes: the nodes agree on one view and on who has what
//! ([`settle`](self)), replicas have the same records and nobody else has any (`replicas.rs`), what
//! clients were told is so (`history.rs`, and after splits `division.rs`), queries return what is there (`queries.rs`), indexes have it
//! (`indexes.rs`), all have the same metadata (`metadata.rs`), what was truncated is gone (`truncation.rs`),
//! and what had a time to live lived so long (`expiry.rs`).
//! Starts find nothing damaged on disks that keep what was written in order (`disks.rs`).

mod disks;
mod division;
mod expiry;
mod history;
mod indexes;
mod jobs;
mod metadata;
mod queries;
mod replicas;
mod settle;
mod truncation;

use std::fmt;
use std::time::Duration;

/// Something that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By how much writes in quick succession may be later than any clock.
const SUCCESSION: Duration = Duration::from_millis(50);

/// Maps are so old at most, and what nodes know of each other a little older.
const MAP_AGE: Duration = Duration::from_millis(1500);

/// Most findings of one kind that are told.
const FINDINGS_MAX: usize = 8;

/// Adds a finding, unless there are many of its kind.
fn report(findings: &mut Vec<Finding>, already: &mut usize, text: fmt::Arguments<'_>) {
    *already += 1;
    if *already <= FINDINGS_MAX {
        findings.push(Finding(text.to_string()));
    }
}
