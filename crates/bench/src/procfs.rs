//! What the kernel knows about a process: CPU time, memory, and which one listens on a port.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// CPU time that a process has used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuTime {
    /// In the program.
    pub user: Duration,
    /// In the kernel on the program's behalf.
    pub system: Duration,
}

impl CpuTime {
    /// What was used since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            user: self.user.saturating_sub(earlier.user),
            system: self.system.saturating_sub(earlier.system),
        }
    }

    /// Both together.
    pub fn total(self) -> Duration {
        self.user + self.system
    }
}

impl std::ops::AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        self.user += other.user;
        self.system += other.system;
    }
}

/// A process on this machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Process {
    /// Its id.
    pub pid: u32,
}

impl Process {
    /// This process.
    pub fn own() -> Self {
        Self { pid: std::process::id() }
    }

    /// The process that listens on a TCP address, if that is on this machine and its descriptors may
    /// be looked at (one's own processes, or all of them for the superuser).
    pub fn listening_on(address: SocketAddr) -> Option<Self> {
        // Only an address of this machine can be bound.
        UdpSocket::bind((address.ip(), 0)).ok()?;
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
        let inodes: Vec<&str> =
            tables.iter().flatten().flat_map(|table| listeners(table, address.port())).collect();
        let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
        if links.is_empty() {
            return None;
        }
        fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            has_descriptor(&entry.path().join("fd"), &links).then_some(Self { pid })
        })
    }

    /// CPU time so far of all its threads, those that ended included.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn cpu_time(self) -> anyhow::Result<CpuTime> {
        let path = format!("/proc/{}/stat", self.pid);
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        parse_cpu_time(&text, rustix::param::clock_ticks_per_second())
            .with_context(|| format!("{path} is not in the known form"))
    }

    /// Bytes that it has had written to devices so far.
    ///
    /// # Errors
    /// If there is no such process, or it is somebody else's.
    pub fn written_bytes(self) -> anyhow::Result<u64> {
        let path = format!("/proc/{}/io", self.pid);
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
        line.and_then(|number| number.parse().ok())
            .with_context(|| format!("{path} is not in the known form"))
    }

    /// Memory and threads now.
    ///
    /// # Errors
    /// If there is no such process.
    pub fn memory(self) -> anyhow::Result<Memory> {
        let path = format!("/proc/{}/status", self.pid);
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        parse_memory(&text).with_context(|| format!("{path} is not in the known form"))
    }
}

/// Memory of a process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Memory {
    /// Bytes resident.
    pub rss_bytes: u64,
    /// Threads that live.
    pub threads: u64,
}

/// Inodes of the sockets that listen on `port`, from a table of the kernel's TCP sockets.
fn listeners(table: &str, port: u16) -> impl Iterator<Item = &str> {
    const LISTENING: &str = "0A";
    let suffix = format!(":{port:04X}");
    table.lines().skip(1).filter_map(move |line| {
        let mut columns = line.split_whitespace();
        let local = columns.nth(1)?;
        let state = columns.nth(1)?;
        (local.ends_with(&suffix) && state == LISTENING).then(|| columns.nth(5)).flatten()
    })
}

fn has_descriptor(directory: &Path, links: &[String]) -> bool {
    let Ok(descriptors) = fs::read_dir(directory) else { return false };
    descriptors.flatten().any(|descriptor| {
        fs::read_link(descriptor.path())
            .is_ok_and(|link| links.iter().any(|wanted| link.as_os_str() == wanted.as_str()))
    })
}

fn parse_cpu_time(text: &str, ticks_per_second: u64) -> Option<CpuTime> {
    // The second column is the program's name in parentheses, and may hold anything.
    let (_, columns) = text.rsplit_once(')')?;
    let mut columns = columns.split_whitespace();
    let mut time = |skipped| -> Option<Duration> {
        let ticks: u64 = columns.nth(skipped)?.parse().ok()?;
        Some(Duration::from_nanos(ticks.checked_mul(1_000_000_000)? / ticks_per_second.max(1)))
    };
    Some(CpuTime { user: time(11)?, system: time(0)? })
}

fn parse_memory(text: &str) -> Option<Memory> {
    let number = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some(Memory { rss_bytes: number("VmRSS:")? * 1024, threads: number("Threads:")? })
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::time::Instant;

    use super::*;

    #[test]
    fn cpu_columns_are_found_behind_any_name() {
        let text = "42 (a) b) (c) S 1 42 42 0 -1 4194304 1 2 3 4 150 25 7 8 20 0 1 0";
        let time = parse_cpu_time(text, 100).unwrap();
        assert_eq!(time.user, Duration::from_millis(1_500));
        assert_eq!(time.system, Duration::from_millis(250));
        assert_eq!(parse_cpu_time("42 (a) S 1", 100), None);
        assert_eq!(parse_cpu_time("", 100), None);
    }

    #[test]
    fn own_cpu_time_grows_with_work() {
        let before = Process::own().cpu_time().unwrap();
        let start = Instant::now();
        let mut sum = 0_u64;
        while Process::own().cpu_time().unwrap().since(before).total() < Duration::from_millis(50) {
            sum = std::hint::black_box(sum + 1);
            assert!(start.elapsed() < Duration::from_secs(30), "no CPU time seen, {sum} rounds");
        }
    }

    #[test]
    fn own_memory_is_known() {
        let memory = Process::own().memory().unwrap();
        assert!(memory.rss_bytes > 100_000 && memory.threads > 0);
    }

    #[test]
    fn the_listener_of_a_port_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(Process::listening_on(address), Some(Process::own()));
        drop(listener);
        assert_eq!(Process::listening_on(address), None);
        // An address of documentation, on no machine.
        let elsewhere = SocketAddr::new([192, 0, 2, 1].into(), address.port());
        assert_eq!(Process::listening_on(elsewhere), None);
    }
}
