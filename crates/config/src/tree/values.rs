//! Values of several words, and values with a meaning beside the number.

use std::borrow::Cow;
use std::fmt;

use crate::registry::{
    Element, Fault, Input, Kind, Pairs, Source, Spec, parse_duration, parse_number,
};

/// Where a peer listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// DNS name or IP address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The name that the peer's certificate must carry, if TLS is to be used.
    pub tls_name: Option<String>,
}

impl fmt::Display for HostPort {
    /// `host:port`, `[v6]:port`, and `:tls-name` after it if there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port)?,
            false => write!(f, "{}:{}", self.host, self.port)?,
        }
        self.tls_name.iter().try_for_each(|name| write!(f, ":{name}"))
    }
}

impl HostPort {
    /// Reads the form in which it is shown: the only one that a command can carry.
    fn from_shown(text: &str) -> Option<(&str, &str, Option<&str>)> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(text) => text.split_once("]:")?,
            None => text.split_once(':')?,
        };
        match rest.split_once(':') {
            Some((port, tls_name)) => Some((host, port, Some(tls_name))),
            None => Some((host, rest, None)),
        }
    }
}

const INCOMPLETE: Fault = Fault::Other(Cow::Borrowed("must be a host and a port"));

impl Element for HostPort {
    const ABSENT: &'static str = "null";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let first = input.word()?;
        let (host, port, tls_name) = match input.source {
            Source::Command => Self::from_shown(first).ok_or(INCOMPLETE)?,
            Source::File => {
                let words = &mut input.words.iter().copied().skip(1).filter(|word| *word != "{");
                (first, words.next().ok_or(INCOMPLETE)?, words.next())
            }
        };
        let (min, max) = (input.spec.min, input.spec.max);
        let port = parse_number(port, input.source)?;
        let port = u16::try_from(port).ok().filter(|port| (min..=max).contains(&u64::from(*port)));
        let tls_allowed = input.spec.kind == Kind::HostPort { tls_name: true };
        if host.is_empty() || (tls_name.is_some() && !tls_allowed) {
            return Err(INCOMPLETE);
        }
        Ok(Self {
            host: host.into(),
            port: port.ok_or(Fault::OutOfRange { min, max })?,
            tls_name: tls_name.map(str::to_owned),
        })
    }

    fn text(&self, _spec: &Spec) -> String {
        self.to_string()
    }
}

/// A device or file of a namespace, and the slower one that shadows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePath {
    /// The device or file that is read and written.
    pub path: String,
    /// Receives every write as well, if given.
    pub shadow: Option<String>,
}

impl Element for DevicePath {
    const ABSENT: &'static str = "null";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let path = input.word()?.to_owned();
        Ok(Self { path, shadow: input.words.get(1).map(|shadow| (*shadow).to_owned()) })
    }

    fn text(&self, _spec: &Spec) -> String {
        self.path.clone()
    }

    fn show_parts(&self, key: &str, out: &mut Pairs) {
        if let Some(shadow) = &self.shadow {
            out.push(&format!("{key}.shadow"), shadow.as_str());
        }
    }
}

/// Records whose accesses the audit log reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOpScope {
    /// The namespace.
    pub namespace: String,
    /// The set; the whole namespace if absent.
    pub set: Option<String>,
}

impl Element for DataOpScope {
    const ABSENT: &'static str = "null";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let namespace = input.word()?.to_owned();
        Ok(Self { namespace, set: input.words.get(1).map(|set| (*set).to_owned()) })
    }

    fn text(&self, _spec: &Spec) -> String {
        match &self.set {
            Some(set) => format!("{} {set}", self.namespace),
            None => self.namespace.clone(),
        }
    }
}

/// A set's answer to a setting that its namespace also has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SetOverride {
    /// As the namespace says.
    #[default]
    Inherit,
    /// Never, whatever the namespace says.
    Never,
    /// This value (seconds or percent) instead of the namespace's; not zero.
    Value(u32),
}

impl Element for SetOverride {
    const ABSENT: &'static str = "0";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        let word = input.word()?;
        if word == "-1" {
            return Ok(Self::Never);
        }
        let (min, max) = (input.spec.min, input.spec.max);
        let out_of_range = Fault::OutOfRange { min, max };
        let number = match input.spec.kind {
            Kind::DurationOverride => parse_duration(word, input.source)?,
            // Read as a file's number unless empty, so that one that is too large is noticed.
            _ if word.is_empty() => u32::try_from(parse_number(word, input.source)?).unwrap_or(0),
            _ => u32::try_from(parse_number(word, Source::File)?)
                .map_err(|_too_large| out_of_range.clone())?,
        };
        match number {
            0 => Ok(Self::Inherit),
            number if (min..=max).contains(&u64::from(number)) => Ok(Self::Value(number)),
            _ => Err(out_of_range),
        }
    }

    fn text(&self, _spec: &Spec) -> String {
        match self {
            Self::Inherit => "0".into(),
            // The original keeps −1 in an unsigned field and shows it so.
            Self::Never => u32::MAX.to_string(),
            Self::Value(value) => value.to_string(),
        }
    }
}

/// One `context <name> <level>` line of a log sink. Later lines override earlier ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelRule {
    /// A log context, or `any` for all of them.
    pub context: Cow<'static, str>,
    /// What is written from there: this severity and worse.
    pub level: super::logging::LogLevel,
}

impl Element for LevelRule {
    const ABSENT: &'static str = "null";

    fn parse(input: &Input<'_>) -> Result<Self, Fault> {
        use super::logging::{LOG_CONTEXTS, LogLevel};
        let word = input.word()?;
        let known = std::iter::once(&"any").chain(LOG_CONTEXTS).find(|known| **known == word);
        let context = known.ok_or_else(|| Fault::UnknownWord {
            expected: LOG_CONTEXTS,
            nearest: crate::text::nearest(word, LOG_CONTEXTS.iter().copied()),
        })?;
        let level = input.words.get(1).ok_or(Fault::Missing)?.to_ascii_lowercase();
        let level = LogLevel::from_word(&level).ok_or(Fault::UnknownWord {
            expected: LogLevel::WORDS,
            nearest: crate::text::nearest(&level, LogLevel::WORDS.iter().copied()),
        })?;
        Ok(Self { context: Cow::Borrowed(context), level })
    }

    fn text(&self, _spec: &Spec) -> String {
        format!("{} {}", self.context, self.level)
    }
}
