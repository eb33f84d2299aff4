//! Walks the lines of a file through the tables and fills the tree.

use std::collections::BTreeMap;

use super::{ConfigError, ConfigErrors, Parsed, Reason, Warning, nearest};
use crate::check::Conflict;
use crate::registry::{Context, Fault, Input, Kind, Setting, Source, Spec, Support};
use crate::tree::{self, Config};

/// More faults than this are not a slip; the rest would only be noise.
const ERRORS_MAX: usize = 20;

/// One directive: a name and its values, or a closing brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// From 1.
    pub number: usize,
    /// Never empty.
    pub words: Vec<String>,
}

impl Line {
    /// The name that the line begins with.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The context's name with what follows it, as in `namespace test`.
    pub fn title(&self) -> String {
        let words: Vec<_> =
            self.words.iter().take(2).filter(|word| *word != "{").map(String::as_str).collect();
        words.join(" ")
    }

    /// Whether an opening brace stands on the line.
    pub fn opens(&self) -> bool {
        self.words.iter().skip(1).any(|word| word == "{")
    }

    fn closes(&self) -> bool {
        self.name() == "}"
    }

    fn values(&self) -> Vec<&str> {
        self.words.iter().skip(1).map(String::as_str).collect()
    }
}

/// The lines of one file and what was found out about them.
pub(crate) struct Reader<'t> {
    lines: std::slice::Iter<'t, Line>,
    file: &'t str,
    text: &'t str,
    errors: Vec<ConfigError>,
    warnings: Vec<Warning>,
    /// The line of every setting (`context/name`) and context (`context/`) that the file mentions.
    places: BTreeMap<String, usize>,
}

impl<'t> Reader<'t> {
    pub fn new(lines: &'t [Line], file: &'t str, text: &'t str) -> Self {
        let lines = lines.iter();
        let (errors, warnings, places) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { lines, file, text, errors, warnings, places }
    }

    /// Reads the whole file.
    pub fn read_file(&mut self, config: &mut Config) {
        while let Some(line) = self.lines.next() {
            if line.closes() {
                self.fail(line, Reason::NothingToClose);
            } else {
                self.read_line(config, line, "");
            }
        }
    }

    /// Reads the block that `opening` opened, up to its closing brace.
    pub fn read_block<T: Context>(&mut self, target: &mut T, opening: &Line, path: &str) {
        self.note_place(path, "", opening);
        loop {
            match self.lines.next() {
                Some(line) if line.closes() => return,
                Some(line) => self.read_line(target, line, path),
                None => {
                    return self.fail(opening, Reason::Unclosed { context: opening.title() });
                }
            }
        }
    }

    fn read_line<T: Context>(&mut self, target: &mut T, line: &Line, path: &str) {
        let table = T::table();
        let name = line.name();
        let setting = table.settings.iter().find(|row| row.name == name && !row.spec.command_only);
        if let Some(setting) = setting {
            return self.read_setting(target, setting, line, path);
        }
        if let Some(child) = table.children.iter().find(|child| child.name() == name) {
            return child.read(target, line, path, self);
        }
        if self.errors.len() < ERRORS_MAX {
            self.fail(line, unknown::<T>(name, path));
        }
        if line.opens() {
            self.skip_block();
        }
    }

    /// Passes over a block that nothing is known about.
    fn skip_block(&mut self) {
        let mut depth = 1;
        for line in self.lines.by_ref() {
            if line.closes() {
                depth -= 1;
            } else if line.opens() {
                depth += 1;
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn read_setting<T: Context>(
        &mut self,
        target: &mut T,
        setting: &Setting<T>,
        line: &Line,
        path: &str,
    ) {
        let spec = &setting.spec;
        self.note_place(path, setting.name, line);
        if !setting.is_offered(target) {
            let (name, context, modes) = (setting.name.into(), path.into(), spec.offered_in);
            return self.fail(line, Reason::OtherMode { name, context, modes });
        }
        let values = line.values();
        let words_max = spec.words_max();
        let words = values.get(..words_max).unwrap_or(&values);
        let input = Input { spec, words, source: Source::File };
        if let Err(fault) = (setting.read)(target, &input) {
            return self.fail(line, bad_value(setting.name, words, fault));
        }
        if values.len() > words_max {
            self.warn(line, "the words after its value are ignored".into());
        }
        let expected = spec.acts_as.map_or_else(|| setting.text(&T::default()), str::to_owned);
        if spec.support != Support::Works && setting.text(target) != expected {
            self.note_support(line, spec.support);
        }
    }

    /// Reads the word that chooses a context's kind. Faults are noted and yield `None`.
    pub fn choose(&mut self, line: &Line, spec: &Spec) -> Option<&'static str> {
        let Kind::Word(known) = spec.kind else { return None };
        let word = line.words.get(1).map(String::as_str).filter(|word| *word != "{");
        let found = known.iter().copied().find(|known| Some(*known) == word);
        if found.is_none() {
            let nearest = word.and_then(|word| nearest(word, known.iter().copied()));
            let fault = match word {
                Some(_) => Fault::UnknownWord { expected: known, nearest },
                None => Fault::Missing,
            };
            self.fail(line, bad_value(line.name(), word.as_slice(), fault));
        }
        found
    }

    /// The path of context `name` within the context at `path`.
    pub fn join(&self, path: &str, name: &str) -> String {
        match path {
            "" => name.into(),
            path => format!("{path}.{name}"),
        }
    }

    /// Whether the file has already opened the context at `path`.
    pub fn is_known(&self, path: &str) -> bool {
        self.places.contains_key(&place(path, ""))
    }

    /// Remembers where a setting, or with an empty name a context, stands.
    pub fn note_place(&mut self, path: &str, name: &str, line: &Line) {
        self.places.entry(place(path, name)).or_insert(line.number);
    }

    /// Warns if what the line asks for has no effect.
    pub fn note_support(&mut self, line: &Line, support: Support) {
        let why = match support {
            Support::Works => return,
            Support::Later => "this release does not have it yet",
            Support::Inert(why) => why,
        };
        self.warn(line, format!("accepted without effect: {why}"));
    }

    pub fn fail(&mut self, line: &Line, reason: Reason) {
        self.fail_at(line.number, reason);
    }

    fn fail_at(&mut self, line: usize, reason: Reason) {
        if self.errors.len() >= ERRORS_MAX {
            return;
        }
        let source = line.checked_sub(1).and_then(|index| self.text.split('\n').nth(index));
        let (file, source) = (self.file.to_owned(), source.unwrap_or_default().to_owned());
        self.errors.push(ConfigError { file, line, reason, source });
    }

    fn warn(&mut self, line: &Line, text: String) {
        let (file, name) = (self.file.to_owned(), line.name().to_owned());
        self.warnings.push(Warning { file, line: line.number, name, text });
    }

    /// Notes every namespace that doesn't say where its records are kept.
    pub fn check_engines(&mut self, config: &Config) {
        for namespace in &config.namespaces {
            let path = format!("namespace {}", namespace.name);
            let engine = self.join(&path, "storage-engine");
            let opened = self.places.get(&place(&path, "")).copied();
            if let Some(line) = opened.filter(|_| !self.is_known(&engine)) {
                self.fail_at(line, Reason::NoEngine { namespace: namespace.name.clone() });
            }
        }
    }

    /// Takes over what the checks of the finished tree found, with the lines it stems from. Only
    /// for a file whose lines are all right: otherwise the tree is not what its author meant.
    pub fn check(&mut self, conflicts: Vec<Conflict>) {
        if self.errors.iter().any(|error| !matches!(error.reason, Reason::Conflict(_))) {
            return;
        }
        for conflict in conflicts {
            let exact = self.places.get(&place(&conflict.context, &conflict.setting));
            let context = self.places.get(&place(&conflict.context, ""));
            let line = exact.or(context).copied().unwrap_or(0);
            self.fail_at(line, Reason::Conflict(conflict));
        }
    }

    /// Whether anything was wrong.
    pub fn finish(mut self, config: Config) -> Result<Parsed, ConfigErrors> {
        if self.errors.is_empty() {
            return Ok(Parsed { config, warnings: self.warnings });
        }
        self.errors.sort_by_key(|error| error.line);
        Err(ConfigErrors(self.errors))
    }
}

fn place(path: &str, name: &str) -> String {
    format!("{path}/{name}")
}

/// Why context `T` doesn't know `name`.
fn unknown<T: Context>(name: &str, path: &str) -> Reason {
    if name == "{" {
        return Reason::StrayBrace;
    }
    let table = T::table();
    if let Some(old) = table.obsolete.iter().find(|old| old.name == name) {
        return Reason::Obsolete { name: name.into(), hint: old.hint };
    }
    let settings = table.settings.iter().filter(|row| !row.spec.command_only);
    let settings = settings.map(|row| row.name);
    let names = settings.chain(table.children.iter().map(|child| child.name()));
    let nearest = nearest(name, names);
    let home = tree::outline().home_of(name);
    Reason::UnknownName { name: name.into(), context: path.into(), nearest, home }
}

fn bad_value(name: &str, words: &[&str], fault: Fault) -> Reason {
    let value = (!words.is_empty()).then(|| words.join(" "));
    Reason::BadValue { name: name.into(), value, fault }
}
