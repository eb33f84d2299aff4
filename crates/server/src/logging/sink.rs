//! Where log lines go: standard error, a file, or the system's log.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::Context;
use config::{LOG_CONTEXTS, LogLevel, LogSink, SinkKind, SyslogFacility};
use jiff::Zoned;
use parking_lot::Mutex;

/// A place that log lines go to, with a level for each context.
pub(super) struct Sink {
    name: String,
    levels: Vec<AtomicU8>,
    target: Target,
}

enum Target {
    Console,
    File(Mutex<File>),
    Syslog(Syslog),
}

struct Syslog {
    socket: UnixDatagram,
    path: String,
    facility: SyslogFacility,
    tag: String,
}

const LEVELS: [LogLevel; 5] =
    [LogLevel::Critical, LogLevel::Warning, LogLevel::Info, LogLevel::Debug, LogLevel::Detail];

fn rank(level: LogLevel) -> u8 {
    LEVELS.iter().position(|known| *known == level).unwrap_or(0) as u8
}

impl Sink {
    pub fn console(level: LogLevel) -> Self {
        let levels = LOG_CONTEXTS.iter().map(|_| AtomicU8::new(rank(level))).collect();
        Self { name: "stderr".into(), levels, target: Target::Console }
    }

    pub fn open(config: &LogSink) -> anyhow::Result<Self> {
        let levels = LOG_CONTEXTS.iter().map(|name| AtomicU8::new(rank(config.level_of(name))));
        let (name, target) = match &config.kind {
            SinkKind::Console => ("stderr".to_owned(), Target::Console),
            SinkKind::File(path) => {
                let file = open_file(path).with_context(|| {
                    format!("cannot open log file {path}: check the directory's permissions")
                })?;
                (path.clone(), Target::File(Mutex::new(file)))
            }
            SinkKind::Syslog => {
                let socket = UnixDatagram::unbound().context("cannot make a socket for syslog")?;
                let syslog = Syslog {
                    socket,
                    path: config.path.clone(),
                    facility: config.facility,
                    tag: config.tag.clone(),
                };
                ("syslog".to_owned(), Target::Syslog(syslog))
            }
        };
        Ok(Self { name, levels: levels.collect(), target })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn takes(&self, context: usize, level: LogLevel) -> bool {
        let limit = self.levels.get(context).map_or(0, |limit| limit.load(Ordering::Relaxed));
        rank(level) <= limit
    }

    pub fn levels(&self) -> Vec<LogLevel> {
        let level = |limit: &AtomicU8| LEVELS[usize::from(limit.load(Ordering::Relaxed)) % 5];
        self.levels.iter().map(level).collect()
    }

    pub fn set_level(&self, context: Option<usize>, level: LogLevel) {
        for (number, limit) in self.levels.iter().enumerate() {
            if context.is_none_or(|context| context == number) {
                limit.store(rank(level), Ordering::Relaxed);
            }
        }
    }

    pub fn reopen(&self) -> io::Result<()> {
        if let Target::File(file) = &self.target {
            *file.lock() = open_file(&self.name)?;
        }
        Ok(())
    }

    /// Writes a line whose part after the time begins at `tail`. What a sink does not take is lost:
    /// there is nowhere to complain.
    pub fn write(&self, level: LogLevel, line: &str, tail: usize) {
        let _ = match &self.target {
            Target::Console => io::stderr().write_all(line.as_bytes()),
            Target::File(file) => file.lock().write_all(line.as_bytes()),
            Target::Syslog(syslog) => syslog.write(level, line.get(tail..).unwrap_or(line)),
        };
    }
}

impl Syslog {
    /// Sends a line with an RFC 3164 header.
    fn write(&self, level: LogLevel, tail: &str) -> io::Result<()> {
        let severity = match level {
            LogLevel::Critical => 0,
            LogLevel::Warning => 4,
            LogLevel::Info => 6,
            LogLevel::Debug | LogLevel::Detail => 7,
        };
        let priority = facility_number(self.facility) * 8 + severity;
        let time = Zoned::now().strftime("%b %e %H:%M:%S").to_string();
        let (tag, process) = (&self.tag, std::process::id());
        let line = format!("<{priority}>{time} {tag}[{process}]: {}", tail.trim_end());
        self.socket.send_to(line.as_bytes(), &self.path).map(drop)
    }
}

/// Facility numbers of RFC 3164.
fn facility_number(facility: SyslogFacility) -> u32 {
    use SyslogFacility::*;
    match facility {
        Kern => 0,
        User => 1,
        Mail => 2,
        Daemon => 3,
        Auth => 4,
        Syslog => 5,
        Lpr => 6,
        News => 7,
        Uucp => 8,
        Cron => 9,
        Authpriv => 10,
        Ftp => 11,
        Local0 => 16,
        Local1 => 17,
        Local2 => 18,
        Local3 => 19,
        Local4 => 20,
        Local5 => 21,
        Local6 => 22,
        Local7 => 23,
    }
}

fn open_file(path: &str) -> io::Result<File> {
    if let Some(directory) = Path::new(path).parent() {
        std::fs::create_dir_all(directory)?;
    }
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_kept_for_each_context() {
        let sink = Sink::console(LogLevel::Warning);
        assert!(sink.takes(3, LogLevel::Warning) && !sink.takes(3, LogLevel::Info));
        sink.set_level(Some(3), LogLevel::Detail);
        assert!(sink.takes(3, LogLevel::Debug) && !sink.takes(4, LogLevel::Info));
        sink.set_level(None, LogLevel::Critical);
        assert!(sink.levels().iter().all(|level| *level == LogLevel::Critical));
        assert!(sink.takes(0, LogLevel::Critical));
    }

    /// A folder of its own for a test, empty.
    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("bolide-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn files_are_made_with_their_folder_and_rotated() {
        let folder = folder("log-file");
        let path = folder.join("deep/down/bolide.log");
        let name = path.display().to_string();
        let config = LogSink { kind: SinkKind::File(name), ..LogSink::default() };
        let sink = Sink::open(&config).unwrap();
        sink.write(LogLevel::Info, "one\n", 0);
        std::fs::rename(&path, folder.join("old")).unwrap();
        sink.write(LogLevel::Info, "two\n", 0);
        sink.reopen().unwrap();
        sink.write(LogLevel::Info, "three\n", 0);
        assert_eq!(std::fs::read_to_string(folder.join("old")).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_systems_log_gets_a_header_of_its_own() {
        let folder = folder("syslog");
        let path = folder.join("socket");
        let system = UnixDatagram::bind(&path).unwrap();
        let config = LogSink {
            kind: SinkKind::Syslog,
            path: path.display().to_string(),
            facility: SyslogFacility::Local3,
            tag: "db".into(),
            ..LogSink::default()
        };
        let sink = Sink::open(&config).unwrap();
        let line = "Mar 04 2025 10:11:12 GMT: WARNING (rw): (x.rs:1) text\n";
        sink.write(LogLevel::Warning, line, line.find("WARNING").unwrap());
        let mut received = [0; 200];
        let size = system.recv(&mut received).unwrap();
        let text = std::str::from_utf8(&received[..size]).unwrap();
        // Facility 19 times 8, and severity 4.
        assert!(text.starts_with("<156>"), "{text}");
        let tail = format!(" db[{}]: WARNING (rw): (x.rs:1) text", std::process::id());
        assert!(text.ends_with(&tail), "{text}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
