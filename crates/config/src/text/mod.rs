//! From the text of a file to the tree: two notations, one reader.

mod conf;
mod error;
mod reader;
mod suggest;
mod yaml;

pub use error::{ConfigError, ConfigErrors, Reason, Warning};
pub(crate) use reader::{Line, Reader};
pub(crate) use suggest::nearest;

use std::path::Path;

use crate::check;
use crate::tree::Config;

/// Notation of a configuration file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notation {
    /// The original's own: one directive a line, contexts in braces.
    Conf,
    /// The same tree as YAML: contexts are maps, repeated settings are lists.
    Yaml,
}

impl Notation {
    /// Decides by the ending of a file's name: `.yaml` and `.yml` are YAML.
    pub fn of(file: &Path) -> Self {
        match file.extension().and_then(|ending| ending.to_str()) {
            Some("yaml" | "yml") => Self::Yaml,
            _ => Self::Conf,
        }
    }
}

/// A file that was read without a fault.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// What it says.
    pub config: Config,
    /// What the user should know about it.
    pub warnings: Vec<Warning>,
}

/// Reads a configuration from the text of a file. `file` is its name, for messages. Bytes that are
/// not UTF-8 are replaced, since the original never looks into comments either.
///
/// # Errors
/// Everything that is wrong with the file, in the order of its lines: grammar, names, values, and
/// settings that contradict each other.
pub fn parse(text: &[u8], file: &str, notation: Notation) -> Result<Parsed, ConfigErrors> {
    let text = String::from_utf8_lossy(text);
    let lines = match notation {
        Notation::Conf => conf::lines(&text),
        Notation::Yaml => yaml::lines(&text, file)?,
    };
    let mut config = Config::default();
    let mut reader = Reader::new(&lines, file, &text);
    reader.read_file(&mut config);
    reader.check_engines(&config);
    reader.check(check::missing_in_file(&config));
    reader.check(check::validate(&config));
    reader.finish(config)
}

/// Reads the file at `path`, in the notation that its name tells.
///
/// # Errors
/// As [`parse`]; also if the file cannot be read.
pub fn load(path: &Path) -> Result<Parsed, ConfigErrors> {
    let file = path.display().to_string();
    let text = std::fs::read(path)
        .map_err(|error| ConfigErrors::one(&file, 0, Reason::Unreadable(error.to_string()), ""))?;
    parse(&text, &file, Notation::of(path))
}

/// Reads a conf file without the checks across settings.
#[cfg(test)]
pub(crate) fn read_unchecked(text: &str) -> Result<Parsed, ConfigErrors> {
    let lines = conf::lines(text);
    let mut config = Config::default();
    let mut reader = Reader::new(&lines, "test.conf", text);
    reader.read_file(&mut config);
    reader.finish(config)
}
