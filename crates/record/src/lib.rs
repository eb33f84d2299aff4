//! One record: its metadata, its stored form, and a request's operations applied to it.
//!
//! Pure functions over bytes: no lock, no clock, no index. Time is an argument.

pub mod meta;

pub use meta::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime};
