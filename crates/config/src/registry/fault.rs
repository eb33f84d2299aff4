//! What can be wrong with the value of a setting.

use std::borrow::Cow;

/// Why a value was refused. Renders as the end of a sentence that names the setting: "… must be
/// between 1 and 256".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing follows the name.
    #[error("needs a value")]
    Missing,
    /// Neither true nor false.
    #[error("must be true or false")]
    NotFlag,
    /// Not an unsigned decimal, or it has an unknown suffix.
    #[error("must be a whole number, optionally with a suffix K, M, G, T or P")]
    NotNumber,
    /// Not a duration.
    #[error("must be a whole number of seconds, or one with a suffix s, m, h or d")]
    NotDuration,
    /// Not a hexadecimal number of at most 16 digits.
    #[error("must be 1 to 16 hexadecimal digits and not zero")]
    NotHex,
    /// Outside the bounds of the setting, or of its type.
    #[error("must be between {min} and {max}")]
    OutOfRange {
        /// Smallest permitted value.
        min: u64,
        /// Largest permitted value.
        max: u64,
    },
    /// Within bounds but not a power of two.
    #[error("must be a power of two")]
    NotPowerOfTwo,
    /// Not a multiple of the step of the setting.
    #[error("must be a multiple of {0}")]
    NotMultiple(u64),
    /// Not one of the words that the setting knows.
    #[error("must be {}", one_of(.expected))]
    UnknownWord {
        /// The words it knows.
        expected: &'static [&'static str],
        /// The one that looks most like what was written.
        nearest: Option<&'static str>,
    },
    /// Text longer than the setting permits.
    #[error("may have at most {0} characters")]
    TooLong(u64),
    /// The setting may be repeated, but not that often.
    #[error("may be given at most {0} times")]
    TooMany(usize),
    /// Any other rule of one setting.
    #[error("{0}")]
    Other(Cow<'static, str>),
}

/// More words than this would drown the message.
const WORDS_LISTED_MAX: usize = 24;

fn one_of(words: &[&str]) -> String {
    match words.len() {
        ..=WORDS_LISTED_MAX => format!("one of {}", words.join(", ")),
        count => format!("one of {count} known words"),
    }
}
