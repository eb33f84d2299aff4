//! List operations (`reference`: cdt.md, sections 3, 5, 6 and 7).
//!
//! Pure functions: the bin's stored value and the operation's value go in, the answer and, for
//! those that modify, the new stored value come out. Both may have a context, whose lists and maps
//! lead to the list that is meant.
//!
//! A list is flagged as ordered or not. In an ordered one index and rank are the same, and elements
//! stand where they belong; in the other, rank must be searched for. `select` finds elements and
//! says what is to be answered of them, `change` adds and rearranges.

mod change;
mod code;
mod select;

#[cfg(test)]
mod tests;

use wire::{ParticleType, ResultCode};

use self::change::{Change, Target};
use crate::cdt::answer::Answer;
use crate::cdt::call::Call;
use crate::cdt::container::{Container, List};
use crate::cdt::path::Path;
use crate::cdt::{Bin, Modified};

/// Runs a list operation that reads.
///
/// # Errors
/// - `PARAMETER`: the operation's value is malformed, its code is none of a list operation that
///   reads, or it has a context and the bin is neither list nor map.
/// - `INCOMPATIBLE_TYPE`: what the operation addresses is not a list.
/// - `OP_NOT_APPLICABLE`: an index, a rank or a context leads nowhere, or the return type does not
///   fit.
/// - `UNSUPPORTED_FEATURE`: a map operation.
pub fn read(bin: (ParticleType, &[u8]), operation: &[u8]) -> Result<Answer, ResultCode> {
    let call = Call::parse(operation)?;
    let (call, value) = match call.context()? {
        None => (call, Some(bin.1).filter(|_| bin.0 == ParticleType::LIST)),
        Some(mut reader) => {
            let path = Path::follow(Some(bin), &mut reader, false)?;
            (Call::read(&mut reader)?, path.end.map(|end| end.bytes()))
        }
    };
    check_is_for_list(&call)?;
    select::read(&as_list(value)?, &call)
}

/// Runs a list operation that modifies. Without a bin, operations that add create one.
///
/// # Errors
/// Those of [`read`], and
/// - `ELEMENT_EXISTS`: a value is there already and must be unique.
/// - `RECORD_TOO_BIG`: the list would be padded beyond what any record can hold.
pub fn modify(bin: Bin<'_>, operation: &[u8]) -> Result<Modified, ResultCode> {
    let call = Call::parse(operation)?;
    match call.context()? {
        None => modify_bin(bin, &call),
        Some(mut reader) => {
            let path = Path::follow(bin, &mut reader, true)?;
            modify_nested(&path, bin.is_some(), &Call::read(&mut reader)?)
        }
    }
}

fn modify_bin(bin: Bin<'_>, call: &Call<'_>) -> Result<Modified, ResultCode> {
    check_is_for_list(call)?;
    let list = match bin {
        None => None,
        Some((ParticleType::LIST, value)) => Some(as_list(Some(value))?),
        Some(_) => return Err(ResultCode::INCOMPATIBLE_TYPE),
    };
    let target = Target { list, bin_exists: bin.is_some(), keeps_hint: false };
    let (change, answer) = target.modify(call)?;
    let value = match change {
        Change::Made(value) => Some(value),
        Change::CreatesEmpty { flags, .. } if bin.is_none() => Some(List::empty(flags)),
        _ => None,
    };
    Ok(Modified { bin: value.map(|value| (ParticleType::LIST, value)), answer })
}

fn modify_nested(
    path: &Path<'_>,
    bin_exists: bool,
    call: &Call<'_>,
) -> Result<Modified, ResultCode> {
    check_is_for_list(call)?;
    let list = path.end.map(|end| as_list(Some(end.bytes()))).transpose()?;
    let is_missing = list.is_none();
    let keeps_hint = path.is_all_missing();
    let (change, answer) = Target { list, bin_exists, keeps_hint }.modify(call)?;
    let value = match change {
        Change::Made(value) => Some(value),
        Change::CreatesEmpty { flags, nested: true } if is_missing => Some(List::empty(flags)),
        _ => None,
    };
    Ok(Modified { bin: value.map(|value| path.put(value)), answer })
}

fn check_is_for_list(call: &Call<'_>) -> Result<(), ResultCode> {
    if call.is_for_map() { Err(ResultCode::UNSUPPORTED_FEATURE) } else { Ok(()) }
}

fn as_list(value: Option<&[u8]>) -> Result<List<'_>, ResultCode> {
    match value.map(Container::parse).transpose()?.flatten() {
        Some(Container::List(list)) => Ok(list),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
