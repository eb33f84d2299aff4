//! The service layer over real sockets on loopback.

#![allow(clippy::unwrap_used, reason = "an assertion, in helpers of tests too")]

mod framing;
mod harness;
mod lifecycle;
mod load;
mod peer_node;
mod peers;
mod pressure;
mod streams;
mod text;
mod waits;
