//! From POSIX syntax, basic or extended, to that of the matcher.

use super::Flags;
use super::brackets::Brackets;
use super::set::{ByteSet, is_space, is_word};
use crate::Invalid;

/// Most often that an interval repeats something.
const REPEAT_MAX: usize = 0x7fff;
/// Repetitions of a repetition, of a repetition, …
const STACKED_REPEATS_MAX: usize = 100;
/// Groups within each other.
const NESTING_MAX: usize = 100;

/// A translation in progress.
pub(super) struct Translator<'p> {
    rest: &'p [u8],
    flags: Flags,
    out: String,
    nesting: usize,
    /// Whether a caret here is an anchor in basic syntax.
    caret_anchors: bool,
}

/// What stands at the position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    End,
    Byte(u8),
    /// A byte behind a backslash.
    Escaped(u8),
    Any,
    Word {
        negated: bool,
    },
    Space {
        negated: bool,
    },
    Bracket,
    Open,
    Close,
    Alternative,
    /// `*`, `+`, `?`
    Repeat(u8),
    Interval,
    /// In the syntax of the matcher.
    Anchor(&'static str),
    BackReference,
}

impl<'p> Translator<'p> {
    /// Translates a pattern; also returns what it costs.
    pub fn translate(pattern: &'p [u8], flags: Flags) -> Result<(String, usize), Invalid> {
        let mut translator = Self {
            rest: pattern,
            flags,
            out: String::with_capacity(2 * pattern.len()),
            nesting: 0,
            caret_anchors: true,
        };
        let cost = translator.alternatives()?;
        Ok((translator.out, cost))
    }

    /// Translates up to the end, or to the end of a group.
    fn alternatives(&mut self) -> Result<usize, Invalid> {
        let mut cost = 1;
        loop {
            cost += self.branch()?;
            if self.peek().0 != Token::Alternative {
                return Ok(cost);
            }
            self.take();
            self.out.push('|');
            self.caret_anchors = true;
        }
    }

    fn branch(&mut self) -> Result<usize, Invalid> {
        let mut cost = 0;
        loop {
            match self.peek().0 {
                Token::End | Token::Alternative => return Ok(cost),
                Token::Close if self.nesting > 0 => return Ok(cost),
                _ => cost += self.expression()?,
            }
        }
    }

    /// Translates one element with its repetitions.
    fn expression(&mut self) -> Result<usize, Invalid> {
        let start = self.out.len();
        let is_extended = self.flags.is_extended;
        let token = self.take();
        self.caret_anchors = false;
        let mut cost = 1;
        match token {
            // An anchor cannot be repeated: what follows stands as if at the start.
            Token::Anchor(anchor) => {
                self.out.push_str(anchor);
                return Ok(cost);
            }
            Token::Byte(byte) => self.byte(byte),
            // Like the C library, which then compares the letter with upper-case ones only.
            Token::Escaped(b'a'..=b'z') if self.flags.ignores_case => self.set(&ByteSet::EMPTY),
            Token::Escaped(byte) => self.byte(byte),
            Token::Repeat(byte) if !is_extended => self.byte(byte),
            Token::Close if is_extended => self.byte(b')'),
            Token::Any => {
                let has_lines = self.flags.has_lines;
                self.set(&ByteSet::of(|byte| byte != 0 && !(has_lines && byte == b'\n')));
            }
            Token::Word { negated } => self.set(&ByteSet::of(|byte| is_word(byte) != negated)),
            Token::Space { negated } => self.set(&ByteSet::of(|byte| is_space(byte) != negated)),
            Token::Bracket => {
                let mut brackets = Brackets::new(self.rest, self.flags);
                let set = brackets.read()?;
                self.rest = brackets.rest;
                self.set(&set);
            }
            Token::Open => cost = self.group()?,
            Token::Repeat(_)
            | Token::Interval
            | Token::Close
            | Token::BackReference
            | Token::Alternative
            | Token::End => return Err(Invalid),
        }
        self.repeats(start, cost)
    }

    fn group(&mut self) -> Result<usize, Invalid> {
        if self.nesting == NESTING_MAX {
            return Err(Invalid);
        }
        self.nesting += 1;
        self.out.push_str("(?:");
        self.caret_anchors = true;
        let cost = self.alternatives()?;
        if self.take() != Token::Close {
            return Err(Invalid);
        }
        self.out.push(')');
        self.nesting -= 1;
        Ok(cost)
    }

    /// Translates the repetitions of what was written from `start` on and cost so much.
    fn repeats(&mut self, start: usize, mut cost: usize) -> Result<usize, Invalid> {
        for stacked in 0..=STACKED_REPEATS_MAX {
            let token = self.peek().0;
            if !matches!(token, Token::Repeat(_) | Token::Interval) {
                return Ok(cost);
            }
            if stacked > 0 {
                // In basic syntax two in a row are refused, unless the second is `\+` or `\?`.
                if !self.flags.is_extended && matches!(token, Token::Repeat(b'*') | Token::Interval)
                {
                    return Err(Invalid);
                }
                self.out.insert_str(start, "(?:");
                self.out.push(')');
            }
            match self.take() {
                Token::Repeat(operator) => self.out.push(char::from(operator)),
                _ => {
                    let (min, max) = self.interval()?;
                    match max {
                        Some(max) => self.out.push_str(&format!("{{{min},{max}}}")),
                        None => self.out.push_str(&format!("{{{min},}}")),
                    }
                    cost = cost.saturating_mul(max.unwrap_or(min).max(1));
                }
            }
        }
        Err(Invalid)
    }

    /// Reads `m}`, `m,}`, `,n}` or `m,n}`.
    fn interval(&mut self) -> Result<(usize, Option<usize>), Invalid> {
        let min = self.number()?;
        let (min, max) = if self.rest.first() == Some(&b',') {
            self.skip(1);
            (min.unwrap_or(0), self.number()?)
        } else {
            (min.ok_or(Invalid)?, min)
        };
        let closing: &[u8] = if self.flags.is_extended { b"}" } else { br"\}" };
        self.rest = self.rest.strip_prefix(closing).ok_or(Invalid)?;
        let is_valid = max.unwrap_or(min) <= REPEAT_MAX && max.is_none_or(|max| min <= max);
        if is_valid { Ok((min, max)) } else { Err(Invalid) }
    }

    fn number(&mut self) -> Result<Option<usize>, Invalid> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.rest.split_at_checked(digits).ok_or(Invalid)?;
        self.rest = rest;
        let append = |number: usize, digit: &u8| {
            number.saturating_mul(10).saturating_add(usize::from(digit - b'0'))
        };
        Ok((digits > 0).then(|| number.iter().fold(0, append)))
    }

    fn byte(&mut self, byte: u8) {
        let ignores_case = self.flags.ignores_case;
        self.set(&ByteSet::of(|member| {
            member == byte || (ignores_case && member.eq_ignore_ascii_case(&byte))
        }));
    }

    fn set(&mut self, set: &ByteSet) {
        set.write(&mut self.out);
    }

    fn take(&mut self) -> Token {
        let (token, size) = self.peek();
        self.skip(size);
        token
    }

    fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// The token at the position, and its size.
    fn peek(&self) -> (Token, usize) {
        match *self.rest {
            [] => (Token::End, 0),
            [b'\\'] => (Token::BackReference, 1),
            [b'\\', byte, ..] => (self.escaped(byte), 2),
            [byte, ref rest @ ..] => (self.unescaped(byte, rest), 1),
        }
    }

    fn escaped(&self, byte: u8) -> Token {
        let is_basic = !self.flags.is_extended;
        match byte {
            b'(' if is_basic => Token::Open,
            b')' if is_basic => Token::Close,
            b'{' if is_basic => Token::Interval,
            b'|' if is_basic => Token::Alternative,
            b'+' | b'?' if is_basic => Token::Repeat(byte),
            b'1'..=b'9' => Token::BackReference,
            b'w' | b'W' => Token::Word { negated: byte == b'W' },
            b's' | b'S' => Token::Space { negated: byte == b'S' },
            b'b' => Token::Anchor(r"\b"),
            b'B' => Token::Anchor(r"\B"),
            b'<' => Token::Anchor(r"\b{start}"),
            b'>' => Token::Anchor(r"\b{end}"),
            b'`' => Token::Anchor(r"\A"),
            b'\'' => Token::Anchor(r"\z"),
            _ => Token::Escaped(byte),
        }
    }

    fn unescaped(&self, byte: u8, rest: &[u8]) -> Token {
        let is_extended = self.flags.is_extended;
        match byte {
            b'.' => Token::Any,
            b'[' => Token::Bracket,
            b'*' => Token::Repeat(byte),
            b'(' if is_extended => Token::Open,
            b')' if is_extended => Token::Close,
            b'{' if is_extended => Token::Interval,
            b'|' if is_extended => Token::Alternative,
            b'+' | b'?' if is_extended => Token::Repeat(byte),
            b'^' if is_extended || self.caret_anchors => {
                Token::Anchor(if self.flags.has_lines { "(?m:^)" } else { r"\A" })
            }
            b'$' if is_extended || ends_basic_branch(rest) => {
                Token::Anchor(if self.flags.has_lines { "(?m:$)" } else { r"\z" })
            }
            _ => Token::Byte(byte),
        }
    }
}

/// Whether a basic expression or one of its branches ends here.
fn ends_basic_branch(rest: &[u8]) -> bool {
    matches!(rest, [] | [b'\\', b')' | b'|', ..])
}
