//! User-defined functions: the only crate that knows Lua.
//!
//! [`Modules`] holds the sources and runs their functions, on one record ([`Modules::apply`]) or over
//! the records of a query ([`Modules::aggregate`]). The host hands in a record as it was loaded and
//! gets back what to write: a function has no effect but its [`Outcome`] and its log lines, so it may
//! run without a lock, and again if the record has changed meanwhile.
//!
//! Scripts are not trusted. They see no files, processes or bytecode; each call ends when its
//! [`Host`] says so, and each state has a memory limit. Lua itself is C and shares the process: that
//! it keeps to what the language promises is the one thing that is believed.
//!
//! - `state`: what a Lua state may do; `prelude.lua` is the part of it that is written in Lua;
//! - `hook`: what ends a call whose time is over;
//! - `objects`: `list`, `map`, `bytes`, `record` and the others, as scripts see them;
//! - `value`, `convert`: values between particles and Lua;
//! - `pattern`: Lua's string patterns, with an eye on the clock;
//! - `record`: the cache of bins that a function changes.

mod call;
mod convert;
mod hook;
mod host;
mod modules;
mod objects;
mod pattern;
mod record;
mod shared;
mod state;
mod stream;
mod value;

pub use call::{Call, Outcome, Reply};
pub use convert::Particle;
pub use host::{Host, Level};
pub use modules::{CompileError, Limits, Modules};
pub use record::{BinWrite, RecordAccess, RecordInfo, Request, Write};
pub use stream::{Sink, Source, StreamFailure};
