//! Reads devices offline, ours and those of the original: checks every checksum, counts what is
//! alive, prints records, and loads them into a running node.
//!
//! Devices are only ever read. A device is walked once for the report, which finds out the newest
//! version of each record, and once more for whoever wants the records themselves.

mod source;

mod newest;
mod seen;
mod version;

mod content;
pub mod original;
mod own;

mod device;
mod header;
mod set;
mod survey;

mod json;

pub mod cli;
mod dump;
mod load;
mod report;

#[cfg(test)]
mod testing;
