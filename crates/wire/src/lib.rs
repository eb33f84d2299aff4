//! The client protocol, both directions: what a server reads a client writes, and back.
//!
//! Everything here turns bytes into types that prove something about them, or types into bytes. No
//! I/O, no clock, no knowledge of records. Multi-byte integers on the wire are big-endian unless an
//! item says otherwise.
//!
//! A server reads a [`proto::ProtoHeader`], then by its type an [`info`] text, an [`admin`] message
//! or a [`Request`], and answers through [`reply`]. A client builds with [`client::RequestBuilder`]
//! and reads with [`client::Reply`].

pub mod admin;
pub mod batch;
pub mod client;
pub mod compress;
pub mod digest;
pub mod info;
pub mod message;
pub mod particle;
pub mod proto;
pub mod query;
pub mod reply;
pub mod request;
pub mod result;

mod cursor;

pub use digest::{Digest, PARTITIONS, PartitionId};
pub use message::{FieldType, Info1, Info2, Info3, Info4, MessageHeader, OpCode};
pub use particle::ParticleType;
pub use proto::{ProtoHeader, ProtoType};
pub use request::{Field, Op, Request};
pub use result::ResultCode;
