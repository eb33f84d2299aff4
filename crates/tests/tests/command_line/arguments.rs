//! Options.

use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::harness::GOLDEN_CONFIGURATION;

use crate::{ask, expect_failure, expect_service, launch};

/// The port of a server without a configuration.
const DEFAULT_PORT: u16 = 3000;
/// Held by whoever uses that port.
static ON_DEFAULT_PORT: Mutex<()> = Mutex::new(());
/// How long its start may take, on a machine that also runs other tests.
const START_MAX: Duration = Duration::from_secs(3);

#[test]
fn help_tells_of_every_option() -> Result<()> {
    let outcome = launch()?.argument("--help").run()?;
    ensure!(outcome.status.success(), "{outcome:?}");
    for option in [
        "--config-file",
        "--check-config",
        "--foreground",
        "--fgdaemon",
        "--early-verbose",
        "--cold-start",
        "--instance",
        "--help",
        "--version",
    ] {
        ensure!(outcome.stdout.contains(option), "{option} is not in:\n{}", outcome.stdout);
    }
    Ok(())
}

#[test]
fn version_is_one_line() -> Result<()> {
    let outcome = launch()?.argument("--version").run()?;
    ensure!(outcome.status.success(), "{outcome:?}");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let [line] = lines[..] else { anyhow::bail!("{lines:?}") };
    let version = line.strip_prefix("bolide ").with_context(|| line.to_owned())?;
    ensure!(version.split('.').all(|part| part.parse::<u32>().is_ok()), "{line}");
    Ok(())
}

#[test]
fn what_is_no_option_is_refused() -> Result<()> {
    for (arguments, named) in [
        (&["--confg-file", "x"][..], "--confg-file"),
        (&["--instance", "16"], "16"),
        (&["--instance", "x"], "x"),
        (&["--config-file"], "--config-file"),
        (&["aerospike.conf"], "aerospike.conf"),
    ] {
        let launch = arguments.iter().fold(launch()?, |launch, argument| launch.argument(argument));
        expect_failure(&launch.run()?, &[named])?;
    }
    Ok(())
}

#[test]
fn check_config_only_looks() -> Result<()> {
    let launch = launch()?.argument("--check-config");
    let folder = launch.folder().to_owned();
    let good = GOLDEN_CONFIGURATION.replace("work-directory @FOLDER@", "work-directory @FOLDER@/w");
    let launch = launch.configured("bolide.conf", &good)?;
    let outcome = launch.run()?;
    ensure!(outcome.status.success() && !outcome.stdout.is_empty(), "{outcome:?}");
    ensure!(!folder.join("w").exists(), "a directory was made");

    let bad = good.replace("cluster-name golden", "cluster-nam golden");
    let outcome = self::launch()?.argument("--check-config").configured("b.conf", &bad)?.run()?;
    expect_failure(&outcome, &["b.conf:8:", "'cluster-nam'", "'cluster-name'"])
}

#[test]
fn without_arguments_a_single_node_is_ready_at_once() -> Result<()> {
    let _turn = ON_DEFAULT_PORT.lock().unwrap_or_else(PoisonError::into_inner);
    if TcpListener::bind(("127.0.0.1", DEFAULT_PORT)).is_err() {
        announce(format_args!("SKIPPED: port {DEFAULT_PORT} is in use on this machine"));
        return Ok(());
    }
    let server = launch()?.start_on(DEFAULT_PORT)?;
    announce(format_args!("ready after {:?}", server.started_in()));
    ensure!(server.started_in() < START_MAX, "ready after {:?}", server.started_in());
    ensure!(ask(&server, "namespaces")? == "test;bar");
    expect_service(&server, "test")?;
    expect_service(&server, "bar")?;
    let network = ask(&server, "get-config:context=network")?;
    ensure!(network.contains("service.address=127.0.0.1"), "loopback only, not {network}");
    let home = server.folder().join(".bolide");
    ensure!(home.join("smd").is_dir(), "its files are below {}", home.display());
    Ok(())
}

#[test]
fn without_arguments_and_without_a_home_metadata_are_forgotten() -> Result<()> {
    let _turn = ON_DEFAULT_PORT.lock().unwrap_or_else(PoisonError::into_inner);
    if TcpListener::bind(("127.0.0.1", DEFAULT_PORT)).is_err() {
        announce(format_args!("SKIPPED: port {DEFAULT_PORT} is in use on this machine"));
        return Ok(());
    }
    let server = launch()?.after("export HOME=/proc/no/such").start_on(DEFAULT_PORT)?;
    expect_service(&server, "test")?;
    ensure!(ask(&server, "truncate:namespace=test;set=s")? == "ok");
    ensure!(ask(&server, "smd-show:module=truncate")?.starts_with("test|s="));
    let log = server.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARNING")).collect();
    let [warning] = warnings[..] else { anyhow::bail!("{log}") };
    ensure!(
        warning.contains("/proc/no/such/.bolide") && warning.contains("forgotten"),
        "{warning}"
    );
    Ok(())
}

/// Without sinks of its own, what the server has to say goes to standard error.
#[test]
fn early_verbose_says_everything_with_its_place() -> Result<()> {
    let (before, rest) = GOLDEN_CONFIGURATION.split_once("logging {").context("no logging")?;
    let (_, after) = rest.split_once("\n}\n").context("logging does not end")?;
    let text = format!("{before}{after}");
    let server = launch()?.argument("--early-verbose").configured("bolide.conf", &text)?.start()?;
    expect_service(&server, "test")?;
    let log = server.log();
    ensure!(log.contains("DETAIL"), "{log}");
    for line in log.lines() {
        ensure!(!line.contains("unknown") && !line.contains("log."), "{line}");
    }
    Ok(())
}

#[test]
fn options_of_the_original_are_taken() -> Result<()> {
    let server = launch()?
        .argument("--fgdaemon")
        .argument("--early-verbose")
        .argument("--cold-start")
        .argument("--instance")
        .argument("3")
        .configured("bolide.conf", GOLDEN_CONFIGURATION)?
        .start()?;
    expect_service(&server, "test")?;
    let pidfile = server.folder().join("bolide.pid");
    ensure!(!pidfile.exists(), "a service manager's server writes no pidfile");
    Ok(())
}
