//! Lua's patterns, matched with an eye on the clock.
//!
//! The library's own matcher runs without asking anybody, and a pattern of a few characters can keep
//! it busy for years. This one matches the same and says the same of bad patterns, but asks every
//! few thousand steps whether to go on.

/// Why matching ended without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The pattern is wrong: the message, without a position.
    Pattern(String),
    /// The call has had its time.
    Overdue,
}

/// Captures that a pattern may have.
const CAPTURES_MAX: usize = 32;
/// Levels of recursion, as in the library.
const DEPTH_MAX: usize = 200;
/// Steps between two looks at the clock.
const STEPS: u32 = 4096;
const ESCAPE: u8 = b'%';

/// What a capture holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Capture {
    /// From a byte up to another.
    Range(usize, usize),
    /// A position, from 0.
    Position(usize),
    /// Not closed.
    Open(usize),
}

/// A match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    /// Its first byte.
    pub start: usize,
    /// The byte after its last.
    pub end: usize,
    /// Its captures; without any in the pattern, the whole.
    pub captures: Vec<Capture>,
}

type Result<T> = std::result::Result<T, Failure>;

fn wrong<T>(message: impl Into<String>) -> Result<T> {
    Err(Failure::Pattern(message.into()))
}

/// A pattern over a subject.
pub(crate) struct Matcher<'a> {
    subject: &'a [u8],
    pattern: &'a [u8],
    captures: Vec<Capture>,
    depth: usize,
    steps: u32,
    is_overdue: &'a dyn Fn() -> bool,
}

impl<'a> Matcher<'a> {
    /// `pattern` is without the `^` that anchors it.
    pub fn new(subject: &'a [u8], pattern: &'a [u8], is_overdue: &'a dyn Fn() -> bool) -> Self {
        Self { subject, pattern, captures: Vec::new(), depth: 0, steps: 0, is_overdue }
    }

    /// The first match at `from` or, unless anchored, after it. `but_not_to` is an end that does
    /// not count: that of the match before.
    pub fn find(
        &mut self,
        from: usize,
        is_anchored: bool,
        but_not_to: Option<usize>,
    ) -> Result<Option<Match>> {
        let last = if is_anchored { from } else { self.subject.len() };
        for start in from..=last {
            self.captures.clear();
            self.depth = 0;
            if let Some(end) = self.at(start, 0)?
                && Some(end) != but_not_to
            {
                return self.found(start, end).map(Some);
            }
        }
        Ok(None)
    }

    fn found(&mut self, start: usize, end: usize) -> Result<Match> {
        if self.captures.iter().any(|capture| matches!(capture, Capture::Open(_))) {
            return wrong("unfinished capture");
        }
        let mut captures = std::mem::take(&mut self.captures);
        if captures.is_empty() {
            captures.push(Capture::Range(start, end));
        }
        Ok(Match { start, end, captures })
    }

    fn step(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps.is_multiple_of(STEPS) && (self.is_overdue)() {
            return Err(Failure::Overdue);
        }
        Ok(())
    }

    /// Where the match of the pattern from `p` on ends that starts at `s`.
    fn at(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        if self.depth >= DEPTH_MAX {
            return wrong("pattern too complex");
        }
        self.depth += 1;
        let end = self.run(s, p);
        self.depth -= 1;
        end
    }

    fn run(&mut self, mut s: usize, mut p: usize) -> Result<Option<usize>> {
        loop {
            self.step()?;
            let Some(&byte) = self.pattern.get(p) else { return Ok(Some(s)) };
            let next = self.pattern.get(p + 1).copied();
            match (byte, next) {
                (b'(', Some(b')')) => return self.open(s, p + 2, Capture::Position(s)),
                (b'(', _) => return self.open(s, p + 1, Capture::Open(s)),
                (b')', _) => return self.close(s, p + 1),
                (b'$', None) => return Ok((s == self.subject.len()).then_some(s)),
                (ESCAPE, Some(b'b')) => match self.balanced(s, p + 2)? {
                    Some(end) => (s, p) = (end, p + 4),
                    None => return Ok(None),
                },
                (ESCAPE, Some(b'f')) => match self.frontier(s, p + 2)? {
                    Some(after) => p = after,
                    None => return Ok(None),
                },
                (ESCAPE, Some(digit @ b'0'..=b'9')) => match self.repeated(s, digit)? {
                    Some(end) => (s, p) = (end, p + 2),
                    None => return Ok(None),
                },
                _ => match self.single(s, p)? {
                    Next::Go(to, after) => (s, p) = (to, after),
                    Next::End(end) => return Ok(end),
                },
            }
        }
    }

    /// One character or class with what may follow it.
    fn single(&mut self, s: usize, p: usize) -> Result<Next> {
        let after = self.class_end(p)?;
        let suffix = self.pattern.get(after).copied();
        let is_match = self.fits(s, p, after);
        Ok(match suffix {
            Some(b'*') => Next::End(self.most(s, p, after)?),
            Some(b'-') => Next::End(self.fewest(s, p, after)?),
            Some(b'?') if is_match => match self.at(s + 1, after + 1)? {
                Some(end) => Next::End(Some(end)),
                None => Next::Go(s, after + 1),
            },
            Some(b'?') => Next::Go(s, after + 1),
            _ if !is_match => Next::End(None),
            Some(b'+') => Next::End(self.most(s + 1, p, after)?),
            _ => Next::Go(s + 1, after),
        })
    }

    fn most(&mut self, s: usize, p: usize, after: usize) -> Result<Option<usize>> {
        let mut count = 0;
        while self.fits(s + count, p, after) {
            self.step()?;
            count += 1;
        }
        loop {
            if let Some(end) = self.at(s + count, after + 1)? {
                return Ok(Some(end));
            }
            if count == 0 {
                return Ok(None);
            }
            count -= 1;
        }
    }

    fn fewest(&mut self, mut s: usize, p: usize, after: usize) -> Result<Option<usize>> {
        loop {
            if let Some(end) = self.at(s, after + 1)? {
                return Ok(Some(end));
            }
            if !self.fits(s, p, after) {
                return Ok(None);
            }
            s += 1;
        }
    }

    fn open(&mut self, s: usize, p: usize, capture: Capture) -> Result<Option<usize>> {
        if self.captures.len() >= CAPTURES_MAX {
            return wrong("too many captures");
        }
        let level = self.captures.len();
        self.captures.push(capture);
        let end = self.at(s, p)?;
        if end.is_none() {
            self.captures.truncate(level);
        }
        Ok(end)
    }

    fn close(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        let is_open = |capture: &Capture| matches!(capture, Capture::Open(_));
        let Some(level) = self.captures.iter().rposition(is_open) else {
            return wrong("invalid pattern capture");
        };
        let Capture::Open(start) = self.captures[level] else {
            return wrong("invalid pattern capture");
        };
        self.captures[level] = Capture::Range(start, s);
        let end = self.at(s, p)?;
        if end.is_none()
            && let Some(capture) = self.captures.get_mut(level)
        {
            *capture = Capture::Open(start);
        }
        Ok(end)
    }

    fn balanced(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        let Some(&[open, close]) = self.pattern.get(p..p + 2) else {
            return wrong("malformed pattern (missing arguments to '%b')");
        };
        if self.subject.get(s) != Some(&open) {
            return Ok(None);
        }
        let mut level = 1_usize;
        for at in s + 1..self.subject.len() {
            self.step()?;
            let byte = self.subject[at];
            if byte == close {
                level -= 1;
                if level == 0 {
                    return Ok(Some(at + 1));
                }
            } else if byte == open {
                level += 1;
            }
        }
        Ok(None)
    }

    /// Where the pattern goes on if there is a frontier at `s`.
    fn frontier(&mut self, s: usize, p: usize) -> Result<Option<usize>> {
        if self.pattern.get(p) != Some(&b'[') {
            return wrong("missing '[' after '%f' in pattern");
        }
        let after = self.class_end(p)?;
        let previous = s.checked_sub(1).and_then(|at| self.subject.get(at)).copied().unwrap_or(0);
        let current = self.subject.get(s).copied().unwrap_or(0);
        let set = &self.pattern[p..after];
        Ok((!in_set(previous, set) && in_set(current, set)).then_some(after))
    }

    /// What was captured before must stand here again.
    fn repeated(&mut self, s: usize, digit: u8) -> Result<Option<usize>> {
        let number = usize::from(digit - b'0');
        let capture = number.checked_sub(1).and_then(|level| self.captures.get(level)).copied();
        let range = match capture {
            Some(Capture::Range(start, end)) => start..end,
            // A position is as long as nothing.
            Some(Capture::Position(start)) => start..start,
            _ => return wrong(format!("invalid capture index %{number}")),
        };
        let len = range.len();
        self.steps = self.steps.wrapping_add(u32::try_from(len / 64).unwrap_or(u32::MAX));
        let is_same = self.subject.get(s..s + len) == Some(&self.subject[range]);
        Ok(is_same.then_some(s + len))
    }

    /// The end of the class that starts at `p`.
    fn class_end(&self, p: usize) -> Result<usize> {
        match self.pattern[p] {
            ESCAPE if p + 1 >= self.pattern.len() => wrong("malformed pattern (ends with '%')"),
            ESCAPE => Ok(p + 2),
            b'[' => self.set_end(p + 1),
            _ => Ok(p + 1),
        }
    }

    fn set_end(&self, mut p: usize) -> Result<usize> {
        const MISSING: &str = "malformed pattern (missing ']')";
        if self.pattern.get(p) == Some(&b'^') {
            p += 1;
        }
        // The first character is one of the set, even if it is a bracket.
        loop {
            match self.pattern.get(p) {
                None => return wrong(MISSING),
                Some(&ESCAPE) => p += 2,
                Some(_) => p += 1,
            }
            match self.pattern.get(p) {
                None => return wrong(MISSING),
                Some(b']') => return Ok(p + 1),
                Some(_) => {}
            }
        }
    }

    fn fits(&self, s: usize, p: usize, after: usize) -> bool {
        let Some(&byte) = self.subject.get(s) else { return false };
        match self.pattern[p] {
            b'.' => true,
            ESCAPE => in_class(byte, self.pattern[p + 1]),
            b'[' => in_set(byte, &self.pattern[p..after]),
            literal => literal == byte,
        }
    }
}

enum Next {
    /// On from here in subject and pattern.
    Go(usize, usize),
    /// The answer.
    End(Option<usize>),
}

fn in_class(byte: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => byte.is_ascii_alphabetic(),
        b'c' => byte.is_ascii_control(),
        b'd' => byte.is_ascii_digit(),
        b'g' => byte.is_ascii_graphic(),
        b'l' => byte.is_ascii_lowercase(),
        b'p' => byte.is_ascii_punctuation(),
        b's' => byte.is_ascii_whitespace() || byte == 0x0b,
        b'u' => byte.is_ascii_uppercase(),
        b'w' => byte.is_ascii_alphanumeric(),
        b'x' => byte.is_ascii_hexdigit(),
        _ => return class == byte,
    };
    is_in != class.is_ascii_uppercase()
}

/// `set` is from its opening bracket to its closing one.
fn in_set(byte: u8, set: &[u8]) -> bool {
    let Some((_, inner)) = set.split_first() else { return false };
    let Some((_, mut inner)) = inner.split_last() else { return false };
    let is_negated = inner.first() == Some(&b'^');
    if is_negated {
        inner = &inner[1..];
    }
    loop {
        let (is_in, used) = match *inner {
            [] => return is_negated,
            [ESCAPE, class, ..] => (in_class(byte, class), 2),
            [from, b'-', to, ..] => ((from..=to).contains(&byte), 3),
            [literal, ..] => (literal == byte, 1),
        };
        if is_in {
            return !is_negated;
        }
        inner = &inner[used..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(subject: &str, pattern: &str) -> std::result::Result<Option<(usize, usize)>, String> {
        let (pattern, is_anchored) = match pattern.strip_prefix('^') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let mut matcher = Matcher::new(subject.as_bytes(), pattern.as_bytes(), &|| false);
        match matcher.find(0, is_anchored, None) {
            Ok(found) => Ok(found.map(|found| (found.start, found.end))),
            Err(Failure::Pattern(message)) => Err(message),
            Err(Failure::Overdue) => panic!("overdue"),
        }
    }

    #[test]
    fn matches_as_the_library_does() {
        let rows = [
            ("hello", "l+", Some((2, 4))),
            ("hello", "^l", None),
            ("hello", "l-o", Some((2, 5))),
            ("key = value", "(%w+)%s*=%s*(%w+)", Some((0, 11))),
            ("f(a(b)c)d", "%b()", Some((1, 8))),
            ("THE (quick) fox", "%f[%a]%a+%f[%A]", Some((0, 3))),
            ("abab", "(ab)%1", Some((0, 4))),
            ("a]b", "[]]", Some((1, 2))),
            ("a-b", "[a%-]+", Some((0, 2))),
            ("x^y", "[x^]+", Some((0, 2))),
            ("", ".-", Some((0, 0))),
            ("abc", "c$", Some((2, 3))),
            ("a$c", "$c", Some((1, 3))),
            ("aXb", "%u", Some((1, 2))),
            ("b", "[a-]", None),
        ];
        for (subject, pattern, found) in rows {
            assert_eq!(find(subject, pattern), Ok(found), "{subject} {pattern}");
        }
    }

    #[test]
    fn bad_patterns_are_told() {
        let rows = [
            ("%", "malformed pattern (ends with '%')"),
            ("[a", "malformed pattern (missing ']')"),
            ("[", "malformed pattern (missing ']')"),
            ("[%", "malformed pattern (missing ']')"),
            ("%b(", "malformed pattern (missing arguments to '%b')"),
            ("%f", "missing '[' after '%f' in pattern"),
            ("(a", "unfinished capture"),
            ("a)", "invalid pattern capture"),
            ("%1", "invalid capture index %1"),
        ];
        for (pattern, message) in rows {
            assert_eq!(find("a", pattern), Err(message.to_owned()), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_would_take_years_is_given_up() {
        let asked = std::cell::Cell::new(0);
        let is_overdue = || {
            asked.set(asked.get() + 1);
            asked.get() > 10
        };
        let subject = "a".repeat(30);
        let pattern = "a?".repeat(30) + &subject;
        let mut matcher = Matcher::new(subject.as_bytes(), pattern.as_bytes(), &is_overdue);
        // Exponential without the limit.
        let ended = matcher.find(0, false, None);
        assert!(matches!(ended, Err(Failure::Overdue) | Ok(Some(_))), "{ended:?}");
    }
}
