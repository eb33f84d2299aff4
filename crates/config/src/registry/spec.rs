//! What a row says about a setting, apart from its name, default and place in the tree.

use std::fmt::Write as _;

/// Shape of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `true` or `false`; `bare` is what a missing value means, if it may be missing.
    Flag {
        /// Whether the name alone means true.
        bare: bool,
    },
    /// A number with an optional suffix K to P.
    Number,
    /// A number whose commands stop at the largest signed 64-bit number instead of wrapping.
    SaturatingNumber,
    /// Seconds, with an optional suffix s, m, h or d.
    Duration,
    /// A number where −1 means never and 0 means that the parent context decides.
    Override,
    /// A duration where −1 means never and 0 means that the parent context decides.
    DurationOverride,
    /// Hexadecimal digits.
    Hex,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// One word of free text.
    Text,
    /// A path of a file or directory.
    Path,
    /// An address, DNS name, interface name, `any` or `local`.
    Address,
    /// `<host> <port>`, or with a third word the TLS name.
    HostPort {
        /// Whether a TLS name may follow.
        tls_name: bool,
    },
    /// `<path>`, or `<path> <shadow path>`.
    Device,
    /// `<log context> <level>`.
    LogLevel,
    /// `<namespace>`, or `<namespace> <set>`.
    DataOp,
}

/// Whether and under which name `set-config` may change a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dynamic {
    /// Only a restart changes it.
    No,
    /// `set-config` changes it under its own name, after the prefix of its context.
    Yes,
}

/// Which edition of the original has the setting. Here all of them exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// Every edition.
    Community,
    /// Only the original's Enterprise edition.
    Enterprise,
}

/// What this product does with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// It has its effect.
    Works,
    /// Accepted and shown; the feature behind it is not there yet.
    Later,
    /// Accepted and shown, but there is nothing here for it to act on; the text says why.
    Inert(&'static str),
}

/// How a repeatable setting is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Many {
    /// Not repeatable.
    No,
    /// `name=a;name=b`.
    Repeated,
    /// `name[0]=a;name[1]=b`.
    Indexed,
    /// `name=a,b`.
    Joined,
}

/// One row's rules. Built by the constructors below and refined by the methods that follow them.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Shape of the value.
    pub kind: Kind,
    /// Smallest number permitted.
    pub min: u64,
    /// Largest number permitted, or the most characters of a text.
    pub max: u64,
    /// Bounds for commands, where they differ.
    pub command_range: Option<(u64, u64)>,
    /// Whether the number must be a power of two.
    pub power_of_two: bool,
    /// The number must be a multiple of this.
    pub multiple_of: u64,
    /// Unit of the number, for readers.
    pub unit: &'static str,
    /// Whether the setting may be repeated, and how a list is shown.
    pub many: Many,
    /// How often it may be repeated.
    pub count_max: usize,
    /// Whether `set-config` may change it.
    pub dynamic: Dynamic,
    /// Which edition of the original has it.
    pub edition: Edition,
    /// What this product does with it.
    pub support: Support,
    /// The value that this product behaves by, where that is not the default: no warning for it.
    pub acts_as: Option<&'static str>,
    /// The modes of the context in which the setting exists; empty: all.
    pub offered_in: &'static [&'static str],
    /// The modes of the context in which `get-config` shows it; empty: all.
    pub shown_in: &'static [&'static str],
    /// The modes of the context in which `set-config` may change it; empty: all.
    pub dynamic_in: &'static [&'static str],
    /// Never shown by `get-config`.
    pub hidden: bool,
    /// Cannot stand in a file.
    pub command_only: bool,
    /// The name under which `get-config` shows it, where it differs.
    pub shown_as: Option<&'static str>,
}

const fn spec(kind: Kind, min: u64, max: u64) -> Spec {
    Spec {
        kind,
        min,
        max,
        command_range: None,
        power_of_two: false,
        multiple_of: 1,
        unit: "",
        many: Many::No,
        count_max: usize::MAX,
        dynamic: Dynamic::No,
        edition: Edition::Community,
        support: Support::Works,
        acts_as: None,
        offered_in: &[],
        shown_in: &[],
        dynamic_in: &[],
        hidden: false,
        command_only: false,
        shown_as: None,
    }
}

/// Largest number of a 32-bit setting.
pub const U32: u64 = u32::MAX as u64;
/// 1024.
pub const K: u64 = 1 << 10;
/// 1024².
pub const M: u64 = 1 << 20;
/// 1024³.
pub const G: u64 = 1 << 30;
/// 1024⁴.
pub const T: u64 = 1 << 40;

/// `true` or `false`.
pub const fn flag() -> Spec {
    spec(Kind::Flag { bare: false }, 0, 1)
}

/// `true` or `false`, where the name alone means true.
pub const fn bare_flag() -> Spec {
    spec(Kind::Flag { bare: true }, 0, 1)
}

/// A plain number.
pub const fn number(min: u64, max: u64) -> Spec {
    spec(Kind::Number, min, max)
}

/// A 64-bit count whose command form saturates at the largest signed number.
pub const fn saturating_count() -> Spec {
    spec(Kind::SaturatingNumber, 0, u64::MAX)
}

/// Milliseconds as a plain number.
pub const fn millis(min: u64, max: u64) -> Spec {
    number(min, max).unit("ms")
}

/// Percent.
pub const fn pct() -> Spec {
    number(0, 100).unit("%")
}

/// Bytes.
pub const fn size(min: u64, max: u64) -> Spec {
    number(min, max).unit("bytes")
}

/// Seconds with suffixes.
pub const fn duration(min: u64, max: u64) -> Spec {
    spec(Kind::Duration, min, max).unit("s")
}

/// A number with −1 for never and 0 for inherit.
pub const fn overriding(max: u64) -> Spec {
    spec(Kind::Override, 0, max)
}

/// A duration with −1 for never and 0 for inherit.
pub const fn overriding_duration(max: u64) -> Spec {
    spec(Kind::DurationOverride, 0, max).unit("s")
}

/// A port to listen on or to name.
pub const fn port() -> Spec {
    number(1_024, 65_535)
}

/// One of `words`.
pub const fn word(words: &'static [&'static str]) -> Spec {
    spec(Kind::Word(words), 0, 0)
}

/// One word of at most `chars_max` characters.
pub const fn text(chars_max: u64) -> Spec {
    spec(Kind::Text, 0, chars_max)
}

/// A path.
pub const fn path() -> Spec {
    spec(Kind::Path, 0, 1_023)
}

/// A list of addresses.
pub const fn addresses() -> Spec {
    spec(Kind::Address, 0, 1_023).repeated(usize::MAX)
}

/// `<host> <port>`.
pub const fn host_port() -> Spec {
    spec(Kind::HostPort { tls_name: false }, 1, 65_535)
}

/// `<host> <port> [<tls-name>]`.
pub const fn host_port_tls() -> Spec {
    spec(Kind::HostPort { tls_name: true }, 1, 65_535)
}

/// A value of `kind` without bounds.
pub const fn of(kind: Kind) -> Spec {
    spec(kind, 0, u64::MAX)
}

impl Spec {
    /// Names the unit.
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    /// `set-config` may change it.
    pub const fn dynamic(mut self) -> Self {
        self.dynamic = Dynamic::Yes;
        self
    }

    /// `set-config` may change it while the context is in one of these modes.
    pub const fn dynamic_in(mut self, modes: &'static [&'static str]) -> Self {
        self.dynamic = Dynamic::Yes;
        self.dynamic_in = modes;
        self
    }

    /// Commands have these bounds instead.
    pub const fn command_range(mut self, min: u64, max: u64) -> Self {
        self.command_range = Some((min, max));
        self
    }

    /// Only powers of two.
    pub const fn power_of_two(mut self) -> Self {
        self.power_of_two = true;
        self
    }

    /// Only multiples of `step`.
    pub const fn multiple_of(mut self, step: u64) -> Self {
        self.multiple_of = step;
        self
    }

    /// May be repeated; shown by repeating the key.
    pub const fn repeated(mut self, count_max: usize) -> Self {
        self.many = Many::Repeated;
        self.count_max = count_max;
        self
    }

    /// May be repeated; shown with an index.
    pub const fn indexed(mut self, count_max: usize) -> Self {
        self.many = Many::Indexed;
        self.count_max = count_max;
        self
    }

    /// May be repeated; shown joined by commas.
    pub const fn joined(mut self) -> Self {
        self.many = Many::Joined;
        self
    }

    /// Enterprise in the original.
    pub const fn enterprise(mut self) -> Self {
        self.edition = Edition::Enterprise;
        self
    }

    /// Accepted; the feature comes later.
    pub const fn later(mut self) -> Self {
        self.support = Support::Later;
        self
    }

    /// Accepted; has nothing to act on here.
    pub const fn inert(mut self, why: &'static str) -> Self {
        self.support = Support::Inert(why);
        self
    }

    /// The product behaves as if this value were set, so that it needs no warning.
    pub const fn acts_as(mut self, value: &'static str) -> Self {
        self.acts_as = Some(value);
        self
    }

    /// Exists only in these modes of the context.
    pub const fn offered_in(mut self, modes: &'static [&'static str]) -> Self {
        self.offered_in = modes;
        self
    }

    /// Shown only in these modes of the context.
    pub const fn shown_in(mut self, modes: &'static [&'static str]) -> Self {
        self.shown_in = modes;
        self
    }

    /// Never shown.
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// Only for `set-config`.
    pub const fn command_only(mut self) -> Self {
        self.command_only = true;
        self.dynamic = Dynamic::Yes;
        self
    }

    /// Shown under another name.
    pub const fn shown_as(mut self, name: &'static str) -> Self {
        self.shown_as = Some(name);
        self
    }

    /// Whether a command must be refused because the feature behind the setting is not there: an
    /// `ok` would promise what does not happen. A file is warned about instead, and what every
    /// edition has answers as the original does.
    pub(crate) fn waits_for_feature(&self) -> bool {
        self.support == Support::Later && self.edition == Edition::Enterprise
    }

    /// Whether a line may carry several words that belong together.
    pub(crate) fn is_multi_word(&self) -> bool {
        matches!(self.kind, Kind::HostPort { .. } | Kind::Device | Kind::LogLevel | Kind::DataOp)
    }

    /// How many words of a line the setting reads.
    pub(crate) fn words_max(&self) -> usize {
        match self.kind {
            Kind::HostPort { tls_name: true } => 3,
            Kind::HostPort { .. } | Kind::Device | Kind::LogLevel | Kind::DataOp => 2,
            _ => 1,
        }
    }

    /// The type, unit and bounds in a few words, for the reference page.
    pub fn describe(&self) -> String {
        let mut out = match self.kind {
            Kind::Flag { bare: false } => "true, false".into(),
            Kind::Flag { bare: true } => "true, false; the name alone means true".into(),
            Kind::Number | Kind::SaturatingNumber => self.describe_range("number"),
            Kind::Duration => self.describe_range("duration"),
            Kind::Override | Kind::DurationOverride => {
                let base = self.describe_range("");
                format!("{base}; -1 never, 0 as the namespace")
            }
            Kind::Hex => "1 to 16 hexadecimal digits".into(),
            Kind::Word(words) => words.join(", "),
            Kind::Text if self.max < 1_023 => format!("text, at most {} characters", self.max),
            Kind::Text => "text".into(),
            Kind::Path => "path".into(),
            Kind::Address => "address, name, interface, `any` or `local`".into(),
            Kind::HostPort { tls_name: false } => "host and port".into(),
            Kind::HostPort { tls_name: true } => "host, port and optionally a TLS name".into(),
            Kind::Device => "path and optionally a shadow path".into(),
            Kind::LogLevel => "log context (or `any`) and level".into(),
            Kind::DataOp => "namespace and optionally a set".into(),
        };
        if self.power_of_two {
            out.push_str(", a power of two");
        }
        if self.multiple_of > 1 {
            let _ = write!(out, ", a multiple of {}", self.multiple_of);
        }
        match (self.many, self.count_max) {
            (Many::No, _) => {}
            (_, usize::MAX) => out.push_str("; repeatable"),
            (_, count) => {
                let _ = write!(out, "; up to {count} times");
            }
        }
        out
    }

    fn describe_range(&self, what: &str) -> String {
        let (min, max) = (self.describe_bound(self.min), self.describe_bound(self.max));
        let range = match (self.min, self.max) {
            (0, U32 | u64::MAX) => what.to_owned(),
            (_, U32 | u64::MAX) => format!("at least {min}"),
            _ => format!("{min} to {max}"),
        };
        match self.unit {
            "" => range,
            // Every duration is in seconds; the word says so.
            "s" if range == "duration" => range,
            unit if range == what => format!("{what} of {unit}"),
            unit => format!("{range} {unit}"),
        }
    }

    fn describe_bound(&self, bound: u64) -> String {
        if self.unit != "bytes" {
            return bound.to_string();
        }
        [(T, "T"), (G, "G"), (M, "M"), (K, "K")]
            .into_iter()
            .find(|(factor, _)| bound > 0 && bound.is_multiple_of(*factor))
            .map_or_else(|| bound.to_string(), |(factor, s)| format!("{}{s}", bound / factor))
    }
}
