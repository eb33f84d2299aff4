//! Clusters of real server processes on this machine, and what happens to them: nodes are killed,
//! frozen, restarted, added, cut off, while a load runs that knows what must not get lost.
//!
//! | what | file |
//! |---|---|
//! | how the nodes are configured | `plan.rs` |
//! | the nodes, and what can be done to them | `nodes.rs` |
//! | waiting for what must become true | `wait.rs` |
//! | networks whose links can be cut | `links.rs` |
//! | partition maps, merged as a client merges them | `maps.rs` |
//! | a client that follows the maps, and its requests | `client.rs` |
//! | load, and the account of what was acknowledged | `load.rs` |

mod client;
mod links;
mod load;
mod maps;
mod nodes;
mod plan;
mod wait;

pub use client::{Client, Failure};
pub use links::Links;
pub use load::{Ledger, Load, Tally};
pub use maps::{Columns, Map};
pub use nodes::{Cluster, value_of};
pub use plan::Plan;
pub use wait::{PATIENCE, until};
