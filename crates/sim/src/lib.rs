//! Whole clusters in one process, under one seed.
//!
//! A [`world::World`] runs the `node` that ships: any number of nodes, each with its event loops and its
//! threads' work, on a virtual clock, a network and hosts that a seed decides about. Clients send what real
//! ones send, [`faults`] break what breaks in reality, and when all has healed, [`check`] compares what the
//! clients were told with what the nodes hold.
//!
//! Nothing here has a thread, a real clock or a real socket, so a seed is all that it takes to see a failure
//! again: [`run::run`].
//!
//! | task | file |
//! |---|---|
//! | the queue of events | `world/mod.rs` |
//! | connections between nodes | `network.rs` |
//! | a node's process, its loops and threads | `machine.rs` |
//! | what its further threads do | `threads.rs` |
//! | clock, log, files of a node | `host.rs` |
//! | disks, and what they may do | `disk.rs` |
//! | what a node keeps on them, and how it opens them | `devices.rs` |
//! | what clients do, and what they were told | `client/` |
//! | what breaks, when | `faults.rs`, `profile.rs` |
//! | what must hold in the end | `check/` |
//! | one run from seed to verdict | `run.rs` |

pub mod check;
pub mod client;
pub mod devices;
pub mod disk;
pub mod faults;
pub mod host;
pub mod machine;
pub mod network;
pub mod profile;
pub mod run;
pub mod threads;
pub mod trace;
pub mod world;
