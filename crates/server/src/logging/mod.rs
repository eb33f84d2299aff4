//! The log: sinks with a level for each context, lines in the form that the original's tools parse.
//!
//! Code logs through `tracing`, with the log context as the event's target. Levels correspond:
//! `ERROR` is CRITICAL, `TRACE` is DETAIL. Targets that are no context belong to `as`.

mod line;
mod sink;

use std::fmt;
use std::sync::Arc;

use config::{Config, LOG_CONTEXTS, LogLevel};
use node::host::Topic;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use line::{LineFormat, append_line};
use sink::Sink;

/// All sinks of the process.
pub struct Log {
    sinks: Vec<Sink>,
    format: LineFormat,
}

impl Log {
    /// Opens the configured sinks. Without any, warnings and worse go to standard error; with
    /// `verbose`, everything does.
    ///
    /// # Errors
    /// A log file that cannot be opened.
    pub fn open(config: &Config, verbose: bool) -> anyhow::Result<Arc<Self>> {
        let mut sinks = Vec::new();
        for configured in &config.logging.sinks {
            sinks.push(Sink::open(configured)?);
        }
        if sinks.is_empty() {
            let level = if verbose { LogLevel::Detail } else { LogLevel::Info };
            sinks.push(Sink::console(level));
        }
        let format = LineFormat {
            local_time: config.service.log_local_time,
            millis: config.service.log_millis,
        };
        Ok(Arc::new(Self { sinks, format }))
    }

    /// Makes this the log of the process. Only the first one counts.
    pub fn install(self: &Arc<Self>) {
        let layer = LogLayer(Arc::clone(self));
        // A second call (in tests) leaves the first log in place.
        let _ = tracing_subscriber::registry().with(layer).try_init();
    }

    /// Closes and opens log files again, so that they can be rotated.
    pub fn reopen(&self) {
        for sink in &self.sinks {
            if let Err(error) = sink.reopen() {
                tracing::warn!(target: "as", "cannot reopen log file {}: {error}", sink.name());
            }
        }
    }

    fn write(&self, context: usize, level: LogLevel, place: (&str, u32), text: &str) {
        if !self.sinks.iter().any(|sink| sink.takes(context, level)) {
            return;
        }
        let mut out = String::new();
        let name = LOG_CONTEXTS.get(context).copied().unwrap_or("as");
        let tail = append_line(&mut out, self.format, level, name, place, text);
        for sink in self.sinks.iter().filter(|sink| sink.takes(context, level)) {
            sink.write(level, &out, tail);
        }
    }
}

impl node::host::Log for Log {
    fn sinks(&self) -> Vec<String> {
        self.sinks.iter().map(|sink| sink.name().to_owned()).collect()
    }

    fn levels(&self, sink: usize) -> Option<Vec<LogLevel>> {
        Some(self.sinks.get(sink)?.levels())
    }

    fn set_level(&self, sink: usize, context: Option<usize>, level: LogLevel) -> bool {
        match self.sinks.get(sink) {
            Some(sink) => {
                sink.set_level(context, level);
                true
            }
            None => false,
        }
    }

    fn message(&self, text: &str) {
        tracing::info!(target: "info-command", "{text}");
    }

    fn tell(&self, topic: Topic, text: &str) {
        match topic {
            Topic::Clustering => tracing::info!(target: "clustering", "{text}"),
            Topic::ClusteringTrouble => tracing::warn!(target: "clustering", "{text}"),
            Topic::Partition => tracing::info!(target: "partition", "{text}"),
            Topic::PartitionTrouble => tracing::warn!(target: "partition", "{text}"),
            Topic::HealthTrouble => tracing::warn!(target: "health", "{text}"),
        }
    }
}

struct LogLayer(Arc<Log>);

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let file = metadata.file().or(text.file.as_deref()).unwrap_or("unknown");
        let file = file.rsplit('/').next().unwrap_or(file);
        let place = (file, metadata.line().unwrap_or(text.line));
        let (context, level) = (context_of(metadata.target()), level_of(*metadata.level()));
        self.0.write(context, level, place, &text.message);
    }
}

/// Number of the context that a target names.
fn context_of(target: &str) -> usize {
    let by_name = |name| LOG_CONTEXTS.iter().position(|context| *context == name);
    let module = if target.starts_with("server::net") { "service" } else { "as" };
    by_name(target).or_else(|| by_name(module)).unwrap_or(0)
}

fn level_of(level: Level) -> LogLevel {
    match level {
        Level::ERROR => LogLevel::Critical,
        Level::WARN => LogLevel::Warning,
        Level::INFO => LogLevel::Info,
        Level::DEBUG => LogLevel::Debug,
        Level::TRACE => LogLevel::Detail,
    }
}

/// The message of an event, then its other fields.
#[derive(Default)]
struct Text {
    message: String,
    /// Where it comes from, if it came through the `log` crate: such events tell it in fields.
    file: Option<String>,
    line: u32,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write;
        // Writing into a string cannot fail.
        let _ = match field.name() {
            "message" => {
                let rest = std::mem::take(&mut self.message);
                write!(self.message, "{value:?}{rest}")
            }
            name if name.starts_with("log.") => Ok(()),
            name => write!(self.message, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.file" => self.file = Some(value.to_owned()),
            _ => self.record_debug(field, &value),
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match field.name() {
            "log.line" => self.line = value as u32,
            _ => self.record_debug(field, &value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_name_contexts() {
        assert_eq!(LOG_CONTEXTS[context_of("nsup")], "nsup");
        assert_eq!(LOG_CONTEXTS[context_of("server::net::turn")], "service");
        assert_eq!(LOG_CONTEXTS[context_of("elsewhere")], "as");
    }
}
