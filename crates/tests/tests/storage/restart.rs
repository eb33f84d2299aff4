//! What a namespace is after a restart: warm, from the image of its index, and cold, from its records.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::harness::{Launch, Server};
use tests::raw::{Connection, Draft, Message};

use crate::{
    BLOB, DURABLE_DELETE, FIELD_SET, NOT_FOUND, OK, OP_WRITE, command, configuration_with, number,
    on_files,
};

const FIELD_KEY: u8 = 2;
const KEY_MISMATCH: u8 = 19;
/// Time for the supervisor, which looks every second.
const SUPERVISION: Duration = Duration::from_millis(2500);
const SOON: Duration = Duration::from_secs(10);
/// The largest time to live that is worth waiting for.
const TTL_SECONDS: u32 = 3;

/// How a server is started again.
const WAYS: [&str; 3] = ["warm", "cold", "killed"];

fn on(label: &str, set: &str) -> Draft {
    Draft::write_number(label, 5).field(FIELD_SET, set.as_bytes())
}

/// A server on a file.
fn start(supervision: &str) -> Result<Server> {
    start_with(supervision, &[])
}

fn start_with(supervision: &str, settings: &[&str]) -> Result<Server> {
    let storage = on_files(&["one.dat"], &[&["commit-to-device true"], settings].concat());
    let text = configuration_with(supervision, &storage);
    Launch::new()?.argument("--foreground").configured("bolide.conf", &text)?.start()
}

/// Ends a server and starts it again in one of the ways.
fn restart(server: Server, way: &str) -> Result<Server> {
    let launch = if way == "killed" { server.kill()? } else { stop(server)? };
    let is_told = way == "cold" && !launch.has_argument("--cold-start");
    let launch = if is_told { launch.argument("--cold-start") } else { launch };
    let server = launch.start()?;
    let says = if way == "warm" { "} warm start:" } else { "} cold start:" };
    ensure!(server.log().contains(says), "{way}: {}", server.log());
    Ok(server)
}

fn stop(server: Server) -> Result<Launch> {
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}:\n{}", launch.log());
    Ok(launch)
}

fn read(server: &Server, label: &str) -> Result<Message> {
    Connection::open(server.port())?.ask(&Draft::read(label).frame())
}

fn expect_result(server: &Server, draft: &Draft, expected: u8) -> Result<()> {
    let result = Connection::open(server.port())?.result(&draft.frame())?;
    ensure!(result == expected, "{result} instead of {expected}: {draft:?}");
    Ok(())
}

fn is_there(server: &Server, label: &str) -> Result<bool> {
    match read(server, label)?.result {
        OK => Ok(true),
        NOT_FOUND => Ok(false),
        other => anyhow::bail!("{label}: {other}"),
    }
}

#[test]
fn metadata_keys_and_sets() -> Result<()> {
    for way in WAYS {
        let server = start("nsup-period 1")?;
        for _ in 0..7 {
            expect_result(&server, &on("generation", "a"), OK)?;
        }
        let mut with_ttl = on("ttl", "b");
        with_ttl.record_ttl = 1000;
        expect_result(&server, &with_ttl, OK)?;
        let with_key = on("key", "b").field(FIELD_KEY, b"\x03its key");
        expect_result(&server, &with_key, OK)?;
        expect_result(&server, &on("deleted", "b"), OK)?;
        expect_result(&server, &Draft::delete("deleted"), OK)?;
        expect_result(&server, &on("entombed", "b"), OK)?;
        let mut durable = Draft::delete("entombed");
        durable.info[1] |= DURABLE_DELETE;
        expect_result(&server, &durable, OK)?;
        let before = ["generation", "ttl", "key"].map(|label| read(&server, label));
        let [generation, ttl, key] = before;
        let before = [generation?, ttl?, key?];
        let sets = sets(&server)?;

        let server = restart(server, way)?;
        for (label, before) in ["generation", "ttl", "key"].into_iter().zip(before) {
            let after = read(&server, label)?;
            ensure!(after == before, "{way}: {label}: {after:?} instead of {before:?}");
        }
        ensure!(read(&server, "generation")?.generation == 7);
        ensure!(read(&server, "ttl")?.void_time != 0);
        ensure!(!is_there(&server, "deleted")? && !is_there(&server, "entombed")?, "{way}");
        ensure!(number(&server, "objects")? == 3 && number(&server, "tombstones")? == 1, "{way}");
        let after = self::sets(&server)?;
        ensure!(after == sets, "{way}: sets {after:?} instead of {sets:?}");
        // A key that is not the record's is noticed, so the record still knows its own.
        expect_result(&server, &on("key", "b").field(FIELD_KEY, b"\x03another"), KEY_MISMATCH)?;
    }
    Ok(())
}

/// Name, objects and tombstones of each set, in order.
fn sets(server: &Server) -> Result<Vec<String>> {
    let all = crate::ask(server, "sets/test")?;
    let line = |line: &str| {
        let fields = line.split(':').filter(|field| {
            ["set=", "objects=", "tombstones="].iter().any(|name| field.starts_with(name))
        });
        fields.collect::<Vec<_>>().join(":")
    };
    let mut lines: Vec<String> = all.split(';').filter(|text| !text.is_empty()).map(line).collect();
    lines.sort();
    Ok(lines)
}

#[test]
fn what_has_expired_does_not_come_back() -> Result<()> {
    for way in WAYS {
        // Nobody removes them before the end: a start has to.
        let server = start("nsup-period 0")?;
        let mut short = on("short", "a");
        expect_result(&server, &short, OK)?;
        short.record_ttl = TTL_SECONDS;
        expect_result(&server, &short, OK)?;
        expect_result(&server, &on("long", "a"), OK)?;
        ensure!(is_there(&server, "short")?);
        let server = restart(server, way)?;
        ensure!(is_there(&server, "short")?, "{way}: too early");
        thread::sleep(Duration::from_secs(u64::from(TTL_SECONDS) + 1));
        let server = restart(server, way)?;
        ensure!(!is_there(&server, "short")? && is_there(&server, "long")?, "{way}");
        // Its older version, which never expires, does not come back either.
        let server = restart(server, "cold")?;
        ensure!(!is_there(&server, "short")? && is_there(&server, "long")?, "{way}, then cold");
    }
    Ok(())
}

#[test]
fn truncations_last() -> Result<()> {
    for way in WAYS {
        let server = start("nsup-period 1")?;
        for (label, set) in [("cut", "a"), ("kept", "b")] {
            expect_result(&server, &on(label, set), OK)?;
        }
        pause();
        command(&server, "truncate:namespace=test;set=a")?;
        pause();
        expect_result(&server, &on("after", "a"), OK)?;
        let server = restart(server, way)?;
        let there = ["cut", "kept", "after"].map(|label| is_there(&server, label));
        ensure!(matches!(there, [Ok(false), Ok(true), Ok(true)]), "{way}: {there:?}");

        // Taken back after its records were removed, it removes no others, and those stay away.
        thread::sleep(SUPERVISION);
        command(&server, "truncate-undo:namespace=test;set=a")?;
        let server = restart(server, way)?;
        let there = ["cut", "kept", "after"].map(|label| is_there(&server, label));
        ensure!(matches!(there, [Ok(false), Ok(true), Ok(true)]), "{way}, undone: {there:?}");

        pause();
        command(&server, "truncate-namespace:namespace=test")?;
        let server = restart(server, way)?;
        ensure!(number(&server, "objects")? == 0, "{way}");
        let server = restart(server, "cold")?;
        ensure!(number(&server, "objects")? == 0, "{way}, then cold");
    }
    Ok(())
}

/// Truncations know milliseconds.
fn pause() {
    thread::sleep(Duration::from_millis(20));
}

#[test]
fn evictions_last() -> Result<()> {
    for way in WAYS {
        let server = start_with("nsup-period 1\n\tevict-tenths-pct 300", &["evict-used-pct 1"])?;
        let mut connection = Connection::open(server.port())?;
        for number in 0..100 {
            let mut draft = on(&format!("evictable {number}"), "a");
            draft = draft.op(OP_WRITE, BLOB, b"v", &vec![7; 100_000]);
            draft.record_ttl = 10_000 + number * 1000;
            ensure!(connection.result(&draft.frame())? == OK);
        }
        let begun = Instant::now();
        while number(&server, "evicted_objects")? == 0 {
            ensure!(begun.elapsed() < SOON, "nothing is evicted");
            thread::sleep(Duration::from_millis(50));
        }
        command(&server, "set-config:context=namespace;id=test;evict-used-pct=0")?;
        thread::sleep(SUPERVISION);
        let there = number(&server, "objects")?;
        ensure!((1..100).contains(&there), "{there} of 100 records");
        let server = restart(server, way)?;
        let after = number(&server, "objects")?;
        ensure!(after == there, "{way}: {after} instead of {there}");
        ensure!(!is_there(&server, "evictable 0")? && is_there(&server, "evictable 99")?, "{way}");
    }
    Ok(())
}
