//! Servers that the suite starts as processes of their own, each kept on one core.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use crate::engine::pin_to;
use crate::info::wait_until_up;
use crate::procfs::Process;

/// How long a server may take to start.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// How long a server may take to end once asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

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

/// A server process; it is ended when this goes.
#[derive(Debug)]
pub struct ServerProcess {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    _scratch: Scratch,
}

impl ServerProcess {
    /// Starts the database with one service thread on a core, and an empty memory namespace `test`.
    ///
    /// # Errors
    /// If it does not start, or does not say that it is up in half a minute.
    pub fn database(program: &Path, core: usize) -> anyhow::Result<Self> {
        let scratch = Scratch::new()?;
        let ports = free_ports()?;
        let file = scratch.path().join("bench.conf");
        fs::write(&file, configuration(scratch.path(), ports))?;
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&file).arg("--foreground");
        let [port, ..] = ports;
        Self::start(command, core, port, scratch)
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
        Self::start(command, core, port, Scratch::new()?)
    }

    /// The process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }

    fn start(
        mut command: Command,
        core: usize,
        port: u16,
        scratch: Scratch,
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
            let up = wait_until_up(self.address, Duration::from_millis(200));
            if up.is_ok() || start.elapsed() >= START_PATIENCE {
                return up;
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(anyhow!("it ended with {status}"));
            }
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
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

/// Starts a process on one core: it inherits that from the thread that starts it.
fn spawn_on(core: usize, mut command: Command) -> anyhow::Result<Child> {
    let starter = thread::spawn(move || -> anyhow::Result<Child> {
        pin_to(core)?;
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

/// The configuration file of a single node in memory. The original takes it as well.
fn configuration(directory: &Path, ports: [u16; 4]) -> String {
    let [service, fabric, heartbeat, info] = ports;
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
        port {heartbeat}
        interval 150
        timeout 10
    }}
    info {{
        address 127.0.0.1
        port {info}
    }}
}}
namespace test {{
    replication-factor 1
    default-ttl 0
    nsup-period 0
    storage-engine memory {{
        data-size 8G
    }}
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
        let error = ServerProcess::start(command, 0, port, Scratch::new().unwrap()).unwrap_err();
        let text = format!("{error:#}");
        assert!(text.contains("no such setting") && text.contains("exit status: 3"), "{text}");
    }

    #[test]
    fn ports_differ() {
        let mut ports = free_ports().unwrap();
        ports.sort_unstable();
        assert!(ports.windows(2).all(|pair| pair[0] < pair[1]));
        let text = configuration(Path::new("/somewhere"), ports);
        assert_eq!(text.matches('{').count(), text.matches('}').count());
        assert!(ports.iter().all(|port| text.contains(&format!("port {port}"))));
    }
}
