//! The official clients under load while nodes come and go.

use std::process::{Child, ChildStdin, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tests::announce;
use tests::clients::{LANGUAGES, Language};
use tests::cluster::{Cluster, Plan};

use crate::rolling::restart_all;

/// How long the load goes on before and after what happens to the cluster: some tends of the clients.
const AROUND: Duration = Duration::from_secs(3);

/// A program that loads a cluster until it is told to stop.
struct Loader {
    language: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
}

/// One for each language.
struct Loaders(Vec<Loader>);

impl Loader {
    /// `None` where the language is not there; says so.
    fn start(language: &'static Language, cluster: &Cluster) -> Result<Option<Self>> {
        let Some(programs) = language.prepare(env!("CARGO_TARGET_TMPDIR"))? else {
            return Ok(None);
        };
        let address = cluster.address(0);
        let mut child = programs
            .load()?
            .args([address.ip().to_string(), address.port().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("starting the load in {}", language.name))?;
        let stdin = child.stdin.take();
        Ok(Some(Self { language: language.name, child, stdin }))
    }

    /// What it counted, and what it complained of.
    fn stop(mut self) -> Result<String> {
        // It stops when there is nothing more to read.
        drop(self.stdin.take());
        let output = self.child.wait_with_output()?;
        let (text, language) =
            (String::from_utf8_lossy(&output.stdout).into_owned(), self.language);
        announce(format_args!("{language:6} client: {}", text.lines().last().unwrap_or_default()));
        ensure!(output.status.success(), "{language} ended with {}:\n{text}", output.status);
        Ok(text)
    }
}

impl Loaders {
    /// Starts all that are there.
    fn start(cluster: &Cluster) -> Result<Self> {
        let loaders = LANGUAGES.iter().map(|language| Loader::start(language, cluster));
        let loaders = loaders.filter_map(Result::transpose).collect::<Result<_>>()?;
        std::thread::sleep(AROUND);
        Ok(Self(loaders))
    }

    /// Ends all after some time and demands that their last lines have this.
    fn stop(self, demand: &str) -> Result<()> {
        std::thread::sleep(AROUND);
        // All of them, so that each tells what it saw.
        let told: Vec<_> = self.0.into_iter().map(Loader::stop).collect();
        for text in told {
            let text = text?;
            ensure!(text.contains(demand), "no {demand}:\n{text}");
        }
        Ok(())
    }
}

#[test]
fn clients_go_straight_to_masters() -> Result<()> {
    let cluster = Cluster::start(Plan::in_memory(2), 3)?;
    Loaders::start(&cluster)?.stop(" failed={} unexpected={}")?;
    let passed_on = cluster.sum(&[0, 1, 2], "namespace/test", "client_proxy_complete")?;
    ensure!(passed_on == 0, "{passed_on} requests went to the wrong node");
    Ok(())
}

#[test]
fn clients_do_not_notice_a_rolling_restart() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let loaders = Loaders::start(&cluster)?;
    // Clients look at their nodes every second. One that has not seen that a node was away goes on with the
    // connections that it had, which are broken.
    restart_all(&mut cluster, AROUND)?;
    loaders.stop(" failed={} unexpected={}")
}

/// Between the death of a node and the next map, requests to it time out or their connections break; nothing
/// else may happen, and nothing that was acknowledged may be lost.
#[test]
fn clients_survive_a_kill() -> Result<()> {
    let mut cluster = Cluster::start(Plan::in_memory(2), 3)?;
    let loaders = Loaders::start(&cluster)?;
    cluster.kill(2)?;
    cluster.await_stable()?;
    std::thread::sleep(AROUND);
    cluster.restart(2)?;
    cluster.await_stable()?;
    loaders.stop(" unexpected={}")
}
