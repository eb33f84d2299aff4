//! What an operator changes of the system metadata, and what came of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use node::metadata::{Item, Module};

use super::{BRIEF_SET, FUNCTIONS, MODULE, Outcome, SET, SETS};
use crate::host::START_MS;
use crate::machine::NAMESPACE;

/// Indexes that come and go.
const INDEXES: u32 = 3;
/// Modules that do.
const MODULES: u32 = 3;

/// A set without records, which has a setting.
pub const SETTING_SET: &str = "tuned";
/// That setting.
const SETTING: &str = "stop-writes-count";

/// What is changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Matter {
    /// An index of this name on a bin of this name is there.
    Index {
        /// Its name.
        name: String,
        /// Its set.
        set: &'static str,
        /// Its bin.
        bin: String,
    },
    /// No index has this name.
    NoIndex {
        /// The name.
        name: String,
    },
    /// A module has this source.
    Module {
        /// Its file name.
        name: String,
        /// Its source.
        source: String,
    },
    /// There is no module of this name.
    NoModule {
        /// The file name.
        name: String,
    },
    /// So many records may be in the set of that setting, which has none.
    Setting(u64),
    /// Records of the set that is truncated go if they were written before this time, in ms since 2010;
    /// `None`: before now.
    Truncation(Option<u64>),
}

/// A change of metadata.
#[derive(Clone, Debug)]
pub struct Change {
    /// What is changed.
    pub matter: Matter,
    /// The machine that was asked.
    pub machine: usize,
    /// When it was sent.
    pub begun: Duration,
    /// When the operator knew, if it does.
    pub ended: Duration,
    /// How it ended.
    pub outcome: Outcome,
    /// What that machine kept of it, when it was acknowledged.
    pub kept: Option<Item>,
}

impl Matter {
    /// What every world has from its beginning: indexes over numbers, and the functions.
    pub fn of_every_world() -> Vec<Self> {
        let index = |set| Self::Index { name: format!("numbers-{set}"), set, bin: "n".into() };
        let (name, source) = (MODULE.into(), FUNCTIONS.into());
        let indexes = SETS.into_iter().map(index);
        indexes.chain([Self::Module { name, source }]).collect()
    }

    /// Something; `number` makes what is written different.
    pub fn random(number: usize, now: Duration, random: &mut fastrand::Rng) -> Self {
        let index = random.u32(..INDEXES);
        let module = format!("module{}.lua", random.u32(..MODULES));
        match random.u32(..12) {
            0..2 => {
                Self::Index { name: format!("index{index}"), set: SET, bin: format!("b{index}") }
            }
            2..4 => Self::NoIndex { name: format!("index{index}") },
            4..6 => {
                Self::Module { name: module, source: format!("function f() return {number} end") }
            }
            6 => Self::NoModule { name: module },
            10.. => Self::Setting(number as u64),
            _ => {
                let before = random.u64(1..3000);
                let time = ms_since_2010(now).saturating_sub(before);
                Self::Truncation(random.bool().then_some(time))
            }
        }
    }

    /// The info command.
    pub fn command(&self) -> String {
        match self {
            Self::Index { name, set, bin } => format!(
                "sindex-create:ns={NAMESPACE};set={set};indexname={name};indexdata={bin},numeric"
            ),
            Self::NoIndex { name } => format!("sindex-delete:ns={NAMESPACE};indexname={name}"),
            Self::Module { name, source } => {
                let content = BASE64.encode(source);
                let size = content.len();
                format!("udf-put:filename={name};content={content};content-len={size};udf-type=LUA")
            }
            Self::NoModule { name } => format!("udf-remove:filename={name}"),
            Self::Setting(count) => format!(
                "set-config:context=namespace;namespace={NAMESPACE};set={SETTING_SET};{SETTING}={count}"
            ),
            Self::Truncation(None) => format!("truncate:namespace={NAMESPACE};set={BRIEF_SET}"),
            Self::Truncation(Some(ms)) => {
                // In ns since 1970.
                let lut = (u128::from(*ms) + 1_262_304_000_000) * 1_000_000;
                format!("truncate:namespace={NAMESPACE};set={BRIEF_SET};lut={lut}")
            }
        }
    }

    /// Where it is kept.
    pub fn module(&self) -> Module {
        match self {
            Self::Index { .. } | Self::NoIndex { .. } => Module::Sindex,
            Self::Module { .. } | Self::NoModule { .. } => Module::Udf,
            Self::Truncation(_) => Module::Truncate,
            Self::Setting(_) => Module::SetSettings,
        }
    }

    /// How the keys of items about the same thing begin: no two things share that.
    pub fn key(&self) -> String {
        match self {
            // An index is kept under its definition.
            Self::Index { set, bin, .. } => format!("{NAMESPACE}|{set}|{bin}|"),
            Self::NoIndex { name } => {
                format!("{NAMESPACE}|{SET}|b{}|", name.trim_start_matches("index"))
            }
            Self::Module { name, .. } | Self::NoModule { name } => name.clone(),
            Self::Truncation(_) => format!("{NAMESPACE}|{BRIEF_SET}"),
            Self::Setting(_) => format!("{NAMESPACE}|{SETTING_SET}|{SETTING}"),
        }
    }

    /// Whether an item is about the same thing.
    pub fn is_about(&self, item: &Item) -> bool {
        item.key.starts_with(self.key().as_bytes())
    }

    /// Whether an item says what this wanted.
    pub fn is_said_by(&self, item: &Item) -> bool {
        let value = item.value.as_deref();
        match self {
            Self::Index { name, .. } => value == Some(name.as_bytes()),
            Self::NoIndex { .. } | Self::NoModule { .. } => value.is_none(),
            Self::Module { source, .. } => value.is_some_and(|value| {
                let content = BASE64.encode(source);
                value.windows(content.len()).any(|part| part == content.as_bytes())
            }),
            Self::Truncation(_) => value.is_some(),
            Self::Setting(count) => value == Some(count.to_string().as_bytes()),
        }
    }
}

/// A moment of the true time, as wall clocks say it, in ms since 2010.
pub fn ms_since_2010(time: Duration) -> u64 {
    START_MS.saturating_add(time.as_millis().try_into().unwrap_or(u64::MAX))
}
