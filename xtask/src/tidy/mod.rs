//! The rules of this workspace that a compiler does not know, checked as a test.
//!
//! Each rule is a function from the tree to findings. A finding names a file, a line and what to do.

mod dependencies;
mod floors;
mod functions;
mod ledger;
mod source;
mod tree;

use std::process::ExitCode;

use anyhow::Result;

use crate::workspace::Workspace;
use tree::Tree;

/// One broken rule. `line` counts from 1; 0 speaks of the file as a whole.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub file: String,
    pub line: usize,
    pub problem: String,
}

impl Finding {
    pub fn new(file: &str, line: usize, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line, problem: problem.into() }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.problem)
    }
}

/// Prints every broken rule, and the files that are longer than they should become.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let tree = Tree::load(&workspace.root)?;
    let findings = check(workspace, &tree)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    for (file, lines) in source::longer_than_aimed(&tree) {
        println!("note: {file} has {lines} lines; {} are the aim", source::FILE_LINES_AIM);
    }
    let [yes, partial, no] = ledger::counts(&tree).map(|(status, rows)| format!("{rows} {status}"));
    println!("ledger of compatibility: {yes}, {partial}, {no}");
    println!("{} files, {} broken rules", tree.files.len(), findings.len());
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn check(workspace: &Workspace, tree: &Tree) -> Result<Vec<Finding>> {
    let packages = workspace.packages()?;
    let mut findings = Vec::new();
    floors::check(&packages, &mut findings);
    dependencies::check(&packages, tree, &mut findings);
    for file in tree.rust() {
        source::check_rust(file, &mut findings);
        functions::check(file, &mut findings);
    }
    tree.files.iter().for_each(|file| source::check_words(file, &mut findings));
    ledger::check(tree, &mut findings);
    findings.sort();
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_tree_is_tidy() {
        let workspace = Workspace::of_this_build();
        let tree = Tree::load(&workspace.root).unwrap();
        let findings = check(&workspace, &tree).unwrap();
        let shown: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(findings.is_empty(), "broken rules:\n{}", shown.join("\n"));
    }
}
