//! What must hold.
//!
//! In the end, when all has healed and nobody writes: the nodes agree on one view and on who has what
//! ([`settle`](self)), replicas have the same records and nobody else has any (`replicas.rs`), and what
//! clients were told is so (`history.rs`). Starts find nothing damaged on disks that keep what was written
//! in order (`disks.rs`).

mod disks;
mod history;
mod replicas;
mod settle;

use std::fmt;

/// Something that should not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding(pub String);

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Most findings of one kind that are told.
const FINDINGS_MAX: usize = 8;

/// Adds a finding, unless there are many of its kind.
fn report(findings: &mut Vec<Finding>, already: &mut usize, text: fmt::Arguments<'_>) {
    *already += 1;
    if *already <= FINDINGS_MAX {
        findings.push(Finding(text.to_string()));
    }
}
