//! The service layer over real sockets on loopback.

#![allow(clippy::unwrap_used, reason = "an assertion, in helpers of tests too")]

mod framing;
mod harness;
mod lifecycle;
mod load;
mod pressure;
mod streams;
mod text;
mod waits;
