//! Tests of the crate as a whole; each module lies beside what it tests.

mod golden;
mod registry;
mod robustness;
