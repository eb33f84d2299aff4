//! Definitions of secondary indexes as keys of the module `sindex`:
//! `namespace|set|bin|[c<context>|]<kind>|<values>` (storage reference, section 10.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// Everything that tells one index from another, but for its name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Definition {
    /// The namespace.
    pub namespace: Box<[u8]>,
    /// The set; `None`: records of all sets and of none.
    pub set: Option<Box<[u8]>>,
    /// The bin.
    pub bin: Box<[u8]>,
    /// The way to the element that is indexed, as msgpack.
    pub context: Option<Box<[u8]>>,
    /// What of a bin is indexed.
    pub kind: Kind,
    /// The type of values that are indexed.
    pub values: Values,
}

/// What of a bin, or of the element that the context leads to, is indexed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Itself.
    Default,
    /// The elements of a list.
    List,
    /// The keys of a map.
    MapKeys,
    /// The values of a map.
    MapValues,
}

/// The type of values that are indexed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Values {
    /// Integers.
    Numeric,
    /// Strings.
    String,
    /// Blobs.
    Blob,
    /// Places on the sphere.
    Geo,
}

impl Kind {
    const CODES: [(Self, &str); 4] =
        [(Self::Default, "."), (Self::List, "L"), (Self::MapKeys, "K"), (Self::MapValues, "V")];
}

impl Values {
    const CODES: [(Self, &str); 4] =
        [(Self::Numeric, "I"), (Self::String, "S"), (Self::Blob, "B"), (Self::Geo, "G")];
}

fn code_of<T: PartialEq>(codes: &[(T, &'static str)], what: &T) -> &'static str {
    codes.iter().find(|(this, _)| this == what).map_or("", |(_, code)| code)
}

fn by_code<T: Copy>(codes: &[(T, &str)], code: &[u8]) -> Option<T> {
    codes.iter().find(|(_, this)| this.as_bytes() == code).map(|(what, _)| *what)
}

impl Definition {
    /// Its key.
    pub fn key(&self) -> Vec<u8> {
        let set = self.set.as_deref().unwrap_or_default();
        let mut key = [&self.namespace[..], b"|", set, b"|", &self.bin, b"|"].concat();
        if let Some(context) = &self.context {
            key.extend_from_slice(format!("c{}|", BASE64.encode(context)).as_bytes());
        }
        let codes = (code_of(&Kind::CODES, &self.kind), code_of(&Values::CODES, &self.values));
        key.extend_from_slice(format!("{}|{}", codes.0, codes.1).as_bytes());
        key
    }

    /// The definition with this key. Of the names, that of the set alone may hold a `|`.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        let mut parts: Vec<&[u8]> = key.split(|byte| *byte == b'|').collect();
        let values = by_code(&Values::CODES, parts.pop()?)?;
        let kind = by_code(&Kind::CODES, parts.pop()?)?;
        let mut context = None;
        if parts.len() > 3 {
            context = parts.last().copied().and_then(context_of);
            if context.is_some() {
                parts.pop();
            }
        }
        let bin = parts.pop().filter(|bin| !bin.is_empty())?;
        let (namespace, set) = parts.split_first()?;
        if namespace.is_empty() || set.is_empty() {
            return None;
        }
        let set = set.join(&b'|');
        Some(Self {
            namespace: (*namespace).into(),
            set: (!set.is_empty()).then(|| set.into()),
            bin: bin.into(),
            context,
            kind,
            values,
        })
    }
}

fn context_of(part: &[u8]) -> Option<Box<[u8]>> {
    BASE64.decode(part.strip_prefix(b"c")?).ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(key: &str) -> Option<Definition> {
        Definition::of_key(key.as_bytes())
    }

    #[test]
    fn keys_say_everything() {
        for key in [
            "test|s|b|.|I",
            "test||b|L|S",
            "test|s|b|cEAE=|K|B",
            "test|s|cat|V|G",
            "test|a|b|c|.|I",
            "test|s|cEAE=|.|I",
        ] {
            assert_eq!(of(key).unwrap().key(), key.as_bytes(), "{key}");
        }
        let definition = of("test||b|cEAE=|K|B").unwrap();
        assert_eq!(definition.context.as_deref(), Some(&[16, 1][..]));
        assert_eq!((definition.set, &definition.bin[..]), (None, &b"b"[..]));
        assert_eq!((definition.kind, definition.values), (Kind::MapKeys, Values::Blob));
    }

    #[test]
    fn other_keys_are_none() {
        for key in
            ["", "test", "|s|b|.|I", "test|s||.|I", "test|b|.|I", "test|s|b|.|X", "a|s|b|x|I"]
        {
            assert_eq!(of(key), None, "{key}");
        }
    }
}
