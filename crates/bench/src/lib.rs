//! A load generator over the client protocol, for any server that speaks it.

mod bins;
mod keys;
mod template;
mod workload;
mod zipf;
