//! Configuration files in the original's notation.

use std::mem::discriminant;

use config::{Notation, get_config, parse, validate};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "conf",
    what: "configuration files",
    seeds: |corpus| corpus.conf.clone(),
    make: |_| Box::new(|input: &[u8]| feed(input, Notation::Conf)),
};

/// What YAML ends a line at; the other notation knows the newline alone.
const LINE_BREAKS: [char; 5] = ['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'];

/// Feeds a file in either notation.
pub fn feed(input: &[u8], notation: Notation) -> Outcome {
    let lines = String::from_utf8_lossy(input).split(LINE_BREAKS).count();
    let parsed = parse(input, "fuzz", notation);
    assert_eq!(parsed, parse(input, "fuzz", notation), "two answers to one file");
    match parsed {
        Ok(parsed) => {
            assert_eq!(validate(&parsed.config), [], "accepted with a contradiction");
            for context in ["", "context=service", "context=network", "context=security"] {
                get_config(&parsed.config, context);
            }
            for namespace in &parsed.config.namespaces {
                let name = &namespace.name;
                let answer =
                    get_config(&parsed.config, &format!("context=namespace;namespace={name}"));
                assert!(!answer.is_empty(), "namespace {name} has no settings");
            }
            Outcome::of((parsed.config.namespaces.len(), parsed.warnings.len()))
        }
        Err(errors) => {
            assert!(!errors.0.is_empty(), "refused without a reason");
            for error in &errors.0 {
                assert!(error.line <= lines, "line {} of {lines}: {error}", error.line);
                assert!(error.to_string().starts_with("fuzz"), "{error}");
            }
            let kinds: Vec<_> = errors.0.iter().map(|error| discriminant(&error.reason)).collect();
            Outcome::of((kinds.first(), kinds.len().min(9)))
        }
    }
}
