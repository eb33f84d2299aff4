//! A load generator over the client protocol, for any server that speaks it.

mod bins;
mod engine;
mod info;
mod keys;
mod measure;
mod metrics;
mod procfs;
mod template;
mod workload;
mod zipf;

#[cfg(test)]
mod fake;
