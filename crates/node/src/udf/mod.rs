//! User-defined functions: their modules, and calls of them.
//!
//! A module comes by an info command, is kept with the system metadata ([`Stored`]) and from there gets to
//! the [`Runner`]. A request that calls a function may take long, so the event loop that read it does not
//! carry it out: it goes into a queue ([`Calls`]), one of the host's threads takes it from there, and the
//! loop sends the answer on. The function runs on a copy of its record without any lock; what it wants is
//! written if the record is still the same, and otherwise it runs again.

mod calls;
pub(crate) mod counters;
mod execute;
mod module;
mod record;
mod runner;

#[cfg(test)]
mod tests;

pub use self::calls::Pending;
pub use self::module::{Stored, hash};
pub use self::runner::Runner;

pub(crate) use self::calls::{Calls, is_call};
pub(crate) use self::execute::{Executed, execute, execute_for, named_call};
pub(crate) use self::record::LoadedRecord;
