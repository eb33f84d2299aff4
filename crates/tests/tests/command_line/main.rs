//! The process as its operator sees it: command line, files, signals, limits, rest.

mod arguments;
mod configuration;
mod lifecycle;
mod resources;

use anyhow::{Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Launch, Outcome, Server};
use tests::raw::{Connection, Draft};

/// The golden configuration with some of its text changed.
fn configuration(changes: &[(&str, &str)]) -> Result<String> {
    let mut text = GOLDEN_CONFIGURATION.to_owned();
    for (old, new) in changes {
        ensure!(text.contains(old), "no {old:?} in the configuration");
        text = text.replacen(old, new, 1);
    }
    Ok(text)
}

/// Starts a server with a changed configuration.
fn start(changes: &[(&str, &str)]) -> Result<Server> {
    Server::start(&configuration(changes)?)
}

/// Demands that a command failed, and that what it says names all of this.
fn expect_failure(outcome: &Outcome, named: &[&str]) -> Result<()> {
    ensure!(outcome.status.code().is_some_and(|code| code != 0), "{outcome:?}");
    for name in named {
        ensure!(outcome.stderr.contains(name), "{name:?} is not in: {}", outcome.stderr);
    }
    ensure!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    Ok(())
}

/// Demands that the server writes and reads records of a namespace.
fn expect_service(server: &Server, namespace: &str) -> Result<()> {
    let mut connection = Connection::open(server.port())?;
    let there = |draft: Draft| draft.without_field(0).field(0, namespace.as_bytes()).frame();
    let written = connection.result(&there(Draft::write_number("service", 5)))?;
    ensure!(written == 0, "namespace {namespace}: a write is answered {written}");
    let read = connection.ask(&there(Draft::read("service")))?;
    ensure!(read.ops.len() == 1 && read.ops[0].value == 5_i64.to_be_bytes(), "{read:?}");
    Ok(())
}

/// The value that answers an info command.
fn ask(server: &Server, command: &str) -> Result<String> {
    let answer = Connection::open(server.port())?.info(&format!("{command}\n"))?;
    let value = answer.split_once('\t').map_or("", |(_, value)| value);
    Ok(value.trim_end().to_owned())
}

/// A server that is not started yet, with nothing configured.
fn launch() -> Result<Launch> {
    Launch::new()
}
