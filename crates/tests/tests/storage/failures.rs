//! Devices that fail or fill up while the server runs.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::announce;
use tests::harness::{Folder, Server};
use tests::raw::{Connection, Draft};

use crate::{BLOB, NOT_FOUND, OK, OP_WRITE, OUT_OF_SPACE, launch, number, on_files, statistic};

const SOON: Duration = Duration::from_secs(10);
/// The size of the records with which devices are filled.
const LARGE_BYTES: usize = 500_000;

/// Demands that something comes true soon.
fn eventually(what: &str, server: &Server, is_so: impl Fn() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while !is_so()? {
        ensure!(begun.elapsed() < SOON, "not {what}; the server said:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn write_large(connection: &mut Connection, number: usize) -> Result<u8> {
    let draft = Draft::write(&label(number));
    let value = vec![number as u8; LARGE_BYTES];
    connection.result(&draft.op(OP_WRITE, BLOB, b"v", &value).frame())
}

fn label(number: usize) -> String {
    format!("large {number}")
}

/// Demands that a record is there, wholly.
fn expect_large(connection: &mut Connection, number: usize) -> Result<()> {
    let reply = connection.ask(&Draft::read(&label(number)).frame())?;
    ensure!(reply.result == OK, "{}: {}", label(number), reply.result);
    ensure!(reply.ops[0].value == vec![number as u8; LARGE_BYTES], "{}", label(number));
    Ok(())
}

/// Writes until the device fails, and demands what an operator expects of the server then. Returns how
/// many records were written before.
fn expect_failed_device(server: Server, cause: &str) -> Result<usize> {
    let mut connection = Connection::open(server.port())?;
    ensure!(connection.result(&Draft::write_number("small", 1).frame())? == OK);
    let mut written = 0;
    while write_large(&mut connection, written)? == OK {
        written += 1;
        ensure!(written < 500, "everything fits");
    }
    eventually("logged", &server, || Ok(server.log().contains("one.dat: cannot write: ")))?;
    let log = server.log();
    ensure!(log.contains(cause) && log.contains("takes no more writes"), "{log}");
    eventually("stopped", &server, || Ok(statistic(&server, "stop_writes")? == "true"))?;
    // All kinds of changes are refused, at once.
    let mut probe = |draft: Draft| connection.result(&draft.frame());
    ensure!(probe(Draft::write_number("small", 2))? != OK);
    ensure!(probe(Draft::delete("small"))? != OK);
    ensure!(probe(Draft::read("small"))? == OK, "what is there can be read");
    for number in 0..written.min(3) {
        expect_large(&mut connection, number)?;
    }
    connection.expect_alive()?;
    drop(connection);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(1), "{status:?}:\n{}", launch.log());
    let log = launch.log();
    ensure!(log.contains("not everything that was acknowledged could be written"), "{log}");
    Ok(written)
}

/// A limit on the size of files does to writes what a full file system does.
#[test]
fn a_file_that_takes_no_more() -> Result<()> {
    for commit in ["commit-to-device true", "commit-to-device false"] {
        let launch = launch(&on_files(&["one.dat"], &[commit, "flush-max-ms 50"]))?;
        // The file is made at its full size first: the limit is on where writes go.
        let (_, launch) = launch.start()?.stop()?;
        // In units of 512 bytes: the header, and three blocks.
        let server = launch.after("ulimit -f 65536").start()?;
        let written = expect_failed_device(server, "File too large")?;
        announce(format_args!("failures: {commit}: {written} records, then the file took no more"));
    }
    Ok(())
}

/// The same on a file system of its own, where one can be mounted.
#[test]
fn a_full_file_system() -> Result<()> {
    let folder = Folder::new()?;
    let Some(_mounted) = Mounted::tmpfs(folder.path()) else {
        announce("SKIPPED: a full file system, since none can be mounted here");
        return Ok(());
    };
    let path = folder.path().join("one.dat").display().to_string();
    let storage = on_files(&["one.dat"], &["flush-max-ms 50"]).replace("@FOLDER@/one.dat", &path);
    expect_failed_device(launch(&storage)?.start()?, "No space left on device").map(|_| ())
}

/// A small file system in memory, as long as this lives.
struct Mounted<'f>(&'f Path);

impl<'f> Mounted<'f> {
    fn tmpfs(folder: &'f Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=40m", "tmpfs"]).arg(folder);
        let outcome = mount.output().ok()?;
        outcome.status.success().then_some(Self(folder))
    }
}

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        // Whoever runs tests sees it in the list of what is mounted.
        let _ = Command::new("umount").arg(self.0).output();
    }
}

/// A file that somebody deletes is there until the server ends; the next one begins anew.
#[test]
fn a_removed_file() -> Result<()> {
    let storage = on_files(&["one.dat", "two.dat"], &["commit-to-device true"]);
    let server = launch(&storage)?.start()?;
    let mut connection = Connection::open(server.port())?;
    for number in 0..20 {
        ensure!(write_large(&mut connection, number)? == OK);
    }
    fs::remove_file(server.folder().join("one.dat"))?;
    for number in 20..40 {
        ensure!(write_large(&mut connection, number)? == OK);
    }
    for number in 0..40 {
        expect_large(&mut connection, number)?;
    }
    drop(connection);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}");
    let outcome = launch.run()?;
    ensure!(outcome.status.code() == Some(1), "{outcome:?}");
    ensure!(outcome.stderr.contains("one.dat is blank, but"), "{}", outcome.stderr);
    ensure!(outcome.stderr.contains("two.dat is not"), "{}", outcome.stderr);
    for file in ["one.dat", "two.dat"] {
        fs::remove_file(launch.folder().join(file))?;
    }
    let server = launch.start()?;
    ensure!(server.log().contains("} fresh start"), "{}", server.log());
    ensure!(number(&server, "objects")? == 0);
    Ok(())
}

/// A device that is full takes deletes, and writes again once there is room.
#[test]
fn a_full_device() -> Result<()> {
    let settings = ["defrag-sleep 0", "flush-max-ms 50", "stop-writes-used-pct 0"];
    let storage = on_files(&["one.dat"], &settings).replace("filesize 256M", "filesize 128M");
    let server = launch(&storage)?.start()?;
    let mut connection = Connection::open(server.port())?;
    let mut written = 0;
    let result = loop {
        match write_large(&mut connection, written)? {
            OK => written += 1,
            other => break other,
        }
        ensure!(written < 300, "everything fits");
    };
    ensure!(result == OUT_OF_SPACE, "a full device is answered {result}");
    ensure!(written > 80, "only {written} records fit");
    eventually("full", &server, || Ok(number(&server, "data_avail_pct")? < 5))?;
    ensure!(number(&server, "objects")? == written as u64);
    for number in (0..written).step_by(2) {
        let result = connection.result(&Draft::delete(&label(number)).frame())?;
        ensure!(result == OK, "a delete on a full device is answered {result}");
    }
    let begun = Instant::now();
    eventually("writable", &server, || {
        let result = write_large(&mut Connection::open(server.port())?, 0)?;
        ensure!(result == OK || result == OUT_OF_SPACE, "{result}");
        Ok(result == OK)
    })?;
    announce(format_args!("failures: full after {written}, writable {:?} later", begun.elapsed()));
    eventually("spacious", &server, || Ok(number(&server, "data_avail_pct")? > 5))?;
    for number in 0..written {
        if number % 2 == 1 || number == 0 {
            expect_large(&mut connection, number)?;
        } else {
            let reply = connection.ask(&Draft::read(&label(number)).frame())?;
            ensure!(reply.result == NOT_FOUND, "{}: {}", label(number), reply.result);
        }
    }
    ensure!(number(&server, "objects")? == (written / 2 + 1) as u64);
    Ok(())
}
