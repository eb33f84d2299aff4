//! The form of a log line: `Mmm DD YYYY HH:MM:SS GMT: LEVEL (context): (file.rs:123) text`.

use std::fmt::Write;

use config::LogLevel;
use jiff::Zoned;
use jiff::tz::TimeZone;

/// Longest line in bytes, its newline included.
const LINE_BYTES_MAX: usize = 1024;

/// What the operator chose of a line's form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct LineFormat {
    /// Local time with its offset instead of GMT (`log-local-time`).
    pub local_time: bool,
    /// Milliseconds (`log-millis`).
    pub millis: bool,
}

/// Appends a line with the time of now, and returns where its part after the time begins.
pub(super) fn append_line(
    out: &mut String,
    format: LineFormat,
    level: LogLevel,
    context: &str,
    place: (&str, u32),
    text: &str,
) -> usize {
    let now =
        if format.local_time { Zoned::now() } else { Zoned::now().with_time_zone(TimeZone::UTC) };
    append_time(out, format, &now);
    let tail = out.len();
    let (file, number) = place;
    // Writing into a string cannot fail.
    let _ = write!(out, "{} ({context}): ({file}:{number}) ", level_name(level));
    out.extend(text.chars().map(|c| if c == '\n' || c == '\r' { ' ' } else { c }));
    if out.len() >= LINE_BYTES_MAX {
        let end = (0..LINE_BYTES_MAX).rev().find(|&at| out.is_char_boundary(at)).unwrap_or(0);
        out.truncate(end);
    }
    out.push('\n');
    tail
}

fn append_time(out: &mut String, format: LineFormat, now: &Zoned) {
    let _ = write!(out, "{}", now.strftime("%b %d %Y %H:%M:%S"));
    if format.millis {
        let _ = write!(out, ".{:03}", now.subsec_nanosecond() / 1_000_000);
    }
    let _ = match format.local_time {
        true => write!(out, " GMT{}: ", now.strftime("%z")),
        false => write!(out, " GMT: "),
    };
}

fn level_name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Critical => "CRITICAL",
        LogLevel::Warning => "WARNING",
        LogLevel::Info => "INFO",
        LogLevel::Debug => "DEBUG",
        LogLevel::Detail => "DETAIL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(zone: TimeZone) -> Zoned {
        let timestamp: jiff::Timestamp = "2025-03-04T10:11:12.345Z".parse().unwrap();
        timestamp.to_zoned(zone)
    }

    fn time(format: LineFormat, zone: TimeZone) -> String {
        let mut out = String::new();
        append_time(&mut out, format, &at(zone));
        out
    }

    #[test]
    fn times_are_those_of_the_original() {
        let plain = LineFormat::default();
        assert_eq!(time(plain, TimeZone::UTC), "Mar 04 2025 10:11:12 GMT: ");
        let millis = LineFormat { millis: true, ..plain };
        assert_eq!(time(millis, TimeZone::UTC), "Mar 04 2025 10:11:12.345 GMT: ");
        let local = LineFormat { local_time: true, ..plain };
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(time(local, zone), "Mar 04 2025 12:11:12 GMT+0200: ");
    }

    #[test]
    fn lines_are_one_line_and_not_too_long() {
        let mut out = String::new();
        let text = format!("a\nb {}", "ü".repeat(2000));
        let format = LineFormat::default();
        let tail = append_line(&mut out, format, LogLevel::Info, "as", ("x.rs", 7), &text);
        assert!(out[tail..].starts_with("INFO (as): (x.rs:7) a b ü"));
        assert!(out.len() <= LINE_BYTES_MAX && out.ends_with('\n'));
        assert_eq!(out.matches('\n').count(), 1);
    }
}
