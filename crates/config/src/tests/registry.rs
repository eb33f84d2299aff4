//! The registry's own rules, and every row through the real reader.

use std::collections::BTreeSet;

use crate::outline::{Outline, Row};
use crate::registry::{Kind, Spec, Takes};
use crate::text::{Reason, read_unchecked};
use crate::{Config, ConfigErrors, outline, reference_page};

/// Calls `visit` with every row and the contexts around it, from the outside in.
pub(super) fn for_each_row(visit: &mut dyn FnMut(&[&Outline], &Row)) {
    fn walk<'o>(
        context: &'o Outline,
        around: &mut Vec<&'o Outline>,
        visit: &mut dyn FnMut(&[&Outline], &Row),
    ) {
        for row in &context.rows {
            visit(around, row);
        }
        for child in &context.children {
            around.push(child);
            walk(child, around, visit);
            around.pop();
        }
    }
    walk(outline(), &mut Vec::new(), visit);
}

/// A file that says `line` where `row` belongs.
fn file_with(around: &[&Outline], row: &Row, line: &str) -> String {
    let mut file = String::new();
    for context in around {
        let word = match context.takes {
            Takes::Nothing => "",
            Takes::Name => "x",
            Takes::Path => "/x",
            Takes::Kind(kinds) => {
                let fits = |kind: &&&str| {
                    let modes = row.spec.offered_in;
                    let mounted = modes.contains(&"mounted") && **kind != "shmem";
                    modes.is_empty() || mounted || modes.contains(*kind)
                };
                kinds.iter().find(fits).unwrap()
            }
        };
        file += &format!("{} {word} {{\n", context.name);
    }
    file += line;
    file += &"\n}".repeat(around.len());
    file
}

fn read(around: &[&Outline], row: &Row, value: &str) -> Result<Config, ConfigErrors> {
    let line = format!("{} {value}", row.name);
    read_unchecked(&file_with(around, row, &line)).map(|parsed| parsed.config)
}

#[track_caller]
fn accepts(around: &[&Outline], row: &Row, value: &str) -> Config {
    read(around, row, value).unwrap_or_else(|error| panic!("{} {value}: {error}", row.name))
}

#[track_caller]
fn refuses(around: &[&Outline], row: &Row, value: &str) {
    let errors = read(around, row, value).expect_err(&format!("{} {value}", row.name));
    for error in errors.0 {
        assert!(matches!(error.reason, Reason::BadValue { .. }), "{error}");
    }
}

/// Values that the row must take, and values that it must not.
fn samples(spec: &Spec) -> (Vec<String>, Vec<String>) {
    let strings = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match spec.kind {
        Kind::Flag { .. } => (
            strings(&["true", "FALSE", "False"]),
            strings(&["yes", "no", "1", "0", "ttrue", "truefalse"]),
        ),
        Kind::Number | Kind::SaturatingNumber | Kind::Duration => number_samples(spec),
        Kind::Override | Kind::DurationOverride => {
            let (min, max) = (spec.min.to_string(), spec.max.to_string());
            (vec!["-1".into(), min, max], vec![(spec.max + 1).to_string(), "-2".into()])
        }
        Kind::Hex => (
            strings(&["1", "0xA", "ffffffffffffffff"]),
            strings(&["0", "g", "0x", "10000000000000000", "+1"]),
        ),
        Kind::Word(words) => (strings(words), vec!["nonsense".into(), words[0].to_uppercase()]),
        Kind::Text | Kind::Path | Kind::Address => {
            let max = usize::try_from(spec.max).unwrap();
            (vec!["a".into(), "b".repeat(max)], vec!["c".repeat(max + 1)])
        }
        Kind::HostPort { .. } => {
            (strings(&["h 3000", "::1 4000"]), strings(&["h", "h x", "h 65536", "h 0"]))
        }
        Kind::Device => (strings(&["/dev/x", "/dev/x /dev/y"]), Vec::new()),
        Kind::LogLevel => (
            strings(&["any info", "drv_ssd DETAIL"]),
            strings(&["any", "any loud", "drv-ssd info", "anyx info"]),
        ),
        Kind::DataOp => (strings(&["test", "test demo"]), Vec::new()),
    }
}

fn number_samples(spec: &Spec) -> (Vec<String>, Vec<String>) {
    let mut good = vec![spec.min.to_string(), spec.max.to_string()];
    let mut bad: Vec<String> =
        ["x", "0x10", "1.5", "-2", "99999999999999999999", "1Q"].map(str::to_owned).into();
    if spec.min > 0 {
        bad.push((spec.min - 1).to_string());
    }
    bad.extend(spec.max.checked_add(1).map(|above| above.to_string()));
    if spec.power_of_two {
        bad.push((spec.min + 1).to_string());
    }
    if spec.multiple_of > 1 {
        good = vec![(spec.multiple_of * 3).to_string()];
        bad.push((spec.multiple_of + 1).to_string());
    }
    (good, bad)
}

#[test]
fn every_row_keeps_its_bounds_and_fills_a_field() {
    for_each_row(&mut |around, row| {
        if row.spec.command_only {
            return;
        }
        let nothing = read_unchecked(&file_with(around, row, "")).unwrap().config;
        let (good, bad) = samples(&row.spec);
        let changes = good.iter().filter(|value| accepts(around, row, value) != nothing).count();
        assert!(changes > 0, "{} changes nothing", row.name);
        for value in bad {
            refuses(around, row, &value);
        }
        if row.spec.kind == (Kind::Flag { bare: true }) {
            accepts(around, row, "");
        } else {
            refuses(around, row, "");
        }
    });
}

#[test]
fn rows_are_unique_and_documented() {
    let mut names = BTreeSet::new();
    for_each_row(&mut |around, row| {
        let path: Vec<_> = around.iter().map(|context| context.name).collect();
        assert!(names.insert((path, row.name)), "{} stands twice", row.name);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(row.name.chars().all(plain), "{}", row.name);
        assert!(row.doc.ends_with('.') && row.doc.len() > 10, "{}: {}", row.name, row.doc);
    });
}

#[test]
fn commands_of_a_context_have_distinct_names() {
    // Everything below a namespace shares one space of names, and so does the network.
    for root in ["namespace", "network", "service", "security"] {
        let mut names = BTreeSet::new();
        for_each_row(&mut |around, row| {
            let in_set = around.last().is_some_and(|context| context.name == "set");
            let here = around.first().is_some_and(|context| context.name == root) && !in_set;
            if let Some(name) = row.command_name.as_ref().filter(|_| here) {
                assert!(names.insert(name.clone()), "{name} is ambiguous");
            }
        });
    }
}

#[test]
fn defaults_of_numbers_are_within_their_bounds() {
    for_each_row(&mut |around, row| {
        let off = row.default == "0" || row.default.is_empty();
        if !off && matches!(row.spec.kind, Kind::Number | Kind::Duration) {
            accepts(around, row, &row.default);
        }
    });
}

/// `docs/configuration.md` is what the registry says. `BOLIDE_BLESS=1` renders it anew.
#[test]
fn reference_page_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let page = reference_page();
    if std::env::var_os("BOLIDE_BLESS").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
        std::fs::write(file, &page).unwrap();
    }
    let written = std::fs::read_to_string(file).expect("docs/configuration.md exists");
    assert!(written == page, "docs/configuration.md is stale: run the test with BOLIDE_BLESS=1");
}
