//! Values: what a bin holds, how a client writes it, how it is stored, changed and compared.
//!
//! A stored value is a particle type and bytes, and the bytes are exactly those that a reply
//! carries: reading a bin copies, it never converts. Everything that has to be checked or rewritten
//! is done once, on the way in, by [`from_wire`] and by the operations of [`scalar`].
//!
//! Pure functions over bytes: no clock, no I/O, no records. Whatever comes from a client may be
//! wrong in any way; every function answers with the result code the original would give.
//!
//! - [`particle`]: the particle types, [`from_wire`], sizes of the original's stored form;
//! - [`scalar`]: increment, append, prepend;
//! - [`collection`]: lists and maps in msgpack, checked and put into storage form;
//! - [`context`]: the way to what a secondary index holds, checked;
//! - [`indexed`]: what a secondary index finds in a bin;
//! - [`msgpack`], [`order`]: reading, writing, comparing the values inside lists and maps;
//! - [`cdt`]: operations on lists and maps; `list` and `map` are the parts of it that do one or
//!   the other;
//! - [`bits`]: operations on the bits of a blob;
//! - [`hll`]: HyperLogLog sketches;
//! - [`operation`]: what both have in common;
//! - [`geo`]: GeoJSON, its geometry and the cells that cover it.

pub mod bits;
pub mod cdt;
pub mod collection;
pub mod context;
pub mod geo;
pub mod hll;
pub mod indexed;
pub(crate) mod list;
pub(crate) mod map;
pub mod msgpack;
pub mod operation;
pub mod order;
pub mod particle;
pub mod scalar;

pub use particle::{StoredBytes, from_wire, stored_size_bytes};
