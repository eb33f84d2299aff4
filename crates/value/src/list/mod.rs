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
use crate::cdt::answer::{self, Answer};
use crate::cdt::call::Call;
use crate::cdt::container::Raw;
use crate::cdt::run::{Changed, Target};
use crate::collection::Kind;

/// Runs an operation that reads a list; `INCOMPATIBLE_TYPE` if the value is none.
pub(crate) fn read(value: &[u8], call: &Call<'_>) -> Result<Answer, ResultCode> {
    let list = Raw::of_kind(Kind::List, value)?;
    match call.code {
        code::SIZE => Ok(answer::integer(list.count as i64)),
        _ => select::read(&list.to_list()?, call),
    }
}

/// Runs an operation that modifies a list.
pub(crate) fn modify<'a>(target: Target<'a>, call: &Call<'a>) -> Changed {
    let list = target.value.map(|value| Raw::of_kind(Kind::List, value)).transpose()?;
    let Target { bin_exists, keeps_hint, .. } = target;
    ListTarget { list, bin_exists, keeps_hint }.modify(call)
}
