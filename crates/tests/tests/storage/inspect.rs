//! `bolide-inspect` on devices that a server has left: what it counts is what was written, and what it loads
//! into another server is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Instant;

use anyhow::{Result, ensure};
use tests::harness::{Server, inspect_binary};
use tests::raw::{Connection, Draft, Message};

use crate::{
    BLOB, DELETE, FIELD_SET, NOT_FOUND, OK, OP_WRITE, WRITE, device, launch, number, on_files,
    start,
};

const RECORDS: usize = 600;
const FIELD_KEY: u8 = 2;
/// Every so manieth record is deleted, and every so manieth has a time to live.
const DELETED: usize = 10;
const EXPIRING: usize = 7;

fn label(number: usize) -> String {
    format!("moved {number}")
}

fn set(number: usize) -> String {
    format!("set{}", number % 4)
}

/// A record with bins of several types, in one of several sets, most with a key.
fn draft(number: usize) -> Draft {
    let mut draft = Draft::write_number(&label(number), number as i64);
    draft = draft.field(FIELD_SET, set(number).as_bytes());
    if !number.is_multiple_of(3) {
        draft = draft.field(FIELD_KEY, format!("\u{3}key {number}").as_bytes());
    }
    if number.is_multiple_of(EXPIRING) {
        draft.record_ttl = 100_000;
    }
    let size = if number.is_multiple_of(50) { 300_000 } else { number * 7 % 900 };
    draft.op(OP_WRITE, BLOB, b"blob", &vec![number as u8; size]).op(OP_WRITE, 3, b"text", b"words")
}

/// Writes all records twice, so that there are older versions, and deletes some.
fn fill(server: &Server) -> Result<()> {
    let mut connection = Connection::open(server.port())?;
    for number in 0..RECORDS {
        let older =
            Draft::write_number(&label(number), -1).field(FIELD_SET, set(number).as_bytes());
        ensure!(connection.result(&older.frame())? == OK);
    }
    for number in 0..RECORDS {
        ensure!(connection.result(&draft(number).frame())? == OK);
    }
    for number in (0..RECORDS).step_by(DELETED) {
        let mut draft = Draft::delete(&label(number));
        draft.info[1] = WRITE | DELETE;
        ensure!(connection.result(&draft.frame())? == OK);
    }
    Ok(())
}

fn read_all(server: &Server) -> Result<Vec<Message>> {
    let mut connection = Connection::open(server.port())?;
    (0..RECORDS).map(|number| connection.ask(&Draft::read(&label(number)).frame())).collect()
}

fn inspect(arguments: &[&str], devices: &[PathBuf]) -> Result<Output> {
    Ok(Command::new(inspect_binary()?).args(arguments).args(devices).output()?)
}

fn text(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

/// A server on two files, compressed, that was stopped in order: its files, and what it held.
#[test]
fn what_is_loaded_elsewhere_is_equal() -> Result<()> {
    let settings = ["compression zstd", "flush-max-ms 20"];
    let server = launch(&on_files(&["one.dat", "two.dat"], &settings))?.start()?;
    fill(&server)?;
    let before = read_all(&server)?;
    let objects = number(&server, "objects")?;
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}");
    let devices = ["one.dat", "two.dat"].map(|file| device(&launch, file));

    let report = inspect(&["--json"], &devices)?;
    ensure!(report.status.code() == Some(0), "{}", text(&report));
    let dump = inspect(&["--dump"], &devices)?;
    let lines = dump.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    ensure!(lines as u64 == objects, "{lines} lines, {objects} objects");

    let other = start(&on_files(&["three.dat"], &[]))?;
    let begun = Instant::now();
    let loaded = inspect(&["--load", &other.address(), "--threads", "3"], &devices)?;
    ensure!(loaded.status.code() == Some(0), "{}", text(&loaded));
    let took = begun.elapsed();
    ensure!(number(&other, "objects")? == objects);
    for (place, (before, after)) in before.iter().zip(read_all(&other)?).enumerate() {
        ensure!(after.result == before.result, "{place}: {after:?} instead of {before:?}");
        ensure!(after.ops == before.ops, "{place}: {after:?} instead of {before:?}");
        let apart = after.void_time.abs_diff(before.void_time);
        // A time to live counts from the load.
        ensure!(u64::from(apart) <= took.as_secs() + 2, "{place}: {after:?} instead of {before:?}");
        ensure!((after.result == NOT_FOUND) == (place % DELETED == 0), "{place}: {after:?}");
    }
    // Sets and keys have come along.
    ensure!(sets(&other)? == sets_of(before.len()), "{:?}", sets(&other)?);
    let mut connection = Connection::open(other.port())?;
    let wrong = draft(1).without_field(FIELD_KEY).field(FIELD_KEY, b"\x03another");
    ensure!(connection.result(&wrong.frame())? == 19, "the key has not come along");
    Ok(())
}

/// How many objects each set has.
fn sets(server: &Server) -> Result<Vec<(String, usize)>> {
    let all = crate::ask(server, "sets/test")?;
    let value = |line: &str, name: &str| {
        let found = line.split(':').find_map(|field| field.strip_prefix(name));
        found.unwrap_or_default().to_owned()
    };
    let lines = all.split(';').filter(|line| !line.is_empty());
    let mut sets: Vec<(String, usize)> = lines
        .map(|line| (value(line, "set="), value(line, "objects=").parse().unwrap_or_default()))
        .collect();
    sets.sort();
    Ok(sets)
}

fn sets_of(records: usize) -> Vec<(String, usize)> {
    let of = |set: usize| {
        (0..records).filter(|number| number % 4 == set && number % DELETED != 0).count()
    };
    (0..4).map(|set| (format!("set{set}"), of(set))).collect()
}

/// A device is read while a server has it open, and after a kill: at worst its end is torn, which is no
/// damage.
#[test]
fn a_device_in_use_or_left_behind_is_read() -> Result<()> {
    let server = start(&on_files(&["one.dat"], &["commit-to-device true"]))?;
    fill(&server)?;
    let path = server.folder().join("one.dat");
    expect_live(&path, number(&server, "objects")?)?;
    let objects = number(&server, "objects")?;
    let launch = server.kill()?;
    expect_live(&device(&launch, "one.dat"), objects)
}

fn expect_live(path: &Path, objects: u64) -> Result<()> {
    let report = inspect(&["--json"], &[path.to_owned()])?;
    ensure!(report.status.code() == Some(0), "{}", text(&report));
    let json: serde_json::Value = serde_json::from_slice(&report.stdout)?;
    let live = json.pointer("/survey/totals/live").and_then(serde_json::Value::as_u64);
    ensure!(live == Some(objects), "{live:?} instead of {objects} in {json:#}");
    Ok(())
}

#[test]
fn what_is_no_device_is_told() -> Result<()> {
    let server = start(&on_files(&["one.dat"], &[]))?;
    let report = inspect(&[], &[server.folder().join("bolide.conf")])?;
    ensure!(report.status.code() == Some(2), "{}", text(&report));
    ensure!(text(&report).contains("bolide.conf"), "{}", text(&report));
    let report = inspect(&[], &[server.folder().join("none.dat")])?;
    ensure!(report.status.code() == Some(2), "{}", text(&report));
    Ok(())
}
