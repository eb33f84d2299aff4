//! Numbers and durations as they stand in files and in `set-config` commands.
//!
//! Source of the rules: the grammar table of the configuration reference, and for commands the
//! recorded replies of the original: an empty number is zero there, and a 64-bit size that is too
//! large wraps around instead of being refused.

use super::Fault;

/// Where a value comes from: files are read strictly, commands as leniently as the original does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A configuration file.
    File,
    /// A `set-config` command.
    Command,
}

/// Reads an unsigned decimal with an optional one-letter suffix K, M, G, T or P (×1024ⁿ, any case).
///
/// # Errors
/// [`Fault::NotNumber`] for anything else; [`Fault::OutOfRange`] when a file's number exceeds 64
/// bits (a command's number wraps).
pub fn parse_number(text: &str, source: Source) -> Result<u64, Fault> {
    let digits = digit_count(text);
    if digits == 0 && source == Source::File {
        return Err(Fault::NotNumber);
    }
    let (digits, suffix) = text.split_at(digits);
    let shift = match suffix {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        "g" | "G" => 30,
        "t" | "T" => 40,
        "p" | "P" => 50,
        _ => return Err(Fault::NotNumber),
    };
    if source == Source::Command {
        return Ok(wrapping_decimal(digits).wrapping_mul(1 << shift));
    }
    let number: u64 =
        digits.parse().map_err(|_overflow| Fault::OutOfRange { min: 0, max: u64::MAX })?;
    number.checked_mul(1 << shift).ok_or(Fault::OutOfRange { min: 0, max: u64::MAX })
}

/// Whether the number that [`parse_number`] reads from `text` has more than 64 bits.
pub(super) fn overflows(text: &str) -> bool {
    matches!(parse_number(text, Source::File), Err(Fault::OutOfRange { .. }))
}

/// Reads a duration: an unsigned decimal with an optional suffix s, m, h or d (any case), or `-1`,
/// which stands for the largest 32-bit number. Result in seconds.
///
/// # Errors
/// [`Fault::NotDuration`] for anything else, [`Fault::OutOfRange`] beyond 32 bits.
pub fn parse_duration(text: &str, source: Source) -> Result<u32, Fault> {
    const TOO_LONG: Fault = Fault::OutOfRange { min: 0, max: u32::MAX as u64 };
    if text == "-1" {
        return Ok(u32::MAX);
    }
    let digits = digit_count(text);
    let (digits, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" | "s" | "S" => 1,
        "m" | "M" => 60,
        "h" | "H" => 3_600,
        "d" | "D" => 86_400,
        _ => return Err(Fault::NotDuration),
    };
    if digits.is_empty() {
        return match source {
            Source::Command => Ok(0),
            Source::File => Err(Fault::NotDuration),
        };
    }
    let number: u32 = digits.parse().map_err(|_overflow| TOO_LONG)?;
    number.checked_mul(factor).ok_or(TOO_LONG)
}

fn digit_count(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn wrapping_decimal(digits: &str) -> u64 {
    digits
        .bytes()
        .fold(0, |number: u64, digit| number.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_multiply_by_powers_of_1024() {
        for (text, value) in [
            ("0", 0),
            ("17", 17),
            ("1k", 1 << 10),
            ("3M", 3 << 20),
            ("1g", 1 << 30),
            ("2T", 2 << 40),
            ("1p", 1 << 50),
        ] {
            assert_eq!(parse_number(text, Source::File), Ok(value), "{text}");
            assert_eq!(parse_number(text, Source::Command), Ok(value), "{text}");
        }
    }

    #[test]
    fn other_notations_are_refused() {
        for text in ["0x10", "1.5", "-1", "10 ", "1Q", "K1", "1KB", "yes", "+1", "१"] {
            assert_eq!(parse_number(text, Source::File), Err(Fault::NotNumber), "{text}");
            assert_eq!(parse_number(text, Source::Command), Err(Fault::NotNumber), "{text}");
        }
        assert_eq!(parse_number("", Source::File), Err(Fault::NotNumber));
    }

    #[test]
    fn commands_are_lenient_as_recorded() {
        assert_eq!(parse_number("", Source::Command), Ok(0));
        let wrapped = parse_number("99999999999999999999", Source::Command);
        assert_eq!(wrapped, Ok(7_766_279_631_452_241_919));
        assert!(parse_number("99999999999999999999", Source::File).is_err());
        assert!(parse_number("99999999P", Source::File).is_err());
    }

    #[test]
    fn durations_end_in_seconds() {
        for (text, value) in
            [("0", 0), ("7", 7), ("7s", 7), ("2m", 120), ("2H", 7_200), ("1d", 86_400)]
        {
            assert_eq!(parse_duration(text, Source::File), Ok(value), "{text}");
        }
        assert_eq!(parse_duration("-1", Source::File), Ok(u32::MAX));
        assert_eq!(parse_duration("", Source::Command), Ok(0));
        for text in ["", "1K", "1.5", "-2", "1w", "1 d"] {
            assert_eq!(parse_duration(text, Source::File), Err(Fault::NotDuration), "{text}");
        }
        assert!(parse_duration("50000d", Source::File).is_err());
    }
}
