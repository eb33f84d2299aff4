//! List operations (`reference`: cdt.md, sections 3, 5, 6 and 7).
//!
//! A list is flagged as ordered or not. In an ordered one index and rank are the same, and elements
//! stand where they belong; in the other, rank must be searched for. `select` finds elements and
//! says what is to be answered of them, `change` adds and rearranges.

mod change;
mod code;
mod select;

#[cfg(test)]
mod tests;

use wire::ResultCode;

use self::change::ListTarget;
use crate::cdt::answer::Answer;
use crate::cdt::call::Call;
use crate::cdt::container::{Container, List};
use crate::cdt::run::{Changed, Target};

/// Runs an operation that reads a list; `INCOMPATIBLE_TYPE` if the value is none.
pub(crate) fn read(value: &[u8], call: &Call<'_>) -> Result<Answer, ResultCode> {
    select::read(&as_list(value)?, call)
}

/// Runs an operation that modifies a list.
pub(crate) fn modify<'a>(target: Target<'a>, call: &Call<'a>) -> Changed {
    let list = target.value.map(as_list).transpose()?;
    let Target { bin_exists, keeps_hint, .. } = target;
    ListTarget { list, bin_exists, keeps_hint }.modify(call)
}

fn as_list(value: &[u8]) -> Result<List<'_>, ResultCode> {
    match Container::parse(value)? {
        Some(Container::List(list)) => Ok(list),
        _ => Err(ResultCode::INCOMPATIBLE_TYPE),
    }
}
