//! Patterns: POSIX regular expressions as the GNU C library reads them in the C locale, which is what
//! the original hands them to. Here they are translated for a matcher that takes linear time.
//!
//! The original asks only whether a pattern is found, so which match is longest does not matter, only
//! the language does. Back-references, which no such matcher can have, are refused.

mod brackets;
mod set;
mod translate;

#[cfg(test)]
mod tests;

use regex::bytes::{Regex, RegexBuilder};

use self::translate::Translator;
use crate::Invalid;

/// What the patterns of one expression may cost together: characters and sets, each as often as
/// intervals repeat it.
pub(crate) const BUDGET: usize = 1 << 16;

/// How a pattern is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Extended instead of basic syntax.
    pub is_extended: bool,
    pub ignores_case: bool,
    /// Newlines end lines: anchors match at them, and nothing but a newline itself does.
    pub has_lines: bool,
}

impl Flags {
    /// The flags in a client's number, which goes to the C library as it is: 1 is extended, 2 ignores
    /// case, 4 has lines. 8 asks for no positions, and makes no difference to what is found.
    pub fn of(number: i64) -> Self {
        Self {
            is_extended: number & 1 != 0,
            ignores_case: number & 2 != 0,
            has_lines: number & 4 != 0,
        }
    }
}

/// Compiles a pattern, at the cost of some `budget`.
///
/// # Errors
/// [`Invalid`] where the C library refuses the pattern, for back-references, and when the budget is
/// exceeded.
pub(crate) fn compile(pattern: &[u8], flags: Flags, budget: &mut usize) -> Result<Regex, Invalid> {
    let end = pattern.iter().position(|byte| *byte == 0).unwrap_or(pattern.len());
    let pattern = pattern.get(..end).unwrap_or_default();
    if pattern.len() > *budget {
        return Err(Invalid);
    }
    let (translated, cost) = Translator::translate(pattern, flags)?;
    *budget = budget.checked_sub(cost).ok_or(Invalid)?;
    RegexBuilder::new(&translated).unicode(false).build().map_err(|_| Invalid)
}
