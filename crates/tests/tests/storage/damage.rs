//! Bits that flip on a device: damage is told and counted, and never served.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tests::harness::{Launch, Server, inspect_binary};
use tests::raw::{Connection, Draft};

use crate::{BLOB, NOT_FOUND, OK, OP_WRITE, ask, device, launch, on_files};

/// Blocks begin behind a header region of their size.
const BLOCK_BYTES: u64 = 8 << 20;
/// Records that lie on a device, each in two versions, the older ones first.
const RECORDS: usize = 400;
const VALUE_BYTES: usize = 1500;
/// A record stays where it was written.
const UNMOVED: &str = "defrag-lwm-pct 1";
/// Where a device is damaged.
const FLIPS: usize = 20;
/// Result of a read of what cannot be read.
const UNKNOWN: u8 = 1;

/// How long something may take that happens in the background.
const SOON: Duration = Duration::from_secs(10);

/// A server with records that was stopped in order.
fn stopped(settings: &[&str]) -> Result<Launch> {
    let server = launch(&on_files(&["one.dat"], settings))?.start()?;
    let mut connection = Connection::open(server.port())?;
    for version in [1, 2] {
        for number in 0..RECORDS {
            let draft = Draft::write(&label(number));
            let draft = draft.op(OP_WRITE, BLOB, b"v", &value(number, version));
            ensure!(connection.result(&draft.frame())? == OK);
        }
    }
    drop(connection);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}:\n{}", launch.log());
    Ok(launch)
}

fn label(number: usize) -> String {
    format!("damaged {number}")
}

fn value(number: usize, version: u8) -> Vec<u8> {
    let mut random = Rng::with_seed((number * 2) as u64 + u64::from(version));
    // Of different sizes, so that one does not overwrite the other in memory.
    (0..VALUE_BYTES - 100 * usize::from(version % 2)).map(|_| random.u8(..)).collect()
}

/// What became of records.
#[derive(Debug, Default)]
struct Found {
    newest: usize,
    older: usize,
    missing: usize,
    refused: usize,
}

/// Reads all records; none may have a value that was never written.
fn read_all(server: &Server) -> Result<Found> {
    let mut connection = Connection::open(server.port())?;
    let mut found = Found::default();
    for number in 0..RECORDS {
        let reply = connection.ask(&Draft::read(&label(number)).frame())?;
        match reply.result {
            OK if reply.ops[0].value == value(number, 2) => found.newest += 1,
            OK if reply.ops[0].value == value(number, 1) => found.older += 1,
            OK => bail!("{} has a value that was never written", label(number)),
            NOT_FOUND => found.missing += 1,
            UNKNOWN => found.refused += 1,
            other => bail!("a read is answered {other}"),
        }
    }
    Ok(found)
}

/// Flips a bit at each of these places.
fn flip(path: &Path, places: &[u64]) -> Result<()> {
    let file = OpenOptions::new().read(true).write(true).open(path)?;
    for &at in places {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at)?;
        file.write_all_at(&[byte[0] ^ 1 << (at % 8)], at)?;
    }
    Ok(())
}

/// Places in what holds the newest versions: behind the older half of the records.
fn places(random: &mut Rng) -> Vec<u64> {
    let half = (RECORDS * VALUE_BYTES) as u64;
    (0..FLIPS).map(|_| BLOCK_BYTES + half + 100_000 + random.u64(..half - 100_000)).collect()
}

/// What `bolide-inspect` says of a device: exit code and report.
fn inspect(path: &Path) -> Result<(Option<i32>, String)> {
    let output = Command::new(inspect_binary()?).arg(path).output()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.code(), text))
}

#[test]
fn a_cold_start_tells_of_damage_and_serves_the_rest() -> Result<()> {
    let seed = fastrand::u64(..);
    let launch = stopped(&[UNMOVED])?;
    let path = device(&launch, "one.dat");
    let (code, report) = inspect(&path)?;
    ensure!(code == Some(0), "a sound device: {code:?}\n{report}");

    flip(&path, &places(&mut Rng::with_seed(seed)))?;
    let (code, report) = inspect(&path)?;
    ensure!(code == Some(1), "a damaged device: {code:?}\n{report}");

    let server = launch.argument("--cold-start").start()?;
    let found = read_all(&server)?;
    let log = server.log();
    ensure!(found.newest >= RECORDS - FLIPS && found.newest < RECORDS, "{seed}: {found:?}");
    ensure!(found.refused == 0, "{seed}: a cold start knows no damaged record: {found:?}");
    // An older version comes back when the newest is not readable: that must have been told.
    let lost = found.older + found.missing;
    ensure!((1..=FLIPS).contains(&lost), "{seed}: {found:?}");
    ensure!(log.contains("CRITICAL (drv_ssd)") && log.contains("stretches are damaged"), "{log}");
    ensure!(log.contains("one.dat: block 1, "), "no word of the place:\n{log}");
    Ok(())
}

#[test]
fn a_warm_start_reads_nothing_and_serves_no_damage() -> Result<()> {
    let seed = fastrand::u64(..);
    let launch = stopped(&[UNMOVED, "post-write-cache 0"])?;
    flip(&device(&launch, "one.dat"), &places(&mut Rng::with_seed(seed)))?;
    let server = launch.start()?;
    ensure!(server.log().contains("} warm start"), "{}", server.log());
    expect_refusals(&server, seed)
}

#[test]
fn damage_while_the_server_runs_is_not_served() -> Result<()> {
    let seed = fastrand::u64(..);
    let server = stopped(&[UNMOVED, "post-write-cache 0"])?.start()?;
    ensure!(read_all(&server)?.newest == RECORDS);
    flip(&server.folder().join("one.dat"), &places(&mut Rng::with_seed(seed)))?;
    expect_refusals(&server, seed)
}

/// Damaged records are answered with an error, counted and logged; all others are served.
fn expect_refusals(server: &Server, seed: u64) -> Result<()> {
    let found = read_all(server)?;
    ensure!(found.older == 0 && found.missing == 0, "{seed}: {found:?}");
    ensure!((1..=FLIPS).contains(&found.refused), "{seed}: {found:?}");
    let begun = Instant::now();
    while !server.log().contains("does not stand up to its checksum") {
        ensure!(begun.elapsed() < SOON, "no word of it:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let all = ask(server, "namespace/test")?;
    let counted = all.split(';').find_map(|pair| pair.split_once("file[0].read_errors="));
    if let Some((_, count)) = counted {
        ensure!(count.parse::<usize>()? >= found.refused, "{count} read errors, {found:?}");
    }
    // A damaged record can be removed, and written anew.
    let mut connection = Connection::open(server.port())?;
    for number in 0..RECORDS {
        let reply = connection.ask(&Draft::read(&label(number)).frame())?;
        if reply.result == UNKNOWN {
            ensure!(connection.result(&Draft::delete(&label(number)).frame())? == OK);
            let draft = Draft::write(&label(number));
            let draft = draft.op(OP_WRITE, BLOB, b"v", &value(number, 2));
            ensure!(connection.result(&draft.frame())? == OK);
        }
    }
    ensure!(read_all(server)?.newest == RECORDS);
    Ok(())
}

/// A device that lost one copy of its header is as good as before; one that lost both is refused.
#[test]
fn headers_are_kept_twice() -> Result<()> {
    let launch = stopped(&[UNMOVED])?;
    let path = device(&launch, "one.dat");
    flip(&path, &[100])?;
    let (code, report) = inspect(&path)?;
    ensure!(code == Some(1), "{code:?}\n{report}");
    let server = launch.start()?;
    ensure!(read_all(&server)?.newest == RECORDS);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}");
    flip(&path, &[100, BLOCK_BYTES / 2 + 100])?;
    let outcome = launch.run()?;
    ensure!(outcome.status.code() == Some(1), "{outcome:?}");
    ensure!(outcome.stderr.contains("both copies of its header are damaged"), "{outcome:?}");
    // What was refused was not touched.
    flip(&path, &[100, BLOCK_BYTES / 2 + 100])?;
    let server = launch.start()?;
    ensure!(read_all(&server)?.newest == RECORDS);
    let file = File::open(&path).context("the device")?;
    ensure!(file.metadata()?.len() == 256 << 20);
    Ok(())
}
