//! A command line of the server, and the folder and ports that it may use.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Folder, Server, binary, process};

/// Two namespaces in memory, `test` and `bar`, as the golden transcripts want them.
pub const GOLDEN_CONFIGURATION: &str = include_str!("../../testdata/golden.conf");

/// The same with both namespaces on files in the server's folder, and more settings of their storage
/// engines.
pub fn golden_configuration_on_files(settings: &[&str]) -> String {
    let engine = |memory: &str| format!("storage-engine memory {{\n\t\t{memory}\n\t}}");
    let on_file = |file: &str| {
        let settings = settings.join("\n\t\t");
        format!(
            "storage-engine device {{\n\t\tfile @FOLDER@/{file}\n\t\tfilesize 256M\n\t\t{settings}\n\t}}"
        )
    };
    GOLDEN_CONFIGURATION
        .replace(&engine("data-size 2G"), &on_file("test.dat"))
        .replace(&engine("data-size 512M"), &on_file("bar.dat"))
}

/// How long a process that is to end by itself may take.
const RUN_PATIENCE: Duration = Duration::from_secs(30);
/// What a server prints, and what the golden configuration has it log to.
const OUTPUT: &str = "output";
const LOG: &str = "server.log";

/// A server about to be started, in a folder that is also its home: a fresh one, or one that a server
/// has left ([`Server::kill`], [`Server::stop`]).
pub struct Launch {
    folder: Folder,
    pub(super) ports: Ports,
    pub(super) host: IpAddr,
    pub(super) readiness: &'static str,
    arguments: Vec<OsString>,
    release: Release,
    before: Option<String>,
    within: Vec<String>,
}

/// Which server is started.
#[derive(Clone, Debug, Default)]
pub struct Release {
    /// Its program, where it is not the one to test.
    pub program: Option<PathBuf>,
    /// Arguments besides those of every server.
    pub arguments: Vec<String>,
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
            host: Ipv4Addr::LOCALHOST.into(),
            // A cluster of one is stable: partitions are balanced and clients may come.
            readiness: "cluster-stable:size=1",
            arguments: Vec::new(),
            release: Release::default(),
            before: None,
            within: Vec::new(),
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

    /// Whether it has this argument.
    pub fn has_argument(&self, argument: &str) -> bool {
        self.arguments.iter().any(|given| given == argument)
    }

    /// Starts this server, whichever was started in the folder before.
    #[must_use]
    pub fn of(mut self, release: &Release) -> Self {
        self.release = release.clone();
        self
    }

    /// Runs a shell command in the server's process before it becomes the server.
    #[must_use]
    pub fn after(mut self, shell: &str) -> Self {
        self.before = Some(shell.to_owned());
        self
    }

    /// A member of a cluster at an address of its own, where its configuration puts its service port.
    /// It counts as started when it answers at all.
    #[must_use]
    pub fn member_at(mut self, service: SocketAddr) -> Self {
        self.host = service.ip();
        self.ports.service = service.port();
        self.readiness = "status";
        self
    }

    /// Runs the server by means of a program that becomes it in the end: `ip netns exec NAME`.
    #[must_use]
    pub fn within(mut self, command: &[String]) -> Self {
        self.within = command.to_vec();
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
    pub fn run(&self) -> Result<Outcome> {
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
        let child = self.spawn_with_output()?;
        Server::watch(child, self)
    }

    /// The same for a server that listens on a port of its own choice.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_on(mut self, service: u16) -> Result<Server> {
        self.ports.service = service;
        self.start()
    }

    /// Starts the server and kills it after a while, whether it answers by then or not.
    ///
    /// # Errors
    /// When it does not build, or has ended by itself.
    pub fn start_and_kill(&self, after: Duration) -> Result<()> {
        let mut child = self.spawn_with_output()?;
        std::thread::sleep(after);
        let ended = child.try_wait()?;
        // It may end this very moment.
        let _ = child.kill();
        child.wait()?;
        ensure!(ended.is_none(), "the server ended with {ended:?}:\n{}", self.log());
        Ok(())
    }

    /// What the last server in the folder printed and logged.
    pub fn log(&self) -> String {
        let files = [OUTPUT, LOG].map(|name| self.folder().join(name));
        let texts = files.map(|file| fs::read(file).unwrap_or_default());
        String::from_utf8_lossy(&texts.concat()).into_owned()
    }

    fn spawn_with_output(&self) -> Result<Child> {
        let output = File::create(self.folder().join(OUTPUT))?;
        self.spawn(output.try_clone()?, output)
    }

    fn spawn(&self, stdout: File, stderr: File) -> Result<Child> {
        let program = match &self.release.program {
            Some(program) => program.clone(),
            None => binary()?,
        };
        // That of an earlier server in the folder, if there was one.
        let _ = fs::remove_file(self.folder().join(LOG));
        let mut command = match (&self.before, &self.within[..]) {
            (None, []) => Command::new(&program),
            (None, [outer, arguments @ ..]) => {
                let mut command = Command::new(outer);
                command.args(arguments).arg(&program);
                command
            }
            (Some(before), _) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\"")).arg(&program);
                shell
            }
        };
        command
            .args(&self.arguments)
            .args(&self.release.arguments)
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
