//! What an event loop has to do with other nodes: what it asks them and tells them about records, and what
//! it answers them.
//!
//! Each loop has links of its own to every other node, so an answer comes to the loop whose client waits
//! for it. A request that waits for other nodes is parked like one that waits for a device.
//!
//! | task | file |
//! |---|---|
//! | who carries a request out | `admission.rs` |
//! | questions and answers | `calls.rs` |
//! | changes that replicas have to confirm | `copies.rs` |
//! | what other nodes ask | `serve.rs`, about records `records.rs` |

mod admission;
mod calls;
mod copies;
mod records;
mod serve;

pub(crate) use admission::Admission;
pub(crate) use calls::{Asker, PeerAnswer, Peers, Question};
pub(crate) use copies::{Cause, Copies, Uncopied, Waiter, waiter_for, waits_for_all};
pub(crate) use records::append_copy;
pub(crate) use serve::{RowAnswers, Tasks};

use std::net::SocketAddr;

use cluster::fabric::Channel;

/// The number of a connection that another node opened, among all of a loop that there ever were.
pub type LinkId = u64;

/// A connection to another node.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Remote {
    /// One that this loop opened.
    Route(SocketAddr, Channel),
    /// One that the other node opened.
    Incoming(LinkId),
}

#[cfg(test)]
mod tests;
