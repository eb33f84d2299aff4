//! The original's notation: one directive a line.

use super::Line;

/// A directive's name and at most this many values are read; the original ignores the rest.
const WORDS_MAX: usize = 4;

/// Splits a file into lines of words. A comment runs from the first `#` to the end of the line;
/// there are no quotes and no escapes.
pub(super) fn lines(text: &str) -> Vec<Line> {
    text.split('\n').enumerate().filter_map(|(index, line)| words(index + 1, line)).collect()
}

fn words(number: usize, line: &str) -> Option<Line> {
    let code = line.split('#').next().unwrap_or_default();
    let is_blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\x0b' | '\x0c');
    let mut words: Vec<String> =
        code.split(is_blank).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    words.truncate(WORDS_MAX);
    (!words.is_empty()).then_some(Line { number, words })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blanks_vanish() {
        let lines = lines("# only\n\n  service\t{ # open\r\n a b c d e\n\x0bx\x0cy#z\n}");
        let words: Vec<_> = lines.iter().map(|line| (line.number, line.words.join("|"))).collect();
        assert_eq!(
            words,
            [
                (3, "service|{".into()),
                (4, "a|b|c|d".into()),
                (5, "x|y".into()),
                (6, "}".to_owned())
            ]
        );
    }
}
