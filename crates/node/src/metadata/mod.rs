//! The system metadata: what the nodes of a cluster have in common beside records. Definitions of
//! secondary indexes, UDF modules, truncations, thresholds of eviction, settings of sets.
//!
//! A [`Store`] holds a [`Module`] for each of them: keys with values, as the original has them (cluster
//! reference, SMD). A change becomes durable, then it holds, then the module's [`Acceptor`]s act on it.
//! What is deleted stays as an item without value, so that a [`merge`](merge::merge) with the items of
//! another node knows of it. What a node keeps between two starts is drawn in `docs/formats/metadata.md`.

pub mod file;
pub mod merge;

mod namespaces;
mod set_setting;
mod spread;
mod store;

use std::fmt;
use std::io;
use std::sync::Arc;

use engine::sindex::Definition;
use record::LastUpdateTime;

pub(crate) use namespaces::{recall, register, truncation_key};
pub(crate) use set_setting::SetSetting;
pub(crate) use spread::Spread;
pub use store::{Store, verify};

/// One kind of metadata.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Module {
    /// Void-times below which eviction takes records. Key: namespace.
    Evict,
    /// Rosters of strong consistency.
    Roster,
    /// Users and roles.
    Security,
    /// Secondary indexes. Key: see [`Definition::key`]; value: the index's name.
    Sindex,
    /// Times of truncations, in ms since 2010. Key: `namespace` or `namespace|set`.
    Truncate,
    /// UDF modules. Key: file name; value: see [`crate::udf`].
    Udf,
    /// Filters of shipping.
    Xdr,
    /// Settings of sets, which the original does not keep. Key: see [`SetSetting::key`]; value: as a
    /// command has it.
    SetSettings,
}

impl Module {
    /// All of them: those of the original in the order of their names, then our own.
    pub const ALL: [Self; 8] = [
        Self::Evict,
        Self::Roster,
        Self::Security,
        Self::Sindex,
        Self::Truncate,
        Self::Udf,
        Self::Xdr,
        Self::SetSettings,
    ];

    /// Its name in info texts and of its file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evict => "evict",
            Self::Roster => "roster",
            Self::Security => "security",
            Self::Sindex => "sindex",
            Self::Truncate => "truncate",
            Self::Udf => "UDF",
            Self::Xdr => "XDR",
            Self::SetSettings => "set-settings",
        }
    }

    /// The module with this name, in any case.
    pub fn named(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|module| module.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// What it holds, for an operator.
    pub const fn contents(self) -> &'static str {
        match self {
            Self::Evict => "thresholds of eviction",
            Self::Roster => "rosters",
            Self::Security => "users and roles",
            Self::Sindex => "definitions of secondary indexes",
            Self::Truncate => "truncations",
            Self::Udf => "UDF modules",
            Self::Xdr => "filters of shipping",
            Self::SetSettings => "settings of sets",
        }
    }

    /// What is wrong with an item; `None` if nothing. One that is wrong gets neither out of a file nor
    /// into one.
    pub(crate) fn objection(self, item: &Item) -> Option<&'static str> {
        let Some(value) = &item.value else { return None };
        match self {
            Self::Evict | Self::Truncate if merge::number(value).is_none() => {
                Some("the value is not a number")
            }
            Self::Sindex if Definition::of_key(&item.key).is_none() => {
                Some("the key describes no index")
            }
            Self::Udf if crate::udf::Stored::of_value(value).is_none() => {
                Some("the value is not that of a UDF module")
            }
            Self::SetSettings if SetSetting::of_item(item).is_none() => {
                Some("that is no setting of a set")
            }
            _ => None,
        }
    }
}

/// A key of a module with its value. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Item {
    /// The key. Names of sets are any bytes, so keys are.
    pub key: Arc<[u8]>,
    /// The value; `None`: deleted.
    pub value: Option<Arc<[u8]>>,
    /// How often the key was set, as [`merge`] counts it.
    pub generation: u32,
    /// When it was last set.
    pub timestamp: LastUpdateTime,
}

/// Acts on the items of a module. It may look into the store, but not change the module that it hears of.
pub trait Acceptor: Send + Sync {
    /// Takes over an item: one of those that were there at the start, in their order, or one that has
    /// changed, in the order of changes. A deleted one has no value.
    ///
    /// # Errors
    /// When the item cannot take effect as it should. It is accepted all the same; whoever asked for
    /// the change is told.
    fn accept(&self, item: &Item, occasion: Occasion) -> io::Result<()>;
}

/// Why an item is to be taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Occasion {
    /// The node starts; deleted items are shown too.
    Start,
    /// It was set.
    Change,
}

/// Why an item was not set, or is not as it should be.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// The change does not hold.
    #[error("{place} cannot be written: {error}; check the work directory")]
    NotKept {
        /// What should have been written.
        place: String,
        /// Why not.
        error: io::Error,
    },
    /// The change does not hold.
    #[error("there are too many keys already")]
    Full,
    /// The change does not hold.
    #[error("{0}")]
    Invalid(&'static str),
    /// The change is kept, but somebody could not act on it.
    #[error("{0}")]
    NotInForce(io::Error),
}

/// A file that a node cannot start with.
#[derive(Debug)]
pub struct Unreadable {
    module: Module,
    place: String,
    reason: Reason,
}

#[derive(Debug)]
enum Reason {
    Io(io::Error),
    Corrupt(file::Corrupt),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot read the system metadata in {}", self.place)?;
        match &self.reason {
            Reason::Io(error) => write!(f, ": {error}")?,
            Reason::Corrupt(corrupt) => write!(f, ", {corrupt}")?,
        }
        let contents = self.module.contents();
        write!(f, "; put back a good copy, or move the file away to start without the {contents}")
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests;
