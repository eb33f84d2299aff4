//! The info commands `get-config` and `set-config`, as pure functions over the tree.
//!
//! Source of the rules: sections 10 and 11 of the configuration reference; where they are silent or
//! differ, the recorded replies of the original in `testdata/golden.txt`.

mod get;
mod set;
mod xdr;

pub use get::{get_config, namespace_config_pairs, set_config_pairs};
pub use set::{Applied, Change, is_about_set, set_config, set_in_set};
#[cfg(test)]
pub(crate) use xdr::set as set_xdr;

/// A setting that a command changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    /// As the command names it.
    pub name: String,
    pub old: String,
    pub new: String,
}

/// The parameters of a command: `key=value` pairs separated by `;`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    #[cfg(test)]
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The first value given for `key`. A pair without `=` is none.
    pub fn get(&self, key: &str) -> Option<&'a str> {
        let mut pairs = self.0.split(';').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == key).map(|(_, value)| value)
    }

    fn is_empty(&self) -> bool {
        self.0.split(';').all(str::is_empty)
    }
}

/// Why a command was refused. Renders as the original's answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetConfigError {
    /// A parameter without which the command makes no sense.
    #[error("ERROR:{}:missing '{}'", code(.0), .0)]
    Missing(&'static str),
    /// The same, with an empty value.
    #[error("ERROR:{}:missing '{}' value", code(.0), .0)]
    MissingValue(&'static str),
    /// Longer than any valid value.
    #[error("ERROR:{}:'{}' value too long", code(.0), .0)]
    TooLong(&'static str),
    /// A namespace that this node doesn't have.
    #[error("ERROR:20:namespace not found on node")]
    UnknownNamespace,
    /// A context whose feature is not there yet.
    #[error("ERROR:25:not in this release")]
    NotYet,
    /// Not a context that commands reach.
    #[error("ERROR:4:invalid context")]
    InvalidContext,
    /// Unknown, not dynamic, a bad value, or in conflict with other settings: the original tells
    /// clients no more. The text says it to the log.
    #[error("ERROR:4:invalid set-config parameter")]
    InvalidParameter(String),
}

/// Longest value of a parameter that names something.
const VALUE_MAX: usize = 127;

/// The client-protocol result code that goes with a parameter.
fn code(parameter: &str) -> u8 {
    match parameter {
        "namespace" => 20,
        _ => 4,
    }
}

/// The value of a parameter that must be there.
fn required<'a>(
    params: &Params<'a>,
    key: &'static str,
    alias: Option<&str>,
    length_max: usize,
) -> Result<&'a str, SetConfigError> {
    let value = params.get(key).or_else(|| alias.and_then(|alias| params.get(alias)));
    match value.ok_or(SetConfigError::Missing(key))? {
        "" => Err(SetConfigError::MissingValue(key)),
        value if value.len() > length_max => Err(SetConfigError::TooLong(key)),
        value => Ok(value),
    }
}
