//! Tests of the crate as a whole; each module lies beside what it tests.

mod commands;
mod files;
mod golden;
mod registry;
mod robustness;

use std::path::PathBuf;

/// Compares `actual` with a file in `testdata`. `BOLIDE_BLESS=1` writes it instead.
#[track_caller]
fn expect_file(name: &str, actual: &str) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name);
    if std::env::var_os("BOLIDE_BLESS").is_some() {
        std::fs::write(&file, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    for (number, (actual, expected)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(actual, expected, "{name}:{}", number + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "{name}");
}
