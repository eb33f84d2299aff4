//! The host: everything that touches the outside world.
