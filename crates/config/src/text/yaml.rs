//! The same tree as YAML, turned into the lines that the other notation would have.
//!
//! Contexts are maps; contexts with names are maps by name; a setting that is repeated is a list;
//! settings have the names and values that they have in a conf file. Values keep the text in which
//! they were written: `1G`, `0x10` or `yes` mean what they mean there.

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{MessageFormatter as _, Spanned, UserMessageFormatter};

use super::{ConfigErrors, Line, Reason};
use crate::outline::Outline;
use crate::registry::Takes;
use crate::tree;

/// Maps and lists may nest this deep; the tree needs fewer levels.
const DEPTH_MAX: usize = 16;

type Place = Spanned<Node>;

/// A YAML value of any shape.
#[derive(Debug, PartialEq)]
enum Node {
    Empty,
    /// Text in quotes or without a meaning of its own.
    Text(String),
    /// A plain number or boolean: what counts is how it was written.
    Inferred(String),
    List(Vec<Place>),
    Map(Vec<(String, Place)>),
}

/// Turns a YAML text into lines.
pub(super) fn lines(text: &str, file: &str) -> Result<Vec<Line>, ConfigErrors> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: DEPTH_MAX },
        with_snippet: false,
    };
    let parsed = serde_saphyr::from_str_with_options::<Option<Place>>(text, options);
    let root = parsed.map_err(|error| {
        let line = error.location().map_or(0, |location| location.line() as usize);
        error_at(text, file, line, UserMessageFormatter.format_message(&error).into_owned())
    })?;
    let mut writer = Writer { text, file, lines: Vec::new() };
    if let Some(root) = &root {
        writer.context(tree::outline(), root)?;
    }
    Ok(writer.lines)
}

fn error_at(text: &str, file: &str, line: usize, message: String) -> ConfigErrors {
    let source = line.checked_sub(1).and_then(|index| text.lines().nth(index)).unwrap_or_default();
    ConfigErrors::one(file, line, Reason::Yaml(message), source)
}

fn line_of(place: &Place) -> usize {
    place.referenced.line() as usize
}

struct Writer<'t> {
    text: &'t str,
    file: &'t str,
    lines: Vec<Line>,
}

impl Writer<'_> {
    fn fail<T>(&self, place: &Place, message: &str) -> Result<T, ConfigErrors> {
        Err(error_at(self.text, self.file, line_of(place), message.into()))
    }

    fn push(&mut self, place: &Place, words: Vec<String>) {
        self.lines.push(Line { number: line_of(place), words });
    }

    /// Writes what stands in a context.
    fn context(&mut self, outline: &Outline, place: &Place) -> Result<(), ConfigErrors> {
        let entries = match &place.value {
            Node::Empty => return Ok(()),
            Node::Map(entries) => entries,
            _ => return self.fail(place, "a context must be a map of settings"),
        };
        for (name, value) in entries {
            if matches!(name.as_str(), "" | "{" | "}") {
                return self.fail(value, "this is not a name");
            }
            match outline.children.iter().find(|child| child.name == name) {
                Some(child) => self.child(child, value)?,
                None => self.setting(outline, name, value)?,
            }
        }
        Ok(())
    }

    fn child(&mut self, child: &Outline, place: &Place) -> Result<(), ConfigErrors> {
        if child.takes == Takes::Nothing {
            return self.block(child, None, place);
        }
        match &place.value {
            Node::Map(entries) => {
                entries.iter().try_for_each(|(name, body)| self.block(child, Some(name), body))
            }
            // The kind alone, for a context of which nothing else is to be said.
            Node::Text(_) | Node::Inferred(_) => {
                let words = self.words(place, false)?;
                self.block(child, words.first(), &empty_at(place))
            }
            _ => self.fail(place, "must be a map, by name, of maps of settings"),
        }
    }

    fn block(
        &mut self,
        child: &Outline,
        name: Option<&String>,
        body: &Place,
    ) -> Result<(), ConfigErrors> {
        let mut words = vec![child.name.to_owned()];
        words.extend(name.cloned());
        let braces = name.is_none_or(|name| child.opens_block(name));
        if !braces {
            self.push(body, words);
            return match body.value {
                Node::Empty => Ok(()),
                _ => self.fail(body, "no settings belong here"),
            };
        }
        words.push("{".into());
        self.push(body, words);
        self.context(child, body)?;
        self.push(body, vec!["}".into()]);
        Ok(())
    }

    /// Writes a setting, or a name that the reader will refuse.
    fn setting(
        &mut self,
        outline: &Outline,
        name: &str,
        place: &Place,
    ) -> Result<(), ConfigErrors> {
        let row = outline.rows.iter().find(|row| row.name == name);
        let splits = row.is_some_and(|row| row.spec.is_multi_word());
        let mut line = vec![name.to_owned()];
        match &place.value {
            Node::List(items) => {
                for item in items {
                    let mut line = line.clone();
                    line.extend(self.words(item, splits)?);
                    self.push(item, line);
                }
                return Ok(());
            }
            // Pairs, as in `context: { any: info }`.
            Node::Map(entries) if splits => {
                for (first, rest) in entries {
                    let mut line = vec![name.to_owned(), first.clone()];
                    line.extend(self.words(rest, true)?);
                    self.push(rest, line);
                }
                return Ok(());
            }
            Node::Map(_) if row.is_none() => {}
            Node::Map(_) => return self.fail(place, "a setting needs a value, not a map"),
            _ => line.extend(self.words(place, splits)?),
        }
        self.push(place, line);
        Ok(())
    }

    /// The words of a scalar. Only values of several words are split at blanks.
    fn words(&self, place: &Place, splits: bool) -> Result<Vec<String>, ConfigErrors> {
        let text = match &place.value {
            Node::Empty => return Ok(Vec::new()),
            Node::Text(text) => text.clone(),
            Node::Inferred(text) => self.as_written(place).unwrap_or(text).to_owned(),
            Node::List(_) | Node::Map(_) => {
                return self.fail(place, "must be a plain value");
            }
        };
        match splits {
            true => Ok(text.split_whitespace().map(str::to_owned).collect()),
            false => Ok(vec![text]),
        }
    }

    fn as_written(&self, place: &Place) -> Option<&str> {
        let span = place.defined.span();
        let start = usize::try_from(span.byte_offset()?).ok()?;
        let length = usize::try_from(span.byte_len()?).ok()?;
        let written = self.text.get(start..start.checked_add(length)?)?.trim();
        (!written.is_empty()).then_some(written)
    }
}

fn empty_at(place: &Place) -> Place {
    Spanned { value: Node::Empty, referenced: place.referenced, defined: place.defined }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

macro_rules! inferred {
    ($($method:ident: $type:ty),*) => {$(
        fn $method<E>(self, value: $type) -> Result<Node, E> {
            Ok(Node::Inferred(value.to_string()))
        }
    )*};
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a map, a list or a value")
    }

    inferred!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64);
    inferred!(visit_i128: i128, visit_u128: u128);

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Empty)
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Node>()? {
            let (Node::Text(name) | Node::Inferred(name)) = key else {
                return Err(A::Error::custom("a name must be a plain word"));
            };
            map.push((name, entries.next_value()?));
        }
        Ok(Node::Map(map))
    }
}
