//! Servers that the suite starts as processes of their own, each kept on one core.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use crate::engine::pin_to;
use crate::info::wait_until_up;
use crate::procfs::Process;

/// How long a server may take to start: from devices that are full, too.
const START_PATIENCE: Duration = Duration::from_secs(600);

/// How long a server may take to end once asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(120);

/// The storage engine of a namespace in memory, as the configuration has it.
const MEMORY: &str = "storage-engine memory {
        data-size 8G
    }";

/// A directory that goes when this does.
#[derive(Debug)]
pub struct Scratch(PathBuf);

impl Scratch {
    /// A new one among the system's temporary files.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn new() -> anyhow::Result<Self> {
        let name = format!("bolide-bench-{}-{:x}", std::process::id(), fastrand::u32(..));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What a database is started from, more than once if need be.
#[derive(Debug)]
pub struct Home {
    program: PathBuf,
    core: Option<usize>,
    ports: [u16; 4],
    scratch: Arc<Scratch>,
}

impl Home {
    /// Configures a database with one service thread, on a core or anywhere, and a namespace `test`
    /// with this storage engine.
    ///
    /// # Errors
    /// If the configuration cannot be written.
    pub fn new(program: &Path, core: Option<usize>, storage: &str) -> anyhow::Result<Self> {
        Self::member(program, core, &[], &format!("replication-factor 1\n    {storage}"))
    }

    /// Configures a node of the cluster that these other nodes are of, with a namespace `test` of these
    /// settings.
    ///
    /// # Errors
    /// If the configuration cannot be written.
    pub fn member(
        program: &Path,
        core: Option<usize>,
        others: &[Self],
        namespace: &str,
    ) -> anyhow::Result<Self> {
        let scratch = Arc::new(Scratch::new()?);
        let ports = free_ports()?;
        let home = Self { program: program.to_owned(), core, ports, scratch };
        let seeds = others.iter().map(|other| other.ports[2]).collect::<Vec<_>>();
        fs::write(home.file(), configuration(home.scratch.path(), ports, &seeds, namespace))?;
        Ok(home)
    }

    /// Starts the database with these arguments besides.
    ///
    /// # Errors
    /// If it does not start, or does not say that it is up in time.
    pub fn start(&self, arguments: &[&str]) -> anyhow::Result<ServerProcess> {
        let mut command = Command::new(&self.program);
        command.arg("--config-file").arg(self.file()).arg("--foreground").args(arguments);
        let [port, ..] = self.ports;
        ServerProcess::start(command, self.core, port, Arc::clone(&self.scratch))
    }

    /// Where the database serves clients once it is started.
    pub fn address(&self) -> SocketAddr {
        let [port, ..] = self.ports;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    }

    /// What all its starts so far have logged.
    ///
    /// # Errors
    /// If there is no log.
    pub fn log(&self) -> anyhow::Result<String> {
        Ok(fs::read_to_string(self.scratch.path().join("server.log"))?)
    }

    fn file(&self) -> PathBuf {
        self.scratch.path().join("bench.conf")
    }
}

/// A server process; it is ended when this goes.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _scratch: Arc<Scratch>,
}

impl ServerProcess {
    /// Starts the database with one service thread on a core, and an empty memory namespace `test`.
    ///
    /// # Errors
    /// If it does not start, or does not say that it is up in time.
    pub fn database(program: &Path, core: usize) -> anyhow::Result<Self> {
        Home::new(program, Some(core), MEMORY)?.start(&[])
    }

    /// Starts this program's echo server on a core, with replies of so many bytes.
    ///
    /// # Errors
    /// If it does not start.
    pub fn echo(reply_bytes: usize, core: usize) -> anyhow::Result<Self> {
        let [port, ..] = free_ports()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo").arg("--port").arg(port.to_string());
        command.arg("--reply-bytes").arg(reply_bytes.to_string());
        Self::start(command, Some(core), port, Arc::new(Scratch::new()?))
    }

    /// Ends it without a warning.
    ///
    /// # Errors
    /// If it cannot be ended.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    fn start(
        mut command: Command,
        core: Option<usize>,
        port: u16,
        scratch: Arc<Scratch>,
    ) -> anyhow::Result<Self> {
        let log = scratch.path().join("output.log");
        let output = File::create(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let program = command.get_program().to_string_lossy().into_owned();
        let child = spawn_on(core, command).with_context(|| format!("cannot start {program}"))?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Self { child, address, _scratch: scratch };
        server.wait_until_up().with_context(|| {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = lines.get(lines.len().saturating_sub(10)..).unwrap_or_default();
            format!("{program} does not start:\n{}", last.join("\n"))
        })?;
        Ok(server)
    }

    fn wait_until_up(&mut self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let up = wait_until_up(self.address, Duration::ZERO);
            if up.is_ok() || start.elapsed() >= START_PATIENCE {
                return up;
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(anyhow!("it ended with {status}"));
            }
            // A port that nobody listens on refuses at once.
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let asked = pid.is_some_and(|pid| kill_process(pid, Signal::TERM).is_ok());
        let start = Instant::now();
        while asked && start.elapsed() < STOP_PATIENCE {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        // Nothing more can be done about a child that outlives this.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a process on one core, or anywhere: it inherits that from the thread that starts it.
fn spawn_on(core: Option<usize>, mut command: Command) -> anyhow::Result<Child> {
    let starter = thread::spawn(move || -> anyhow::Result<Child> {
        core.map_or(Ok(()), pin_to)?;
        Ok(command.spawn()?)
    });
    starter.join().map_err(|_| anyhow!("the starting thread failed"))?
}

/// Ports that were free a moment ago: of the service, fabric, heartbeat and info listeners.
fn free_ports() -> anyhow::Result<[u16; 4]> {
    let mut ports = [0; 4];
    // All are held until all are found, or the same one might be found twice.
    let mut listeners = Vec::new();
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// The configuration file of a node that looks for others at these heartbeat ports. The original takes it
/// as well.
fn configuration(directory: &Path, ports: [u16; 4], seeds: &[u16], namespace: &str) -> String {
    let [service, fabric, heartbeat, info] = ports;
    let seed = |port| format!("\n        mesh-seed-address-port 127.0.0.1 {port}");
    let seeds: String = seeds.iter().map(seed).collect();
    let directory = directory.display();
    format!(
        "service {{
    proto-fd-max 15000
    service-threads 1
    work-directory {directory}
    cluster-name bench
}}
logging {{
    file {directory}/server.log {{
        context any warning
        context drv_ssd info
    }}
}}
network {{
    service {{
        address 127.0.0.1
        port {service}
    }}
    fabric {{
        address 127.0.0.1
        port {fabric}
    }}
    heartbeat {{
        mode mesh
        address 127.0.0.1
        port {heartbeat}{seeds}
        interval 150
        timeout 10
    }}
    info {{
        address 127.0.0.1
        port {info}
    }}
}}
namespace test {{
    default-ttl 0
    nsup-period 0
    {namespace}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_goes_with_its_owner() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        fs::write(path.join("file"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }

    #[test]
    fn a_program_that_ends_at_once_is_told_with_its_words() {
        let mut command = Command::new("sh");
        command.arg("-c").arg("echo no such setting; exit 3");
        let [port, ..] = free_ports().unwrap();
        let error = ServerProcess::start(command, Some(0), port, Arc::new(Scratch::new().unwrap()))
            .unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("no such setting") && text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn ports_differ() {
        let mut ports = free_ports().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]));
        let text = configuration(Path::new("/somewhere"), ports, &[4711], MEMORY);
        assert!(text.contains("mesh-seed-address-port 127.0.0.1 4711\n"));
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert!(ports.iter().all(|port| text.contains(&format!("port {port}"))));
    }
}
