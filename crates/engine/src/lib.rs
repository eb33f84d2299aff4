//! A namespace: records, sets, settings and statistics, kept in step.
//!
//! Requests of any thread work on a record under its lock in the primary index. The
//! [`supervisor::Supervisor`] removes what has expired, is truncated or has to make room. There is no
//! clock, no thread and no I/O in here: time is an argument.

pub mod bell;
pub mod compression;
pub mod counters;
pub mod eviction;
pub mod latencies;
pub mod latency;
pub mod namespace;
pub mod sets;
pub mod size_histograms;
pub mod stats;
pub mod supervisor;
pub mod sweep;

mod delete;
mod read;
mod write;

pub use counters::Stripe;
pub use namespace::{Namespace, Turn};
