//! One request's life across the node.
//!
//! A [`Worker`] on each event loop takes request bodies and appends replies. Data commands go to the
//! namespaces of the [`Node`]; info commands are answered from its state and its [`Host`], which is
//! all that the node knows of the outside world.

pub mod batch;
pub mod clustering;
pub mod counters;
pub mod host;
pub mod info;
pub mod metadata;
pub mod node;
pub mod peers;
pub mod ticker;
pub mod udf;
pub mod worker;

mod clock;
mod dispatch;
mod fabric_latency;
mod health;
mod migration;
mod outcome;
mod query;
mod settings;
mod single;
mod traffic;
mod unfinished;
mod waits;

pub use fabric_latency::FrameStep;
pub use host::{Host, Vitals};
pub use node::Node;
pub use unfinished::{Progress, Unfinished};
pub use worker::{Answer, Unanswerable, Worker};
