//! A device of either kind.

use crate::original::{self, NotOriginal, OriginalDevice};
use crate::own::{self, NotOurs, OwnDevice};
use crate::seen::Visitor;
use crate::source::Source;

/// Whose devices are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whose {
    /// Ours. A block's size in bytes, where the header cannot tell.
    Ours {
        /// That size.
        block_bytes: u32,
    },
    /// The original's.
    Original,
}

/// A device that can be read.
pub enum Device {
    /// Of ours.
    Own(OwnDevice),
    /// Of the original's.
    Original(OriginalDevice),
}

/// Why a device cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// As one of ours.
    #[error(transparent)]
    NotOurs(#[from] NotOurs),
    /// As one of the original's.
    #[error(transparent)]
    NotOriginal(#[from] NotOriginal),
}

impl Device {
    /// Opens a device.
    ///
    /// # Errors
    /// [`Unusable`] if it has no sound header of this kind.
    pub fn open(source: Box<dyn Source>, whose: Whose) -> Result<Self, Unusable> {
        Ok(match whose {
            Whose::Ours { block_bytes } => Self::Own(own::open(source, block_bytes)?),
            Whose::Original => Self::Original(original::open(source)?),
        })
    }

    /// How the command line calls it.
    pub fn name(&self) -> &str {
        match self {
            Self::Own(device) => device.source.name(),
            Self::Original(device) => device.source.name(),
        }
    }

    /// The namespace whose records it holds; `None` if the header that would tell is lost.
    pub fn namespace(&self) -> Option<&str> {
        match self {
            Self::Own(device) if device.is_headless() => None,
            Self::Own(device) => Some(&device.header.namespace),
            Self::Original(device) => Some(&device.header.namespace),
        }
    }

    /// Shows all that is on it. `number` is its number on the command line.
    ///
    /// # Errors
    /// Those of the visitor.
    pub fn walk(&self, number: u16, visitor: &mut dyn Visitor) -> anyhow::Result<()> {
        match self {
            Self::Own(device) => device.walk(number, visitor),
            Self::Original(device) => device.walk(number, visitor),
        }
    }
}
