//! Namespaces on devices, as whoever operates them sees it: kills at any moment, damage, devices that are
//! wrong or fail, restarts.
//!
//! The devices are files in the server's own folder. `BOLIDE_CRASH_RUNS=N` has the crash tests kill a
//! server N times each rather than a few times; `BOLIDE_CRASH_SEED=N` repeats a run as far as its random
//! numbers go.

mod crash;
mod damage;
mod failures;
mod golden;
mod inspect;
mod loss;
mod refusals;
mod restart;
mod worker;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use tests::harness::{GOLDEN_CONFIGURATION, Launch, Server};
use tests::raw::Connection;

/// Result codes.
const OK: u8 = 0;
const NOT_FOUND: u8 = 2;
const OUT_OF_SPACE: u8 = 8;
const DEVICE_OVERLOAD: u8 = 18;

/// First flags byte.
const BATCH: u8 = 0x08;
/// Second flags byte.
const WRITE: u8 = 0x01;
const DELETE: u8 = 0x02;
const DURABLE_DELETE: u8 = 0x10;

const FIELD_NAMESPACE: u8 = 0;
const FIELD_SET: u8 = 1;
const FIELD_BATCH: u8 = 41;

const OP_WRITE: u8 = 2;
const OP_TOUCH: u8 = 11;

const INTEGER: u8 = 1;
const BLOB: u8 = 4;

/// The golden configuration with everything logged, and with one namespace, `test`, whose storage engine
/// is this.
fn configuration(storage: &str) -> String {
    configuration_with("nsup-period 1", storage)
}

/// The same with these lines about the namespace.
fn configuration_with(namespace: &str, storage: &str) -> String {
    let (head, _) = GOLDEN_CONFIGURATION.split_once("namespace test").expect("it is there");
    let head = head.replace("context any critical", "context any info");
    format!(
        "{head}namespace test {{\n\treplication-factor 1\n\tdefault-ttl 0\n\
         \tallow-ttl-without-nsup true\n\t{namespace}\n\tstorage-engine {storage}\n}}\n"
    )
}

/// A server that is not started yet, with this storage engine.
fn launch(storage: &str) -> Result<Launch> {
    Launch::new()?.argument("--foreground").configured("bolide.conf", &configuration(storage))
}

/// A running one.
fn start(storage: &str) -> Result<Server> {
    launch(storage)?.start()
}

/// A storage engine on files in the server's folder, with more settings.
fn on_files(files: &[&str], settings: &[&str]) -> String {
    let mut lines = vec!["filesize 256M".to_owned()];
    lines.extend(files.iter().map(|file| format!("file @FOLDER@/{file}")));
    lines.extend(settings.iter().map(|setting| (*setting).to_owned()));
    format!("device {{\n\t\t{}\n\t}}", lines.join("\n\t\t"))
}

/// The value that answers an info command.
fn ask(server: &Server, command: &str) -> Result<String> {
    let answer = Connection::open(server.port())?.info(&format!("{command}\n"))?;
    let value = answer.split_once('\t').map_or("", |(_, value)| value);
    Ok(value.trim_end().to_owned())
}

/// A statistic of the namespace.
fn statistic(server: &Server, name: &str) -> Result<String> {
    let all = ask(server, "namespace/test")?;
    let mut pairs = all.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs.find(|(found, _)| *found == name);
    Ok(found.with_context(|| format!("no {name} in {all}"))?.1.to_owned())
}

fn number(server: &Server, name: &str) -> Result<u64> {
    let text = statistic(server, name)?;
    text.parse().with_context(|| format!("{name} is {text}"))
}

/// Tells the server something, which must agree.
fn command(server: &Server, command: &str) -> Result<()> {
    let answer = ask(server, command)?;
    ensure!(answer == "ok", "{command} is answered {answer}");
    Ok(())
}

fn device(launch: &Launch, file: &str) -> PathBuf {
    launch.folder().join(file)
}
