//! Patterns against what the C library makes of them.

use super::*;

const BASIC: i64 = 0;
const EXTENDED: i64 = 1;
const IGNORE_CASE: i64 = 2;
const LINES: i64 = 4;
const NO_POSITIONS: i64 = 8;

/// Whether a pattern is found; `None` if it is refused.
fn search(number: i64, pattern: &[u8], subject: &[u8]) -> Option<bool> {
    let mut budget = BUDGET;
    let regex = compile(pattern, Flags::of(number), &mut budget).ok()?;
    Some(regex.is_match(subject))
}

fn check(rows: &[(i64, &str, &str, Option<bool>)]) {
    for (number, pattern, subject, expected) in rows {
        let found = search(*number, pattern.as_bytes(), subject.as_bytes());
        assert_eq!(found, *expected, "{number} {pattern:?} {subject:?}");
    }
}

#[test]
fn extended_syntax() {
    check(&[
        (EXTENDED, "a|b|", "x", Some(true)),
        (EXTENDED, "^(a|b)+$", "abba", Some(true)),
        (EXTENDED, "^a{2,3}$", "aa", Some(true)),
        (EXTENDED, "^a{2,3}$", "a", Some(false)),
        (EXTENDED, "^a{,2}$", "aaa", Some(false)),
        (EXTENDED, "^a{2}{2}$", "aaaa", Some(true)),
        (EXTENDED, "^(a?){3}$", "aa", Some(true)),
        (EXTENDED, "a**", "", Some(true)),
        (EXTENDED, "a+?b", "aab", Some(true)),
        (EXTENDED, "()", "", Some(true)),
        (EXTENDED, "a)", "a)", Some(true)),
        (EXTENDED, r"\.", ".", Some(true)),
        (EXTENDED, r"\.", "x", Some(false)),
        (EXTENDED, "a^b", "a^b", Some(false)),
        (EXTENDED, "*a", "", None),
        (EXTENDED, "^*", "", None),
        (EXTENDED, "a|*b", "", None),
        (EXTENDED, "(", "", None),
        (EXTENDED, "(?:a)", "", None),
        (EXTENDED, "{1}", "", None),
        (EXTENDED, "a{2", "", None),
        (EXTENDED, "a{2,1}", "", None),
        (EXTENDED, "a{x}", "", None),
        (EXTENDED, "a{32768}", "", None),
        (EXTENDED, "a\\", "", None),
    ]);
}

#[test]
fn basic_syntax() {
    check(&[
        (BASIC, "(a)", "(a)", Some(true)),
        (BASIC, "(a)", "a", Some(false)),
        (BASIC, "a+", "aa", Some(false)),
        (BASIC, r"^a\+$", "aa", Some(true)),
        (BASIC, r"^a\?$", "", Some(true)),
        (BASIC, r"\(a\|b\)c", "bc", Some(true)),
        (BASIC, r"^a\{2\}$", "aa", Some(true)),
        (BASIC, "a{2}", "a{2}", Some(true)),
        (BASIC, "*a", "*a", Some(true)),
        (BASIC, "^*a", "*a", Some(true)),
        (BASIC, r"\(*a\)", "*a", Some(true)),
        (BASIC, "a^b", "a^b", Some(true)),
        (BASIC, "a$b", "a$b", Some(true)),
        (BASIC, r"\(^a\)", "ba", Some(false)),
        (BASIC, r"\(a$\)", "ab", Some(false)),
        (BASIC, "a**", "", None),
        (BASIC, r"\(", "", None),
        (BASIC, r"\)", "", None),
        (BASIC, r"\{1\}", "", None),
    ]);
}

#[test]
fn bracket_expressions() {
    check(&[
        (BASIC, "[a-c]", "b", Some(true)),
        (BASIC, "[^a-c]", "b", Some(false)),
        (BASIC, "[]a]", "]", Some(true)),
        (BASIC, "[^]a]", "]", Some(false)),
        (BASIC, "[a-]", "-", Some(true)),
        (BASIC, r"[\d]", "\\", Some(true)),
        (BASIC, r"[\d]", "5", Some(false)),
        (BASIC, "[[:digit:][:space:]]", "\t", Some(true)),
        (BASIC, "[^[:alnum:]]", "a1", Some(false)),
        (BASIC, "[[.a.]-c]", "b", Some(true)),
        (BASIC, "[[=a=]]", "a", Some(true)),
        (BASIC, "[", "", None),
        (BASIC, "[a", "", None),
        (BASIC, "[c-a]", "", None),
        (BASIC, "[a-c-e]", "", None),
        (BASIC, "[[:letters:]]", "", None),
        (BASIC, "[[:alpha:]-z]", "", None),
        (BASIC, "[[.space.]]", "", None),
    ]);
}

#[test]
fn flags_change_what_matches() {
    check(&[
        (IGNORE_CASE, "aB", "Ab", Some(true)),
        (IGNORE_CASE, "[a-c]", "B", Some(true)),
        (IGNORE_CASE, "[^a]", "A", Some(false)),
        (IGNORE_CASE, "[[:upper:]]", "a", Some(true)),
        (BASIC, "^b", "a\nb", Some(false)),
        (LINES, "^b", "a\nb", Some(true)),
        (LINES, "a$", "a\nb", Some(true)),
        (BASIC, "a.b", "a\nb", Some(true)),
        (LINES, "a.b", "a\nb", Some(false)),
        (LINES, "a[^x]b", "a\nb", Some(false)),
        (LINES, r"a\Wb", "a\nb", Some(true)),
        (NO_POSITIONS, "^b", "a\nb", Some(false)),
        (NO_POSITIONS | EXTENDED, "a|b", "b", Some(true)),
        (-1, "^B$", "a\nb", Some(true)),
    ]);
}

#[test]
fn extensions_of_the_library() {
    check(&[
        (BASIC, r"^\w\+$", "a_1", Some(true)),
        (BASIC, r"\W", "a_1", Some(false)),
        (BASIC, r"\s", "\x0b", Some(true)),
        (BASIC, r"\bb", "a b", Some(true)),
        (BASIC, r"\Bb", "ab", Some(true)),
        (BASIC, r"\<b\>", "a b c", Some(true)),
        (BASIC, r"\<b\>", "abc", Some(false)),
        (BASIC, r"\`a\'", "a", Some(true)),
        (BASIC, r"\d", "d", Some(true)),
        (BASIC, r"\d", "5", Some(false)),
        (IGNORE_CASE, r"\d", "d", Some(false)),
    ]);
}

#[test]
fn bytes_are_characters() {
    assert_eq!(search(BASIC, b"^.$", "é".as_bytes()), Some(false));
    assert_eq!(search(BASIC, b"^..$", "é".as_bytes()), Some(true));
    assert_eq!(search(BASIC, "é".as_bytes(), "café".as_bytes()), Some(true));
    assert_eq!(search(BASIC, b"[[:alpha:]]", "é".as_bytes()), Some(false));
    assert_eq!(search(BASIC, b"\xff", b"\xff"), Some(true));
    assert_eq!(search(BASIC, b"a\0(", b"a"), Some(true), "the pattern ends at a zero byte");
}

#[test]
fn back_references_are_refused() {
    for (number, pattern) in [(BASIC, r"\(a\)\1"), (EXTENDED, r"(a)\1"), (EXTENDED, r"\9")] {
        assert_eq!(search(number, pattern.as_bytes(), b"aa"), None, "{pattern}");
    }
}

#[test]
fn costs_are_bounded() {
    let nested = |levels| [vec![b'('; levels], b"a".to_vec(), vec![b')'; levels]].concat();
    assert_eq!(search(EXTENDED, &nested(50), b"a"), Some(true));
    assert_eq!(search(EXTENDED, &nested(50_000), b"a"), None);
    assert_eq!(search(EXTENDED, &[b"a", &[b'*'; 90][..]].concat(), b"a"), Some(true));
    assert_eq!(search(EXTENDED, &[b"a", &[b'*'; 50_000][..]].concat(), b"a"), None);
    assert_eq!(search(EXTENDED, b"(((a{99}){99}){99}){99}", b"a"), None);
    assert_eq!(search(BASIC, &[b'a'; BUDGET + 1], b"a"), None);
}

#[test]
fn patterns_mean_what_they_mean_to_the_c_library() {
    let bytes = |hex: &str| -> Vec<u8> {
        let digits = hex.trim_start_matches('-').as_bytes();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    };
    let mut checked = 0;
    let script = include_str!("../../testdata/patterns.txt");
    for line in script.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let mut words = line.split(' ');
        let number: i64 = words.next().unwrap().parse().unwrap();
        let pattern = bytes(words.next().unwrap());
        for word in words {
            let expected = match word.as_bytes()[0] {
                b'+' => Some(true),
                b'~' => Some(false),
                _ => None,
            };
            let subject = if expected.is_some() { bytes(&word[1..]) } else { Vec::new() };
            let shown = String::from_utf8_lossy(&pattern);
            assert_eq!(search(number, &pattern, &subject), expected, "{shown:?}: {line}");
            checked += 1;
        }
    }
    assert!(checked > 1_500, "{checked}");
}

#[test]
fn random_bytes_are_harmless() {
    let mut random = fastrand::Rng::with_seed(9);
    for _ in 0..500 {
        let mut any =
            |sizes| -> Vec<u8> { (0..random.usize(sizes)).map(|_| random.u8(..)).collect() };
        let (pattern, subject) = (any(0..20), any(0..20));
        let _ = search(random.i64(..), &pattern, &subject);
        let special = b"ab[]^-.:=\\(){},1|*+?$";
        let pattern: Vec<u8> = (0..12).map(|_| special[random.usize(0..special.len())]).collect();
        let _ = search(random.i64(..), &pattern, &subject);
    }
}
