//! The ledger of compatibility resolves: each row has a status, and each "yes" names a test that
//! exists.
//!
//! A ledger table has the header `item | status | proof or reason`. A proof is one or more code
//! words: the name of a test function, or the path of a file of tests in this tree.

use std::collections::BTreeSet;

use super::Finding;
use super::functions::name_of_function;
use super::tree::{File, Tree};

/// One row of a ledger table.
#[derive(Debug, PartialEq, Eq)]
struct Row<'a> {
    line: usize,
    item: &'a str,
    status: &'a str,
    proof: &'a str,
}

/// How many rows of the ledger have each status: yes, partial, no.
pub fn counts(tree: &Tree) -> [(&'static str, usize); 3] {
    ["yes", "partial", "no"].map(|status| {
        let of_status = |file: &File| rows(&file.text).filter(|row| row.status == status).count();
        (status, documents(tree).map(of_status).sum())
    })
}

/// Checks COMPAT.md and the tables below docs/compat.
pub fn check(tree: &Tree, findings: &mut Vec<Finding>) {
    let tests: BTreeSet<&str> = tree.rust().flat_map(|file| tests_in(&file.text)).collect();
    for file in documents(tree) {
        let mut items = BTreeSet::new();
        for row in rows(&file.text) {
            if !items.insert(row.item) {
                let problem = format!("a second row for {}", row.item);
                findings.push(Finding::new(&file.path, row.line, problem));
            }
            if let Some(problem) = objection(&row, &tests, tree) {
                findings.push(Finding::new(&file.path, row.line, problem));
            }
        }
    }
}

/// The files that hold ledger tables.
fn documents(tree: &Tree) -> impl Iterator<Item = &File> {
    tree.files
        .iter()
        .filter(|file| file.path == "COMPAT.md" || file.path.starts_with("docs/compat/"))
}

fn objection(row: &Row<'_>, tests: &BTreeSet<&str>, tree: &Tree) -> Option<String> {
    match row.status {
        "yes" if code_words(row.proof).next().is_none() => {
            Some(format!("{} is \"yes\" without a test", row.item))
        }
        "yes" => code_words(row.proof)
            .find(|word| !tests.contains(word) && !is_file_of_tests(word, tree))
            .map(|word| format!("{}: no test and no file of tests is called {word}", row.item)),
        "partial" | "no" if row.proof.is_empty() => {
            Some(format!("{} is {:?} without a reason", row.item, row.status))
        }
        "partial" | "no" => None,
        other => Some(format!("{}: status {other:?} is not yes, partial or no", row.item)),
    }
}

/// Names of the test functions in a Rust file.
fn tests_in(text: &str) -> impl Iterator<Item = &str> {
    let mut is_test = false;
    text.lines().filter_map(move |line| {
        is_test |= line.trim() == "#[test]";
        let name = name_of_function(line)?;
        std::mem::take(&mut is_test).then_some(name)
    })
}

fn is_file_of_tests(path: &str, tree: &Tree) -> bool {
    path.contains("test") && tree.paths.iter().any(|known| known == path)
}

/// The rows of all ledger tables of a document.
fn rows(text: &str) -> impl Iterator<Item = Row<'_>> {
    let mut in_ledger = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let Some(cells) = cells(line) else {
            in_ledger = false;
            return None;
        };
        if let [_, "status", _] = cells[..] {
            in_ledger = true;
            return None;
        }
        match cells[..] {
            [item, status, proof] if in_ledger && !item.starts_with("--") => {
                Some(Row { line: index + 1, item, status, proof })
            }
            _ => None,
        }
    })
}

/// The trimmed cells of a table row.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

/// What stands between backquotes.
fn code_words(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = "\
text
| item | status | proof or reason |
|---|---|---|
| `1` read | yes | `reads_a_bin` |
| `2` write | no | step 2 |

| other | table | here |
|---|---|---|
| not | a | row |
";

    #[test]
    fn rows_come_from_ledger_tables_only() {
        let rows: Vec<_> = rows(DOCUMENT).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1], Row { line: 5, item: "`2` write", status: "no", proof: "step 2" });
    }

    #[test]
    fn a_yes_needs_a_test_that_exists() {
        let tests = BTreeSet::from(["reads_a_bin"]);
        let paths = ["a/tests/b.txt", "a/src/b.rs"].map(str::to_owned).to_vec();
        let tree = Tree { files: Vec::new(), paths };
        let verdict = |status, proof| {
            objection(&Row { line: 1, item: "x", status, proof }, &tests, &tree).is_none()
        };
        assert!(verdict("yes", "`reads_a_bin` and `a/tests/b.txt`"));
        assert!(!verdict("yes", "`gone`"));
        assert!(!verdict("yes", "`a/src/b.rs`"), "code is no proof of itself");
        assert!(!verdict("yes", "believe me"));
        assert!(verdict("no", "step 2"));
        assert!(!verdict("no", ""));
        assert!(!verdict("maybe", "step 2"));
    }

    #[test]
    fn only_tests_are_tests() {
        let text = "fn helper() {}\n#[test]\n#[should_panic]\nfn fails() {}\nfn another() {}\n";
        assert_eq!(tests_in(text).collect::<Vec<_>>(), ["fails"]);
    }
}
