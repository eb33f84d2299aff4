//! One record: its metadata, its stored form, and a request's operations applied to it.
//!
//! Pure functions over bytes: no lock, no clock, no index. Time is an argument.

pub mod apply;
pub mod body;
pub mod key;
pub mod meta;
pub mod policy;
pub mod read;
pub mod size;
pub mod ttl;
pub mod view;

mod bins;
mod patch;
mod within;

pub use apply::apply;
pub use body::{Body, NewBody};
pub use meta::{Generation, LastUpdateTime, RecordMeta, SecondsSince2010, SetId, VoidTime};
pub use policy::WritePolicy;
pub use read::read;
pub use view::{Medium, Scene, StoredRecord};
