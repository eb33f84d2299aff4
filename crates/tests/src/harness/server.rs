//! One server process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::launch::Launch;
use super::process::{self, Readings, Signal};
use crate::golden::Link;

/// How long a start may take. It should be far below a second; a loaded machine is slow.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// How long an orderly end may take: the server's own grace time, and some more.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the server's output that are shown when it does not come up.
const OUTPUT_SHOWN: usize = 4000;

/// A running server, killed when dropped.
pub struct Server {
    // Ends before its folder goes.
    child: Process,
    launch: Launch,
    started_in: Duration,
}

/// A process that does not outlive its owner.
struct Process(Child);

impl Server {
    /// Starts a server with this configuration and waits until it answers; see [`Launch`].
    ///
    /// # Errors
    /// When the server does not build, exits, or does not answer in time; with its output.
    pub fn start(configuration: &str) -> Result<Self> {
        Launch::new()?.argument("--foreground").configured("bolide.conf", configuration)?.start()
    }

    /// Waits until a server that was just started answers.
    pub(super) fn watch(child: Child, launch: Launch) -> Result<Self> {
        let mut server = Self { child: Process(child), launch, started_in: Duration::ZERO };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// `HOST:PORT` of the client listener.
    pub fn address(&self) -> String {
        self.socket_address().to_string()
    }

    /// The same.
    pub fn socket_address(&self) -> SocketAddr {
        SocketAddr::new(self.launch.host, self.launch.ports.service)
    }

    /// The port of the client listener.
    pub fn port(&self) -> u16 {
        self.launch.ports.service
    }

    /// The port of the plain-text info listener, where the configuration opens it.
    pub fn info_port(&self) -> u16 {
        self.launch.ports.info
    }

    /// The process, for those who measure it.
    pub fn process_id(&self) -> u32 {
        self.child.0.id()
    }

    /// What the system tells of the process.
    pub fn readings(&self) -> Readings {
        Readings::of(self.child.0.id())
    }

    /// How long it took from the start to the first answer.
    pub fn started_in(&self) -> Duration {
        self.started_in
    }

    /// The folder with the configuration, the log and all files of the server.
    pub fn folder(&self) -> PathBuf {
        self.launch.folder().to_owned()
    }

    /// What the server printed and logged.
    pub fn log(&self) -> String {
        self.launch.log()
    }

    /// The last part of what the server printed and logged.
    pub fn output(&self) -> String {
        let text = self.log();
        let cut = text.char_indices().rev().nth(OUTPUT_SHOWN).map_or(0, |(index, _)| index);
        text[cut..].to_owned()
    }

    /// Sends the process a signal.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        process::signal(&self.child.0, signal)
    }

    /// Waits until the process has ended by itself.
    ///
    /// # Errors
    /// When it runs on.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        process::wait(&mut self.child.0, STOP_PATIENCE)
    }

    /// Whether the process runs.
    ///
    /// # Errors
    /// When the system cannot tell.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.0.try_wait()?.is_none())
    }

    /// Kills the process without warning; another one can be started in its folder.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(mut self) -> Result<Launch> {
        self.child.0.kill()?;
        self.child.0.wait()?;
        Ok(self.launch)
    }

    /// Tells the process to stop and waits for that; another one can be started in its folder.
    ///
    /// # Errors
    /// When it runs on.
    pub fn stop(mut self) -> Result<(ExitStatus, Launch)> {
        self.signal(Signal::TERM)?;
        let status = self.wait()?;
        Ok((status, self.launch))
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.0.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.output());
            }
            if self.is_ready() {
                self.started_in = begun.elapsed();
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE {
                bail!("the server does not answer:\n{}", self.output());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_ready(&self) -> bool {
        std::net::TcpStream::connect(self.socket_address()).is_ok()
            && Link::new(self.address())
                .info(self.launch.readiness)
                .is_ok_and(|value| !value.contains("ERROR"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
