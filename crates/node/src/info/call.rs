//! One info command at work: its parameters, and the ways in which it is refused.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use config::NAMESPACE_NAME_MAX;
use engine::Namespace;
use wire::ResultCode;
use wire::info::{Command, ParamError, Params};

use crate::node::Node;

/// A command, with what its handler may look at.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub node: &'a Node,
    pub command: Command<'a>,
    /// Who asks.
    pub from: SocketAddr,
}

/// Appends a command's value, or refuses.
///
/// What was appended before a refusal stays: the original runs some checks on after the first has
/// failed, and answers with all their texts in a row.
pub(crate) type Handler = fn(&Call<'_>, &mut Vec<u8>) -> Result<(), Refusal>;

/// Why a command is not carried out. Renders as the answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    code: ResultCode,
    text: Cow<'static, str>,
}

impl Refusal {
    pub fn new(code: ResultCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// A parameter that makes no sense.
    pub fn parameter(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ResultCode::PARAMETER, text)
    }

    /// What a later release will do.
    pub fn later(text: &'static str) -> Self {
        Self::new(ResultCode::ENTERPRISE_ONLY, text)
    }

    pub fn unknown_namespace() -> Self {
        Self::new(ResultCode::NAMESPACE, "namespace not found on node")
    }

    fn of_param(key: &str, error: ParamError) -> Self {
        let code = match key {
            "namespace" => ResultCode::NAMESPACE,
            _ => ResultCode::PARAMETER,
        };
        let text = match error {
            ParamError::Missing => format!("missing '{key}'"),
            ParamError::Empty => format!("missing '{key}' value"),
            ParamError::TooLong => format!("'{key}' value too long"),
        };
        Self::new(code, text)
    }
}

impl fmt::Display for Refusal {
    /// The code of an unspecified failure is left out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            ResultCode::UNKNOWN => write!(f, "ERROR::{}", self.text),
            ResultCode(code) => write!(f, "ERROR:{code}:{}", self.text),
        }
    }
}

impl<'a> Call<'a> {
    pub fn params(&self) -> Params<'a> {
        self.command.params()
    }

    /// A parameter's value of at most `bytes_max` bytes.
    pub fn required(&self, key: &'static str, bytes_max: usize) -> Result<&'a [u8], Refusal> {
        self.params().get(key, bytes_max).map_err(|error| Refusal::of_param(key, error))
    }

    /// The same, `None` when the parameter is not there.
    pub fn optional(
        &self,
        key: &'static str,
        bytes_max: usize,
    ) -> Result<Option<&'a [u8]>, Refusal> {
        let value = self.params().get_optional(key, bytes_max);
        value.map_err(|error| Refusal::of_param(key, error))
    }

    /// The value of the parameter `namespace`, or of its other name `ns`.
    pub fn namespace_name(&self) -> Result<&'a [u8], Refusal> {
        self.optional_namespace_name()?
            .ok_or_else(|| Refusal::of_param("namespace", ParamError::Missing))
    }

    /// The same, `None` when neither is there.
    pub fn optional_namespace_name(&self) -> Result<Option<&'a [u8]>, Refusal> {
        let of = |key| self.params().get_optional(key, NAMESPACE_NAME_MAX);
        match of("namespace") {
            Ok(None) => of("ns"),
            found => found,
        }
        .map_err(|error| Refusal::of_param("namespace", error))
    }

    /// The namespace that the parameters name.
    pub fn namespace(&self) -> Result<&'a Arc<Namespace>, Refusal> {
        self.node.namespace(self.namespace_name()?).ok_or_else(Refusal::unknown_namespace)
    }

    /// The same, `None` when they name none.
    pub fn optional_namespace(&self) -> Result<Option<&'a Arc<Namespace>>, Refusal> {
        let name = self.optional_namespace_name()?;
        name.map(|name| self.node.namespace(name).ok_or_else(Refusal::unknown_namespace))
            .transpose()
    }

    /// A parameter that is `true` or `false`, refused with `otherwise` if it is neither.
    pub fn flag(
        &self,
        key: &'static str,
        bytes_max: usize,
        otherwise: &'static str,
    ) -> Result<Option<bool>, Refusal> {
        match self.optional(key, bytes_max)? {
            None => Ok(None),
            Some(b"true") => Ok(Some(true)),
            Some(b"false") => Ok(Some(false)),
            Some(_) => Err(Refusal::parameter(otherwise)),
        }
    }

    /// The arguments as text, for parsers that take only that.
    pub fn text(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.command.arguments)
    }
}

/// A whole number as the C language writes it (`42`, `0x2A`, `052`), and nothing after it.
pub(crate) fn c_number(text: &[u8]) -> Option<u64> {
    let (value, rest) = c_number_prefix(text);
    (!text.is_empty() && rest.is_empty()).then_some(value)
}

/// The number that a text begins with, 0 if it begins with none, and what follows. A number too
/// large for 64 bits is the largest one.
pub(crate) fn c_number_prefix(text: &[u8]) -> (u64, &[u8]) {
    let (radix, digits) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (16, digits),
        [b'0', digits @ ..] if !digits.is_empty() => (8, digits),
        digits => (10, digits),
    };
    let mut value: u64 = 0;
    for (place, byte) in digits.iter().enumerate() {
        let Some(digit) = char::from(*byte).to_digit(radix) else {
            return (value, digits.get(place..).unwrap_or_default());
        };
        value = value.saturating_mul(u64::from(radix)).saturating_add(u64::from(digit));
    }
    (value, &[])
}

/// Appends text.
pub(crate) fn put(out: &mut Vec<u8>, text: impl fmt::Display) {
    use std::io::Write as _;
    // Writing to a vector cannot fail.
    let _ = write!(out, "{text}");
}

/// Appends the answers of `each` with `separator` between them.
pub(crate) fn put_joined<T>(
    out: &mut Vec<u8>,
    separator: u8,
    items: impl IntoIterator<Item = T>,
    mut each: impl FnMut(&mut Vec<u8>, T),
) {
    for (place, item) in items.into_iter().enumerate() {
        if place != 0 {
            out.push(separator);
        }
        each(out, item);
    }
}

/// Appends `name=value` pairs with a separator between them.
#[derive(Debug)]
pub(crate) struct Pairs<'o> {
    out: &'o mut Vec<u8>,
    separator: u8,
    first: bool,
}

impl<'o> Pairs<'o> {
    pub fn new(out: &'o mut Vec<u8>, separator: u8) -> Self {
        Self { out, separator, first: true }
    }

    pub fn put(&mut self, name: impl fmt::Display, value: impl fmt::Display) {
        if !std::mem::take(&mut self.first) {
            self.out.push(self.separator);
        }
        put(self.out, format_args!("{name}={value}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_in_c() {
        for (text, value) in [
            ("0", Some(0)),
            ("42", Some(42)),
            ("0x2A", Some(42)),
            ("052", Some(42)),
            ("", None),
            ("x", None),
            ("4x", None),
            ("08", None),
            ("-1", None),
        ] {
            assert_eq!(c_number(text.as_bytes()), value, "{text}");
        }
        assert_eq!(c_number_prefix(b"12ab"), (12, &b"ab"[..]));
        assert_eq!(c_number_prefix(b"ab"), (0, &b"ab"[..]));
        assert_eq!(c_number_prefix(&[b'9'; 40]), (u64::MAX, &b""[..]));
    }

    #[test]
    fn unspecified_failures_have_no_code() {
        assert_eq!(Refusal::new(ResultCode::UNKNOWN, "bad-id").to_string(), "ERROR::bad-id");
        assert_eq!(Refusal::parameter("bad id").to_string(), "ERROR:4:bad id");
        assert_eq!(
            Refusal::of_param("namespace", ParamError::Missing).to_string(),
            "ERROR:20:missing 'namespace'"
        );
    }
}
