//! Connections: requests in line, half-closed ones, how many there may be, how long they may idle.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::raw::{Answer, Connection, Draft, INFO, MESSAGE, SECURITY, frame};

use crate::{NAMESPACE, NOT_FOUND, OK, PARAMETER, Rig};

/// How long to wait for what happens soon.
const SOON: Duration = Duration::from_secs(10);

/// The lowest limit of connections that can be configured.
const CONNECTIONS_MAX: usize = 1024;

/// How often one request of each kind is sent.
const ROUNDS: i64 = 300;

#[test]
fn requests_of_all_kinds_are_answered_in_their_order() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut bytes = Vec::new();
    for round in 0..ROUNDS {
        bytes.extend(Draft::write_number("line", round).frame());
        bytes.extend(Draft::read("line").frame());
        bytes.extend(frame(INFO, format!("no-such-command-{round}\n").as_bytes()));
        bytes.extend(frame(MESSAGE, b"malformed"));
        bytes.extend(Draft::read("absent").frame());
        bytes.extend(frame(SECURITY, &[0; 16]));
        bytes.extend(Draft::read("line").without_field(0).frame());
    }
    connection.send(&bytes)?;
    for round in 0..ROUNDS {
        ensure!(connection.message()?.result == OK);
        let reply = connection.message()?;
        ensure!(reply.ops[0].value == round.to_be_bytes(), "round {round}: {reply:?}");
        let text = String::from_utf8(connection.body(INFO)?)?;
        ensure!(text.starts_with(&format!("no-such-command-{round}\t")), "{text}");
        ensure!(connection.message()?.result == PARAMETER);
        ensure!(connection.message()?.result == NOT_FOUND);
        ensure!(connection.body(SECURITY)?.len() == 16);
        ensure!(connection.message()?.result == NAMESPACE);
    }
    ensure!(connection.glance()? == Answer::Silence, "more replies than requests");
    rig.check_unharmed()
}

/// Nothing is sent that was not asked for.
#[test]
fn the_server_does_not_speak_first() -> Result<()> {
    let rig = Rig::start()?;
    ensure!(rig.connect()?.glance()? == Answer::Silence);
    Ok(())
}

#[test]
fn who_stops_sending_still_gets_the_replies() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    let mut bytes = Vec::new();
    for round in 0..50 {
        bytes.extend(Draft::write_number("half", round).frame());
    }
    // The last one is never finished.
    bytes.extend(&Draft::write_number("half", 99).frame()[..20]);
    connection.send(&bytes)?;
    connection.finish()?;
    for round in 0..50 {
        let reply = connection.message().with_context(|| format!("round {round}"))?;
        ensure!(reply.result == OK);
    }
    connection.expect_close()
}

#[test]
fn one_connection_too_many_is_closed_at_once() -> Result<()> {
    tests::harness::raise_open_files_max(CONNECTIONS_MAX as u64 + 200)?;
    let rig = Rig::start_with("proto-fd-max 15000", "proto-fd-max 1024")?;
    let mut guests = Vec::new();
    until("what the start has left behind to be gone", || {
        guests.clear();
        guests.extend((0..CONNECTIONS_MAX).map(|_| rig.connect()).collect::<Result<Vec<_>>>()?);
        Ok(guests.iter_mut().all(|guest| guest.expect_alive().is_ok()))
    })?;
    for _ in 0..3 {
        rig.connect()?.expect_close()?;
    }
    let mut first = guests.swap_remove(0);
    set(&mut first, "proto-fd-max", 1025)?;
    let mut one_more = rig.connect()?;
    one_more.expect_alive().context("the limit was raised")?;
    rig.connect()?.expect_close()?;
    drop(one_more);
    until("the place of one that left", || Ok(rig.connect()?.expect_alive().is_ok()))?;
    // A limit below what is open closes nobody.
    set(&mut first, "proto-fd-max", 1024)?;
    guests.iter_mut().try_for_each(Connection::expect_alive)?;
    rig.connect()?.expect_close()
}

#[test]
fn the_idle_are_reaped_when_told_so_at_run_time() -> Result<()> {
    let rig = Rig::start()?;
    let mut idle = rig.connect()?;
    let mut half = rig.connect()?;
    let mut busy = rig.connect()?;
    idle.expect_alive()?;
    half.send(&Draft::read("any").frame()[..20])?;
    ensure!(idle.glance()? == Answer::Silence, "nobody is reaped unless told so");
    set(&mut busy, "proto-fd-idle-ms", 400)?;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1200) {
        busy.expect_alive().context("busy ones stay")?;
        std::thread::sleep(Duration::from_millis(40));
    }
    idle.expect_close().context("idle")?;
    half.expect_close().context("in the middle of a frame")?;
    let reaped = statistic(&mut busy, "reaped_fds")?;
    ensure!(reaped >= 2, "reaped_fds={reaped}");
    // And off again.
    set(&mut busy, "proto-fd-idle-ms", 0)?;
    std::thread::sleep(Duration::from_millis(900));
    busy.expect_alive()
}

#[test]
fn the_idle_are_reaped_when_configured_so() -> Result<()> {
    let rig = Rig::start_with("proto-fd-max 15000", "proto-fd-idle-ms 200")?;
    let mut idle = rig.connect()?;
    idle.expect_alive()?;
    let begun = Instant::now();
    idle.expect_close()?;
    ensure!(begun.elapsed() > Duration::from_millis(150), "after {:?}", begun.elapsed());
    rig.check_unharmed()
}

#[test]
fn connections_are_counted() -> Result<()> {
    let rig = Rig::start()?;
    let mut connection = rig.connect()?;
    until("the start to be forgotten", || {
        Ok(statistic(&mut connection, "client_connections")? == 1)
    })?;
    let opened = statistic(&mut connection, "client_connections_opened")?;
    let mut others = (0..5).map(|_| rig.connect()).collect::<Result<Vec<_>>>()?;
    others.iter_mut().try_for_each(Connection::expect_alive)?;
    ensure!(statistic(&mut connection, "client_connections")? == 6);
    ensure!(statistic(&mut connection, "client_connections_opened")? == opened + 5);
    drop(others);
    until("the others to be gone", || Ok(statistic(&mut connection, "client_connections")? == 1))?;
    Ok(())
}

/// Nobody reads the replies: the server stops reading, keeps little, and closes in the end.
#[test]
fn who_takes_no_replies_gets_no_service() -> Result<()> {
    let rig = Rig::start()?;
    let mut writer = rig.connect()?;
    let value = vec![7; 100_000];
    ensure!(writer.result(&Draft::write("big").op(2, 4, b"v", &value).frame())? == OK);
    let before = rig.server.readings().resident_kbytes()?;
    let greedy = rig.connect()?;
    greedy.stream().set_nonblocking(true)?;
    let requests = Draft::read("big").frame().repeat(1000);
    let mut sent = 0;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        use std::io::Write;
        match greedy.stream().write(&requests) {
            Ok(count) => sent += count,
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
    let after = rig.server.readings().resident_kbytes()?;
    ensure!(after < before + 64 * 1024, "{sent} bytes sent; {before} KiB grew to {after} KiB");
    writer.expect_alive()?;
    rig.check_unharmed()
}

/// Changes a setting of the service at run time.
fn set(connection: &mut Connection, name: &str, value: u32) -> Result<()> {
    let answer = connection.info(&format!("set-config:context=service;{name}={value}\n"))?;
    ensure!(answer.ends_with("\tok\n"), "{answer}");
    Ok(())
}

/// A statistic of the service.
fn statistic(connection: &mut Connection, name: &str) -> Result<u64> {
    let answer = connection.info("statistics\n")?;
    let found = answer.trim_end().split([';', '\t']).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then(|| value.parse())
    });
    found.with_context(|| format!("no {name} in {answer}"))?.context("a number")
}

/// Tries until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < SOON {
        if is_so()? {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    anyhow::bail!("in vain: {what}")
}
