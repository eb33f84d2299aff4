//! The registry: one table per context, one row per setting.
//!
//! Parser, bounds, dynamic-set rules, `get-config` output and the generated reference page all read
//! these tables; nothing about a setting is written anywhere else.

mod child;
mod context;
mod fault;
mod number;
pub(crate) mod spec;
mod value;
mod words;

pub use child::Takes;
pub(crate) use child::{Child, Choice, Choices, Named, Nested};
pub(crate) use context::{
    Context, Obsolete, Setting, Table, command, context, show, show_settings,
};
pub use fault::Fault;
pub use number::{Source, parse_duration, parse_number};
pub use spec::{Dynamic, Edition, Kind, Many, Spec, Support};
pub(crate) use value::{Element, Input, Pairs, Value};
pub(crate) use words::words;
