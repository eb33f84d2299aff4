//! The eight bytes before a body: what is no frame closes the connection without a reply.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::raw::{Answer, Draft, INFO, MESSAGE, SECURITY, frame, frame_of_version};

use crate::{OK, PARAMETER, Rig, SECURITY_NOT_CONFIGURED};

/// The longest body: 128 MiB.
const BODY_SIZE_MAX: u64 = 128 << 20;

/// A header that announces a body which does not follow.
fn header(kind: u8, body_size: u64) -> [u8; 8] {
    let mut bytes = body_size.to_be_bytes();
    bytes[0] = 2;
    bytes[1] = kind;
    bytes
}

#[test]
fn what_is_no_frame_closes_the_connection() -> Result<()> {
    let rig = Rig::start()?;
    let good = Draft::read("any").body();
    let mut frames: Vec<(String, Vec<u8>)> = Vec::new();
    for version in [0, 1, 3, 4, 0x7f, 0xff] {
        frames.push((format!("version {version}"), frame_of_version(version, MESSAGE, &good)));
        frames.push((format!("info of version {version}"), frame_of_version(version, INFO, b"\n")));
    }
    for version in [1, 3, 0xff] {
        let frame = frame_of_version(version, SECURITY, &[0; 16]);
        frames.push((format!("security of version {version}"), frame));
    }
    for kind in [0, 6, 7, 0x80, 0xff] {
        frames.push((format!("type {kind}"), frame(kind, &good)));
    }
    frames.push(("between clusters only".into(), frame(5, &good)));
    frames.push(("oversize by one".into(), header(MESSAGE, BODY_SIZE_MAX + 1).to_vec()));
    frames.push(("oversize info".into(), header(INFO, BODY_SIZE_MAX + 1).to_vec()));
    frames.push(("oversize security".into(), header(SECURITY, 1 << 40).to_vec()));
    frames.push(("the greatest size".into(), header(MESSAGE, 0xffff_ffff_ffff).to_vec()));
    frames.push(("a web browser".into(), b"GET / HTTP/1.1\r\n\r\n".to_vec()));
    frames.push(("a TLS client".into(), b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()));
    for (what, bytes) in frames {
        let mut connection = rig.connect()?;
        connection.send(&bytes)?;
        let answer = connection.answer()?;
        ensure!(answer == Answer::Closed, "{what}: {answer:?}");
    }
    rig.check_unharmed()
}

#[test]
fn what_was_asked_before_is_answered_before_the_close() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut bytes = Draft::write_number("first", 1).frame();
    bytes.extend(frame(INFO, b"status\n"));
    bytes.extend(frame(9, b"no such type"));
    bytes.extend(Draft::write_number("never", 1).frame());
    connection.send(&bytes)?;
    ensure!(connection.message()?.result == OK);
    ensure!(connection.body(INFO)? == b"status\tok\n");
    connection.expect_close()?;
    let mut connection = rig.connect()?;
    let result = connection.result(&Draft::read("never").frame())?;
    ensure!(result == crate::NOT_FOUND, "what follows a broken frame was carried out: {result}");
    rig.check_unharmed()
}

#[test]
fn version_0_is_taken_for_security_alone() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    connection.send(&frame_of_version(0, SECURITY, &[0; 16]))?;
    let reply = connection.body(SECURITY)?;
    ensure!(reply.get(1) == Some(&SECURITY_NOT_CONFIGURED), "{reply:?}");
    connection.expect_alive()
}

#[test]
fn a_frame_is_answered_once_it_is_whole() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let frame = Draft::write_number("slow", 5).frame();
    for byte in &frame[..frame.len() - 1] {
        connection.send(&[*byte])?;
    }
    ensure!(connection.glance()? == Answer::Silence, "an answer to an unfinished frame");
    connection.send(&frame[frame.len() - 1..])?;
    ensure!(connection.message()?.result == OK);
    rig.check_unharmed()
}

#[test]
fn a_frame_that_never_ends_is_not_answered() -> Result<()> {
    let rig = Rig::start()?;
    let frame = Draft::write_number("unfinished", 5).frame();
    for size in [1, 7, 8, 9, 29, 30, frame.len() - 1] {
        let mut connection = rig.connect()?;
        connection.send(&frame[..size])?;
        connection.finish()?;
        connection.expect_close()?;
    }
    let mut connection = rig.connect()?;
    let result = connection.result(&Draft::read("unfinished").frame())?;
    ensure!(result == crate::NOT_FOUND, "an unfinished write was carried out: {result}");
    rig.check_unharmed()
}

/// Memory follows the bytes that arrive, not those that a header promises.
#[test]
fn an_announced_body_takes_no_memory() -> Result<()> {
    let rig = Rig::start()?;
    let before = rig.server.readings().resident_kbytes()?;
    let mut connections = Vec::new();
    for kind in [1, 2, 3, 4].repeat(16) {
        let mut connection = rig.connect()?;
        connection.send(&header(kind, BODY_SIZE_MAX))?;
        connection.send(&[0; 1000])?;
        connections.push(connection);
    }
    std::thread::sleep(Duration::from_millis(100));
    let first = connections.first_mut().context("there are many")?;
    ensure!(first.glance()? == Answer::Silence, "the longest body is allowed");
    let after = rig.server.readings().resident_kbytes()?;
    ensure!(after < before + 32 * 1024, "{before} KiB grew to {after} KiB");
    drop(connections);
    rig.check_unharmed()
}

#[test]
fn a_body_without_room_for_a_header_is_a_bad_parameter() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let body = Draft::read("any").body();
    for size in [0, 1, 6, 17, 21] {
        let result = connection.result(&frame(MESSAGE, &body[..size]))?;
        ensure!(result == PARAMETER, "{size} bytes: {result}");
    }
    connection.expect_alive()?;
    rig.check_unharmed()
}
