//! Lists and maps as a client sends them, checked and turned into the form in which they are
//! stored.
//!
//! The rules are those of a plain write (`reference`: cdt.md, sections 8, 10 and 11):
//!
//! - everything is in its smallest encoding; long byte strings of the `bin` family stay as is;
//! - a map's pairs stand in the order of their keys, whether or not it says that it is ordered;
//! - the order extension keeps the bits that mean something, and vanishes when none is left;
//! - keys are integers, strings or blobs, each at most once;
//! - what says that it is ordered must be, as it came: before the maps inside are sorted;
//! - nothing that only comparisons know (wildcard, infinity), at any depth;
//! - nothing after the value.

use std::borrow::Cow;

use wire::ParticleType;

use crate::msgpack::{Element, Flags, Head, Malformed, Reader, Token, write};
use crate::order;

/// Levels of lists and maps within each other. The original has no bound; this one keeps the stack
/// small wherever values are walked, and is far beyond what any data model nests.
pub const MAX_NESTING: usize = 512;

/// A list's or a map's stored form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// msgpack array.
    List,
    /// msgpack map.
    Map,
}

/// Turns a client's list or map into its stored form; borrowed if it is that already.
///
/// # Errors
/// [`Malformed`] when a rule of this module is broken.
pub fn to_stored(input: &[u8], kind: Kind) -> Result<Cow<'_, [u8]>, Malformed> {
    match (Reader::new(input).head()?.token, kind) {
        (Token::List(_), Kind::List) | (Token::Map(_), Kind::Map) => any_to_stored(input),
        _ => Err(Malformed),
    }
}

/// Turns a value that is to become an element or a key into its stored form.
///
/// # Errors
/// [`Malformed`] when a rule of this module is broken.
pub fn element_to_stored(element: Element<'_>) -> Result<Cow<'_, [u8]>, Malformed> {
    any_to_stored(element.bytes())
}

fn any_to_stored(input: &[u8]) -> Result<Cow<'_, [u8]>, Malformed> {
    let mut check = Check { reader: Reader::new(input), is_stored_form: true };
    check.value(0)?;
    if !check.reader.is_empty() {
        return Err(Malformed);
    }
    if check.is_stored_form {
        return Ok(Cow::Borrowed(input));
    }
    let mut rewrite = Rewrite { reader: Reader::new(input), out: Vec::with_capacity(input.len()) };
    rewrite.value()?;
    Ok(Cow::Owned(rewrite.out))
}

/// A container's header with the order extension taken out.
struct Start {
    flags: Flags,
    /// Elements of a list, pairs of a map.
    count: usize,
    is_stored_form: bool,
}

impl Start {
    fn list(reader: &mut Reader<'_>, head: &Head<'_>, count: usize) -> Result<Self, Malformed> {
        let start = Self::read(reader, head, count, Flags::of_stored_list)?;
        // Once the first is dropped, a second one would be taken for what the first one was.
        let is_doubled = start.count < count && reader.clone().order_ext()?.is_some();
        if is_doubled { Err(Malformed) } else { Ok(start) }
    }

    fn map(reader: &mut Reader<'_>, head: &Head<'_>, pairs: usize) -> Result<Self, Malformed> {
        let start = Self::read(reader, head, pairs, Flags::of_stored_map)?;
        if start.count == pairs {
            return Ok(start);
        }
        // The extension is a key. Its value says nothing; like the original, skip one item of it.
        let value = reader.head()?;
        Ok(Self { is_stored_form: start.is_stored_form && value.token == Token::Nil, ..start })
    }

    fn read(
        reader: &mut Reader<'_>,
        head: &Head<'_>,
        count: usize,
        kept: fn(Flags) -> Flags,
    ) -> Result<Self, Malformed> {
        let ext = if count > 0 { reader.order_ext()? } else { None };
        let Some(ext) = ext else {
            return Ok(Self { flags: Flags::NONE, count, is_stored_form: head.is_canonical });
        };
        let flags = kept(ext.order_flags());
        let is_bare = ext.is_canonical && matches!(ext.token, Token::Ext(e) if e.data.is_empty());
        let is_kept = flags != Flags::NONE && flags == ext.order_flags() && is_bare;
        Ok(Self { flags, count: count - 1, is_stored_form: head.is_canonical && is_kept })
    }
}

/// The first pass: finds out whether the value is valid and whether it must be rewritten.
struct Check<'a> {
    reader: Reader<'a>,
    is_stored_form: bool,
}

impl<'a> Check<'a> {
    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        let head = self.reader.head()?;
        match head.token {
            Token::List(count) => self.list(&head, count, depth),
            Token::Map(pairs) => self.map(&head, pairs, depth),
            Token::Ext(ext) if !ext.is_storable() => Err(Malformed),
            _ => {
                self.is_stored_form &= head.is_canonical;
                Ok(())
            }
        }
    }

    fn list(&mut self, head: &Head<'a>, count: usize, depth: usize) -> Result<(), Malformed> {
        let start = Start::list(&mut self.reader, head, count)?;
        self.enter(&start, depth)?;
        let mut previous: Option<Element<'a>> = None;
        for _ in 0..start.count {
            let at = self.reader.rest();
            self.value(depth + 1)?;
            if start.flags.is_ordered() {
                let element = self.reader.element_since(at);
                if previous.is_some_and(|previous| order::compare(previous, element).is_gt()) {
                    return Err(Malformed);
                }
                previous = Some(element);
            }
        }
        Ok(())
    }

    fn map(&mut self, head: &Head<'a>, pairs: usize, depth: usize) -> Result<(), Malformed> {
        let start = Start::map(&mut self.reader, head, pairs)?;
        self.enter(&start, depth)?;
        let mut previous: Option<Element<'a>> = None;
        let mut is_sorted = true;
        for _ in 0..start.count {
            let key = self.key()?;
            // Out of order it will be sorted, and that pass looks for equal keys anyway.
            if let Some(previous) = previous.filter(|_| is_sorted) {
                match order::compare(previous, key) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Err(Malformed),
                    std::cmp::Ordering::Greater if start.flags.is_ordered() => {
                        return Err(Malformed);
                    }
                    std::cmp::Ordering::Greater => is_sorted = false,
                }
            }
            previous = Some(key);
            self.value(depth + 1)?;
        }
        self.is_stored_form &= is_sorted;
        Ok(())
    }

    fn enter(&mut self, start: &Start, depth: usize) -> Result<(), Malformed> {
        self.is_stored_form &= start.is_stored_form;
        if depth < MAX_NESTING { Ok(()) } else { Err(Malformed) }
    }

    fn key(&mut self) -> Result<Element<'a>, Malformed> {
        let at = self.reader.rest();
        let head = self.reader.head()?;
        if !is_map_key(&head.token) {
            return Err(Malformed);
        }
        self.is_stored_form &= head.is_canonical;
        Ok(self.reader.element_since(at))
    }
}

/// Whether a value may be a map's key: an integer, a string or a blob.
pub fn is_map_key(token: &Token<'_>) -> bool {
    match token {
        Token::Unsigned(_) | Token::Negative(_) => true,
        Token::Bytes(payload) => matches!(
            payload.first().copied().map(ParticleType),
            Some(ParticleType::STRING | ParticleType::BLOB)
        ),
        _ => false,
    }
}

/// The second pass, over a value that [`Check`] found valid: writes the stored form.
struct Rewrite<'a> {
    reader: Reader<'a>,
    out: Vec<u8>,
}

impl Rewrite<'_> {
    fn value(&mut self) -> Result<(), Malformed> {
        let head = self.reader.head()?;
        match head.token {
            Token::List(count) => {
                let start = Start::list(&mut self.reader, &head, count)?;
                write::list_start(&mut self.out, start.count, start.flags);
                (0..start.count).try_for_each(|_| self.value())
            }
            Token::Map(pairs) => self.map(&head, pairs),
            _ => {
                self.scalar(&head);
                Ok(())
            }
        }
    }

    fn map(&mut self, head: &Head<'_>, pairs: usize) -> Result<(), Malformed> {
        let start = Start::map(&mut self.reader, head, pairs)?;
        write::map_start(&mut self.out, start.count, start.flags);
        let mut pair_starts = Vec::new();
        for _ in 0..start.count {
            pair_starts.push(self.out.len());
            let key = self.reader.head()?;
            self.scalar(&key);
            self.value()?;
        }
        sort_pairs(&mut self.out, &pair_starts)
    }

    fn scalar(&mut self, head: &Head<'_>) {
        if head.is_canonical {
            self.out.extend_from_slice(head.raw);
        } else {
            write::token(&mut self.out, head.token);
        }
    }
}

/// Sorts the pairs that begin at `pair_starts` and end with `out` by their keys.
fn sort_pairs(out: &mut Vec<u8>, pair_starts: &[usize]) -> Result<(), Malformed> {
    let Some(&first) = pair_starts.first() else { return Ok(()) };
    let ends = pair_starts.iter().skip(1).copied().chain([out.len()]);
    let mut pairs = Vec::with_capacity(pair_starts.len());
    for (&start, end) in pair_starts.iter().zip(ends) {
        let pair = out.get(start..end).ok_or(Malformed)?;
        pairs.push((Reader::new(pair).element()?, pair));
    }
    if pairs.is_sorted_by(|(a, _), (b, _)| order::compare(*a, *b).is_lt()) {
        return Ok(());
    }
    pairs.sort_by(|(a, _), (b, _)| order::compare(*a, *b));
    if !pairs.is_sorted_by(|(a, _), (b, _)| order::compare(*a, *b).is_lt()) {
        return Err(Malformed);
    }
    let sorted = pairs.iter().map(|(_, pair)| *pair).collect::<Vec<_>>().concat();
    out.truncate(first);
    out.extend_from_slice(&sorted);
    Ok(())
}

#[cfg(test)]
mod tests;
