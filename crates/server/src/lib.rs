//! The host: everything that touches the outside world.
//!
//! [`start::run`] goes from a command line to a running server. [`net`] is the service layer, which
//! the load generator's echo server uses as well.

pub mod addresses;
pub mod cli;
pub mod cluster;
pub mod devices;
pub mod host;
pub mod jobs;
pub mod limits;
pub mod logging;
pub mod metadata;
pub mod multicast;
pub mod net;
pub mod service;
pub mod signals;
pub mod start;
pub mod supervise;
pub mod ticker;
pub mod vitals;
