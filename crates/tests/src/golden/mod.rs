//! Golden transcripts: generated requests with the replies that the original server gave.
//!
//! A transcript is a list of independent cases; a case is a list of requests on records of its own.
//! Replaying it means to send the requests and to compare the replies. What is compared, and what
//! must differ between two servers (absolute void-times, addresses, node ids), is decided in
//! `compare` and `info`; which requests wait for a later step of this project, in `exceptions`.
//!
//! Read in this order: `transcript`, `reply`, `compare`, `replay`.

mod batch;
mod compare;
mod exceptions;
mod info;
mod link;
mod message;
mod multi;
mod replay;
mod reply;
mod report;
mod text;
mod transcript;

#[cfg(test)]
mod tests;

pub use link::Link;
pub use message::{Field, Message, Op, decode_body};
pub use replay::{Clock, Replay};
pub use report::Report;
pub use transcript::Transcript;
