//! The fixed set of loads that this project judges itself by.
//!
//! The database runs on one core and the load on another; the echo server, on the same event loop and
//! with replies of the same size, takes turns with it. What the database keeps of the echo server's
//! operations per second of server CPU time is how near it is to the ceiling of the machine.
//!
//! What namespaces on devices do is in `devices.rs`, what several nodes do together in `cluster.rs`.

mod cluster;
mod devices;
mod queries;
mod raw;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Args;
use wire::client::Reply;
use wire::{Info3, ProtoHeader};

use self::cluster::{CLUSTER, ClusterArgs};
use self::devices::{DeviceArgs, DeviceLoad};
use self::queries::QUERIES;
use crate::bins::Bins;
use crate::children::ServerProcess;
use crate::cli::{OutputArgs, fill};
use crate::engine::{self, Job, Pace};
use crate::info::namespace_statistics;
use crate::keys::{Distribution, KeySpace};
use crate::report::{Footprint, Report, Scenario, Target, text};
use crate::rounds::alternate;
use crate::workload::{Generator, Mix, OpKind, Workload};

/// Namespace of all loads.
const NAMESPACE: &str = "test";

/// Set of all loads.
const SET: &str = "testset";

/// Bins of all loads: a value of 100 bytes.
const BINS: &str = "B100";

/// Keys in a batch.
const BATCH_SIZE: usize = 100;

/// One load of the suite.
struct Load {
    name: &'static str,
    kind: OpKind,
    connections: usize,
    depth: usize,
    /// Whether it runs when none is named.
    is_default: bool,
}

const LOADS: [Load; 8] = [
    load("read-16", OpKind::Read, 16, 1),
    load("write-16", OpKind::Update, 16, 1),
    load("read-128", OpKind::Read, 128, 1),
    load("write-128", OpKind::Update, 128, 1),
    load("read-16x8", OpKind::Read, 16, 8),
    load("write-16x8", OpKind::Update, 16, 8),
    Load { is_default: false, ..load("read-128x8", OpKind::Read, 128, 8) },
    Load { is_default: false, ..load("batch-16", OpKind::BatchRead, 16, 1) },
];

const fn load(name: &'static str, kind: OpKind, connections: usize, depth: usize) -> Load {
    Load { name, kind, connections, depth, is_default: true }
}

/// The name under which the memory of records is measured.
const FOOTPRINT: &str = "footprint";

/// Arguments of the suite.
#[derive(Debug, Args)]
pub struct SuiteArgs {
    /// What to run: read-16, write-16, read-128, write-128, read-16x8, write-16x8, footprint, which is
    /// also the default; and read-128x8, batch-16. CxD means C connections with D requests in flight.
    /// On devices: device-write, device-read, device-commit, cold-start, warm-start. Queries, an index and
    /// functions: queries. Several nodes: cluster.
    scenarios: Vec<String>,
    /// The database's program; by default `bolide` beside this program or in target/release.
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Core of the servers.
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    server_core: usize,
    /// Core of the load.
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    load_core: usize,
    /// How often database and echo server take turns.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Length of a turn.
    #[arg(long, value_name = "SECONDS", default_value_t = 3.0, value_parser = super::cli::parse_positive)]
    round_seconds: f64,
    /// Records that the loads work on.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1..))]
    keys: u64,
    /// Numbers of records whose memory is measured.
    #[arg(long, value_delimiter = ',', default_value = "1000000,5000000")]
    footprint_records: Vec<u64>,
    #[command(flatten)]
    devices: DeviceArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    output: OutputArgs,
}

/// What is to be run.
struct Selection {
    loads: Vec<&'static Load>,
    with_footprint: bool,
    with_queries: bool,
    with_cluster: bool,
    device_loads: Vec<DeviceLoad>,
}

impl SuiteArgs {
    /// Runs the loads and tells the results.
    pub fn run(&self) -> anyhow::Result<()> {
        let Selection { loads, with_footprint, with_queries, with_cluster, device_loads } =
            self.selection()?;
        let program = self.program()?;
        let mut report = Report::new();
        if !loads.is_empty() {
            let database = ServerProcess::database(&program, self.server_core)?;
            let keys = KeySpace::new(SET, 1, self.keys);
            self.fill(&database, &keys)?;
            for load in loads {
                let mut scenario = self.compare(&database, load, &keys)?;
                scenario.notes.extend(ceiling_note(&scenario));
                show(scenario, &mut report);
            }
        }
        if with_footprint {
            for &records in &self.footprint_records {
                let database = ServerProcess::database(&program, self.server_core)?;
                report.footprints.push(self.footprint(&database, records)?);
            }
            print!("{}", text::footprints(&report.footprints));
        }
        // Before the queries, which keep this thread, and what it starts, on one core.
        if with_cluster {
            self.run_cluster(&program, &mut report)?;
        }
        if with_queries {
            self.run_queries(&program, &mut report)?;
        }
        for load in device_loads {
            self.run_on_device(load, &program, &mut report)?;
        }
        print!("{}", text::starts(&report.starts));
        self.output.write(&report)
    }

    /// The loads to run, and whether to measure memory.
    fn selection(&self) -> anyhow::Result<Selection> {
        let defaults = LOADS.iter().filter(|load| load.is_default).collect();
        let mut selection = Selection {
            loads: defaults,
            with_footprint: true,
            with_queries: false,
            with_cluster: false,
            device_loads: Vec::new(),
        };
        if self.scenarios.is_empty() {
            return Ok(selection);
        }
        selection.loads.clear();
        selection.with_footprint = self.scenarios.iter().any(|name| name == FOOTPRINT);
        selection.with_cluster = self.scenarios.iter().any(|name| name == CLUSTER);
        selection.with_queries = self.scenarios.iter().any(|name| name == QUERIES);
        let others = [FOOTPRINT, QUERIES, CLUSTER];
        for name in self.scenarios.iter().filter(|name| !others.contains(&name.as_str())) {
            if let Some(load) = LOADS.iter().find(|load| load.name == name) {
                selection.loads.push(load);
            } else if let Some(load) = DeviceLoad::ALL.iter().find(|load| load.name() == name) {
                selection.device_loads.push(*load);
            } else {
                let names = LOADS.iter().map(|load| load.name);
                let names = names.chain(DeviceLoad::ALL.iter().map(|load| load.name()));
                let names: Vec<&str> = names.collect();
                bail!(
                    "no scenario '{name}': there are {}, {QUERIES}, {CLUSTER} and {FOOTPRINT}",
                    names.join(", ")
                );
            }
        }
        Ok(selection)
    }

    fn program(&self) -> anyhow::Result<PathBuf> {
        let beside = std::env::current_exe()?.with_file_name("bolide");
        let candidates = match &self.server {
            Some(path) => vec![path.clone()],
            None => vec![beside, PathBuf::from("target/release/bolide")],
        };
        let found = candidates.iter().find(|path| path.is_file());
        found.cloned().with_context(|| {
            let paths: Vec<_> = candidates.iter().map(|path| path.display().to_string()).collect();
            format!("no program at {}; build it or name it with --server", paths.join(" or "))
        })
    }

    /// The job of a load on one of the servers.
    fn job(&self, server: &ServerProcess, load: &Load, keys: &KeySpace) -> anyhow::Result<Job> {
        self.job_with(server, load, keys, BINS.parse()?)
    }

    /// The job of a load with these bins.
    fn job_with(
        &self,
        server: &ServerProcess,
        load: &Load,
        keys: &KeySpace,
        bins: Bins,
    ) -> anyhow::Result<Job> {
        let workload = Workload {
            namespace: NAMESPACE.into(),
            keys: keys.clone(),
            distribution: Distribution::Uniform,
            bins,
            fixed_content: false,
            mix: Mix::only(load.kind),
            batch_size: BATCH_SIZE,
            record_ttl: 0,
            send_key: false,
            transaction_ttl_ms: 0,
            seed: 1,
        };
        Ok(Job {
            server: server.address,
            process: Some(server.process()),
            workload: Arc::new(workload),
            pace: Pace::Closed { expected_interval: None },
            connections: load.connections,
            threads: 1,
            depth: load.depth,
            duration: Some(Duration::from_secs_f64(self.round_seconds)),
            operations: None,
            // Long enough for connections to settle, short beside a round.
            warm_up: Duration::from_millis(200),
            cores: vec![self.load_core],
            interrupt: Arc::default(),
        })
    }

    fn fill(&self, database: &ServerProcess, keys: &KeySpace) -> anyhow::Result<()> {
        insert_all(&self.job(database, &LOADS[0], keys)?)
    }

    /// Database and echo server in turns under one load.
    fn compare(
        &self,
        database: &ServerProcess,
        load: &Load,
        keys: &KeySpace,
    ) -> anyhow::Result<Scenario> {
        let job = self.job(database, load, keys)?;
        let reply_bytes = reply_bytes(&job)?;
        let echo = ServerProcess::echo(reply_bytes, self.server_core)?;
        let jobs = [job, self.job(&echo, load, keys)?];
        let targets = [("bolide", database), ("echo", &echo)]
            .map(|(label, server)| Target { label: label.into(), address: server.address });
        let mut random = fastrand::Rng::with_seed(1);
        let mut progress = |index: usize, second: &_| {
            if !self.output.quiet
                && let Some(target) = targets.get(index)
            {
                println!("{}", text::progress(&target.label, second));
            }
        };
        let measured = alternate(&jobs, self.rounds.into(), &mut random, &mut progress)?;
        let settings = [
            ("connections", load.connections.to_string()),
            ("in flight each", load.depth.to_string()),
            ("keys", text::thousands(self.keys as f64)),
            ("bins", BINS.to_owned()),
            ("bytes of a reply", reply_bytes.to_string()),
            ("rounds", format!("{} of {} s", self.rounds, self.round_seconds)),
            ("server on core", self.server_core.to_string()),
            ("load on core", self.load_core.to_string()),
        ];
        let settings = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let measured: Vec<_> = targets.iter().cloned().zip(measured).collect();
        Ok(Scenario::new(load.name, settings, &measured))
    }

    /// Memory that inserting records takes.
    fn footprint(&self, database: &ServerProcess, records: u64) -> anyhow::Result<Footprint> {
        let job = fill(&self.job(database, &LOADS[0], &KeySpace::new(SET, 1, records))?);
        let usage = || -> anyhow::Result<_> {
            let rss_bytes = database.process().memory()?.rss_bytes;
            // A server without statistics still has resident memory.
            let statistics = namespace_statistics(database.address, NAMESPACE).unwrap_or_default();
            Ok((rss_bytes, statistics))
        };
        let (rss_before, before) = usage()?;
        let failed = engine::run(&job, &mut |_| {})?.metrics.errors();
        ensure!(failed == 0, "{failed} inserts failed");
        let (rss_after, after) = usage()?;
        let per_record = |growth: u64| growth as f64 / records.max(1) as f64;
        let statistic = |name: &str| {
            let grown = after.get(name)?.saturating_sub(*before.get(name)?);
            Some(per_record(grown))
        };
        Ok(Footprint {
            label: "bolide".into(),
            records,
            value_bytes_per_record: job.workload.bins.size_bytes() as f64,
            rss_bytes_per_record: Some(per_record(rss_after.saturating_sub(rss_before))),
            index_bytes_per_record: statistic("index_used_bytes"),
            data_bytes_per_record: statistic("data_used_bytes"),
        })
    }
}

/// Inserts all records that a job works on.
fn insert_all(job: &Job) -> anyhow::Result<()> {
    let failed = engine::run(&fill(job), &mut |_| {})?.metrics.errors();
    ensure!(failed == 0, "{failed} inserts failed");
    Ok(())
}

/// Prints a scenario and puts it into the report.
fn show(scenario: Scenario, report: &mut Report) {
    let mut out = String::new();
    text::append_scenario(&mut out, &scenario);
    println!("{out}");
    report.scenarios.push(scenario);
}

/// What the database keeps of the ceiling.
fn ceiling_note(scenario: &Scenario) -> Option<String> {
    let errors: u64 = scenario.targets.iter().map(|target| target.errors).sum();
    if errors > 0 {
        return Some(format!("Not comparable: {errors} operations failed."));
    }
    let ratio = scenario.comparisons.first()?.ratio("operations/server-CPU-s")?;
    let [median, min, max] = [ratio.ratio.median, ratio.ratio.min, ratio.ratio.max];
    let [median, min, max] = [median, min, max].map(|share| share * 100.0);
    Some(format!("{median:.1} % of the echo ceiling per server-CPU-second ({min:.1} to {max:.1})"))
}

/// Bytes of the server's whole reply to a request of the job.
fn reply_bytes(job: &Job) -> anyhow::Result<usize> {
    let mut generator = Generator::new(&job.workload, 0);
    let (kind, key) = generator.draw(0);
    let mut request = Vec::new();
    generator.append(&mut request, kind, key);
    let mut stream = TcpStream::connect(job.server)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&request)?;
    let mut size_bytes = 0;
    loop {
        let mut header = [0; ProtoHeader::SIZE];
        stream.read_exact(&mut header)?;
        let Ok(header) = ProtoHeader::parse(header) else { bail!("the reply is no frame") };
        let mut body = vec![0; header.body_size_bytes];
        stream.read_exact(&mut body)?;
        size_bytes += ProtoHeader::SIZE + body.len();
        let Ok((reply, _)) = Reply::parse(&body) else { bail!("the reply is no message") };
        if kind != OpKind::BatchRead || reply.header.info3.contains(Info3::LAST) {
            return Ok(size_bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(scenarios: &[&str]) -> SuiteArgs {
        SuiteArgs {
            scenarios: scenarios.iter().map(|&name| name.to_owned()).collect(),
            server: None,
            server_core: 0,
            load_core: 0,
            rounds: 2,
            round_seconds: 0.2,
            keys: 100,
            footprint_records: vec![100],
            devices: DeviceArgs::default(),
            cluster: ClusterArgs::default(),
            output: OutputArgs::default(),
        }
    }

    #[test]
    fn scenarios_are_chosen_by_name() {
        let names = |scenarios: &[&str]| {
            let selection = args(scenarios).selection().unwrap();
            let loads = selection.loads.iter().map(|load| load.name);
            let devices = selection.device_loads.iter().map(|load| load.name());
            (loads.chain(devices).collect::<Vec<_>>(), selection.with_footprint)
        };
        assert_eq!(names(&[]).0.len(), 6);
        assert_eq!(names(&["cold-start", "read-16"]), (vec!["read-16", "cold-start"], false));
        assert_eq!(names(&["batch-16"]), (vec!["batch-16"], false));
        assert_eq!(names(&["footprint", "read-16"]), (vec!["read-16"], true));
        assert!(args(&["reed-16"]).selection().is_err());
    }

    #[test]
    fn a_missing_program_is_told() {
        let args = SuiteArgs { server: Some("/nowhere/bolide".into()), ..args(&["read-16"]) };
        let error = args.run().unwrap_err().to_string();
        assert!(error.contains("/nowhere/bolide"), "{error}");
    }
}
