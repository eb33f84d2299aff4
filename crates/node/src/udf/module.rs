//! UDF modules: what the metadata keep of each.
//!
//! A module's name is that of a file with its extension; requests call it without.

use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

/// A module as the metadata keep it: a JSON object as text, whose bytes clients know by their hash.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
pub struct Stored {
    /// The source, in base64 as it was sent.
    pub content64: String,
    /// The language; `LUA`.
    #[serde(rename = "type")]
    pub language: String,
    /// The name.
    pub name: String,
}

impl Stored {
    /// A module in Lua.
    pub fn lua(name: &str, content64: &str) -> Self {
        Self { content64: content64.into(), language: "LUA".into(), name: name.into() }
    }

    /// The module that a value of the metadata tells of.
    pub fn of_value(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }

    /// The value that tells of it, with blanks as in the original: its hash depends on them.
    pub fn value(&self) -> String {
        let Self { content64, language, name } = self;
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let (content64, language, name) = (quoted(content64), quoted(language), quoted(name));
        format!("{{\"content64\": {content64}, \"type\": {language}, \"name\": {name}}}")
    }

    /// The source; `None` if it is not base64.
    pub fn source(&self) -> Option<Vec<u8>> {
        BASE64.decode(&self.content64).ok()
    }
}

/// The hash of a module's value as `udf-list` shows it.
pub fn hash(value: &[u8]) -> String {
    let mut hex = String::new();
    for byte in digest(&SHA1_FOR_LEGACY_USE_ONLY, value).as_ref() {
        // Writing into a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_original() {
        let stored = Stored::lua("yi_b.lua", "LS0gbm90aGluZwo=");
        let value = stored.value();
        assert_eq!(
            value,
            r#"{"content64": "LS0gbm90aGluZwo=", "type": "LUA", "name": "yi_b.lua"}"#
        );
        assert_eq!(hash(value.as_bytes()), "ce3c3e4b684ce398b7d3c5fd25dde8c63d0c80c5");
        assert_eq!(Stored::of_value(value.as_bytes()), Some(stored.clone()));
        assert_eq!(stored.source().unwrap(), b"-- nothing\n");
    }

    #[test]
    fn names_are_quoted() {
        let stored = Stored::lua("a\"b\\c\n.lua", "YQ==");
        assert_eq!(Stored::of_value(stored.value().as_bytes()), Some(stored));
        assert_eq!(Stored::of_value(b"{}"), None);
    }
}
