//! What is told about runs: one tree of plain data that the terminal, JSON and HTML all show.

mod chart;
pub mod figures;
pub mod html;
pub mod text;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use hdrhistogram::Histogram;
use serde::Serialize;

use self::figures::Figure;
use crate::measure::{Latency, Measurement, Second};
use crate::metrics::KindMetrics;
use crate::procfs::Memory;
use crate::workload::OpKind;

/// Everything about one call of the tool.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this tool.
    pub version: &'static str,
    /// The command line.
    pub command: String,
    /// When it began, in seconds since 1970.
    pub started_unix_s: u64,
    /// Where it ran.
    pub machine: Machine,
    /// The loads, in order.
    pub scenarios: Vec<Scenario>,
    /// Memory that records took.
    pub footprints: Vec<Footprint>,
    /// Starts from devices.
    pub starts: Vec<StartReport>,
    /// What touches many records, and functions.
    pub queries: Vec<QueryReport>,
    /// What several nodes do together.
    pub cluster: Vec<Figure>,
}

impl Report {
    /// One without results yet, for the process as it was called.
    pub fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self {
            version: env!("CARGO_PKG_VERSION"),
            command: std::env::args().collect::<Vec<_>>().join(" "),
            started_unix_s: now.map_or(0, |time| time.as_secs()),
            machine: Machine::this(),
            scenarios: Vec::new(),
            footprints: Vec::new(),
            starts: Vec::new(),
            queries: Vec::new(),
            cluster: Vec::new(),
        }
    }
}

/// The machine of the load generator.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// Model of its processor.
    pub processor: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// Release of its kernel.
    pub kernel: String,
}

impl Machine {
    fn this() -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
        let processor = model.map_or("unknown", |text| text.trim_start_matches([' ', '\t', ':']));
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Self {
            processor: processor.to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: release.trim().to_owned(),
        }
    }
}

/// One load on one or several servers.
#[derive(Clone, Debug, Serialize)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// Its settings, as names and values.
    pub settings: Vec<(String, String)>,
    /// What each server did.
    pub targets: Vec<TargetReport>,
    /// The first server against each of the others.
    pub comparisons: Vec<Comparison>,
    /// What else there is to know, in sentences.
    pub notes: Vec<String>,
}

impl Scenario {
    /// From the measurements of each target, which all had as many rounds.
    pub fn new(
        name: impl Into<String>,
        settings: Vec<(String, String)>,
        targets: &[(Target, Vec<Measurement>)],
    ) -> Self {
        let comparisons = match targets {
            [first, others @ ..] => {
                others.iter().map(|other| Comparison::new(first, other)).collect()
            }
            [] => Vec::new(),
        };
        let targets = targets.iter().map(|(target, rounds)| TargetReport::new(target, rounds));
        let targets = targets.collect();
        Self { name: name.into(), settings, targets, comparisons, notes: Vec::new() }
    }
}

/// A server.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is called in reports.
    pub label: String,
    /// Where it is.
    pub address: SocketAddr,
}

/// A number that was measured several times.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Spread {
    /// Of some numbers; `None` if there are none.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let (low, high) = (sorted.get((sorted.len() - 1) / 2)?, sorted.get(sorted.len() / 2)?);
        Some(Self { median: (low + high) / 2.0, min, max })
    }
}

/// What one server did under one load.
#[derive(Clone, Debug, Serialize)]
pub struct TargetReport {
    /// What it is called.
    pub label: String,
    /// Where it is.
    pub address: String,
    /// Time measured, in seconds.
    pub seconds: f64,
    /// Operations answered.
    pub ops: u64,
    /// Records that the operations without an error were about.
    pub rows: u64,
    /// Operations that failed; "not found" is no failure.
    pub errors: u64,
    /// Operations of a fixed rate's schedule that were never started.
    pub unstarted: u64,
    /// Operations per second, over the rounds.
    pub ops_per_s: Option<Spread>,
    /// Records per second, over the rounds.
    pub rows_per_s: Option<Spread>,
    /// The server's side, if its process is known.
    pub server: Option<ServerReport>,
    /// CPU time of the load generator per operation in µs: user and system.
    pub load_us_per_op: Option<(f64, f64)>,
    /// Latency of all operations.
    pub latency: Latency,
    /// Latency by percentile, see [`curve`].
    pub curve: Vec<(f64, f64)>,
    /// By kind of operation.
    pub kinds: Vec<KindReport>,
    /// Second by second.
    pub timeline: Vec<Second>,
}

impl TargetReport {
    fn new(target: &Target, rounds: &[Measurement]) -> Self {
        let mut all = Measurement::default();
        rounds.iter().for_each(|round| all.add(round));
        let latency_ns = all.metrics.latency_ns();
        Self {
            label: target.label.clone(),
            address: target.address.to_string(),
            seconds: all.time.as_secs_f64(),
            ops: all.metrics.ops(),
            rows: all.metrics.row_count(),
            errors: all.metrics.errors(),
            unstarted: all.unstarted,
            ops_per_s: Spread::of(rounds.iter().map(Measurement::ops_per_s)),
            rows_per_s: Spread::of(rounds.iter().map(Measurement::rows_per_s)),
            server: ServerReport::new(&all, rounds),
            load_us_per_op: all.load_us_per_op(),
            latency: Latency::of(&latency_ns),
            curve: curve(&latency_ns),
            kinds: all.metrics.kinds().map(|(kind, it)| KindReport::new(kind, it)).collect(),
            timeline: all.timeline,
        }
    }
}

/// What a server's process used.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ServerReport {
    /// CPU time per operation in the program, in µs, over the rounds.
    pub user_us_per_op: Spread,
    /// CPU time per operation in the kernel, in µs, over the rounds.
    pub system_us_per_op: Spread,
    /// Both together.
    pub us_per_op: Spread,
    /// Operations per second of its CPU time, over the rounds.
    pub ops_per_cpu_s: Spread,
    /// Memory at the end.
    pub memory: Option<Memory>,
}

impl ServerReport {
    fn new(all: &Measurement, rounds: &[Measurement]) -> Option<Self> {
        let times: Vec<(f64, f64)> =
            rounds.iter().filter_map(Measurement::server_us_per_op).collect();
        Some(Self {
            user_us_per_op: Spread::of(times.iter().map(|(user, _)| *user))?,
            system_us_per_op: Spread::of(times.iter().map(|(_, system)| *system))?,
            us_per_op: Spread::of(times.iter().map(|(user, system)| user + system))?,
            ops_per_cpu_s: Spread::of(rounds.iter().filter_map(Measurement::ops_per_server_cpu_s))?,
            memory: all.memory,
        })
    }
}

/// What became of the operations of one kind.
#[derive(Clone, Debug, Serialize)]
pub struct KindReport {
    /// The kind.
    pub kind: OpKind,
    /// Operations answered.
    pub ops: u64,
    /// Records that the operations without an error were about.
    pub rows: u64,
    /// Operations that failed.
    pub errors: u64,
    /// Operations whose answer never came.
    pub lost: u64,
    /// How long they took.
    pub latency: Latency,
    /// How often each result came.
    pub results: Vec<(String, u64)>,
}

impl KindReport {
    fn new(kind: OpKind, metrics: &KindMetrics) -> Self {
        Self {
            kind,
            ops: metrics.ops(),
            rows: metrics.rows,
            errors: metrics.errors(),
            lost: metrics.lost,
            latency: Latency::of(&metrics.latency_ns),
            results: metrics.results().map(|(code, count)| (format!("{code:?}"), count)).collect(),
        }
    }
}

/// One server against another under the same load.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// The one.
    pub first: String,
    /// The other.
    pub second: String,
    /// By measure.
    pub ratios: Vec<Ratio>,
}

/// One measure of two servers.
#[derive(Clone, Debug, Serialize)]
pub struct Ratio {
    /// What was measured.
    pub measure: &'static str,
    /// Whether more of it is better.
    pub more_is_better: bool,
    /// The first server's, over the rounds.
    pub first: Spread,
    /// The second server's, over the rounds.
    pub second: Spread,
    /// First by second, over the rounds.
    pub ratio: Spread,
}

/// A number taken from one round.
type Measure = fn(&Measurement) -> Option<f64>;

/// What is compared: name, whether more is better, the number.
const MEASURES: [(&str, bool, Measure); 7] = [
    ("operations/s", true, |round| Some(round.ops_per_s())),
    ("operations/server-CPU-s", true, Measurement::ops_per_server_cpu_s),
    ("server user µs/op", false, |round| round.server_us_per_op().map(|(user, _)| user)),
    ("server system µs/op", false, |round| round.server_us_per_op().map(|(_, system)| system)),
    ("p50 µs", false, |round| Some(latency(round).p50_us)),
    ("p99 µs", false, |round| Some(latency(round).p99_us)),
    ("p99.9 µs", false, |round| Some(latency(round).p999_us)),
];

fn latency(round: &Measurement) -> Latency {
    Latency::of(&round.metrics.latency_ns())
}

impl Comparison {
    fn new(first: &(Target, Vec<Measurement>), second: &(Target, Vec<Measurement>)) -> Self {
        let ratios = MEASURES.iter().filter_map(|&(measure, more_is_better, number)| {
            let pairs: Vec<(f64, f64)> = std::iter::zip(&first.1, &second.1)
                .filter_map(|(a, b)| number(a).zip(number(b)))
                .collect();
            Some(Ratio {
                measure,
                more_is_better,
                first: Spread::of(pairs.iter().map(|(a, _)| *a))?,
                second: Spread::of(pairs.iter().map(|(_, b)| *b))?,
                ratio: Spread::of(pairs.iter().filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b))?,
            })
        });
        Self {
            first: first.0.label.clone(),
            second: second.0.label.clone(),
            ratios: ratios.collect(),
        }
    }

    /// The ratio of one measure, by its name.
    pub fn ratio(&self, measure: &str) -> Option<&Ratio> {
        self.ratios.iter().find(|ratio| ratio.measure == measure)
    }
}

/// Memory that a server took for records.
#[derive(Clone, Debug, Serialize)]
pub struct Footprint {
    /// The server.
    pub label: String,
    /// Records inserted.
    pub records: u64,
    /// Bytes of their values.
    pub value_bytes_per_record: f64,
    /// Growth of the process's resident memory per record, in bytes.
    pub rss_bytes_per_record: Option<f64>,
    /// Growth of the statistic `index_used_bytes` per record.
    pub index_bytes_per_record: Option<f64>,
    /// Growth of the statistic `data_used_bytes` per record.
    pub data_bytes_per_record: Option<f64>,
}

/// How a server came back with what is on its device.
#[derive(Clone, Debug, Serialize)]
pub struct StartReport {
    /// Cold or warm.
    pub way: String,
    /// Records that came back.
    pub records: u64,
    /// Bytes that were read for it from the device, as the server says.
    pub bytes: u64,
    /// How long that took, as the server says, in ms.
    pub took_ms: Spread,
    /// From the start of the process until it was up, in ms.
    pub ready_ms: Spread,
    /// CPU time of the process until it was up, in ms.
    pub cpu_ms: Spread,
    /// How long reading as many bytes of the file took, one after the other, in ms; nothing if there
    /// were none.
    pub plain_ms: Option<Spread>,
}

/// How long something takes, one after the other, for each record or request.
#[derive(Clone, Debug, Serialize)]
pub struct QueryReport {
    /// What.
    pub name: String,
    /// Time in µs.
    pub took_us: Spread,
    /// CPU time of the server in µs.
    pub cpu_us: Spread,
}

impl QueryReport {
    /// One of these rounds; `None` if there are none.
    pub fn of(name: &str, took_us: Vec<f64>, cpu_us: Vec<f64>) -> Option<Self> {
        let (took_us, cpu_us) = (Spread::of(took_us)?, Spread::of(cpu_us)?);
        Some(Self { name: name.into(), took_us, cpu_us })
    }
}

/// Points in each factor of ten of a percentile curve.
const CURVE_STEPS: u32 = 10;

/// Latency in µs by percentile: pairs of "nines" and µs, where 1 nine is the 90th percentile and 3
/// nines the 99.9th, up to the greatest value.
fn curve(latency_ns: &Histogram<u64>) -> Vec<(f64, f64)> {
    let count = latency_ns.len();
    if count == 0 {
        return Vec::new();
    }
    let nines_max = (count as f64).log10();
    let steps = (0..).map(|step| f64::from(step) / f64::from(CURVE_STEPS));
    let mut points: Vec<(f64, f64)> = steps
        .take_while(|nines| *nines < nines_max)
        .map(|nines| (nines, latency_ns.value_at_quantile(1.0 - 10_f64.powf(-nines)) as f64 / 1e3))
        .collect();
    points.push((nines_max, latency_ns.max() as f64 / 1e3));
    points
}
