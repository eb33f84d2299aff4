//! The client protocol, both directions: what a server reads a client writes, and back.
//!
//! Everything here turns bytes into types that prove something about them, or types into bytes. No
//! I/O, no clock, no knowledge of records. Multi-byte integers on the wire are big-endian unless an
//! item says otherwise.

pub mod digest;
pub mod particle;
pub mod result;

pub use digest::{Digest, PartitionId};
pub use particle::ParticleType;
pub use result::ResultCode;
