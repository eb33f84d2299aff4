//! Map operations (`reference`: cdt.md, sections 3, 5, 6 and 8).
//!
//! A map is flagged as unordered, ordered by key, or ordered by key and value; whatever the flags
//! say, its pairs stand in the order of their keys. A pair's index is its position there, its rank
//! the position in the order of the values, where keys decide between equal values. `select` finds
//! pairs, in the order of values if that is kept (`value_order`), `single` one by its key; `answers` says what is to be answered of them, `change` adds, replaces and removes.

mod answers;
mod change;
mod code;
mod select;
mod single;
mod value_order;

#[cfg(test)]
mod tests;

use wire::ResultCode;

use self::select::Selector;
use crate::cdt::answer::{self, Answer};
use crate::cdt::call::Call;
use crate::cdt::container::Raw;
use crate::cdt::guide::Guide;
use crate::cdt::run::{Changed, Target};
use crate::collection::Kind;

/// Runs an operation that reads a map; `INCOMPATIBLE_TYPE` if the value is none.
pub(crate) fn read(value: &[u8], guide: Guide<'_>, call: &Call<'_>) -> Result<Answer, ResultCode> {
    let map = Raw::of_kind(Kind::Map, value)?.guided(guide);
    match call.code {
        code::SIZE => Ok(answer::integer(map.count as i64)),
        code::GET_BY_KEY => single::get(&map, call),
        code => {
            let selector = Selector::of_reading(code).ok_or(ResultCode::PARAMETER)?;
            Ok(select::select(&map.to_map()?, call, selector)?.answer)
        }
    }
}

/// Runs an operation that modifies a map.
pub(crate) fn modify(target: Target<'_>, call: &Call<'_>) -> Changed {
    let map = target.value.map(|value| Raw::of_kind(Kind::Map, value)).transpose()?;
    let map = map.map(|map| map.guided(target.guide));
    let Target { is_bin, keeps_hint, .. } = target;
    change::MapTarget { map, is_bin, keeps_hint }.modify(call)
}
