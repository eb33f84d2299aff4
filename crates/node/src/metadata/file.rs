//! The file of a module: JSON as the original writes it, so that files can be copied over.
//!
//! An array; first `[cluster key, transaction]` of the last change, then an object for each item. Drawn
//! in `docs/formats/metadata.md`.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use record::LastUpdateTime;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde::{Deserialize, de};
use serde_json::ser::PrettyFormatter;

use super::{Item, Module};

/// What a module holds.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Contents {
    /// The last change.
    pub committed: Committed,
    /// The items, in the order in which their keys came.
    pub items: Vec<Item>,
}

/// The last change of a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Committed {
    /// The cluster in which it was made; 0 if there was none.
    pub cluster_key: u64,
    /// How many there have been.
    pub tid: u64,
}

/// Why bytes are not the file of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Corrupt {
    /// Where it shows, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// The bytes of a module's file.
pub fn encode(contents: &Contents) -> Vec<u8> {
    let mut out = Vec::new();
    let indented = PrettyFormatter::with_indent(b"   ");
    let mut json = serde_json::Serializer::with_formatter(&mut out, indented);
    // Numbers and strings into a vector: that cannot fail.
    let _ = contents.serialize(&mut json);
    out.push(b'\n');
    out
}

/// What the bytes of a module's file say.
///
/// # Errors
/// [`Corrupt`].
pub fn decode(module: Module, bytes: &[u8]) -> Result<Contents, Corrupt> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let contents = FileOf(module).deserialize(&mut json);
    contents.and_then(|contents| json.end().map(|()| contents)).map_err(|error| {
        let text = error.to_string();
        // Where it is stands at the end of the text too.
        let place = format!(" at line {} column {}", error.line(), error.column());
        let reason = text.strip_suffix(&place).unwrap_or(&text).to_owned();
        Corrupt { line: error.line().max(1), reason }
    })
}

impl Serialize for Contents {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut array = serializer.serialize_seq(Some(1 + self.items.len()))?;
        array.serialize_element(&(self.committed.cluster_key, self.committed.tid))?;
        for item in &self.items {
            array.serialize_element(item)?;
        }
        array.end()
    }
}

impl Serialize for Item {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        match std::str::from_utf8(&self.key) {
            Ok(key) => object.serialize_entry("key", key)?,
            Err(_) => object.serialize_entry("key64", &BASE64.encode(&self.key))?,
        }
        match self.value.as_deref().map(|value| (std::str::from_utf8(value), value)) {
            None => object.serialize_entry("value", &None::<()>)?,
            Some((Ok(text), _)) => object.serialize_entry("value", text)?,
            Some((Err(_), bytes)) => object.serialize_entry("value64", &BASE64.encode(bytes))?,
        }
        object.serialize_entry("generation", &self.generation)?;
        object.serialize_entry("timestamp", &self.timestamp.0)?;
        object.end()
    }
}

/// An item as the file has it. What is not text is there in base64, under another name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ItemText {
    key: Option<String>,
    key64: Option<String>,
    /// There may be none, a null, or a text.
    #[serde(default, deserialize_with = "present")]
    value: Option<Option<String>>,
    value64: Option<String>,
    generation: u32,
    timestamp: u64,
}

fn present<'d, D: Deserializer<'d>>(from: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl ItemText {
    fn item(self) -> Result<Item, &'static str> {
        let decoded = |text: String| BASE64.decode(text).map_err(|_| "not base64");
        let key = match (self.key, self.key64) {
            (Some(key), None) => key.into_bytes(),
            (None, Some(key)) => decoded(key)?,
            _ => return Err("an item has either \"key\" or \"key64\""),
        };
        let value = match (self.value, self.value64) {
            (Some(value), None) => value.map(String::into_bytes),
            (None, Some(value)) => Some(decoded(value)?),
            _ => return Err("an item has either \"value\" or \"value64\""),
        };
        Ok(Item {
            key: key.into(),
            value: value.map(Into::into),
            generation: self.generation,
            timestamp: LastUpdateTime(self.timestamp),
        })
    }
}

/// Reads the file of a module.
struct FileOf(Module);

impl<'d> DeserializeSeed<'d> for FileOf {
    type Value = Contents;

    fn deserialize<D: Deserializer<'d>>(self, from: D) -> Result<Contents, D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'d> Visitor<'d> for FileOf {
    type Value = Contents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of [cluster key, transaction] and items")
    }

    fn visit_seq<A: SeqAccess<'d>>(self, mut array: A) -> Result<Contents, A::Error> {
        let first = array.next_element::<(u64, u64)>()?;
        let (cluster_key, tid) = first.ok_or_else(|| de::Error::invalid_length(0, &self))?;
        let mut items = Vec::new();
        let mut keys = HashSet::new();
        while let Some(item) = array.next_element_seed(ItemOf(self.0, &mut keys))? {
            items.push(item);
        }
        Ok(Contents { committed: Committed { cluster_key, tid }, items })
    }
}

/// Reads an item of a module that has these keys already. Done as a visitor, since what a visitor
/// objects to is told with the line at which it ends.
struct ItemOf<'k>(Module, &'k mut HashSet<Arc<[u8]>>);

impl<'d> DeserializeSeed<'d> for ItemOf<'_> {
    type Value = Item;

    fn deserialize<D: Deserializer<'d>>(self, from: D) -> Result<Item, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'d> Visitor<'d> for ItemOf<'_> {
    type Value = Item;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an item")
    }

    fn visit_map<A: MapAccess<'d>>(self, object: A) -> Result<Item, A::Error> {
        let text = ItemText::deserialize(MapAccessDeserializer::new(object))?;
        let item = text.item().map_err(A::Error::custom)?;
        let objection = match self.0.objection(&item) {
            None if self.1.insert(item.key.clone()) => return Ok(item),
            None => "the key is there already",
            Some(objection) => objection,
        };
        let key = String::from_utf8_lossy(&item.key);
        Err(A::Error::custom(format_args!("item {key:?}: {objection}")))
    }
}
