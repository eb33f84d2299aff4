//! Requests built byte by byte, sound or broken on purpose, and a connection that hides nothing.
//!
//! [`Draft`] builds messages whose every part may lie. [`Connection`] sends bytes as they are and
//! tells a reply, a close and silence apart.

mod connection;
mod draft;
mod frame;

pub use crate::golden::{Field, Message, Op};
pub use connection::{Answer, Connection};
pub use draft::{Draft, digest, field, op};
pub use frame::{
    COMPRESSED, INFO, MESSAGE, SECURITY, compressed, frame, frame_of_version, inflate,
};
