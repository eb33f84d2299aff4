//! The `run` command: arguments of a load, and running it.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args;
use signal_hook::consts::SIGINT;

use super::{OutputArgs, resolve};
use crate::bins::Bins;
use crate::engine::{Arrivals, Job, Pace};
use crate::keys::{Distribution, KeySpace};
use crate::measure::Second;
use crate::procfs::Process;
use crate::report::{Report, Scenario, Target, text};
use crate::rounds::alternate;
use crate::workload::{Mix, OpKind, Workload};

/// Seconds of a run, and of a round of a comparison, unless given.
const RUN_SECONDS: f64 = 10.0;
const ROUND_SECONDS: f64 = 3.0;

/// Rounds of a comparison unless given.
const ROUNDS: usize = 7;

/// Arguments of a load.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub struct LoadArgs {
    /// Prints this help.
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    /// Server to load.
    #[arg(short = 'h', long, value_name = "HOST[:PORT]", default_value = "127.0.0.1")]
    host: String,
    /// Its port, unless the host names one.
    #[arg(short, long, default_value_t = 3000)]
    port: u16,
    /// Process of the server; found by itself if the server is on this machine and one's own.
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// Second server, loaded in turns with the first; the ratio is told.
    #[arg(long, value_name = "HOST:PORT")]
    vs: Option<String>,
    /// Process of the second server.
    #[arg(long, value_name = "PID", requires = "vs")]
    vs_pid: Option<u32>,
    /// How often the servers take turns; one time, or 7 times with --vs.
    #[arg(long)]
    rounds: Option<usize>,

    #[command(flatten)]
    what: WorkloadArgs,
    #[command(flatten)]
    how: PaceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// Which requests are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
struct WorkloadArgs {
    /// Kinds of operations: I (insert), RU,90 (read 90 %, update the rest), RUD,80,15, or a list such
    /// as read=70,operate=30 of insert, read, exists, update, modify, operate, touch, delete,
    /// batch-read.
    #[arg(short, long, default_value = "RU,50", value_parser = parse::<Mix>)]
    workload: Mix,
    /// Namespace.
    #[arg(short, long, default_value = "test")]
    namespace: String,
    /// Set; empty for none.
    #[arg(short, long, default_value = "testset")]
    set: String,
    /// Number of keys.
    #[arg(short, long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Lowest key.
    #[arg(short = 'K', long, default_value_t = 1)]
    start_key: u64,
    /// Draws keys with a Zipfian distribution of this exponent, such as 0.99, instead of uniformly.
    #[arg(long, value_name = "THETA", value_parser = parse_positive)]
    zipf: Option<f64>,
    /// Bins of a record, as in I,S20,3*B100: an integer, a text of 20 bytes, three blobs of 100.
    #[arg(short = 'o', long, default_value = "B100", value_parser = parse::<Bins>)]
    bins: Bins,
    /// Writes the same content every time instead of random content.
    #[arg(long)]
    fixed_content: bool,
    /// Keys in a batch.
    #[arg(long, default_value_t = 100, value_parser = parse_count)]
    batch_size: usize,
    /// Time to live of written records in seconds; 0 for the namespace's default, -1 for ever, -2 to
    /// leave it as it is.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    ttl: i32,
    /// Sends the key along with writes, to be stored.
    #[arg(long)]
    send_key: bool,
    /// Time after which the server gives up a request, in ms; 0 for its default.
    #[arg(long, default_value_t = 0)]
    timeout_ms: u32,
    /// Inserts all keys first.
    #[arg(long)]
    fill: bool,
    /// Equal seeds draw equal sequences.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// How they are sent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct PaceArgs {
    /// Connections.
    #[arg(short, long, default_value_t = 16, value_parser = parse_count)]
    connections: usize,
    /// Threads that share the connections.
    #[arg(short = 'z', long, default_value_t = 1, value_parser = parse_count)]
    threads: usize,
    /// Requests in flight on one connection.
    #[arg(short, long, default_value_t = 1, value_parser = parse_count)]
    depth: usize,
    /// Operations per second, however fast answers come; latencies count from the intended start.
    /// Without it every connection sends when it has got its answer.
    #[arg(short = 'g', long, value_name = "OPS", value_parser = parse_positive)]
    throughput: Option<f64>,
    /// Spreads the operations of a fixed rate as independent users would, instead of evenly.
    #[arg(long, requires = "throughput")]
    poisson: bool,
    /// Without --throughput: counts waits longer than this as all the operations that would have been
    /// started at this interval meanwhile.
    #[arg(long, value_name = "MICROSECONDS", conflicts_with = "throughput", value_parser = parse_positive)]
    expected_interval_us: Option<f64>,
    /// Seconds, of one round if there are several. Without --operations 10, or 3 with --vs; inserts
    /// end when all keys are written.
    #[arg(short = 't', long, value_name = "SECONDS", value_parser = parse_positive)]
    duration: Option<f64>,
    /// Ends after so many operations.
    #[arg(long)]
    operations: Option<u64>,
    /// Seconds before measuring begins.
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = parse_seconds)]
    warm_up: f64,
    /// Cores to keep the threads on, in turn, as in 1,2.
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    pin: Vec<usize>,
}

impl LoadArgs {
    /// Runs the load and tells the results.
    pub fn run(&self) -> anyhow::Result<()> {
        let jobs_and_targets = self.jobs()?;
        let (jobs, targets): (Vec<Job>, Vec<Target>) = jobs_and_targets.into_iter().unzip();
        let rounds = self.rounds.unwrap_or(if self.vs.is_some() { ROUNDS } else { 1 });
        ensure!(rounds >= 1, "at least one round is needed");
        let progress = |index: usize, second: &Second| {
            if !self.output.quiet
                && let Some(target) = targets.get(index)
            {
                println!("{}", text::progress(&target.label, second));
            }
        };
        let mut random = fastrand::Rng::with_seed(self.what.seed);
        if self.what.fill {
            let fills: Vec<Job> = jobs.iter().map(fill).collect();
            let filled = alternate(&fills, 1, &mut random, &mut |index, second| {
                progress(index, second);
            })?;
            let failed: u64 = filled.iter().flatten().map(|fill| fill.metrics.errors()).sum();
            ensure!(failed == 0, "{failed} inserts of --fill failed");
        }
        let measurements = alternate(&jobs, rounds, &mut random, &mut |index, second| {
            progress(index, second);
        })?;
        let measured: Vec<_> = targets.iter().cloned().zip(measurements).collect();
        let mut report = Report::new();
        let name = self.what.workload.to_string();
        report.scenarios.push(Scenario::new(name, self.settings(), &measured));
        self.output.finish(&report)
    }

    /// One job a server.
    fn jobs(&self) -> anyhow::Result<Vec<(Job, Target)>> {
        let how = &self.how;
        ensure!(how.threads <= how.connections, "more threads than connections");
        ensure!(!self.what.namespace.is_empty(), "no namespace");
        let workload = Arc::new(self.what.workload());
        let is_insert = workload.mix.is_insert();
        ensure!(!(is_insert && self.what.fill), "--fill inserts already");
        let operations = how.operations.or(is_insert.then_some(workload.keys.count()));
        let default_s = if self.vs.is_some() { ROUND_SECONDS } else { RUN_SECONDS };
        let duration_s = how.duration.or(operations.is_none().then_some(default_s));
        let mut servers = vec![(self.host.as_str(), self.port, self.server_pid)];
        servers.extend(self.vs.as_deref().map(|vs| (vs, self.port, self.vs_pid)));
        let several = servers.len() > 1;
        let interrupt = interrupt_flag()?;
        let jobs = servers.into_iter().map(|(host, port, pid)| {
            let server = resolve(host, port)?;
            let process = match pid {
                Some(pid) => Some(Process { pid }),
                None => Process::listening_on(server),
            };
            let job = Job {
                server,
                process,
                workload: workload.clone(),
                pace: how.pace(),
                connections: how.connections,
                threads: how.threads,
                depth: how.depth,
                duration: duration_s.map(Duration::from_secs_f64),
                operations,
                warm_up: Duration::from_secs_f64(how.warm_up),
                cores: how.pin.clone(),
                interrupt: interrupt.clone(),
            };
            let label = if several { server.to_string() } else { "server".to_owned() };
            Ok((job, Target { label, address: server }))
        });
        jobs.collect()
    }

    fn settings(&self) -> Vec<(String, String)> {
        let (what, how) = (&self.what, &self.how);
        let keys = match what.zipf {
            None => format!("{} uniform", text::thousands(what.keys as f64)),
            Some(theta) => format!("{} zipf {theta}", text::thousands(what.keys as f64)),
        };
        let mut settings = vec![
            ("keys", keys),
            ("bins", what.bins.to_string()),
            ("connections", how.connections.to_string()),
            ("in flight each", how.depth.to_string()),
            ("threads", how.threads.to_string()),
        ];
        if what.workload.kinds().any(|kind| kind == OpKind::BatchRead) {
            settings.push(("keys in a batch", what.batch_size.to_string()));
        }
        settings.push(match (how.throughput, how.expected_interval_us) {
            (Some(rate), _) => ("rate", format!("{}/s", text::thousands(rate))),
            (None, Some(us)) => ("closed loop, expected interval", text::time(us)),
            (None, None) => ("closed loop", "uncorrected".to_owned()),
        });
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// A flag that the first interrupt from the keyboard sets; the second one ends the process.
fn interrupt_flag() -> anyhow::Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    // In this order: the first interrupt finds the flag still clear.
    signal_hook::flag::register_conditional_default(SIGINT, flag.clone())?;
    signal_hook::flag::register(SIGINT, flag.clone())?;
    Ok(flag)
}

/// The job that inserts what another one works on.
pub fn fill(job: &Job) -> Job {
    let workload = Workload { mix: Mix::only(OpKind::Insert), ..job.workload.as_ref().clone() };
    Job {
        operations: Some(workload.keys.count()),
        workload: Arc::new(workload),
        pace: Pace::Closed { expected_interval: None },
        depth: job.depth.max(8),
        duration: None,
        warm_up: Duration::ZERO,
        ..job.clone()
    }
}

impl WorkloadArgs {
    fn workload(&self) -> Workload {
        Workload {
            namespace: self.namespace.clone(),
            keys: KeySpace::new(&self.set, self.start_key, self.keys),
            distribution: self
                .zipf
                .map_or(Distribution::Uniform, |theta| Distribution::Zipf { theta }),
            bins: self.bins.clone(),
            fixed_content: self.fixed_content,
            mix: self.workload.clone(),
            batch_size: self.batch_size,
            // The wire has the special values as the highest numbers.
            record_ttl: self.ttl.cast_unsigned(),
            send_key: self.send_key,
            transaction_ttl_ms: self.timeout_ms,
            seed: self.seed,
        }
    }
}

impl PaceArgs {
    fn pace(&self) -> Pace {
        match self.throughput {
            Some(ops_per_s) => {
                let arrivals = if self.poisson { Arrivals::Poisson } else { Arrivals::Even };
                Pace::Fixed { ops_per_s, arrivals }
            }
            None => {
                let interval =
                    self.expected_interval_us.map(|us| Duration::from_secs_f64(us / 1e6));
                Pace::Closed { expected_interval: interval }
            }
        }
    }
}

fn parse<T: std::str::FromStr<Err = anyhow::Error>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: anyhow::Error| format!("{error:#}"))
}

pub fn parse_positive(text: &str) -> Result<f64, String> {
    let number = parse_seconds(text)?;
    if number > 0.0 { Ok(number) } else { Err("it must be above zero".into()) }
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().context("not a number").map_err(|error| error.to_string())?;
    // A billion seconds: further than any run, and far from what durations overflow at.
    if (0.0..=1e9).contains(&number) { Ok(number) } else { Err("out of range".into()) }
}

/// A number of things that each take memory.
fn parse_count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(count) if (1..=100_000).contains(&count) => Ok(count),
        _ => Err("it must be 1 to 100000".into()),
    }
}
