//! The function ratchet: at most 70 lines, from the `fn` line to the closing brace.

use super::Finding;
use super::tree::File;

const FUNCTION_LINES: usize = 70;

/// Functions that were longer when the rule came, with the length that they must not exceed.
const LONGER: &[(&str, &str, usize)] = &[];

/// Reports each function of a file that is too long.
///
/// Formatted source is taken for granted: a body ends at the first closing brace that stands at the
/// indentation of its `fn` line.
pub fn check(file: &File, findings: &mut Vec<Finding>) {
    let lines: Vec<&str> = file.text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        let Some(name) = name_of_function(line) else { continue };
        let Some(length) = length_of_function(&lines[index..]) else { continue };
        let allowed = LONGER
            .iter()
            .find(|(path, function, _)| *path == file.path && *function == name)
            .map_or(FUNCTION_LINES, |(_, _, longest)| *longest);
        if length > allowed {
            let problem = format!("fn {name} has {length} lines, {allowed} are allowed");
            findings.push(Finding::new(&file.path, index + 1, problem));
        }
    }
}

/// The name of the function that begins on this line.
pub fn name_of_function(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(signature) = rest.strip_prefix("fn ") {
            let end = signature.find(|c: char| !c.is_alphanumeric() && c != '_')?;
            return Some(&signature[..end]);
        }
        let (word, after) = rest.split_once(' ')?;
        let qualifier = word.starts_with("pub")
            || matches!(word, "const" | "async" | "unsafe" | "extern" | "default")
            || word.starts_with('"');
        if !qualifier {
            return None;
        }
        rest = after;
    }
}

/// Lines from the first one to the end of the body; none when there is no body.
fn length_of_function(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    let indentation = &first[..first.len() - first.trim_start().len()];
    let closing = format!("{indentation}}}");
    let head = lines.iter().position(|line| line.ends_with('{') || line.ends_with([';', '}']))?;
    if !lines[head].ends_with('{') {
        return None;
    }
    lines.iter().position(|line| *line == closing).map(|end| end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings_of(text: String) -> Vec<Finding> {
        let mut findings = Vec::new();
        check(&File { path: "a.rs".to_owned(), text }, &mut findings);
        findings
    }

    #[test]
    fn finds_names_behind_qualifiers() {
        assert_eq!(name_of_function("    pub(crate) const fn size(self) -> usize {"), Some("size"));
        assert_eq!(name_of_function("pub unsafe extern \"C\" fn f() {"), Some("f"));
        assert_eq!(name_of_function("let f = fn_of(x);"), None);
        assert_eq!(name_of_function("// fn commented out() {"), None);
    }

    #[test]
    fn counts_from_the_signature_to_the_closing_brace() {
        let body = "    x();\n".repeat(68);
        assert_eq!(findings_of(format!("fn fits() {{\n{body}}}\n")), []);
        let found = findings_of(format!("fn grew(\n) {{\n{body}}}\n"));
        assert_eq!(found, [Finding::new("a.rs", 1, "fn grew has 71 lines, 70 are allowed")]);
    }

    #[test]
    fn a_declaration_has_no_body() {
        let text = format!("fn declared(\n    a: u8,\n);\n{}}}\n", "// text\n".repeat(100));
        assert_eq!(findings_of(text), []);
    }
}
