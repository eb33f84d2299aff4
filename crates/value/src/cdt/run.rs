//! Running an operation: whatever lists and maps share, before one or the other takes over.

use wire::{ParticleType, ResultCode};

use super::answer::Answer;
use super::call::Call;
use super::container::{List, Map};
use super::path::Path;
use super::{Bin, Modified};
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
}

/// What a modifying operation does and answers.
pub(crate) type Changed = Result<(Change, Answer), ResultCode>;

/// The list or map that an operation is to modify.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    /// `None` when it is missing.
    pub(crate) value: Option<&'a [u8]>,
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
pub fn read(bin: (ParticleType, &[u8]), operation: &[u8]) -> Result<Answer, ResultCode> {
    let call = Call::parse(operation)?;
    let (call, value) = match call.context()? {
        None => (call, container_bytes(bin)?),
        Some(mut reader) => {
            let path = Path::follow(Some(bin), &mut reader, false)?;
            let call = Call::read(&mut reader)?;
            (call, path.end.ok_or(ResultCode::OP_NOT_APPLICABLE)?.bytes())
        }
    };
    if call.is_for_map() { map::read(value, &call) } else { list::read(value, &call) }
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
        let value = bin.map(container_bytes).transpose()?;
        let target = Target { value, bin_exists: bin.is_some(), keeps_hint: false };
        let (value, answer) = changed(target, &call, true)?;
        let particle_type = if call.is_for_map() { ParticleType::MAP } else { ParticleType::LIST };
        return Ok(Modified { bin: value.map(|value| (particle_type, value)), answer });
    };
    let path = Path::follow(bin, &mut reader, true)?;
    let target = Target {
        value: path.end.map(|end| end.bytes()),
        bin_exists: bin.is_some(),
        keeps_hint: path.is_all_missing(),
    };
    let (value, answer) = changed(target, &Call::read(&mut reader)?, false)?;
    Ok(Modified { bin: value.map(|value| path.put(value)), answer })
}

/// The new value of what an operation modifies, if it changes, and the answer.
fn changed(
    target: Target<'_>,
    call: &Call<'_>,
    is_bin: bool,
) -> Result<(Option<Vec<u8>>, Answer), ResultCode> {
    let (change, answer) =
        if call.is_for_map() { map::modify(target, call)? } else { list::modify(target, call)? };
    let value = match change {
        Change::Made(value) => Some(value),
        Change::CreatesEmpty { flags, nested } if target.value.is_none() && (nested || is_bin) => {
            Some(if call.is_for_map() { Map::empty(flags) } else { List::empty(flags) })
        }
        _ => None,
    };
    Ok((value, answer))
}

/// A bin's bytes, if it is a list or map.
fn container_bytes(bin: (ParticleType, &[u8])) -> Result<&[u8], ResultCode> {
    match bin {
        (ParticleType::LIST | ParticleType::MAP, value) => Ok(value),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
