//! Expressions: filters of requests, and operations that read or write what they compute
//! (`reference`: expressions.md).
//!
//! A client sends an expression as one msgpack value. [`Program::build`] checks it whole, types
//! included, and compiles it; evaluating can then no longer fail, it can only come out *unknown*: a
//! bin is missing or of another type, an operation inside a call is not possible. Unknown spreads to
//! whatever depends on it. Only logic can absorb it: `false and unknown` is false.
//!
//! - [`Filter`] decides whether a request applies to a record: by its metadata if that is enough,
//!   else by its bins;
//! - [`Operation`] is an expression that reads a value into a reply or writes it into a bin;
//! - [`IndexExpression`] is one whose values a secondary index holds;
//! - [`Metadata`] and [`RecordView`] are what an expression sees of a record.
//!
//! Read in this order: `types`, `operator`, `program`, `build`, `values`, `eval`.

mod build;
mod calls;
mod compare;
mod eval;
mod filter;
mod index;
mod operation;
mod operator;
mod posix;
mod program;
mod types;
mod values;
mod view;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use filter::Filter;
pub use index::IndexExpression;
pub use operation::{Change, Operation};
pub use program::Program;
pub use types::Type;
pub use values::{Particle, Unknown};
pub use view::{Medium, Metadata, RecordView};

/// The bytes are no expression, or one that is ill typed. A client sees result `PARAMETER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl From<value::msgpack::Malformed> for Invalid {
    fn from(_: value::msgpack::Malformed) -> Self {
        Self
    }
}

impl From<Invalid> for wire::ResultCode {
    fn from(_: Invalid) -> Self {
        Self::PARAMETER
    }
}
