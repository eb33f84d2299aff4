//! One server process.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::{Folder, binary};
use crate::golden::Link;

/// Two namespaces in memory, `test` and `bar`, as the golden transcripts want them.
pub const GOLDEN_CONFIGURATION: &str = include_str!("../../testdata/golden.conf");

/// How long a start may take. It should be far below a second; a loaded machine is slow.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of the server's output that are shown when it does not come up.
const OUTPUT_SHOWN: usize = 4000;

/// A running server, killed when dropped.
pub struct Server {
    child: Child,
    folder: Folder,
    port: u16,
}

impl Server {
    /// Starts a server and waits until it answers.
    ///
    /// The configuration may contain `@FOLDER@`, `@SERVICE_PORT@`, `@HEARTBEAT_PORT@`,
    /// `@FABRIC_PORT@` and `@INFO_PORT@`: a fresh folder and free ports stand in for them.
    ///
    /// # Errors
    /// When the server does not build, exits, or does not answer in time; with its output.
    pub fn start(configuration: &str) -> Result<Self> {
        let folder = Folder::new()?;
        let [service, heartbeat, fabric, info] = free_ports()?;
        let configuration = configuration
            .replace("@FOLDER@", &folder.path().display().to_string())
            .replace("@SERVICE_PORT@", &service.to_string())
            .replace("@HEARTBEAT_PORT@", &heartbeat.to_string())
            .replace("@FABRIC_PORT@", &fabric.to_string())
            .replace("@INFO_PORT@", &info.to_string());
        let file = folder.path().join("bolide.conf");
        fs::write(&file, configuration)?;
        let output = File::create(folder.path().join("output"))?;
        let program = binary()?;
        let child = Command::new(&program)
            .arg("--config-file")
            .arg(&file)
            .arg("--foreground")
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let mut server = Self { child, folder, port: service };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// `HOST:PORT` of the client listener.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port of the client listener.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process, for those who measure it.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// The folder with the configuration, the log and all files of the server.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The last part of what the server printed and logged.
    pub fn output(&self) -> String {
        let files = ["output", "server.log"].map(|name| self.folder.path().join(name));
        let texts = files.map(|file| fs::read(file).unwrap_or_default());
        let text = String::from_utf8_lossy(&texts.concat()).into_owned();
        let cut = text.char_indices().rev().nth(OUTPUT_SHOWN).map_or(0, |(index, _)| index);
        text[cut..].to_owned()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the server ended with {status}:\n{}", self.output());
            }
            if self.is_ready() {
                return Ok(());
            }
            if begun.elapsed() > START_PATIENCE {
                bail!("the server does not answer:\n{}", self.output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A cluster of one is stable: partitions are balanced and clients may come.
    fn is_ready(&self) -> bool {
        let answers = std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        answers
            && Link::new(self.address())
                .info("cluster-stable:size=1")
                .is_ok_and(|value| !value.contains("ERROR"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ports that nobody uses now. The listeners are open together, so that no port comes twice.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let listeners: Vec<TcpListener> =
        (0..N).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    let mut ports = [0; N];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}
