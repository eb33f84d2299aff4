//! Many nodes: who is there, and who holds which partition.
//!
//! Nothing here does any I/O: time, randomness and messages are arguments, so that the simulator runs
//! what ships.
//!
//! - [`NodeId`], [`RackId`]: by what nodes and racks are known;
//! - [`membership`]: who is alive, and the view that a connected side agrees on;
//! - [`balance`]: from the members of a view to the order in which they are to have each partition.

pub mod balance;
pub mod exchange;
pub mod fabric;
mod ids;
pub mod membership;
pub mod partition;
mod protocol;

pub use ids::{NodeId, RackId};
pub use protocol::{Protocol, Protocols};
