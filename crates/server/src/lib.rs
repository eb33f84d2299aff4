//! The host: everything that touches the outside world.

pub mod net;
