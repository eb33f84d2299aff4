//! A load generator over the client protocol, for any server that speaks it.

mod bins;
mod children;
pub mod cli;
mod echo;
mod engine;
mod info;
mod keys;
mod measure;
mod metrics;
mod procfs;
mod report;
mod rounds;
mod suite;
mod template;
mod workload;
mod zipf;

#[cfg(test)]
mod fake;
