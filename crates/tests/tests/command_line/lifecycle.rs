//! Signals, the end, the log's rotation.

use std::fs;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Server, Signal};
use tests::raw::{Answer, Connection, Draft};

use crate::{ask, expect_failure, launch, start};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn told_to_stop_it_answers_what_it_has_read_and_exits_well() -> Result<()> {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start(GOLDEN_CONFIGURATION)?;
        let mut idle = Connection::open(server.port())?;
        idle.expect_alive()?;
        let mut busy = Connection::open(server.port())?;
        busy.send(&Draft::write_number("drained", 1).frame().repeat(2000))?;
        ensure!(busy.message()?.result == 0);
        let begun = Instant::now();
        server.signal(signal)?;
        let mut answered = 1;
        // Each reply is whole, or was never begun.
        while let Answer::Frame(..) = busy.answer()? {
            answered += 1;
        }
        idle.expect_close()?;
        let status = server.wait()?;
        ensure!(status.code() == Some(0), "{signal:?}: {status:?} {:?}", status.signal());
        ensure!(begun.elapsed() < SOON, "after {:?}", begun.elapsed());
        ensure!((1..=2000).contains(&answered), "{answered} replies");
        ensure!(TcpStream::connect(("127.0.0.1", server.port())).is_err(), "still listening");
        let log = server.log();
        ensure!(log.contains("finished clean shutdown"), "{log}");
        ensure!(!log.contains("panic"), "{log}");
    }
    Ok(())
}

/// The ticker speaks when its time has come, not when it is stopped.
#[test]
fn the_end_is_no_time_for_statistics() -> Result<()> {
    let mut server = start(&[("context any critical", "context any info")])?;
    server.signal(Signal::TERM)?;
    server.wait()?;
    let log = server.log();
    ensure!(log.contains("finished clean shutdown"), "{log}");
    ensure!(!log.contains("cluster-clock"), "{log}");
    Ok(())
}

#[test]
fn its_pid_is_in_the_pidfile() -> Result<()> {
    let server = Server::start(GOLDEN_CONFIGURATION)?;
    let text = fs::read_to_string(server.folder().join("bolide.pid"))?;
    ensure!(text.trim() == server.process_id().to_string(), "{text:?}");
    Ok(())
}

#[test]
fn a_hangup_opens_the_log_anew() -> Result<()> {
    let mut server = start(&[("context any critical", "context any info")])?;
    let folder = server.folder();
    let (log, old) = (folder.join("server.log"), folder.join("server.log.1"));
    say(&server, "before")?;
    fs::rename(&log, &old)?;
    say(&server, "between")?;
    server.signal(Signal::HUP)?;
    let begun = Instant::now();
    while !log.exists() {
        ensure!(begun.elapsed() < SOON, "no new log");
        std::thread::sleep(Duration::from_millis(10));
    }
    say(&server, "after")?;
    let (new, old) = (fs::read_to_string(log)?, fs::read_to_string(old)?);
    ensure!(old.contains("tester: before") && old.contains("tester: between"), "{old}");
    ensure!(new.contains("tester: after") && !new.contains("between"), "{new}");
    ensure!(!old.contains("after"), "{old}");
    ensure!(server.is_running()?);
    Ok(())
}

#[test]
fn the_ticker_ticks_as_often_as_told() -> Result<()> {
    let server = start(&[
        ("context any critical", "context any info"),
        ("proto-fd-max 15000", "proto-fd-max 15000\n\tticker-interval 1"),
    ])?;
    let begun = Instant::now();
    while server.log().matches(" NODE-ID a1 ").count() < 2 {
        ensure!(begun.elapsed() < SOON, "no ticker in:\n{}", server.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    let log = server.log();
    ensure!(log.contains(" NODE-ID a1 CLUSTER-SIZE 1 CLUSTER-NAME golden"), "{log}");
    ensure!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    ensure!(log.contains(" service ready: soon there will be cake!"), "{log}");
    Ok(())
}

fn say(server: &Server, text: &str) -> Result<()> {
    let answer = ask(server, &format!("log-message:message={text};who=tester"))?;
    ensure!(!answer.contains("ERROR"), "{answer}");
    Ok(())
}

#[test]
fn a_port_in_use_is_named() -> Result<()> {
    let first = Server::start(GOLDEN_CONFIGURATION)?;
    let port = first.port().to_string();
    let text = GOLDEN_CONFIGURATION.replace("@SERVICE_PORT@", &port);
    let outcome = launch()?.configured("second.conf", &text)?.run()?;
    expect_failure(&outcome, &["cannot listen", &port])?;
    // The first one is not disturbed.
    ensure!(ask(&first, "status")? == "ok");
    Ok(())
}

#[test]
fn a_log_that_cannot_be_opened_is_named() -> Result<()> {
    let text = GOLDEN_CONFIGURATION.replace("file @FOLDER@/server.log", "file /proc/no/such.log");
    let outcome = launch()?.configured("bolide.conf", &text)?.run()?;
    expect_failure(&outcome, &["/proc/no/such.log"])
}
