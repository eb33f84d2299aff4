//! What the process takes of the machine: descriptors, threads, time, memory.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::harness::{GOLDEN_CONFIGURATION, Server};
use tests::raw::Connection;

use crate::{ask, configuration, expect_service, launch, start};

/// What a small limit of open files is.
const FEW: u64 = 256;
/// Connections of the golden configuration.
const CONNECTIONS: u64 = 15_000;

fn setting(server: &Server, context: &str, name: &str) -> Result<u64> {
    let settings = ask(server, &format!("get-config:context={context}"))?;
    let value = settings.split(';').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    Ok(value.with_context(|| format!("no {name} in {settings}"))?.parse()?)
}

#[test]
fn a_small_limit_of_open_files_is_raised_or_lived_with() -> Result<()> {
    let server = launch()?
        .after(&format!("ulimit -S -n {FEW}"))
        .configured("bolide.conf", GOLDEN_CONFIGURATION)?
        .start()?;
    expect_service(&server, "test")?;
    let files = server.readings().open_files_max()?;
    let connections = setting(&server, "service", "proto-fd-max")?;
    ensure!(connections < files, "{connections} connections with {files} files");
    if connections < CONNECTIONS {
        let log = server.log();
        ensure!(log.contains("proto-fd-max") && log.contains("ulimit -n"), "no warning in: {log}");
    } else {
        ensure!(files > CONNECTIONS, "{files} files");
    }
    Ok(())
}

/// So many open files are above what kernels allow, whoever asks.
#[test]
fn a_limit_that_cannot_be_had_is_lowered_with_a_warning() -> Result<()> {
    let text = configuration(&[
        ("proto-fd-max 15000", "proto-fd-max 2097152"),
        ("context any critical", "context any warning"),
    ])?;
    let server = launch()?
        .after(&format!("ulimit -H -n 2000; ulimit -S -n {FEW}"))
        .configured("bolide.conf", &text)?
        .start()?;
    expect_service(&server, "test")?;
    let files = server.readings().open_files_max()?;
    let connections = setting(&server, "service", "proto-fd-max")?;
    ensure!(connections < files, "{connections} connections with {files} files");
    let log = server.log();
    ensure!(connections == 2_097_152 || log.contains("2097152 is lowered"), "no warning in: {log}");
    Ok(())
}

/// More connections than files may be open: the limit follows, or the log says that it cannot.
#[test]
fn the_limit_of_open_files_follows_at_run_time() -> Result<()> {
    let text = configuration(&[
        ("proto-fd-max 15000", "proto-fd-max 1024"),
        ("context any critical", "context any warning"),
    ])?;
    let server = launch()?.after("ulimit -S -n 1500").configured("bolide.conf", &text)?.start()?;
    ensure!(server.readings().open_files_max()? == 1500);
    for connections in [3000, 2_097_152] {
        let command = format!("set-config:context=service;proto-fd-max={connections}");
        ensure!(ask(&server, &command)? == "ok");
        let files = server.readings().open_files_max()?;
        let log = server.log();
        let warned = log.contains(&format!("proto-fd-max {connections} is"));
        ensure!(files > connections || warned, "{files} files, and no warning in: {log}");
    }
    expect_service(&server, "test")
}

#[test]
fn service_threads_are_as_many_as_configured() -> Result<()> {
    for count in [1, 3, 8] {
        let more = format!("proto-fd-max 15000\n\tservice-threads {count}");
        let server = start(&[("proto-fd-max 15000", &more)])?;
        // A thread takes its name a moment after it has begun.
        let begun = Instant::now();
        loop {
            let threads = server.readings().threads()?;
            let loops = threads.iter().filter(|name| name.starts_with("service-")).count();
            if loops == count {
                break;
            }
            ensure!(begun.elapsed() < Duration::from_secs(5), "{loops} of {count}: {threads:?}");
            std::thread::sleep(Duration::from_millis(10));
        }
        ensure!(setting(&server, "service", "service-threads")? == count as u64);
        let mut connections =
            (0..20).map(|_| Connection::open(server.port())).collect::<Result<Vec<_>>>()?;
        connections.iter_mut().try_for_each(Connection::expect_alive)?;
    }
    Ok(())
}

/// Nothing ticks; the supervisors of namespaces come by every two minutes.
#[test]
fn at_rest_it_takes_no_time() -> Result<()> {
    let text = GOLDEN_CONFIGURATION.replace("nsup-period 1", "nsup-period 120");
    let server = Server::start(&text)?;
    let _guests = (0..50).map(|_| Connection::open(server.port())).collect::<Result<Vec<_>>>()?;
    std::thread::sleep(Duration::from_millis(500));
    let before = server.readings().cpu_ticks()?;
    std::thread::sleep(Duration::from_secs(3));
    let ticks = server.readings().cpu_ticks()? - before;
    announce(format_args!("idle: {} ms of CPU time in 3 s", ticks * 10));
    ensure!(ticks <= 1, "{ticks} ticks");
    Ok(())
}

#[test]
fn an_empty_server_is_small() -> Result<()> {
    let server = Server::start(GOLDEN_CONFIGURATION)?;
    let kbytes = server.readings().resident_kbytes()?;
    announce(format_args!("empty: {kbytes} KiB resident, ready after {:?}", server.started_in()));
    ensure!(kbytes < 100 * 1024, "{kbytes} KiB");
    Ok(())
}
