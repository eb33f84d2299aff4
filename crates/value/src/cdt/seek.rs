//! Finding one pair by its key without taking the whole map apart.

use std::ops::Range;

use wire::ResultCode;

use super::DAMAGED;
use super::container::{Map, Raw};
use super::guide::Splice;
use super::run::Change;
use crate::collection;
use crate::msgpack::{Element, Malformed, Reader};
use crate::order;

/// Where a pair stands, or where one with that key belongs.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    /// Pairs before it.
    pub(crate) index: usize,
    /// Its bytes within those of all pairs; empty if there is no such pair.
    pub(crate) at: Range<usize>,
    /// Key and value, if there is such a pair.
    pub(crate) pair: Option<(Element<'a>, Element<'a>)>,
}

impl Place<'_> {
    /// The map with this pair put in its place, or taken away if there is none to put.
    pub(crate) fn replaced(&self, map: &Raw<'_>, pair: Option<(&[u8], &[u8])>) -> Change {
        let count = map.count - usize::from(self.pair.is_some()) + usize::from(pair.is_some());
        let (key, value) = pair.unwrap_or_default();
        let (before, after) = (&map.body[..self.at.start], &map.body[self.at.end..]);
        let splice = Splice { at: self.at.clone(), size_bytes: key.len() + value.len() };
        Change::Spliced(map.with(count, &[before, key, value, after]), splice)
    }
}

/// Finds a key in a map.
pub(crate) fn seek<'a>(map: &Raw<'a>, key: Element<'_>) -> Result<Place<'a>, ResultCode> {
    let is_plain = key.reader().head().is_ok_and(|head| collection::is_map_key(&head.token));
    let found = if is_plain { walk_to_key(map, key) } else { search_odd(map, key) };
    found.map_err(|Malformed| DAMAGED)
}

/// Looks at keys in their order, up to the first that is not less.
fn walk_to_key<'a>(map: &Raw<'a>, key: Element<'_>) -> Result<Place<'a>, Malformed> {
    let is_beyond = |offset: usize| {
        let own = map.body.get(offset..).ok_or(Malformed).and_then(|at| Reader::new(at).element());
        own.map_or(true, |own| order::compare(own, key).is_gt())
    };
    let mark = map.guide.mark_before(is_beyond);
    let mut reader = Reader::new(map.body.get(mark.offset..).ok_or(Malformed)?);
    for index in mark.index..map.count {
        let start = map.body.len() - reader.rest().len();
        let own = reader.element()?;
        let ordering = order::compare(own, key);
        if ordering.is_gt() {
            return Ok(Place { index, at: start..start, pair: None });
        }
        let value = reader.element()?;
        if ordering.is_eq() {
            let end = map.body.len() - reader.rest().len();
            return Ok(Place { index, at: start..end, pair: Some((own, value)) });
        }
    }
    let end = map.body.len();
    Ok(Place { index: map.count, at: end..end, pair: None })
}

/// What can be no key, such as the wildcard, can equal keys; which one the original comes upon
/// depends on how it searches.
fn search_odd<'a>(map: &Raw<'a>, key: Element<'_>) -> Result<Place<'a>, Malformed> {
    let mut reader = Reader::new(map.body);
    let mut starts = Vec::new();
    let mut pairs = Vec::new();
    for _ in 0..map.count {
        starts.push(map.body.len() - reader.rest().len());
        pairs.push((reader.element()?, reader.element()?));
    }
    starts.push(map.body.len());
    let map = Map { flags: map.flags, pairs };
    Ok(match map.find_key(key) {
        Ok(index) => {
            let pair = Some(map.pairs[index]);
            Place { index, at: starts[index]..starts[index + 1], pair }
        }
        Err(index) => Place { index, at: starts[index]..starts[index], pair: None },
    })
}
