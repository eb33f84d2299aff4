//! Scripts that mean harm: each ends with an error in time, and the node goes on.

#![allow(clippy::unwrap_used, reason = "a test may assert")]

mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use support::{Record, Watch};
use udf::{Call, Limits, Modules, Outcome, Reply};

/// What a script is given.
const LIMIT: Duration = Duration::from_millis(60);
/// The processor's time that it may take all told, in a debug build. A hundred instructions pass between
/// two looks at the clock, and each may copy tens of megabytes. How long that takes by the wall clock is
/// for the machine's other work to say.
const PATIENCE: Duration = Duration::from_millis(2_500);
const GOOD: &str = "function good(rec, a) local l = list{a} return l[1] + 1 end";

fn apply(modules: &Modules, module: &str, function: &str, arguments: &[u8]) -> Outcome {
    let call = Call { module, function: function.as_bytes(), arguments };
    let limit = if function == "attack" { LIMIT } else { Duration::from_secs(10) };
    modules.apply(call, Box::new(Record::default()), Watch::new(limit))
}

fn assert_usable(modules: &Modules, after: &str) {
    let outcome = apply(modules, "good", "good", &[0x91, 0x29]);
    let Reply::Success(value) = &outcome.reply else { panic!("after {after}: {outcome:?}") };
    assert_eq!(value.bytes, 42_i64.to_be_bytes(), "after {after}");
}

/// What this thread has taken of the processor's time.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap()
}

/// Runs the attack of a script, twice: what the first call leaves behind must not help the second.
fn attack(modules: &Modules, file: &Path, wrong: &mut Vec<String>) {
    let name = file.file_stem().unwrap_or_default().to_string_lossy();
    modules.put(&format!("{name}.lua"), &fs::read(file).unwrap());
    for _ in 0..2 {
        let start = processor_time();
        let outcome = apply(modules, &name, "attack", &[]);
        let took = processor_time().saturating_sub(start);
        if took > PATIENCE {
            wrong.push(format!("{name} took {took:?}"));
        }
        match outcome.reply {
            Reply::Failure(text) => {
                println!("{name}: {took:?} {}", text[..text.len().min(200)].escape_ascii());
            }
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert_usable(modules, &name);
}

/// One of the halves of the scripts; with BOLIDE_SCRIPT, only those whose name contains it.
fn every_other_script_ends_in_time(half: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/malicious");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let only = std::env::var("BOLIDE_SCRIPT").unwrap_or_default();
    let modules = Modules::new(Limits::default());
    modules.put("good.lua", GOOD.as_bytes());
    let mut wrong = Vec::new();
    for file in files.iter().skip(half).step_by(2) {
        if file.to_string_lossy().contains(&only) {
            attack(&modules, file, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_script_ends_with_an_error_in_time() {
    every_other_script_ends_in_time(0);
}

#[test]
fn every_other_script_ends_with_an_error_in_time() {
    every_other_script_ends_in_time(1);
}
