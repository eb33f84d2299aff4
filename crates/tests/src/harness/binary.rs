//! Where the programs are.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail, ensure};

/// The program to test: `BOLIDE_BIN` when that is set, else the one that cargo builds from this
/// tree, built at most once in a process.
///
/// # Errors
/// When it does not build.
pub fn binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built = BINARY.get_or_init(|| match std::env::var_os("BOLIDE_BIN") {
        Some(path) => Ok(path.into()),
        None => build(["bolide-server", "--bin", "bolide"]).map_err(|error| format!("{error:#}")),
    });
    taken(built)
}

/// The program that looks into devices, built likewise.
///
/// # Errors
/// When it does not build.
pub fn inspect_binary() -> Result<PathBuf> {
    static BINARY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let arguments = ["bolide-inspect", "--bin", "bolide-inspect"];
    taken(BINARY.get_or_init(|| build(arguments).map_err(|error| format!("{error:#}"))))
}

/// An example of this package, built likewise.
///
/// # Errors
/// When it does not build.
pub fn example(name: &str) -> Result<PathBuf> {
    build(["bolide-tests", "--example", name])
}

fn taken(built: &Result<PathBuf, String>) -> Result<PathBuf> {
    match built {
        Ok(path) => Ok(path.clone()),
        Err(error) => bail!("{error}"),
    }
}

/// Builds one program of a package.
fn build(arguments: [&str; 3]) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--package"])
        .args(arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo build")?;
    ensure!(output.status.success(), "{} does not build", arguments[2]);
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut executables = messages.lines().filter_map(executable_of);
    executables.next_back().context("cargo build named no executable")
}

/// The program that a message of cargo says it has made.
fn executable_of(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    Some(message.get("executable")?.as_str()?.into())
}
