//! Many nodes: who holds which partition.
//!
//! Nothing here does any I/O: time, randomness and messages are arguments, so that the simulator runs
//! what ships.
//!
//! - [`NodeId`], [`RackId`]: by what nodes and racks are known;
//! - [`balance`]: from the members of a view to the order in which they are to have each partition.

pub mod balance;
pub mod exchange;
pub mod fabric;
mod ids;
pub mod partition;

pub use ids::{NodeId, RackId};
