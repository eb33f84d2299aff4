//! Every outside crate stands in docs/dependencies.md, with its reason and its licence.

use std::collections::BTreeSet;

use super::Finding;
use super::tree::Tree;
use crate::workspace::Package;

const LIST: &str = "docs/dependencies.md";

/// Compares the outside crates that our manifests name with the rows of the list.
pub fn check(packages: &[Package], tree: &Tree, findings: &mut Vec<Finding>) {
    let Some(list) = tree.file(LIST) else {
        findings.push(Finding::new(LIST, 0, "is missing"));
        return;
    };
    let listed: BTreeSet<&str> = list.text.lines().filter_map(crate_of_row).collect();
    let used: BTreeSet<&str> = packages
        .iter()
        .flat_map(|package| &package.dependencies)
        .filter(|dependency| dependency.path.is_none())
        .map(|dependency| dependency.name.as_str())
        .collect();
    for name in used.difference(&listed) {
        findings.push(Finding::new(LIST, 0, format!("no row gives the reason for {name}")));
    }
}

/// The crate that a table row is about: its first cell, when that is one code word.
fn crate_of_row(line: &str) -> Option<&str> {
    let cell = line.strip_prefix('|')?.split('|').next()?.trim();
    cell.strip_prefix('`')?.strip_suffix('`')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_begins_with_the_crate() {
        assert_eq!(crate_of_row("| `slab` | parked requests | MIT |"), Some("slab"));
        assert_eq!(crate_of_row("| crate | why | licence |"), None);
        assert_eq!(crate_of_row("`slab` is small"), None);
    }
}
