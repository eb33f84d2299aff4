//! Whole-server tests: what a client or a tool sees of the real `bolide` process.
//!
//! - [`harness`] starts a server process in a folder of its own and stops it again;
//! - [`cluster`] starts several that form a cluster, and has things happen to them;
//! - [`golden`] replays recorded requests and compares the replies with those of the original;
//! - [`raw`] sends bytes that no client would send;
//! - [`clients`] makes the programs in `clients/` ready, which use the official clients.
//!
//! This crate speaks the wire with a small decoder of its own. Two independent readers of one
//! protocol are the point: a mistake in the product's decoder cannot hide itself here.

pub mod clients;
pub mod cluster;
pub mod golden;
pub mod harness;
pub mod raw;

/// Shows a line also when the test runner captures output, as it does for tests that pass.
pub fn announce(line: impl std::fmt::Display) {
    use std::io::Write;
    // A test that cannot print has nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
