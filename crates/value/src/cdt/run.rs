//! Running an operation: whatever lists and maps share, before one or the other takes over.

use wire::{ParticleType, ResultCode};

use super::answer::Answer;
use super::call::Call;
use super::container::{List, Map, Raw};
use super::guide::{Guide, Splice};
use super::path::Path;
use super::{Bin, Modified, Stored};
use crate::collection::Kind;
use crate::msgpack::Flags;
use crate::{list, map};

/// What becomes of a list or map.
#[derive(Debug)]
pub(crate) enum Change {
    /// Nothing; if it is missing, it stays so.
    None,
    /// Nothing; but if it is missing, an empty one is created.
    CreatesEmpty {
        /// How the new one is ordered.
        flags: Flags,
        /// Also when it is not the bin itself.
        nested: bool,
    },
    /// Its new stored form.
    Made(Vec<u8>),
    /// Its new stored form, and in what the elements or pairs differ.
    Spliced(Vec<u8>, Splice),
}

/// What a modifying operation does and answers.
pub(crate) type Changed = Result<(Change, Answer), ResultCode>;

/// The list or map that an operation is to modify.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `None` when it is missing.
    pub(crate) value: Option<&'a [u8]>,
    /// If it is the bin's value, what is kept beside it.
    pub(crate) guide: Guide<'a>,
    pub(crate) is_bin: bool,
    pub(crate) bin_exists: bool,
    /// When the bin is created together with the way to a nested list or map, the original forgets
    /// to drop that one's hint to persist an index, and clients see it.
    pub(crate) keeps_hint: bool,
}

/// Runs an operation that reads.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed, its code is none of an operation that reads,
///   or it has a context and the bin is neither list nor map.
/// - `INCOMPATIBLE_TYPE`: a list operation addresses what is no list, or a map operation what is
///   no map.
/// - `OP_NOT_APPLICABLE`: an index, a rank or a context leads nowhere, or the return type does not
///   fit.
pub fn read(bin: Stored<'_>, operation: &[u8]) -> Result<Answer, ResultCode> {
    let call = Call::parse(operation)?;
    let (call, value, guide) = match call.context()? {
        None => (call, container_bytes(bin)?, bin.guide),
        Some(mut reader) => {
            let path = Path::follow(Some(bin), &mut reader, false)?;
            let call = Call::read(&mut reader)?;
            (call, path.end.ok_or(ResultCode::OP_NOT_APPLICABLE)?.bytes(), Guide::NONE)
        }
    };
    if call.is_for_map() { map::read(value, guide, &call) } else { list::read(value, &call) }
}

/// Runs an operation that modifies. Without a bin, operations that add create one.
///
/// # Errors
/// Those of [`read`], and
/// - `ELEMENT_EXISTS`: a value or key is there already and must not be.
/// - `ELEMENT_NOT_FOUND`: a key is not there and must be.
/// - `RECORD_TOO_BIG`: a list would be padded beyond what any record can hold.
pub fn modify(bin: Bin<'_>, operation: &[u8]) -> Result<Modified, ResultCode> {
    let call = Call::parse(operation)?;
    let Some(mut reader) = call.context()? else {
        let target = Target {
            value: bin.map(container_bytes).transpose()?,
            guide: bin.map_or(Guide::NONE, |bin| bin.guide),
            is_bin: true,
            bin_exists: bin.is_some(),
            keeps_hint: false,
        };
        let (change, answer) = target.modify(&call)?;
        return Ok(modified(bin, change, kind_of(&call), answer));
    };
    let path = Path::follow(bin, &mut reader, true)?;
    let target = Target {
        value: path.end.map(|end| end.bytes()),
        guide: Guide::NONE,
        is_bin: false,
        bin_exists: bin.is_some(),
        keeps_hint: path.is_all_missing(),
    };
    match target.modify(&Call::read(&mut reader)?)? {
        (Change::Made(value) | Change::Spliced(value, _), answer) => {
            let (change, kind) = path.put(value);
            Ok(modified(bin, change, kind, answer))
        }
        (Change::None | Change::CreatesEmpty { .. }, answer) => {
            Ok(Modified { bin: None, guide: Vec::new(), answer })
        }
    }
}

impl<'a> Target<'a> {
    fn modify(self, call: &Call<'a>) -> Changed {
        let (change, answer) = match kind_of(call) {
            Kind::List => list::modify(self, call)?,
            Kind::Map => map::modify(self, call)?,
        };
        let change = match change {
            Change::CreatesEmpty { flags, nested }
                if self.value.is_none() && (nested || self.is_bin) =>
            {
                Change::Made(match kind_of(call) {
                    Kind::List => List::empty(flags),
                    Kind::Map => Map::empty(flags),
                })
            }
            change => change,
        };
        Ok((change, answer))
    }
}

/// What becomes of a bin, and of what is kept beside it.
fn modified(bin: Bin<'_>, change: Change, kind: Kind, answer: Answer) -> Modified {
    let (value, splice) = match change {
        Change::Made(value) => (value, None),
        Change::Spliced(value, splice) => (value, Some(splice)),
        Change::None | Change::CreatesEmpty { .. } => {
            return Modified { bin: None, guide: Vec::new(), answer };
        }
    };
    if kind == Kind::List {
        return Modified { bin: Some((ParticleType::LIST, value)), guide: Vec::new(), answer };
    }
    let (value, is_hinted) = without_hint(value);
    let guide = match Raw::parse(&value) {
        Ok(Some(new)) => match (splice, bin) {
            (Some(splice), Some(bin)) if let Ok(Some(old)) = Raw::parse(bin.value) => {
                bin.guide.spliced(&splice, &old, &new)
            }
            _ => Guide::build(&new, is_hinted),
        },
        _ => Vec::new(),
    };
    Modified { bin: Some((ParticleType::MAP, value)), guide, answer }
}

/// A map without the hint to persist an index, and whether it had the hint.
fn without_hint(value: Vec<u8>) -> (Vec<u8>, bool) {
    match Raw::parse(&value) {
        Ok(Some(map)) if map.flags.0 & Flags::PERSIST_INDEX.0 != 0 => {
            let flags = map.flags.of_stored_map();
            (Raw { flags, ..map }.with(map.count, &[map.body]), true)
        }
        _ => (value, false),
    }
}

/// What is to be kept beside a value that a client writes as a whole.
pub fn guide_of_written(bin: (ParticleType, &[u8]), sent: &[u8]) -> Vec<u8> {
    if bin.0 != ParticleType::MAP {
        return Vec::new();
    }
    let is_hinted =
        matches!(Raw::parse(sent), Ok(Some(map)) if map.flags.0 & Flags::PERSIST_INDEX.0 != 0);
    match Raw::parse(bin.1) {
        Ok(Some(map)) => Guide::build(&map, is_hinted),
        _ => Vec::new(),
    }
}

fn kind_of(call: &Call<'_>) -> Kind {
    if call.is_for_map() { Kind::Map } else { Kind::List }
}

/// A bin's bytes, if it is a list or map.
fn container_bytes(bin: Stored<'_>) -> Result<&[u8], ResultCode> {
    match bin.particle_type {
        ParticleType::LIST | ParticleType::MAP => Ok(bin.value),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
