//! Operations on the pair with one key. They leave the rest of the map in one piece.

use std::borrow::Cow;

use wire::ResultCode;

use super::change::WriteFlags;
use crate::cdt::answer::{self, Answer, Request, ReturnType};
use crate::cdt::call::Call;
use crate::cdt::container::Raw;
use crate::cdt::number::Number;
use crate::cdt::run::{Change, Changed};
use crate::cdt::seek::{Place, seek};
use crate::cdt::select::check_inversion;
use crate::collection;
use crate::msgpack::Element;

/// A map with the place of one key in it.
struct At<'m, 'a> {
    map: &'m Raw<'a>,
    place: Place<'a>,
}

/// Answers a get by key.
pub(super) fn get(map: &Raw<'_>, call: &Call<'_>) -> Result<Answer, ResultCode> {
    select(map, call).map(|(_, answer)| answer)
}

/// Removes the pair with a key.
pub(super) fn remove(map: &Raw<'_>, call: &Call<'_>) -> Changed {
    let (at, answer) = select(map, call)?;
    let change = match at.place.pair {
        Some(_) => at.place.replaced(map, None),
        None => Change::None,
    };
    Ok((change, answer))
}

fn select<'m, 'a>(map: &'m Raw<'a>, call: &Call<'_>) -> Result<(At<'m, 'a>, Answer), ResultCode> {
    let mut parameters = call.parameters(2, 2)?;
    let (returns, key) = (parameters.flags()?, parameters.value()?);
    let request = Request::of_map(returns, false)?;
    if request.is_rank_range() {
        return Err(ResultCode::OP_NOT_APPLICABLE);
    }
    let at = At { map, place: seek(map, key)? };
    let answer = at.answer(request)?;
    Ok((at, answer))
}

impl At<'_, '_> {
    fn answer(&self, request: Request) -> Result<Answer, ResultCode> {
        let Some((key, value)) = self.place.pair else {
            // In an unordered map the original looks at the flags first.
            if !self.map.is_ordered_map() {
                check_inversion(request)?;
            }
            return Ok(request.nothing(-1));
        };
        check_inversion(request)?;
        match request.return_type {
            ReturnType::Key => answer::element(key),
            ReturnType::Value => answer::element(value),
            ReturnType::Map(flags) => Ok(answer::pairs(flags, [(key, value)].into_iter())),
            ReturnType::Rank { reverse } => {
                let map = self.map.to_map()?;
                Ok(map.ranks_answer(request, &[self.place.index], reverse))
            }
            _ => request.numbers(self.place.index..self.place.index + 1, self.map.count),
        }
    }
}

/// Puts a value under a key.
pub(super) fn put(
    map: &Raw<'_>,
    key: Element<'_>,
    value: Element<'_>,
    flags: WriteFlags,
) -> Changed {
    let (key, value) = (stored_key(key)?, collection::element_to_stored(value)?);
    let place = seek(map, Element::new(&key)?)?;
    if let Some(error) = flags.refusal(place.pair.is_some()) {
        return flags.refuse(error, map);
    }
    let count = map.count + usize::from(place.pair.is_none());
    Ok((place.replaced(map, Some((&key, &value))), answer::integer(count as i64)))
}

/// Adds to the value under a key; the delta is 1 if it is nil or left out.
pub(super) fn add(map: &Raw<'_>, key: Element<'_>, delta: Number) -> Changed {
    let key = stored_key(key)?;
    let place = seek(map, Element::new(&key)?)?;
    let sum = delta.added_to(place.pair.map(|(_, value)| value))?.encode();
    let answer = answer::element(Element::new(&sum)?)?;
    Ok((place.replaced(map, Some((&key, &sum))), answer))
}

/// The stored form of a key that is to be added.
fn stored_key(key: Element<'_>) -> Result<Cow<'_, [u8]>, ResultCode> {
    if !collection::is_map_key(&key.reader().head()?.token) {
        return Err(ResultCode::PARAMETER);
    }
    Ok(collection::element_to_stored(key)?)
}
