//! A namespace: records, secondary indexes, sets, settings and statistics, kept in step.
//!
//! Requests of any thread work on a record under its lock in the primary index. The
//! [`supervisor::Supervisor`] removes what has expired, is truncated or has to make room. There is no
//! clock in here: time is an argument; and no I/O but that of devices, by way of `storage`. The only threads are those among which a pass over
//! many records is shared out, and they end with it.

pub mod bell;
pub mod compression;
pub mod copies;
pub mod counters;
pub mod devices;
pub mod drops;
pub mod eviction;
pub mod latencies;
pub mod latency;
pub mod namespace;
pub mod query;
pub mod sets;
pub mod sindex;
pub mod size_histograms;
pub mod stats;
pub mod supervisor;
pub mod sweep;
pub mod truncation;
pub mod udf;

mod delete;
mod filter;
mod read;
mod settings;
mod stop;
mod write;

#[cfg(test)]
mod tests;

pub use counters::Stripe;
pub use namespace::{Namespace, Turn};
