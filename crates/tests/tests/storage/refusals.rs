//! Devices that a namespace must not use: the server does not start, and says why and what to do.

use std::fs::{self, OpenOptions};
use std::path::Path;

use anyhow::{Result, ensure};
use tests::harness::{Launch, Server};
use tests::raw::{Connection, Draft};

use crate::{OK, configuration, device, launch, on_files};

/// A server that has written a record and was stopped in order.
fn stopped(storage: &str) -> Result<Launch> {
    let launch = launch(storage)?;
    fs::write(launch.folder().join("key"), [7; 32])?;
    end(launch.start()?)
}

fn end(server: Server) -> Result<Launch> {
    let mut connection = Connection::open(server.port())?;
    ensure!(connection.result(&Draft::write_number("kept", 5).frame())? == OK);
    drop(connection);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}:\n{}", launch.log());
    Ok(launch)
}

/// Demands that a start fails, and that what it says names all of this.
fn expect_refusal(launch: &Launch, named: &[&str]) -> Result<()> {
    let outcome = launch.run()?;
    ensure!(outcome.status.code() == Some(1), "{outcome:?}");
    for name in named {
        ensure!(outcome.stderr.contains(name), "{name:?} is not in: {}", outcome.stderr);
    }
    ensure!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    Ok(())
}

/// Demands that the record is there.
fn expect_record(launch: Launch) -> Result<Launch> {
    let server = launch.start()?;
    let reply = Connection::open(server.port())?.ask(&Draft::read("kept").frame())?;
    ensure!(reply.result == OK && reply.ops[0].value == 5_i64.to_be_bytes(), "{reply:?}");
    Ok(server.stop()?.1)
}

fn two_files() -> String {
    on_files(&["one.dat", "two.dat"], &[])
}

#[test]
fn a_foreign_file() -> Result<()> {
    let launch = launch(&on_files(&["one.dat"], &[]))?;
    let path = device(&launch, "one.dat");
    let foreign = [b"a letter to a friend ".repeat(1000), vec![0; 256 << 20]].concat();
    fs::write(&path, &foreign)?;
    expect_refusal(
        &launch,
        &["one.dat", "is no device of a Bolide namespace", "cold-start-empty"],
    )?;
    ensure!(fs::read(&path)? == foreign, "a file that was refused was changed");
    Ok(())
}

#[test]
fn a_file_of_another_namespace() -> Result<()> {
    let launch = stopped(&on_files(&["one.dat"], &[]))?;
    let text = configuration(&on_files(&["one.dat"], &[]));
    launch.write("bolide.conf", &text.replace("namespace test {", "namespace other {"))?;
    expect_refusal(
        &launch,
        &["one.dat", "belongs to namespace test, not to other", "check the paths"],
    )?;
    launch.write("bolide.conf", &text)?;
    expect_record(launch)?;
    Ok(())
}

#[test]
fn one_of_two_files_missing_or_blank() -> Result<()> {
    let launch = stopped(&two_files())?;
    let (path, aside) = (device(&launch, "two.dat"), device(&launch, "aside.dat"));
    fs::rename(&path, &aside)?;
    expect_refusal(&launch, &["two.dat is blank", "one.dat", "cold-start-empty"])?;
    // The start made a blank file in its place; that is refused as well.
    expect_refusal(&launch, &["two.dat is blank"])?;
    fs::rename(&aside, &path)?;
    let launch = expect_record(launch)?;
    // Too few are given, and too many.
    launch.write("bolide.conf", &configuration(&on_files(&["one.dat"], &[])))?;
    expect_refusal(&launch, &["made with 2 devices, and 1 are given"])?;
    let three = on_files(&["one.dat", "two.dat", "three.dat"], &[]);
    launch.write("bolide.conf", &configuration(&three))?;
    expect_refusal(&launch, &["2 devices", "3 are given"])
}

#[test]
fn two_files_swapped() -> Result<()> {
    let launch = stopped(&two_files())?;
    let swapped = on_files(&["two.dat", "one.dat"], &[]);
    launch.write("bolide.conf", &configuration(&swapped))?;
    expect_refusal(&launch, &["two.dat", "device 2", "device 1", "old order"])?;
    launch.write("bolide.conf", &configuration(&two_files()))?;
    expect_record(launch)?;
    Ok(())
}

#[test]
fn files_of_two_namespaces_mixed() -> Result<()> {
    let (first, second) = (stopped(&two_files())?, stopped(&two_files())?);
    fs::copy(device(&second, "two.dat"), device(&first, "two.dat"))?;
    expect_refusal(&first, &["two.dat", "one.dat", "not made together"])
}

#[test]
fn a_file_that_shrank() -> Result<()> {
    let launch = stopped(&on_files(&["one.dat"], &[]))?;
    let text = configuration(&on_files(&["one.dat"], &[]));
    launch.write("bolide.conf", &text.replace("filesize 256M", "filesize 128M"))?;
    expect_refusal(&launch, &["one.dat", "smaller than when it was made"])?;
    launch.write("bolide.conf", &text)?;
    expect_record(launch)?;
    Ok(())
}

#[test]
fn a_file_in_use() -> Result<()> {
    let server = launch(&on_files(&["one.dat"], &[]))?.start()?;
    let path = server.folder().join("one.dat").display().to_string();
    let storage = on_files(&["one.dat"], &[]).replace("@FOLDER@/one.dat", &path);
    expect_refusal(&launch(&storage)?, &[&path, "in use", "another server"])?;
    expect_record(end(server)?)?;
    Ok(())
}

#[test]
fn files_that_cannot_be_made_or_opened() -> Result<()> {
    let launch = launch(&on_files(&["none/one.dat"], &[]))?;
    expect_refusal(&launch, &["none/one.dat", "No such file or directory"])?;
    fs::create_dir_all(launch.folder().join("none/one.dat"))?;
    expect_refusal(&launch, &["none/one.dat", "neither a file nor a block device"])?;
    let text = configuration(&on_files(&["one.dat"], &[]));
    launch.write("bolide.conf", &text.replace("@FOLDER@/one.dat", "/proc/one.dat"))?;
    expect_refusal(&launch, &["/proc/one.dat"])
}

/// An immutable file is one that not even root may write to. Where the file system knows no such thing,
/// the test says so and passes.
#[test]
fn a_file_that_cannot_be_written() -> Result<()> {
    let launch = stopped(&on_files(&["one.dat"], &[]))?;
    let path = device(&launch, "one.dat");
    let mut permissions = fs::metadata(&path)?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions)?;
    if OpenOptions::new().write(true).open(&path).is_ok() && !make_immutable(&path, true) {
        tests::announce("SKIPPED: this user may write to files that are for reading only");
        return Ok(());
    }
    let refused = expect_refusal(&launch, &["one.dat", "for reading and writing", "ermi"]);
    make_immutable(&path, false);
    refused
}

fn make_immutable(path: &Path, immutable: bool) -> bool {
    let flag = if immutable { "+i" } else { "-i" };
    let mut command = std::process::Command::new("chattr");
    command.arg(flag).arg(path).output().is_ok_and(|output| output.status.success())
}

#[test]
fn keys() -> Result<()> {
    let encrypted = on_files(&["one.dat"], &["encryption-key-file @FOLDER@/key"]);
    let launch = stopped(&encrypted)?;
    let key = launch.folder().join("key");
    fs::write(&key, [8; 32])?;
    expect_refusal(&launch, &["not the one that the devices were made with"])?;
    fs::write(&key, [7; 31])?;
    expect_refusal(&launch, &["key file", "/key", "at least 32 random bytes"])?;
    fs::remove_file(&key)?;
    expect_refusal(&launch, &["cannot read key file", "/key", "No such file"])?;
    launch.write("bolide.conf", &configuration(&on_files(&["one.dat"], &[])))?;
    expect_refusal(&launch, &["records are encrypted", "encryption-key-file"])?;
    // A new key takes the old one's place, once.
    fs::write(&key, [9; 32])?;
    fs::write(launch.folder().join("old"), [7; 32])?;
    let files = ["encryption-key-file @FOLDER@/key", "encryption-old-key-file @FOLDER@/old"];
    launch.write("bolide.conf", &configuration(&on_files(&["one.dat"], &files)))?;
    let launch = expect_record(launch)?;
    launch.write("bolide.conf", &configuration(&encrypted))?;
    expect_record(launch)?;
    Ok(())
}
