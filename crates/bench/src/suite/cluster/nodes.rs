//! The nodes: starting them, ending them, and what they say of themselves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::super::NAMESPACE;
use crate::children::{Home, ServerProcess};
use crate::info::ask;

/// How long any change may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often a condition is looked at. Looking takes the nodes a little time, too.
const PERIOD: Duration = Duration::from_millis(10);

/// Nodes on this machine.
pub struct Cluster {
    program: PathBuf,
    core: Option<usize>,
    namespace: String,
    homes: Vec<Home>,
    /// Of the first of the homes.
    servers: Vec<ServerProcess>,
}

impl Cluster {
    /// Starts so many nodes, on a core or anywhere, with these settings of namespace `test`, and waits until
    /// they are one cluster.
    pub fn start(
        program: &Path,
        core: Option<usize>,
        nodes: usize,
        settings: &str,
    ) -> anyhow::Result<Self> {
        let namespace =
            format!("{settings}\n    storage-engine memory {{\n        data-size 1G\n    }}");
        let program = program.to_owned();
        let mut cluster = Self { program, core, namespace, homes: Vec::new(), servers: Vec::new() };
        for _ in 0..nodes {
            cluster.prepare()?;
            cluster.launch()?;
        }
        until("the cluster", || cluster.check_settled(None))?;
        Ok(cluster)
    }

    /// Configures another node.
    pub fn prepare(&mut self) -> anyhow::Result<()> {
        let home = Home::member(&self.program, self.core, &self.homes, &self.namespace)?;
        self.homes.push(home);
        Ok(())
    }

    /// Starts the next of the nodes that are configured.
    pub fn launch(&mut self) -> anyhow::Result<()> {
        let home = self.homes.get(self.servers.len()).context("no node is configured")?;
        self.servers.push(home.start(&[])?);
        Ok(())
    }

    /// Kills the last node.
    pub fn kill_last(&mut self) -> anyhow::Result<()> {
        let server = self.servers.pop().context("no node runs")?;
        server.kill()?;
        self.homes.truncate(self.servers.len());
        Ok(())
    }

    /// The nodes that run.
    pub fn servers(&self) -> &[ServerProcess] {
        &self.servers
    }

    /// Where all nodes serve clients, started or only configured.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.homes.iter().map(Home::address).collect()
    }

    /// CPU time that the nodes have used.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        self.servers.iter().map(|server| anyhow::Ok(server.process().cpu_time()?.total())).sum()
    }

    /// Requests that nodes have passed on to others.
    pub fn proxied(&self) -> anyhow::Result<u64> {
        self.sum("client_proxy_complete")
    }

    fn sum(&self, statistic: &str) -> anyhow::Result<u64> {
        let command = format!("namespace/{NAMESPACE}");
        self.servers.iter().map(|server| number(server.address, &command, statistic)).sum()
    }

    /// Demands that all nodes that run are in one cluster of their number.
    pub fn check_size(&self) -> anyhow::Result<()> {
        for server in &self.servers {
            let size = number(server.address, "statistics", "cluster_size")?;
            ensure!(size == self.servers.len() as u64, "a cluster of {size}");
        }
        Ok(())
    }

    /// Demands besides that nothing is to be moved, and this number of copies of records, if given.
    pub fn check_settled(&self, copies: Option<u64>) -> anyhow::Result<()> {
        self.check_size()?;
        for server in &self.servers {
            let remaining = number(server.address, "statistics", "migrate_partitions_remaining")?;
            ensure!(remaining == 0, "{remaining} migrations remain");
        }
        if let Some(copies) = copies {
            let found = self.sum("master_objects")? + self.sum("prole_objects")?;
            ensure!(found == copies, "{found} copies of records, not {copies}");
        }
        Ok(())
    }
}

/// A whole number among the statistics that a command answers.
pub fn number(server: SocketAddr, command: &str, name: &str) -> anyhow::Result<u64> {
    let text = ask(server, command)?;
    let mut pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let (_, value) =
        pairs.find(|(found, _)| *found == name).with_context(|| format!("no {name}"))?;
    value.parse().with_context(|| format!("{name} is {value}"))
}

/// Waits until a condition holds; returns when it did.
pub fn until(what: &str, condition: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<Instant> {
    let begun = Instant::now();
    loop {
        match condition() {
            Ok(()) => return Ok(Instant::now()),
            Err(reason) if begun.elapsed() > PATIENCE => {
                bail!("{what}: not after {} s: {reason:#}", PATIENCE.as_secs())
            }
            Err(_) => thread::sleep(PERIOD),
        }
    }
}
