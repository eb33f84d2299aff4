//! What the system tells of a process, and what it can be told.

use std::fs;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, setrlimit};

pub use rustix::process::Signal;

/// The files in which the system describes a process.
#[derive(Clone, Copy, Debug)]
pub struct Readings {
    process_id: u32,
}

impl Readings {
    /// Of the process with this id.
    pub fn of(process_id: u32) -> Self {
        Self { process_id }
    }

    /// Memory that the process has in use, in KiB.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn resident_kbytes(self) -> Result<u64> {
        let status = self.file("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
        Ok(number.parse()?)
    }

    /// CPU time that the process has used, in clock ticks (10 ms).
    ///
    /// # Errors
    /// When there is no such process.
    pub fn cpu_ticks(self) -> Result<u64> {
        let stat = self.file("stat")?;
        // The name in parentheses may hold anything, blanks too.
        let (_, rest) = stat.rsplit_once(')').context("no name")?;
        let field = |place: usize| {
            let text = rest.split_whitespace().nth(place).context("too few fields")?;
            text.parse::<u64>().context("no number")
        };
        Ok(field(11)? + field(12)?)
    }

    /// How many files the process may have open.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn open_files_max(self) -> Result<u64> {
        let limits = self.file("limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
        let number = line.and_then(|line| line.split_whitespace().next()).context("no limit")?;
        Ok(number.parse()?)
    }

    /// Names of the process's threads.
    ///
    /// # Errors
    /// When there is no such process.
    pub fn threads(self) -> Result<Vec<String>> {
        let folder = format!("/proc/{}/task", self.process_id);
        let tasks = fs::read_dir(&folder).with_context(|| folder.clone())?;
        // One that has just ended has no name any more.
        let names =
            tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("comm")).ok());
        Ok(names.map(|name| name.trim_end().to_owned()).collect())
    }

    fn file(self, name: &str) -> Result<String> {
        let path = format!("/proc/{}/{name}", self.process_id);
        fs::read_to_string(&path).context(path)
    }
}

/// Lets this process have many files open.
///
/// # Errors
/// When the system does not allow as many.
pub fn raise_open_files_max(count: u64) -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), ..limit })
        .with_context(|| format!("{count} open files are needed"))
}

/// Sends a signal to a process that we started.
pub(super) fn signal(child: &Child, signal: Signal) -> Result<()> {
    let process = Pid::from_raw(child.id() as i32).context("no process id")?;
    kill_process(process, signal).context("sending a signal")
}

/// Waits until a process has ended.
pub(super) fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if begun.elapsed() > patience {
            bail!("the process runs on after {patience:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_can_be_read() {
        let readings = Readings::of(std::process::id());
        assert!(readings.resident_kbytes().unwrap() > 100);
        assert!(readings.open_files_max().unwrap() > 10);
        assert!(!readings.threads().unwrap().is_empty());
        let before = readings.cpu_ticks().unwrap();
        assert!(readings.cpu_ticks().unwrap() >= before);
        assert!(Readings::of(u32::MAX).cpu_ticks().is_err());
    }
}
