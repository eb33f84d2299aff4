//! Bracket expressions: `[a-z]`, `[^[:space:]]`.

use super::Flags;
use super::set::{ByteSet, class};
use crate::Invalid;

/// Longest name within a bracket expression.
const NAME_BYTES_MAX: usize = 31;

/// Reads one bracket expression, from behind its opening bracket.
pub(super) struct Brackets<'p> {
    /// What follows the position.
    pub rest: &'p [u8],
    flags: Flags,
}

/// An element of the list.
enum Element {
    Byte(u8),
    /// A class, which cannot be the end of a range.
    Class(ByteSet),
}

impl<'p> Brackets<'p> {
    pub fn new(rest: &'p [u8], flags: Flags) -> Self {
        Self { rest, flags }
    }

    /// The bytes that the expression matches.
    pub fn read(&mut self) -> Result<ByteSet, Invalid> {
        let is_negated = self.rest.first() == Some(&b'^');
        if is_negated {
            self.skip(1);
        }
        let mut listed = ByteSet::EMPTY;
        let mut is_first = true;
        // A bracket at the very start is a character.
        while is_first || self.rest.first() != Some(&b']') {
            self.item(&mut listed, is_first)?;
            is_first = false;
        }
        self.skip(1);
        let Flags { ignores_case, has_lines, .. } = self.flags;
        Ok(ByteSet::of(|byte| {
            let compared = if ignores_case { byte.to_ascii_uppercase() } else { byte };
            let excluded = is_negated && has_lines && byte == b'\n';
            listed.contains(compared) != is_negated && !excluded
        }))
    }

    /// Reads an element or a range.
    fn item(&mut self, listed: &mut ByteSet, is_first: bool) -> Result<(), Invalid> {
        let start = match self.element(is_first)? {
            Element::Byte(byte) => byte,
            Element::Class(set) => {
                listed.extend((0..=u8::MAX).filter(|byte| set.contains(*byte)));
                return Ok(());
            }
        };
        match *self.rest {
            [b'-', b']', ..] => listed.insert(start),
            [b'-', b'-', b'-', ..] => listed.insert(start),
            [b'-', ..] => {
                self.skip(1);
                let Element::Byte(end) = self.element(true)? else { return Err(Invalid) };
                if end < start {
                    return Err(Invalid);
                }
                listed.extend(start..=end);
            }
            [_, ..] => listed.insert(start),
            [] => return Err(Invalid),
        }
        Ok(())
    }

    /// Reads an element. A hyphen is one at the start, at the end of a range, and before the closing
    /// bracket; three stand for one anywhere.
    fn element(&mut self, takes_hyphen: bool) -> Result<Element, Invalid> {
        match *self.rest {
            [b'[', kind @ (b'.' | b'=' | b':'), ..] => {
                self.skip(2);
                self.named(kind)
            }
            [b'-', b'-', b'-', ..] => {
                self.skip(3);
                Ok(Element::Byte(b'-'))
            }
            [b'-', next, ..] if !takes_hyphen && next != b']' => Err(Invalid),
            [byte, ..] => {
                self.skip(1);
                Ok(Element::Byte(self.compared(byte)))
            }
            [] => Err(Invalid),
        }
    }

    /// Reads `name:]` and the like.
    fn named(&mut self, kind: u8) -> Result<Element, Invalid> {
        let end = self.rest.windows(2).position(|pair| *pair == [kind, b']']).ok_or(Invalid)?;
        let name = self.rest.get(..end).filter(|name| name.len() <= NAME_BYTES_MAX);
        let name = name.ok_or(Invalid)?;
        self.skip(end + 2);
        match (kind, name) {
            (b':', b"upper" | b"lower") if self.flags.ignores_case => {
                class(b"alpha").map(Element::Class).ok_or(Invalid)
            }
            (b':', _) => class(name).map(Element::Class).ok_or(Invalid),
            (b'=', [byte]) => {
                let byte = self.compared(*byte);
                Ok(Element::Class(ByteSet::of(|member| member == byte)))
            }
            (_, [byte]) => Ok(Element::Byte(self.compared(*byte))),
            _ => Err(Invalid),
        }
    }

    /// The byte as it is compared.
    fn compared(&self, byte: u8) -> u8 {
        if self.flags.ignores_case { byte.to_ascii_uppercase() } else { byte }
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }
}
