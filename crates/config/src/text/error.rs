//! What can be wrong with a file, as values that render as sentences.

use std::fmt;

use crate::check::Conflict;
use crate::registry::Fault;

/// Why a line, or the file as a whole, was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The file could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// A name that its context doesn't know.
    #[error("unknown name '{name}' {}{}", place(.context), advice(.nearest, .home))]
    UnknownName {
        /// As written.
        name: String,
        /// The context it stands in.
        context: String,
        /// The valid name that looks most like it.
        nearest: Option<&'static str>,
        /// The context that it belongs to, if it is a valid name elsewhere.
        home: Option<String>,
    },
    /// A name of another release.
    #[error("'{name}' is obsolete: {hint}")]
    Obsolete {
        /// As written.
        name: String,
        /// What to do instead.
        hint: &'static str,
    },
    /// A setting of another kind of its context, such as another storage engine.
    #[error("in '{context}', '{name}' is only for {}", .modes.join(" or "))]
    OtherMode {
        /// As written.
        name: String,
        /// The context it stands in.
        context: String,
        /// The kinds that have it.
        modes: &'static [&'static str],
    },
    /// A value that the setting refuses.
    #[error("'{name}' {fault}{}{}", but_is(.value), word_hint(.fault))]
    BadValue {
        /// The setting.
        name: String,
        /// The value as written; `None` if there was none.
        value: Option<String>,
        /// What is wrong with it.
        fault: Fault,
    },
    /// A namespace that doesn't say where its records are kept.
    #[error(
        "namespace '{namespace}' has no storage-engine: add one, such as 'storage-engine memory {{ \
         ... }}' with data-size in it"
    )]
    NoEngine {
        /// The namespace.
        namespace: String,
    },
    /// A context that may be opened only once.
    #[error("'{name}' is already there: it may be opened only once")]
    Repeated {
        /// The context with its name.
        name: String,
    },
    /// The file ends inside a context.
    #[error("'{context}' is opened here but never closed: a '}}' is missing")]
    Unclosed {
        /// The context.
        context: String,
    },
    /// A closing brace too many.
    #[error("'}}' closes nothing")]
    NothingToClose,
    /// An opening brace that doesn't stand on the line of its context.
    #[error("'{{' must stand on the line of the context that it opens")]
    StrayBrace,
    /// Not YAML, or not the shape that is expected.
    #[error("{0}")]
    Yaml(String),
    /// Settings that contradict each other, or that something required is missing.
    #[error("{0}")]
    Conflict(Conflict),
}

fn place(context: &str) -> String {
    match context {
        "" => "at the top of the file".into(),
        context => format!("in '{context}'"),
    }
}

fn advice(nearest: &Option<&str>, home: &Option<String>) -> String {
    match (nearest, home) {
        (_, Some(home)) => format!("; it belongs in '{home}'"),
        (nearest, None) => did_you_mean(nearest),
    }
}

fn did_you_mean(nearest: &Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean '{name}'?"))
}

fn but_is(value: &Option<String>) -> String {
    value.as_ref().map_or_else(String::new, |value| format!(", but is '{value}'"))
}

fn word_hint(fault: &Fault) -> String {
    match fault {
        Fault::UnknownWord { nearest, .. } => did_you_mean(nearest),
        _ => String::new(),
    }
}

/// One thing that is wrong, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Name of the file.
    pub file: String,
    /// Line number from 1; 0 where no line can be named.
    pub line: usize,
    /// What is wrong.
    pub reason: Reason,
    /// The text of the line.
    pub source: String,
}

impl fmt::Display for ConfigError {
    /// `file:line: reason`, and the line itself below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.reason)?,
            line => write!(f, "{}:{line}: {}", self.file, self.reason)?,
        }
        match self.source.trim() {
            "" => Ok(()),
            source => write!(f, "\n{:>6} | {source}", self.line),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Everything that is wrong with a file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl ConfigErrors {
    pub(crate) fn one(file: &str, line: usize, reason: Reason, source: &str) -> Self {
        let (file, source) = (file.to_owned(), source.to_owned());
        Self(vec![ConfigError { file, line, reason, source }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Something that a file may say but that won't do what its author expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Name of the file.
    pub file: String,
    /// Line number from 1.
    pub line: usize,
    /// The setting or context.
    pub name: String,
    /// What will happen instead, as a sentence.
    pub text: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: '{}': {}", self.file, self.line, self.name, self.text)
    }
}
