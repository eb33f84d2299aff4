//! Operations on lists and maps: how they are sent, the path to a nested list or map, what they
//! answer (`reference`: cdt.md, sections 2, 5 and 9).
//!
//! [`read`] and [`modify`] are pure functions: the bin's stored value and the operation's value go
//! in, the answer and, of what modifies, the new stored value come out. `call` takes an operation's
//! value apart, `path` follows a context and puts changed containers back, and then `list`
//! or `map` does what is asked with a `container`'s elements; `select`, `find`, `rank`
//! and `seek` look for them, and [`answer`] turns those that were selected into a reply's value.

pub mod answer;
pub(crate) mod call;
pub(crate) mod container;
pub(crate) mod find;
pub mod guide;
pub(crate) mod number;
pub(crate) mod path;
pub(crate) mod rank;
pub(crate) mod run;
pub(crate) mod seek;
pub(crate) mod select;

pub use guide::Guide;
pub use run::{guide_of_written, modify, read};
use wire::{ParticleType, ResultCode};

use self::answer::Answer;

/// What became of a bin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Modified {
    /// The bin's new value; `None` when it is as before, or still missing.
    pub bin: Option<(ParticleType, Vec<u8>)>,
    /// What is to be kept beside the new value ([`Guide`]).
    pub guide: Vec<u8>,
    /// What the operation answers.
    pub answer: Answer,
}

/// A bin's value.
#[derive(Clone, Copy, Debug)]
pub struct Stored<'a> {
    /// Its type.
    pub particle_type: ParticleType,
    /// Its bytes.
    pub value: &'a [u8],
    /// What is kept beside it. It may always be left out, at the price of longer searches and of
    /// the client's hint.
    pub guide: Guide<'a>,
}

impl<'a> From<(ParticleType, &'a [u8])> for Stored<'a> {
    fn from((particle_type, value): (ParticleType, &'a [u8])) -> Self {
        Self { particle_type, value, guide: Guide::NONE }
    }
}

impl<'a> From<Stored<'a>> for (ParticleType, &'a [u8]) {
    fn from(stored: Stored<'a>) -> Self {
        (stored.particle_type, stored.value)
    }
}

/// A bin's value, for operations that can also begin without one.
pub type Bin<'a> = Option<Stored<'a>>;

/// Stored lists and maps were checked when they were written: one that cannot be read is damaged.
pub(crate) const DAMAGED: ResultCode = ResultCode::UNKNOWN;
