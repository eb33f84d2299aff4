//! The official clients against real servers: the programs in `clients/`, one test a language.
//!
//! Each program runs against one node and against a cluster of three: a client must not see the difference.
//! Each run has servers of its own, so that one cannot disturb another.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::clients::{GO, JAVA, Language, NODE, PYTHON, Programs, RUST, sources};
use tests::cluster::{Cluster, Plan};
use tests::harness::{GOLDEN_CONFIGURATION, Server, golden_configuration_on_files};

/// Nodes of a cluster, and on how many of them each record is.
const NODES: usize = 3;
const REPLICATION_FACTOR: u32 = 2;

#[test]
fn python_client() -> Result<()> {
    // Nothing that a client sees depends on where records are.
    let on_files = golden_configuration_on_files(&["commit-to-device true", "compression lz4"]);
    run_everywhere(&PYTHON, &[("memory", GOLDEN_CONFIGURATION), ("files", &on_files)])
}

#[test]
fn node_client() -> Result<()> {
    run_everywhere(&NODE, &[("memory", GOLDEN_CONFIGURATION)])
}

#[test]
fn go_client() -> Result<()> {
    run_everywhere(&GO, &[("memory", GOLDEN_CONFIGURATION)])
}

#[test]
fn java_client() -> Result<()> {
    run_everywhere(&JAVA, &[("memory", GOLDEN_CONFIGURATION)])
}

#[test]
fn rust_client() -> Result<()> {
    run_everywhere(&RUST, &[("memory", GOLDEN_CONFIGURATION)])
}

/// Runs a program against nodes with these configurations and against a cluster, all at a time: most of what a
/// program does is waiting.
fn run_everywhere(language: &'static Language, alone: &[(&str, &str)]) -> Result<()> {
    let Some(programs) = language.prepare(env!("CARGO_TARGET_TMPDIR"))? else { return Ok(()) };
    let (name, programs) = (language.name, &programs);
    std::thread::scope(|scope| {
        let of_node = |&(title, configuration)| {
            let title = format!("{name} on {title}");
            scope.spawn(move || run_on_node(&title, programs, configuration))
        };
        let mut running: Vec<_> = alone.iter().map(of_node).collect();
        let title = format!("{name} on a cluster");
        running.push(scope.spawn(move || run_on_cluster(&title, programs)));
        running.into_iter().try_for_each(|run| run.join().expect("a run does not panic"))
    })
}

fn run_on_node(title: &str, programs: &Programs, configuration: &str) -> Result<()> {
    let server = Server::start(configuration)?;
    run(title, programs, server.socket_address())
        .with_context(|| format!("the server said:\n{}", server.output()))
}

fn run_on_cluster(title: &str, programs: &Programs) -> Result<()> {
    let cluster = Cluster::start(Plan::golden(REPLICATION_FACTOR), NODES)?;
    run(title, programs, cluster.address(0))?;
    // It went to all nodes, and straight to where the records are.
    for place in cluster.places() {
        let written = cluster.number(place, "namespace/test", "client_write_success")?;
        ensure!(written > 100, "{title}: only {written} writes to node {place}");
    }
    let passed_on = cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_complete")?;
    ensure!(passed_on == 0, "{title}: {passed_on} requests went to the wrong node");
    Ok(())
}

/// Runs the program and demands that no check failed.
fn run(title: &str, programs: &Programs, address: SocketAddr) -> Result<()> {
    let mut program = programs.checks()?;
    let begun = std::time::Instant::now();
    let output = program
        .args([address.ip().to_string(), address.port().to_string()])
        .arg(sources().join("lua"))
        .output()
        .with_context(|| format!("{program:?}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    announce(format_args!("{title:19}: {last} in {:.1?}", begun.elapsed()));
    let failures: Vec<&str> = text.lines().filter(|line| line.starts_with("FAIL")).collect();
    ensure!(
        output.status.success() && failures.is_empty(),
        "{title}: {} checks failed\n{}\n{}",
        failures.len(),
        failures.join("\n"),
        String::from_utf8_lossy(&output.stderr),
    );
    ensure!(text.lines().any(|line| line.starts_with("ok ")), "no check ran:\n{text}");
    Ok(())
}
