//! How contexts nest: once, under names, or as one of several kinds.

use super::context::{command, show};
use super::{Context, Fault, Pairs, Spec, Support, spec};
use crate::info::{Changed, Params};
use crate::outline::{Outline, outline};
use crate::text::{Line, Reader, Reason};

/// What follows a context's name on its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Only the brace.
    Nothing,
    /// A name that the user chooses.
    Name,
    /// A path.
    Path,
    /// One of these words.
    Kind(&'static [&'static str]),
}

/// A context inside context `T`.
pub(crate) trait Child<T>: Sync {
    fn name(&self) -> &'static str;
    /// Reads the context that `line` opens.
    fn read(&self, parent: &mut T, line: &Line, path: &str, reader: &mut Reader<'_>);

    /// Appends what `get-config` shows of it within its parent.
    fn show(&self, _parent: &T, _out: &mut Pairs) {}

    /// Applies a command if it names a setting of this context.
    fn command(&self, _parent: &mut T, _params: &Params<'_>) -> Option<Result<Changed, Fault>> {
        None
    }

    /// The context's part of the reference page.
    fn outline(&self) -> Outline;
}

/// A context that exists once: opened again, it adds up.
pub(crate) struct Nested<T: 'static, C: 'static> {
    pub name: &'static str,
    /// Prefix of the names in `get-config`; `None` if the parent doesn't show it.
    pub shown: Option<&'static str>,
    /// Prefix of the names in `set-config`; `None` if the parent's commands don't reach it.
    pub commands: Option<&'static str>,
    pub support: Support,
    pub get: fn(&T) -> Option<&C>,
    pub get_mut: fn(&mut T) -> &mut C,
}

impl<T, C: Context> Child<T> for Nested<T, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, parent: &mut T, line: &Line, path: &str, reader: &mut Reader<'_>) {
        let path = reader.join(path, self.name);
        reader.note_support(line, self.support);
        reader.read_block((self.get_mut)(parent), line, &path);
    }

    fn show(&self, parent: &T, out: &mut Pairs) {
        if let (Some(prefix), Some(context)) = (self.shown, (self.get)(parent)) {
            out.within(prefix, |out| show(context, out));
        }
    }

    fn command(&self, parent: &mut T, params: &Params<'_>) -> Option<Result<Changed, Fault>> {
        let prefix = self.commands?;
        (self.get)(parent)?;
        command((self.get_mut)(parent), prefix, params)
    }

    fn outline(&self) -> Outline {
        outline::<C>(self.name, Takes::Nothing, self.commands, self.support)
    }
}

/// Contexts of which there may be several, each with its own name.
pub(crate) struct Named<T: 'static, C: 'static> {
    pub name: &'static str,
    /// Most characters of a name.
    pub name_max: u64,
    pub count_max: usize,
    /// Whether a name may be opened again, adding to what it has.
    pub reopens: bool,
    pub support: Support,
    /// Prefix of the names in `get-config`, before an index; `None` if the parent doesn't show it.
    pub shown: Option<&'static str>,
    pub entries: fn(&T) -> &Vec<C>,
    pub entries_mut: fn(&mut T) -> &mut Vec<C>,
    pub entry_name: fn(&mut C) -> &mut String,
}

impl<T, C: Context + Clone> Named<T, C> {
    /// Finds the entry that `line` opens, or makes it.
    fn entry<'p>(&self, parent: &'p mut T, line: &Line, known: bool) -> Result<&'p mut C, Reason> {
        let bad = |fault| Reason::BadValue { name: self.name.into(), value: None, fault };
        let name = line.words.get(1).filter(|word| *word != "{").ok_or(bad(Fault::Missing))?;
        if name.len() as u64 > self.name_max {
            return Err(bad(Fault::TooLong(self.name_max)));
        }
        if known && !self.reopens {
            return Err(Reason::Repeated { name: format!("{} {name}", self.name) });
        }
        let entry_name = self.entry_name;
        let entries = (self.entries_mut)(parent);
        let found = entries.iter_mut().position(|entry| entry_name(entry) == name);
        let index = match found {
            Some(index) => index,
            None if entries.len() >= self.count_max => {
                return Err(bad(Fault::TooMany(self.count_max)));
            }
            None => {
                let mut entry = C::default();
                *entry_name(&mut entry) = name.clone();
                entries.push(entry);
                entries.len() - 1
            }
        };
        entries.get_mut(index).ok_or(bad(Fault::Missing))
    }
}

impl<T, C: Context + Clone> Child<T> for Named<T, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, parent: &mut T, line: &Line, path: &str, reader: &mut Reader<'_>) {
        let path = reader.join(path, &line.title());
        match self.entry(parent, line, reader.is_known(&path)) {
            Ok(entry) => {
                reader.note_support(line, self.support);
                reader.read_block(entry, line, &path);
            }
            Err(reason) => {
                reader.fail(line, reason);
                reader.read_block(&mut C::default(), line, &path);
            }
        }
    }

    fn show(&self, parent: &T, out: &mut Pairs) {
        let Some(prefix) = self.shown else { return };
        for (index, entry) in (self.entries)(parent).iter().enumerate() {
            let mut entry = entry.clone();
            out.within(&format!("{prefix}[{index}]."), |out| {
                out.push("name", (self.entry_name)(&mut entry).as_str());
                show(&entry, out);
            });
        }
    }

    fn outline(&self) -> Outline {
        outline::<C>(self.name, Takes::Name, None, self.support)
    }
}

/// A context whose first word chooses what it is: an engine, an index's home.
pub(crate) trait Choices: Context {
    /// The words that a file may choose from.
    const KINDS: &'static [&'static str];
    fn choose(&mut self, word: &str);
    fn chosen(&self) -> &'static str;
    /// Whether settings follow in braces.
    fn opens_block(word: &str) -> bool;
    fn support(word: &str) -> Support;
}

/// A context of which there is one, of a chosen kind.
pub(crate) struct Choice<T: 'static, C: 'static> {
    pub name: &'static str,
    /// Prefix of the names in `set-config`.
    pub commands: &'static str,
    pub get: fn(&T) -> &C,
    pub get_mut: fn(&mut T) -> &mut C,
}

impl<T, C: Choices> Child<T> for Choice<T, C> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&self, parent: &mut T, line: &Line, path: &str, reader: &mut Reader<'_>) {
        let path = reader.join(path, self.name);
        if reader.is_known(&path) {
            reader.fail(line, Reason::Repeated { name: self.name.into() });
        }
        let spec: Spec = spec::word(C::KINDS);
        let kind = reader.choose(line, &spec);
        if let Some(kind) = kind {
            (self.get_mut)(parent).choose(kind);
            reader.note_support(line, C::support(kind));
        }
        if kind.map_or(line.opens(), C::opens_block) {
            reader.read_block((self.get_mut)(parent), line, &path);
        } else {
            reader.note_place(&path, "", line);
        }
    }

    fn show(&self, parent: &T, out: &mut Pairs) {
        let context = (self.get)(parent);
        out.push(self.name, context.chosen());
        out.within(&format!("{}.", self.name), |out| show(context, out));
    }

    fn command(&self, parent: &mut T, params: &Params<'_>) -> Option<Result<Changed, Fault>> {
        command((self.get_mut)(parent), self.commands, params)
    }

    fn outline(&self) -> Outline {
        let outline =
            outline::<C>(self.name, Takes::Kind(C::KINDS), Some(self.commands), Support::Works);
        let blockless = C::KINDS.iter().copied().filter(|kind| !C::opens_block(kind));
        Outline { blockless: blockless.collect(), ..outline }
    }
}
