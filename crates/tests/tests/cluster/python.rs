//! The official Python client under load while nodes come and go.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::cluster::{Cluster, Plan};

use crate::rolling::restart_all;

/// How long the load goes on before and after what happens to the cluster: some tends of the client.
const AROUND: Duration = Duration::from_secs(3);

/// The program that loads a cluster until it is told to stop.
struct Loader {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Loader {
    /// `None` where there is no Python; says so.
    fn start(cluster: &Cluster) -> Result<Option<Self>> {
        let Some(packages) = packages()? else { return Ok(None) };
        let address = cluster.address(0);
        let mut child = Command::new("python3")
            .arg(source().join("cluster_load.py"))
            .args([address.ip().to_string(), address.port().to_string()])
            .env("PYTHONPATH", packages)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        Ok(Some(Self { child, stdin }))
    }

    /// What it counted, and what it complained of.
    fn stop(mut self) -> Result<String> {
        // It stops when there is nothing more to read.
        drop(self.stdin.take());
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "the loader ended with {}:\n{text}", output.status);
        announce(format_args!("python client: {}", text.lines().last().unwrap_or_default()));
        Ok(text)
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/python")
}

/// Where the client is installed, by the list that the `clients` tests use.
fn packages() -> Result<Option<PathBuf>> {
    let has_pip = Command::new("python3").args(["-m", "pip", "--version"]).output();
    if !has_pip.is_ok_and(|output| output.status.success()) {
        announce("SKIPPED: the Python client under load, no python3 with pip here");
        return Ok(None);
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster-python");
    std::fs::create_dir_all(&folder)?;
    let list = source().join("requirements.txt");
    let (stamp, wanted) = (folder.join("installed"), std::fs::read(&list)?);
    let lock = std::fs::File::create(folder.join("lock"))?;
    lock.lock().context("another test installs")?;
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Some(folder));
    }
    let output = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
        .arg(&folder)
        .arg("--requirement")
        .arg(&list)
        .output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::write(stamp, wanted)?;
    Ok(Some(folder))
}

#[test]
fn the_python_client_goes_straight_to_masters() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let Some(loader) = Loader::start(&cluster)? else { return Ok(()) };
    std::thread::sleep(AROUND);
    let told = loader.stop()?;
    ensure!(told.contains(" failed={}"), "{told}");
    let passed_on = cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_complete")?;
    ensure!(passed_on == 0, "{passed_on} requests went to the wrong node");
    Ok(())
}

#[test]
fn the_python_client_does_not_notice_a_rolling_restart() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let Some(loader) = Loader::start(&cluster)? else { return Ok(()) };
    std::thread::sleep(AROUND);
    restart_all(&mut cluster)?;
    std::thread::sleep(AROUND);
    let told = loader.stop()?;
    ensure!(told.contains(" failed={}"), "{told}");
    Ok(())
}

/// Between the death of a node and the next map, requests to it time out; nothing else may happen, and
/// nothing that was acknowledged may be lost.
#[test]
fn the_python_client_survives_a_kill() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let Some(loader) = Loader::start(&cluster)? else { return Ok(()) };
    std::thread::sleep(AROUND);
    cluster.kill(2)?;
    cluster.await_stable()?;
    std::thread::sleep(AROUND);
    cluster.restart(2)?;
    cluster.await_stable()?;
    std::thread::sleep(AROUND);
    let told = loader.stop()?;
    announce(told.trim());
    ensure!(told.contains(" unexpected={}"), "{told}");
    Ok(())
}
