//! A command line of the server, and the folder and ports that it may use.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Folder, Server, binary, process};

/// Two namespaces in memory, `test` and `bar`, as the golden transcripts want them.
pub const GOLDEN_CONFIGURATION: &str = include_str!("../../testdata/golden.conf");

/// How long a process that is to end by itself may take.
const RUN_PATIENCE: Duration = Duration::from_secs(30);

/// A server about to be started, in a fresh folder that is also its home.
pub struct Launch {
    folder: Folder,
    ports: Ports,
    arguments: Vec<OsString>,
    before: Option<String>,
}

/// Ports that nobody used when the launch was prepared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub service: u16,
    pub heartbeat: u16,
    pub fabric: u16,
    pub info: u16,
}

/// A process that has ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl Launch {
    /// # Errors
    /// When there is no room for a folder, or no port.
    pub fn new() -> Result<Self> {
        let [service, heartbeat, fabric, info] = free_ports()?;
        Ok(Self {
            folder: Folder::new()?,
            ports: Ports { service, heartbeat, fabric, info },
            arguments: Vec::new(),
            before: None,
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Adds an argument.
    #[must_use]
    pub fn argument(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    /// Runs a shell command in the server's process before it becomes the server.
    #[must_use]
    pub fn after(mut self, shell: &str) -> Self {
        self.before = Some(shell.to_owned());
        self
    }

    /// Writes a configuration file into the folder, and starts the server with it.
    ///
    /// The text may contain `@FOLDER@`, `@SERVICE_PORT@`, `@HEARTBEAT_PORT@`, `@FABRIC_PORT@` and
    /// `@INFO_PORT@`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn configured(self, name: &str, text: &str) -> Result<Self> {
        let file = self.write(name, text)?;
        Ok(self.argument("--config-file").argument(file))
    }

    /// Writes a file into the folder; what stands between `@` signs is replaced.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let Ports { service, heartbeat, fabric, info } = self.ports;
        let text = text
            .replace("@FOLDER@", &self.folder().display().to_string())
            .replace("@SERVICE_PORT@", &service.to_string())
            .replace("@HEARTBEAT_PORT@", &heartbeat.to_string())
            .replace("@FABRIC_PORT@", &fabric.to_string())
            .replace("@INFO_PORT@", &info.to_string());
        let file = self.folder().join(name);
        fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
        Ok(file)
    }

    /// Runs to the end.
    ///
    /// # Errors
    /// When it does not build, or runs on.
    pub fn run(self) -> Result<Outcome> {
        let (stdout, stderr) = (self.folder().join("stdout"), self.folder().join("stderr"));
        let mut child = self.spawn(File::create(&stdout)?, File::create(&stderr)?)?;
        let status = process::wait(&mut child, RUN_PATIENCE);
        if status.is_err() {
            // It may end this very moment.
            let _ = child.kill();
            let _ = child.wait();
        }
        let text = |file| fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        Ok(Outcome { status: status?, stdout: text(stdout)?, stderr: text(stderr)? })
    }

    /// Starts the server and waits until it answers on the service port, the one that its
    /// configuration calls `@SERVICE_PORT@`.
    ///
    /// # Errors
    /// When it does not build, exits, or does not answer in time; with its output.
    pub fn start(self) -> Result<Server> {
        let port = self.ports.service;
        self.start_on(port)
    }

    /// The same for a server that listens on a port of its own choice.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(self, service: u16) -> Result<Server> {
        let output = File::create(self.folder().join("output"))?;
        let child = self.spawn(output.try_clone()?, output)?;
        Server::watch(child, self.folder, Ports { service, ..self.ports })
    }

    fn spawn(&self, stdout: File, stderr: File) -> Result<Child> {
        let program = binary()?;
        let mut command = match &self.before {
            None => Command::new(&program),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\"")).arg(&program);
                shell
            }
        };
        command
            .args(&self.arguments)
            .env("HOME", self.folder())
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))
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
