//! What every source file keeps: a module comment, a bounded length, no unsafe code outside four
//! crates, no words that mean "unfinished".

use super::Finding;
use super::tree::{File, Tree};

/// A file that grows past this is a reason to think of splitting it.
pub const FILE_LINES_AIM: usize = 400;
/// A file never grows past this.
const FILE_LINES: usize = 1000;
/// Longer inline tests move to a sibling `tests.rs`.
const INLINE_TEST_LINES: usize = 200;

/// Crates that may contain unsafe code, each block with its SAFETY sentence.
const UNSAFE_CRATES: &[&str] =
    &["crates/index/", "crates/storage/", "crates/udf/", "crates/server/"];

/// What follows the keyword where unsafe code begins; attributes and lint names do not count.
const UNSAFE_FORMS: &[&str] = &["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern"];

/// Words that no file may contain, with what to do instead. Split, so that this list passes.
const BANNED: &[(&str, &str)] = &[
    (concat!("todo", "!("), "finish it, or leave the feature out and say so in COMPAT.md"),
    (concat!("unimple", "mented!("), "finish it, or leave it out"),
    (concat!("dbg", "!("), "use tracing, or an assertion"),
    (concat!("FIX", "ME"), "fix it, or write down the limit and its reason"),
    (concat!("XX", "X"), "say what is meant"),
    (concat!("/wo", "rk/"), "no path of one particular machine"),
];

/// Rules for Rust files.
pub fn check_rust(file: &File, findings: &mut Vec<Finding>) {
    if !file.text.starts_with("//!") {
        findings.push(Finding::new(&file.path, 1, "begin with a //! comment: what is this for?"));
    }
    let lines = file.text.lines().count();
    if lines > FILE_LINES {
        let problem = format!("{lines} lines, {FILE_LINES} are allowed: split it by concern");
        findings.push(Finding::new(&file.path, 0, problem));
    }
    check_inline_tests(file, findings);
    if !UNSAFE_CRATES.iter().any(|folder| file.path.starts_with(folder)) {
        check_unsafe(file, findings);
    }
}

/// Rules for text of every kind.
pub fn check_words(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        for (word, instead) in BANNED.iter().filter(|(word, _)| line.contains(word)) {
            let problem = format!("contains {word:?}: {instead}");
            findings.push(Finding::new(&file.path, index + 1, problem));
        }
    }
}

/// Rust files past the aim, longest first.
pub fn longer_than_aimed(tree: &Tree) -> Vec<(&str, usize)> {
    let mut long: Vec<_> = tree
        .rust()
        .map(|file| (file.path.as_str(), file.text.lines().count()))
        .filter(|(_, lines)| *lines > FILE_LINES_AIM)
        .collect();
    long.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    long
}

fn check_inline_tests(file: &File, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = file.text.lines().collect();
    let Some(start) = lines.iter().position(|line| *line == "mod tests {") else { return };
    let length = lines.len() - start;
    if length > INLINE_TEST_LINES {
        let problem = format!("{length} lines of inline tests: move them to a sibling tests.rs");
        findings.push(Finding::new(&file.path, start + 1, problem));
    }
}

fn check_unsafe(file: &File, findings: &mut Vec<Finding>) {
    for (index, line) in file.text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or_default();
        let quoted = code.contains('"');
        if !quoted && UNSAFE_FORMS.iter().any(|form| code.contains(form)) {
            let problem = format!("unsafe code belongs in {} only", UNSAFE_CRATES.join(", "));
            findings.push(Finding::new(&file.path, index + 1, problem));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        let mut findings = Vec::new();
        check_rust(&file, &mut findings);
        check_words(&file, &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_module_says_what_it_is_for() {
        assert_eq!(problems("a.rs", "//! Sums.\nfn f() {}\n"), [""; 0]);
        assert_eq!(problems("a.rs", "fn f() {}\n").len(), 1);
    }

    #[test]
    fn unsafe_code_has_its_crates() {
        let text = "//! Reads.\nfn f() {\n    unsafe { g() }\n}\n";
        assert_eq!(problems("crates/index/src/a.rs", text), [""; 0]);
        assert_eq!(problems("crates/wire/src/a.rs", text).len(), 1);
        assert_eq!(problems("crates/wire/src/a.rs", "//! Is not unsafe { at all.\n"), [""; 0]);
    }

    #[test]
    fn banned_words_are_found_with_their_line() {
        let text = format!("//! Sums.\n{}sum)\n", concat!("db", "g!("));
        let found = problems("a.rs", &text);
        assert!(found.len() == 1 && found[0].starts_with("a.rs:2: "), "{found:?}");
    }

    #[test]
    fn long_inline_tests_are_moved_out() {
        let text = format!("//! Sums.\nmod tests {{\n{}}}\n", "    // case\n".repeat(200));
        assert_eq!(problems("a.rs", &text).len(), 1);
    }
}
