//! What operations on lists and maps have in common: how they are sent, the path to a nested list
//! or map, what they answer (`reference`: cdt.md, sections 2, 5 and 9).
//!
//! `call` takes an operation's value apart, `container` a list or map, `path` follows a
//! context and puts changed containers back, [`answer`] turns selected elements into a reply's
//! value.

pub mod answer;
pub(crate) mod call;
pub(crate) mod container;
pub(crate) mod path;
pub(crate) mod rank;

use wire::{ParticleType, ResultCode};

use self::answer::Answer;

/// What became of a bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modified {
    /// The bin's new value; `None` when it is as before, or still missing.
    pub bin: Option<(ParticleType, Vec<u8>)>,
    /// What the operation answers.
    pub answer: Answer,
}

/// A bin's value, for operations that can also begin without one.
pub type Bin<'a> = Option<(ParticleType, &'a [u8])>;

/// Stored lists and maps were checked when they were written: one that cannot be read is damaged.
pub(crate) const DAMAGED: ResultCode = ResultCode::UNKNOWN;
