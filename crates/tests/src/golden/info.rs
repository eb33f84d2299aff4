//! What of an info reply is comparable between two servers.
//!
//! Each norm turns the text of a reply into something that must be equal; what names the machine,
//! the process or the moment is left out. Errors are compared as they are.

use std::sync::LazyLock;

use regex::Regex;

/// How one info reply is made comparable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoNorm {
    /// Names of `key=value` items, in order.
    Keys,
    /// Names of `key=value` items, as a set.
    KeySet,
    /// Items of the configuration, without values that name this machine.
    Config,
    /// Only that there is some value, and whether it is an error.
    Presence,
    /// Numbers and ids replaced.
    Digits,
    /// A node id or cluster key.
    Node,
    /// Records of `key=value` pairs, without volatile values.
    Records,
    /// One set's statistics, without volatile values.
    Set,
    /// All sets: only the names of their fields.
    SetKeys,
    /// Names of latency histograms.
    Latencies,
    /// The partition table, without counts and cluster keys.
    PartitionInfo,
    /// Modules of replicated metadata with the names of their fields.
    MetadataInfo,
    /// Log contexts without their levels.
    Log,
    /// Names of the fields of a record's description.
    DebugRecord,
    /// Only the commands of a summary.
    Summary,
    /// The head of a size or TTL histogram.
    Histogram,
    /// Ids of log sinks.
    Sinks,
    /// Secondary indexes that the recorded case made.
    IndexList,
    /// UDF modules that the recorded case made.
    UdfList,
}

/// Values that differ between two runs of the same records.
const VOLATILE_RECORD_VALUES: &[&str] = &[
    "data_used_bytes",
    "truncate_lut",
    "run-time",
    "time-since-done",
    "net-io-time",
    "from",
    "trid",
    "recs-throttled",
    "net-io-bytes",
];
const VOLATILE_SET_VALUES: &[&str] = &["data_used_bytes", "truncate_lut"];

/// Every name that the cases make has this mark, so that lists can be told apart.
const MARK: &str = "yi_";

impl InfoNorm {
    /// By its name in the recorded file.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "keys" => Self::Keys,
            "keyset" => Self::KeySet,
            "config" => Self::Config,
            "presence" => Self::Presence,
            "digits" => Self::Digits,
            "node" => Self::Node,
            "records" => Self::Records,
            "set" => Self::Set,
            "setkeys" => Self::SetKeys,
            "lat" => Self::Latencies,
            "pinfo" => Self::PartitionInfo,
            "smdinfo" => Self::MetadataInfo,
            "log" => Self::Log,
            "debug" => Self::DebugRecord,
            "summary" => Self::Summary,
            "hist" => Self::Histogram,
            "sinks" => Self::Sinks,
            "sindexlist" => Self::IndexList,
            "udflist" => Self::UdfList,
            _ => return None,
        })
    }

    /// The comparable part of a reply's text, as lines.
    pub fn comparable(self, text: &str) -> Vec<String> {
        if self == Self::Summary {
            return text.split('\n').map(|line| before(line, '\t').to_owned()).collect();
        }
        let (command, value) = split_reply(text);
        let mut lines = vec![command.to_owned()];
        if value.starts_with("ERROR") && self.keeps_errors() {
            lines.push(text.to_owned());
        } else {
            self.push_comparable(value, &mut lines);
        }
        lines
    }

    /// Whether an error is compared as a whole rather than like a value.
    fn keeps_errors(self) -> bool {
        matches!(
            self,
            Self::Keys
                | Self::KeySet
                | Self::Config
                | Self::Records
                | Self::Latencies
                | Self::Log
                | Self::DebugRecord
                | Self::Histogram
        )
    }

    fn push_comparable(self, value: &str, lines: &mut Vec<String>) {
        match self {
            Self::Keys => lines.extend(items(value).map(|(key, _)| key.to_owned())),
            Self::KeySet => {
                let mut keys = sorted(items(value).map(|(key, _)| key.to_owned()));
                keys.dedup();
                lines.extend(keys);
            }
            Self::Config => lines.extend(sorted(items(value).map(config_item))),
            Self::Presence => lines.push(format!("{} {}", !value.is_empty(), is_error(value))),
            Self::Digits => lines.push(NUMBERS.replace_all(value, "#").into_owned()),
            Self::Node => lines.push(node(value)),
            Self::Records => {
                lines.extend(value.split(';').map(|row| pairs(row, VOLATILE_RECORD_VALUES)));
            }
            Self::Set => lines.push(pairs(value.trim_end_matches(';'), VOLATILE_SET_VALUES)),
            Self::SetKeys => lines.extend(set_keys(value)),
            Self::Latencies => lines.extend(names(value.split(';'), ':')),
            Self::PartitionInfo => lines.extend(partition_rows(value)),
            Self::MetadataInfo => {
                lines.extend(value.trim_end_matches(';').split(';').map(metadata_module));
            }
            Self::Log | Self::Sinks => lines.extend(names(value.split(';'), ':')),
            Self::DebugRecord => {
                lines.extend(FIELD_NAMES.captures_iter(value).map(|name| name[1].to_owned()));
            }
            Self::Summary => lines.push(value.to_owned()),
            Self::Histogram => lines.extend(histogram_head(value)),
            Self::IndexList => lines.extend(index_list(value)),
            Self::UdfList => lines.extend(marked(value, MARK)),
        }
    }
}

/// Names of settings whose values belong to one machine or one process.
static VOLATILE_SETTING: LazyLock<Regex> = LazyLock::new(|| {
    pattern(concat!(
        r"^(node-id.*|cluster-name|pidfile|work-directory|user|group|user-path|.*port|.*address.*",
        r"|.*mesh.*|file.*|.*\.file.*|.*path.*|.*\.(addresses|host)|vault.*|feature-key-file.*",
        r"|.*host.*|storage-engine\.data-size|.*-fd-.*|service-threads)$",
    ))
});

static NUMBERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"[0-9A-Fa-f]{12,}|\b[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*\b"));
static FIELD_NAMES: LazyLock<Regex> = LazyLock::new(|| pattern(r"([a-z][a-z0-9-]*)="));
static LEADING_HEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[0-9a-f]+"));
static NODE_ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"^[0-9A-F]{1,16}$"));
static INDEX_STATE: LazyLock<Regex> = LazyLock::new(|| pattern(r":state=(RW|WO)"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("patterns of this module are valid")
}

/// The command as echoed, and its value.
fn split_reply(text: &str) -> (&str, &str) {
    let line = text.trim_end_matches('\n');
    line.split_once('\t').unwrap_or((line, ""))
}

fn is_error(value: &str) -> bool {
    value.starts_with("ERROR")
}

fn before(text: &str, delimiter: char) -> &str {
    text.split_once(delimiter).map_or(text, |(before, _)| before)
}

/// Key and value; the value is empty when there is no `=`.
fn pair(text: &str) -> (&str, &str) {
    text.split_once('=').unwrap_or((text, ""))
}

fn items(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(';').filter(|item| !item.is_empty()).map(pair)
}

fn sorted(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<_> = lines.collect();
    lines.sort();
    lines
}

fn names<'a>(
    parts: impl Iterator<Item = &'a str>,
    delimiter: char,
) -> impl Iterator<Item = String> {
    parts.map(move |part| before(part, delimiter).to_owned())
}

fn config_item((key, value): (&str, &str)) -> String {
    let value = if VOLATILE_SETTING.is_match(key) { "*" } else { value };
    format!("{key}={value}")
}

fn node(value: &str) -> String {
    if NODE_ID.is_match(value) { "hex".to_owned() } else { value.to_owned() }
}

fn pairs(row: &str, volatile: &[&str]) -> String {
    let comparable = row.split(':').map(pair).map(|(key, value)| {
        let value = if volatile.contains(&key) { "*" } else { value };
        format!("{key}={value}")
    });
    comparable.collect::<Vec<_>>().join(":")
}

fn set_keys(value: &str) -> Vec<String> {
    if !value.contains('=') {
        return vec![value.to_owned()];
    }
    let keys_of = |row: &str| names(row.split(':'), '=').collect::<Vec<_>>().join(":");
    let mut lines = sorted(value.trim_end_matches(';').split(';').map(keys_of));
    lines.dedup();
    lines.push(format!("closed: {}", value.ends_with(';')));
    lines
}

/// Columns 6 and 7 are node ids; the version column begins with the cluster key.
fn partition_rows(value: &str) -> Vec<String> {
    let mut rows = value.split(';').map(str::to_owned);
    let header = rows.next().unwrap_or_default();
    let rows = rows.map(|row| {
        let columns: Vec<&str> = row.split(':').collect();
        let head = columns.iter().take(11).enumerate();
        let head: Vec<&str> =
            head.map(|(index, column)| if matches!(index, 6 | 7) { "*" } else { column }).collect();
        let version = columns.get(14).filter(|_| columns.len() > 15);
        let version = version.map(|version| LEADING_HEX.replace(version, "key"));
        format!("{} {} {}", columns.len(), head.join(":"), version.unwrap_or_default())
    });
    std::iter::once(header).chain(rows).collect()
}

fn metadata_module(module: &str) -> String {
    let (name, fields) = module.split_once(':').unwrap_or((module, ""));
    let fields: Vec<_> = names(fields.split(','), '=').collect();
    format!("{name}:{}", fields.join(","))
}

fn histogram_head(value: &str) -> Vec<String> {
    if value.is_empty() {
        return vec![String::new()];
    }
    let part = |part: &str| match part.split_once('=') {
        Some((key, _)) => key.to_owned(),
        None => "bucket".to_owned(),
    };
    value.split(':').take(3).map(part).collect()
}

fn index_list(value: &str) -> Vec<String> {
    let made = marked(value, &format!("indexname={MARK}"));
    sorted(made.iter().map(|index| INDEX_STATE.replace_all(index, "").into_owned()))
}

fn marked(value: &str, mark: &str) -> Vec<String> {
    sorted(value.split(';').filter(|item| item.contains(mark)).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equal(norm: InfoNorm, a: &str, b: &str) -> bool {
        norm.comparable(a) == norm.comparable(b)
    }

    #[test]
    fn keys_are_compared_without_values() {
        let norm = InfoNorm::Keys;
        assert!(equal(norm, "statistics\ta=1;b=2\n", "statistics\ta=9;b=7\n"));
        assert!(!equal(norm, "statistics\ta=1;b=2\n", "statistics\tb=1;a=2\n"));
        assert!(equal(InfoNorm::KeySet, "x\ta=1;b=2\n", "x\tb=1;a=2\n"));
        assert!(!equal(norm, "x\tERROR:4:a\n", "x\tERROR:4:b\n"));
    }

    #[test]
    fn settings_of_the_machine_are_left_out() {
        let norm = InfoNorm::Config;
        assert!(equal(norm, "c\tservice.port=3000;a=1\n", "c\ta=1;service.port=3100\n"));
        assert!(!equal(norm, "c\tdefault-ttl=0\n", "c\tdefault-ttl=1\n"));
    }

    #[test]
    fn numbers_and_ids_are_replaced() {
        let norm = InfoNorm::Digits;
        assert!(equal(norm, "mesh\t127.0.0.1:3402\n", "mesh\t10.2.0.1:3002\n"));
        assert!(!equal(norm, "mesh\t127.0.0.1:3402\n", "mesh\tlocalhost:3402\n"));
        assert!(equal(InfoNorm::Node, "node\tBB9\n", "node\tA1\n"));
        assert!(!equal(InfoNorm::Node, "node\tbb9\n", "node\tA1\n"));
    }

    #[test]
    fn sets_are_compared_without_sizes() {
        let (a, b) =
            ("sets\tobjects=1:data_used_bytes=64;\n", "sets\tobjects=1:data_used_bytes=9;\n");
        assert!(equal(InfoNorm::Set, a, b));
        assert!(!equal(InfoNorm::Set, a, "sets\tobjects=2:data_used_bytes=64;\n"));
        assert!(equal(InfoNorm::SetKeys, "sets\ta=1:b=2;a=3:b=4;\n", "sets\ta=5:b=6;\n"));
        assert!(!equal(InfoNorm::SetKeys, "sets\ta=1:b=2;\n", "sets\ta=1:b=2\n"));
    }

    #[test]
    fn the_partition_table_keeps_its_states() {
        let row = |state: &str, node: &str, key: &str| {
            format!(
                "partition-info\th;test:0:{state}:1:0:0:{node}:{node}:0:0:0:5:0:0:{key}.0.mp-:f\n"
            )
        };
        let norm = InfoNorm::PartitionInfo;
        assert!(equal(norm, &row("S", "A1", "b7f69397187e"), &row("S", "BB9", "0123456789ab")));
        assert!(!equal(norm, &row("S", "A1", "b7"), &row("A", "A1", "b7")));
    }
}
