//! What this crate needs of the outside world: a clock, a limit, a log.

/// Levels of log lines, as scripts number them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 0
    Critical,
    /// 1
    Warning,
    /// 2
    Info,
    /// 3
    Debug,
    /// 4 and everything else.
    Detail,
}

impl Level {
    pub(crate) fn of(number: i64) -> Self {
        match number {
            0 => Self::Critical,
            1 => Self::Warning,
            2 => Self::Info,
            3 => Self::Debug,
            _ => Self::Detail,
        }
    }
}

/// Where a script runs. One is handed in with each call.
///
/// A script has no effect but its outcome and its log lines.
pub trait Host: Send + Sync {
    /// Takes a log line: where in which file it was written, and its text.
    fn log(&self, level: Level, file: &str, line: usize, text: &[u8]);

    /// Microseconds since the Unix epoch: what scripts get as the time, and by what slow instructions
    /// are noticed.
    fn now_us(&self) -> u64;

    /// Whether the call has had its time. Asked every few hundred instructions; once it has said
    /// so, the call ends.
    fn is_overdue(&self) -> bool;
}
