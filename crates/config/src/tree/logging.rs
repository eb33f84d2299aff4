//! `logging { }`: where log lines go and which of them.

use super::values::LevelRule;
use crate::outline::{Outline, outline};
use crate::registry::{Child, Context, Fault, Obsolete, Support, Table, Takes, context, words};
use crate::text::{Line, Reader, Reason};

words! {
    /// How bad, or how chatty, a log line is.
    pub enum LogLevel {
        /// The node stops because of it.
        Critical = "critical",
        /// Something that an operator should look at.
        Warning = "warning",
        /// What happens in the ordinary run of things.
        Info = "info",
        /// For developers.
        Debug = "debug",
        /// For developers with patience.
        Detail = "detail",
    }
}

words! {
    /// Facility of a syslog line.
    pub enum SyslogFacility {
        /// Reserved for local use 0.
        Local0 = "local0",
        /// Reserved for local use 1.
        Local1 = "local1",
        /// Reserved for local use 2.
        Local2 = "local2",
        /// Reserved for local use 3.
        Local3 = "local3",
        /// Reserved for local use 4.
        Local4 = "local4",
        /// Reserved for local use 5.
        Local5 = "local5",
        /// Reserved for local use 6.
        Local6 = "local6",
        /// Reserved for local use 7.
        Local7 = "local7",
        /// Authorization.
        Auth = "auth",
        /// Authorization, private.
        Authpriv = "authpriv",
        /// Scheduled jobs.
        Cron = "cron",
        /// System services.
        Daemon = "daemon",
        /// File transfer.
        Ftp = "ftp",
        /// Kernel.
        Kern = "kern",
        /// Printing.
        Lpr = "lpr",
        /// Mail.
        Mail = "mail",
        /// Usenet.
        News = "news",
        /// Syslog itself.
        Syslog = "syslog",
        /// User programs.
        User = "user",
        /// Unix-to-Unix copy.
        Uucp = "uucp",
    }
}

/// The parts of the server that log under a name of their own, in the order of their ids.
pub const LOG_CONTEXTS: &[&str] = &[
    "misc",
    "alloc",
    "arenax",
    "hardware",
    "msg",
    "os",
    "secrets",
    "socket",
    "tls",
    "vault",
    "vmapx",
    "xmem",
    "aggr",
    "appeal",
    "as",
    "audit",
    "batch",
    "batch-sub",
    "bin",
    "config",
    "clustering",
    "drv-mem",
    "drv_pmem",
    "drv_ssd",
    "exchange",
    "exp",
    "fabric",
    "flat",
    "geo",
    "hb",
    "health",
    "hlc",
    "index",
    "info",
    "info-command",
    "info-port",
    "key-busy",
    "migrate",
    "mrt-audit",
    "mrt-monitor",
    "namespace",
    "nsup",
    "particle",
    "partition",
    "proto",
    "proxy",
    "proxy-divert",
    "query",
    "record",
    "roster",
    "rw",
    "rw-client",
    "security",
    "service",
    "service-list",
    "sindex",
    "skew",
    "smd",
    "storage",
    "truncate",
    "tsvc",
    "udf",
    "xdr",
    "xdr-client",
];

/// Where a sink writes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SinkKind {
    /// Standard error.
    #[default]
    Console,
    /// The file at this absolute path.
    File(String),
    /// The system's log.
    Syslog,
}

impl SinkKind {
    fn word(&self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::File(_) => "file",
            Self::Syslog => "syslog",
        }
    }
}

context! {
    /// A place that log lines go to.
    pub struct LogSink {
        /// What it is.
        pub kind: SinkKind = SinkKind::Console;
    }
    settings {
        /// From a part of the server (`any`: all), lines of this severity and worse. Without it
        /// only critical ones.
        "context" levels: Vec<LevelRule> = Vec::new(), of(Kind::LogLevel).repeated(1_024);
        /// Under which facility lines arrive.
        "facility" facility: SyslogFacility = SyslogFacility::Local0,
            word(SyslogFacility::WORDS).offered_in(&["syslog"]);
        /// The system log's socket.
        "path" path: String = "/dev/log".into(), path().offered_in(&["syslog"]);
        /// The program's name in each line.
        "tag" tag: String = "asd".into(), text(255).offered_in(&["syslog"]);
    }
    obsolete {}
    children []
    hooks {
        fn is(&self, mode: &str) -> bool {
            self.kind.word() == mode
        }
    }
}

impl LogSink {
    /// The level that the sink's rules give to a log context.
    pub fn level_of(&self, context: &str) -> LogLevel {
        let rules = self.levels.iter().rev();
        rules
            .filter(|rule| rule.context == "any" || rule.context == context)
            .map(|rule| rule.level)
            .next()
            .unwrap_or(LogLevel::Critical)
    }
}

/// Where log lines go. Without it, warnings and worse go to standard error.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Logging {
    /// In the order of their ids.
    pub sinks: Vec<LogSink>,
}

/// Most sinks of a server.
const SINKS_MAX: usize = 8;

impl Context for Logging {
    fn table() -> &'static Table<Self> {
        static TABLE: Table<Logging> = Table {
            doc: &["Where log lines go. Without it, warnings and worse go to standard error."],
            settings: &[],
            obsolete: &[] as &[Obsolete],
            children: &[&Console, &File, &Syslog],
        };
        &TABLE
    }
}

struct Console;
struct File;
struct Syslog;

fn read_sink(
    logging: &mut Logging,
    kind: Result<SinkKind, Fault>,
    line: &Line,
    path: &str,
    reader: &mut Reader<'_>,
) {
    let path = reader.join(path, &line.title());
    let mut sink = LogSink::default();
    match kind {
        Ok(_) if logging.sinks.len() >= SINKS_MAX => {
            reader.fail(line, bad_sink(line, Fault::TooMany(SINKS_MAX)));
        }
        Ok(kind) => sink.kind = kind,
        Err(fault) => reader.fail(line, bad_sink(line, fault)),
    }
    reader.read_block(&mut sink, line, &path);
    logging.sinks.push(sink);
}

fn bad_sink(line: &Line, fault: Fault) -> Reason {
    Reason::BadValue { name: line.name().into(), value: line.words.get(1).cloned(), fault }
}

impl Child<Logging> for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    fn read(&self, parent: &mut Logging, line: &Line, path: &str, reader: &mut Reader<'_>) {
        read_sink(parent, Ok(SinkKind::Console), line, path, reader);
    }

    fn outline(&self) -> Outline {
        sink_outline("console", Takes::Nothing, "Standard error as a log sink.")
    }
}

impl Child<Logging> for File {
    fn name(&self) -> &'static str {
        "file"
    }

    fn read(&self, parent: &mut Logging, line: &Line, path: &str, reader: &mut Reader<'_>) {
        let kind = match line.words.get(1) {
            Some(path) if path.starts_with('/') => Ok(SinkKind::File(path.clone())),
            Some(path) if path != "{" => Err(Fault::Other("needs an absolute path".into())),
            _ => Err(Fault::Missing),
        };
        read_sink(parent, kind, line, path, reader);
    }

    fn outline(&self) -> Outline {
        sink_outline("file", Takes::Path, "A file as a log sink, under its absolute path.")
    }
}

impl Child<Logging> for Syslog {
    fn name(&self) -> &'static str {
        "syslog"
    }

    fn read(&self, parent: &mut Logging, line: &Line, path: &str, reader: &mut Reader<'_>) {
        read_sink(parent, Ok(SinkKind::Syslog), line, path, reader);
    }

    fn outline(&self) -> Outline {
        sink_outline("syslog", Takes::Nothing, "The system's log as a log sink.")
    }
}

/// Only the rows that this kind of sink has.
fn sink_outline(name: &'static str, takes: Takes, doc: &str) -> Outline {
    let mut outline = outline::<LogSink>(name, takes, None, Support::Works);
    outline.doc = doc.into();
    outline
        .rows
        .retain(|row| row.spec.offered_in.is_empty() || row.spec.offered_in.contains(&name));
    outline
}
