//! What a kill costs without `commit-to-device`: at most what was acknowledged within the last
//! `flush-max-ms`, and the time that one write to the device takes.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::raw::{Connection, Draft};

use crate::{OK, on_files, start};

/// The time that the configuration gives, and what a loaded machine may add to it.
const FLUSH_MAX: Duration = Duration::from_millis(300);
const SLACK: Duration = Duration::from_secs(1);
/// How long records are written.
const DURATION: Duration = Duration::from_secs(2);

#[test]
fn a_kill_costs_no_more_than_flush_max_ms() -> Result<()> {
    let server = start(&on_files(&["one.dat"], &["flush-max-ms 300"]))?;
    let mut connection = Connection::open(server.port())?;
    let begun = Instant::now();
    let mut acknowledged = Vec::new();
    while begun.elapsed() < DURATION {
        let number = acknowledged.len();
        let frame = Draft::write_number(&label(number), number as i64).frame();
        ensure!(connection.result(&frame)? == OK);
        acknowledged.push(Instant::now());
    }
    let killed = Instant::now();
    let server = server.kill()?.start()?;

    let mut connection = Connection::open(server.port())?;
    let mut missing = Vec::new();
    for number in 0..acknowledged.len() {
        let reply = connection.ask(&Draft::read(&label(number)).frame())?;
        if reply.result == OK {
            ensure!(reply.ops[0].value == (number as i64).to_be_bytes(), "{number}: {reply:?}");
        } else {
            missing.push(number);
        }
    }
    // What is missing was written last: nothing later is there.
    let first = missing.first().copied().unwrap_or(acknowledged.len());
    ensure!(missing.len() == acknowledged.len() - first, "holes: {missing:?}");
    let oldest = acknowledged.get(first).map_or(Duration::ZERO, |at| killed - *at);
    announce(format_args!(
        "loss: {} of {} acknowledged writes, the oldest {oldest:?} before the kill",
        missing.len(),
        acknowledged.len()
    ));
    ensure!(oldest < FLUSH_MAX + SLACK, "lost what was acknowledged {oldest:?} before the kill");
    Ok(())
}

/// A stop in order costs nothing, however lazily records are written.
#[test]
fn a_stop_costs_nothing() -> Result<()> {
    let server = start(&on_files(&["one.dat"], &["flush-max-ms 0"]))?;
    let mut connection = Connection::open(server.port())?;
    for number in 0..500 {
        let frame = Draft::write_number(&label(number), number as i64).frame();
        ensure!(connection.result(&frame)? == OK);
    }
    drop(connection);
    let (status, launch) = server.stop()?;
    ensure!(status.code() == Some(0), "{status:?}");
    let server = launch.start()?;
    ensure!(server.log().contains("} warm start: objects 500 "), "{}", server.log());
    let mut connection = Connection::open(server.port())?;
    for number in 0..500 {
        let reply = connection.ask(&Draft::read(&label(number)).frame())?;
        let value = reply.ops.first().with_context(|| format!("{number}: {reply:?}"))?;
        ensure!(value.value == (number as i64).to_be_bytes(), "{number}: {reply:?}");
    }
    Ok(())
}

fn label(number: usize) -> String {
    format!("write {number}")
}
