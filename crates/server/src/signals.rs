//! Signals: stop, rotate logs, tell about the threads.

use std::fs;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR2, SIGXFSZ};
use signal_hook::iterator;

/// The signals that the server heeds, from when they are installed.
pub struct Signals {
    arriving: iterator::Signals,
}

impl Signals {
    /// Takes SIGTERM, SIGINT, SIGHUP, SIGUSR2 and SIGXFSZ over from their default actions.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn install() -> std::io::Result<Self> {
        Ok(Self { arriving: iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGXFSZ])? })
    }

    /// Returns when the process is told to stop; calls `rotate` at each SIGHUP before that, and logs
    /// the state of each thread at SIGUSR2.
    pub fn wait_for_stop(mut self, rotate: impl Fn()) {
        for signal in self.arriving.forever() {
            match signal {
                SIGHUP => rotate(),
                SIGUSR2 => log_threads(),
                // A file is as large as this process may make it: the write fails, which says enough.
                SIGXFSZ => {}
                _ => return,
            }
        }
    }
}

/// Logs name, state and CPU time of each thread: what the system knows of them. It has no stacks.
fn log_threads() {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return };
    for task in tasks.flatten() {
        let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { continue };
        if let Some(line) = describe(&stat) {
            tracing::info!(target: "as", "thread {line}");
        }
    }
}

/// A line about a thread from its `stat`: id, name, state, CPU time in clock ticks.
fn describe(stat: &str) -> Option<String> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let (state, user, kernel) = (words.first()?, words.get(11)?, words.get(12)?);
    Some(format!("{id} {name}: state {state}, user-ticks {user}, kernel-ticks {kernel}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_described() {
        let stat = "42 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0";
        let line = "42 a (b) c: state S, user-ticks 30, kernel-ticks 12";
        assert_eq!(describe(stat).as_deref(), Some(line));
        assert_eq!(describe("42"), None);
    }
}
