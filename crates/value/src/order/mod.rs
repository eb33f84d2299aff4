//! The total order of values, within and across types (`reference`: cdt.md, section 10.3).
//!
//! It decides where an element of an ordered list stands, which keys of a map are the same, what
//! rank a value has and what an interval holds. Types come first, lowest to highest: nil, false,
//! true, negative integers, other integers, strings, lists, maps, blobs, doubles, GeoJSON,
//! extensions, the wildcard, infinity. So 1 and 1.0 differ, and 2.0 is above every list.
//!
//! Two values break the order of a mathematician. The wildcard equals everything, which is its
//! purpose: it is never stored. A NaN equals every double, because the original asks only whether
//! one is below or above the other; sorting must bear that ([`compare`] is total on
//! values without NaN, and [`sort_by`] copes with the rest).

use std::cmp::Ordering;

use wire::ParticleType;

use crate::msgpack::{Element, Ext, Malformed, Reader, Token};

/// Compares two values. Neither depth nor size costs memory.
pub fn compare(left: Element<'_>, right: Element<'_>) -> Ordering {
    if let Some(ordering) = compare_common(left.bytes(), right.bytes()) {
        return ordering;
    }
    let (mut left, mut right) = (left.reader(), right.reader());
    // Values still to compare in step, and the answer if all of them turn out equal.
    let mut pending = 1_usize;
    let mut answer = Ordering::Equal;
    while pending > 0 {
        pending -= 1;
        let (Ok(a), Ok(b)) = (Item::read(&mut left), Item::read(&mut right)) else {
            // An `Element` is complete, so neither can end before the other differs from it.
            return Ordering::Equal;
        };
        if a.rank == Rank::Wildcard || b.rank == Rank::Wildcard {
            return Ordering::Equal;
        }
        match a.compare(&b) {
            Step::Decided(ordering) => return ordering,
            Step::Equal => {}
            Step::Descend(count) => pending += count,
            Step::DescendAtMost(count, otherwise) => {
                // What follows these elements stands at unlike depths; it cannot matter any more.
                pending = count;
                answer = otherwise;
            }
        }
    }
    answer
}

/// Compares what most keys and values are, integers of up to four bytes and short strings or blobs,
/// in a fraction of the time.
fn compare_common(left: &[u8], right: &[u8]) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (short_unsigned(left), short_unsigned(right)) {
        return Some(a.cmp(&b));
    }
    let ([0xa2..=0xbf, left @ ..], [0xa2..=0xbf, right @ ..]) = (left, right) else { return None };
    // The payload begins with its type.
    (left.first() == right.first()).then(|| left.cmp(right))
}

fn short_unsigned(bytes: &[u8]) -> Option<u32> {
    match *bytes {
        [value @ 0..=0x7f] | [0xcc, value] => Some(value.into()),
        [0xcd, a, b] => Some(u16::from_be_bytes([a, b]).into()),
        [0xce, a, b, c, d] => Some(u32::from_be_bytes([a, b, c, d])),
        _ => None,
    }
}

/// Types in the order in which they compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Nil,
    False,
    True,
    Negative,
    Unsigned,
    String,
    List,
    Map,
    Blob,
    Double,
    GeoJson,
    Ext,
    Wildcard,
    Infinity,
}

impl Rank {
    fn of(token: &Token<'_>) -> Self {
        match *token {
            Token::Nil => Self::Nil,
            Token::Bool(false) => Self::False,
            Token::Bool(true) => Self::True,
            Token::Negative(_) => Self::Negative,
            Token::Unsigned(_) => Self::Unsigned,
            Token::Double(_) => Self::Double,
            Token::Bytes(payload) => match payload.first().copied().map(ParticleType) {
                Some(ParticleType::STRING) => Self::String,
                Some(ParticleType::GEOJSON) => Self::GeoJson,
                _ => Self::Blob,
            },
            Token::List(_) => Self::List,
            Token::Map(_) => Self::Map,
            Token::Ext(Ext::WILDCARD) => Self::Wildcard,
            Token::Ext(Ext::INFINITY) => Self::Infinity,
            Token::Ext(_) => Self::Ext,
        }
    }
}

/// What comparing one item with its counterpart leads to.
enum Step {
    Decided(Ordering),
    Equal,
    /// Equal if the next `usize` values are.
    Descend(usize),
    /// Decided by the next `usize` values, or as given if they are equal.
    DescendAtMost(usize, Ordering),
}

/// A token with its rank; of a container, without the order extension.
struct Item<'a> {
    token: Token<'a>,
    rank: Rank,
}

impl<'a> Item<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        let mut token = reader.head()?.token;
        match &mut token {
            Token::List(count) if *count > 0 && reader.order_ext()?.is_some() => *count -= 1,
            Token::Map(pairs) if *pairs > 0 && reader.order_ext()?.is_some() => {
                reader.element()?;
                *pairs -= 1;
            }
            _ => {}
        }
        Ok(Self { token, rank: Rank::of(&token) })
    }

    fn compare(&self, other: &Self) -> Step {
        let ordering = match (self.token, other.token) {
            _ if self.rank != other.rank => self.rank.cmp(&other.rank),
            (Token::Unsigned(a), Token::Unsigned(b)) => a.cmp(&b),
            (Token::Negative(a), Token::Negative(b)) => a.cmp(&b),
            (Token::Double(a), Token::Double(b)) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (Token::Bytes(a), Token::Bytes(b)) => a.cmp(b),
            (Token::Ext(a), Token::Ext(b)) => a.data.cmp(b.data),
            (Token::List(a), Token::List(b)) if a == b => return Step::Descend(a),
            (Token::List(a), Token::List(b)) => return Step::DescendAtMost(a.min(b), a.cmp(&b)),
            // Pairs twice over: one value for the key, one for the value.
            (Token::Map(a), Token::Map(b)) if a == b => return Step::Descend(2 * a),
            (Token::Map(a), Token::Map(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        };
        if ordering.is_eq() { Step::Equal } else { Step::Decided(ordering) }
    }
}

/// Sorts stably, as a merge sort does. Unlike the standard library's it accepts any comparison: the
/// order of values is not total where there are NaNs ([`compare`]), and then the outcome is that of
/// the original.
pub fn sort_by<T: Copy>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut scratch = items.to_vec();
    merge_sort(items, &mut scratch, &mut compare);
}

fn merge_sort<T: Copy>(
    items: &mut [T],
    scratch: &mut [T],
    compare: &mut impl FnMut(&T, &T) -> Ordering,
) {
    if items.len() < 2 {
        return;
    }
    let middle = items.len() / 2;
    let (left, right) = items.split_at_mut(middle);
    let (left_scratch, right_scratch) = scratch.split_at_mut(middle);
    merge_sort(left, left_scratch, compare);
    merge_sort(right, right_scratch, compare);
    scratch.copy_from_slice(items);
    let (mut left, mut right) = scratch.split_at(middle);
    for item in items {
        let from = match (left, right) {
            ([], _) => &mut right,
            (_, []) => &mut left,
            ([a, ..], [b, ..]) if compare(a, b).is_gt() => &mut right,
            _ => &mut left,
        };
        if let Some((next, rest)) = from.split_first() {
            *item = *next;
            *from = rest;
        }
    }
}

#[cfg(test)]
mod tests;
