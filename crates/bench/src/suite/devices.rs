//! Loads of namespaces on devices, each with a server and a file of its own.
//!
//! The server is on one core with all its threads, those that write and defragment among them, so its CPU
//! time per operation has their share. Starts use all cores.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args;

use super::{Load, NAMESPACE, SET, SuiteArgs, insert_all, load, raw, show};
use crate::bins::{Bins, Value};
use crate::children::{Home, ServerProcess};
use crate::engine::{self, Job};
use crate::info::namespace_statistics;
use crate::keys::KeySpace;
use crate::measure::Measurement;
use crate::report::{Report, Scenario, Spread, StartReport, Target, text};
use crate::rounds::alternate;
use crate::workload::OpKind;

/// A load on a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeviceLoad {
    /// Updates, with defragmentation in its steady state.
    Write,
    /// Reads from the device, from the cache, and without a database.
    Read,
    /// Updates that are answered when they are on the device.
    Commit,
    /// Starts from the records.
    ColdStart,
    /// Starts from the image of the index.
    WarmStart,
}

impl DeviceLoad {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Write, Self::Read, Self::Commit, Self::ColdStart, Self::WarmStart];

    /// The name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "device-write",
            Self::Read => "device-read",
            Self::Commit => "device-commit",
            Self::ColdStart => "cold-start",
            Self::WarmStart => "warm-start",
        }
    }
}

/// Arguments of the loads on devices.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Devices")]
pub struct DeviceArgs {
    /// File of the namespace, which must not exist; by default one beside this program. It is removed
    /// at the end.
    #[arg(long, value_name = "FILE")]
    device: Option<PathBuf>,
    /// Size of the file.
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    device_mib: u64,
    /// Sizes of values that device-write writes.
    #[arg(long, value_name = "BYTES", value_delimiter = ',', default_value = "1024,128")]
    device_value_bytes: Vec<usize>,
    /// How full device-write keeps the file, in percent.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_value = "50,80")]
    device_used_pct: Vec<u64>,
    /// How often device-write writes the whole file before it measures.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    device_turnover: f64,
    /// Numbers of records that starts bring back.
    #[arg(long, value_name = "RECORDS", value_delimiter = ',', default_value = "1000000")]
    start_records: Vec<u64>,
}

/// Bytes of the values of all loads but device-write and starts.
const VALUE_BYTES: usize = 1024;
/// Bytes of the values that starts bring back.
const START_VALUE_BYTES: usize = 100;
/// Records from which is seen what one takes on the device.
const SAMPLE: u64 = 10_000;
/// Memory for blocks that were written last, in MiB: little, so that it holds a small part of the file.
const CACHE_MIB: u64 = 16;
/// In which a server certainly has written what it took.
const FLUSH_TIME: Duration = Duration::from_millis(2_500);

const UPDATES: Load = load("device-write", OpKind::Update, 16, 1);
/// Inserts that fill a file.
const FILL: Load = load("fill", OpKind::Update, 16, 8);
/// One request in flight on each connection: requests of a connection are answered in order, so those
/// behind one that waits for the device wait as well.
const READS: Load = load("device-read", OpKind::Read, 128, 1);
const COMMITS: [Load; 3] = [
    load("device-commit-1", OpKind::Update, 1, 1),
    load("device-commit-16", OpKind::Update, 16, 1),
    load("device-commit-64", OpKind::Update, 64, 1),
];

/// A file that goes when this does.
struct DeviceFile(PathBuf);

impl DeviceFile {
    fn new(args: &DeviceArgs, number: usize) -> anyhow::Result<Self> {
        let path = match &args.device {
            Some(path) => path.with_added_extension(number.to_string()),
            None => {
                let name = format!("bolide-bench-{}.device-{number}", std::process::id());
                std::env::current_exe()?.with_file_name(name)
            }
        };
        ensure!(!path.exists(), "{} is there already", path.display());
        Ok(Self(path))
    }

    /// The storage engine on it: its settings besides are `more`, one a line.
    fn engine(&self, mib: u64, more: &[String]) -> String {
        format!(
            "storage-engine device {{
        file {}
        filesize {mib}M
        direct-files true
        stop-writes-used-pct 0
        stop-writes-avail-pct 0
        {}
    }}",
            self.0.display(),
            more.join("\n        ")
        )
    }
}

impl Drop for DeviceFile {
    fn drop(&mut self) {
        // What cannot be removed, the user sees where he named it.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn blob(size_bytes: usize) -> Bins {
    Bins(vec![Value::Blob(size_bytes)])
}

impl SuiteArgs {
    /// Runs a load on a device and tells the results.
    pub(super) fn run_on_device(
        &self,
        load: DeviceLoad,
        program: &Path,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        match load {
            DeviceLoad::Write => {
                for &value_bytes in &self.devices.device_value_bytes {
                    for &used_pct in &self.devices.device_used_pct {
                        show(self.device_write(program, value_bytes, used_pct)?, report);
                    }
                }
            }
            DeviceLoad::Read => show(self.device_read(program)?, report),
            DeviceLoad::Commit => {
                for load in &COMMITS {
                    show(self.device_commit(program, load)?, report);
                }
            }
            DeviceLoad::ColdStart | DeviceLoad::WarmStart => {
                for &records in &self.devices.start_records {
                    report.starts.push(self.device_start(program, load, records)?);
                }
            }
        }
        Ok(())
    }

    /// Updates of all records at random, on a file that is kept so full.
    fn device_write(
        &self,
        program: &Path,
        value_bytes: usize,
        used_pct: u64,
    ) -> anyhow::Result<Scenario> {
        let file = DeviceFile::new(&self.devices, 0)?;
        let more = [format!("post-write-cache {CACHE_MIB}M")];
        let engine = file.engine(self.devices.device_mib, &more);
        let database = Home::new(program, Some(self.server_core), &engine)?.start(&[])?;
        let bins = blob(value_bytes);
        let (keys, record_bytes) = self.fill_to(&database, used_pct, &bins)?;
        let job = self.job_with(&database, &UPDATES, &keys, bins)?;
        let job = Job { warm_up: Duration::ZERO, ..job };
        let file_bytes = (self.devices.device_mib << 20) as f64;
        let turnover = file_bytes * self.devices.device_turnover / record_bytes;
        engine::run(
            &Job { operations: Some(turnover as u64), duration: None, ..job.clone() },
            &mut |_| {},
        )?;
        let before = database.process().written_bytes()?;
        let rounds = self.measure(&[job])?.remove(0);
        let written = (database.process().written_bytes()? - before) as f64;
        let ops = rounds.iter().map(|round| round.metrics.ops()).sum::<u64>() as f64;
        let targets = [(&database, "bolide", rounds)];
        let mut scenario = self.scenario(&UPDATES, value_bytes, keys.count(), &targets);
        scenario.name = format!("device-write, {value_bytes} B, {used_pct} % used");
        scenario.notes.push(format!(
            "written to the device: {:.2} bytes for each byte of a value, {:.2} for each of a record as it \
             lies there ({record_bytes:.0} B)",
            written / (ops * value_bytes as f64),
            written / (ops * record_bytes)
        ));
        Ok(scenario)
    }

    /// Inserts as many records as make the device so full; returns them, and what one takes there.
    fn fill_to(
        &self,
        database: &ServerProcess,
        used_pct: u64,
        bins: &Bins,
    ) -> anyhow::Result<(KeySpace, f64)> {
        let insert = |count| {
            let keys = KeySpace::new(SET, 1, count);
            insert_all(&self.job_with(database, &FILL, &keys, bins.clone())?)?;
            anyhow::Ok(keys)
        };
        insert(SAMPLE)?;
        let statistics = namespace_statistics(database.address, NAMESPACE)?;
        let of = |name: &str| statistics.get(name).copied().with_context(|| format!("no {name}"));
        let record_bytes = of("data_used_bytes")? as f64 / SAMPLE as f64;
        let total_bytes = of("data_total_bytes")? as f64;
        let count = total_bytes * used_pct as f64 / 100.0 / record_bytes;
        Ok((insert(count as u64)?, record_bytes))
    }

    /// Reads of records that are on the device, of records in the cache, and of the bare device.
    fn device_read(&self, program: &Path) -> anyhow::Result<Scenario> {
        let mib = self.devices.device_mib;
        let bins = blob(VALUE_BYTES);
        let mut databases = Vec::new();
        for (number, cache_mib) in [0, 2 * mib].into_iter().enumerate() {
            let file = DeviceFile::new(&self.devices, number)?;
            let engine = file.engine(mib, &[format!("post-write-cache {cache_mib}M")]);
            let database = Home::new(program, Some(self.server_core), &engine)?.start(&[])?;
            let (keys, _) = self.fill_to(&database, 50, &bins)?;
            databases.push((file, database, keys));
        }
        thread::sleep(FLUSH_TIME);
        let [(file, on_device, keys), (_, in_cache, _)] = &databases[..] else { unreachable!() };
        let jobs = [on_device, in_cache].map(|of| self.job_with(of, &READS, keys, bins.clone()));
        let depth = READS.connections * READS.depth;
        let time = Duration::from_secs_f64(self.round_seconds);
        let mut measured = [Vec::new(), Vec::new(), Vec::new()];
        let [first, second] = jobs;
        let jobs = [first?, second?];
        for _ in 0..self.rounds {
            let [of_device, of_cache, of_raw] = &mut measured;
            of_device.push(engine::run(&jobs[0], &mut |_| {})?);
            of_raw.push(raw::random_reads(&file.0, self.server_core, depth, time)?);
            of_cache.push(engine::run(&jobs[1], &mut |_| {})?);
        }
        let [of_device, of_cache, of_raw] = measured;
        let targets = [
            (on_device, "device", of_device),
            (in_cache, "cached", of_cache),
            (on_device, "raw reader", of_raw),
        ];
        Ok(self.scenario(&READS, VALUE_BYTES, keys.count(), &targets))
    }

    /// Updates that are answered when they are on the device.
    fn device_commit(&self, program: &Path, load: &Load) -> anyhow::Result<Scenario> {
        let file = DeviceFile::new(&self.devices, 0)?;
        let more = [format!("post-write-cache {CACHE_MIB}M"), "commit-to-device true".to_owned()];
        let engine = file.engine(self.devices.device_mib, &more);
        let database = Home::new(program, Some(self.server_core), &engine)?.start(&[])?;
        let (bins, keys) = (blob(VALUE_BYTES), KeySpace::new(SET, 1, SAMPLE));
        insert_all(&self.job_with(&database, &FILL, &keys, bins.clone())?)?;
        let job = self.job_with(&database, load, &keys, bins)?;
        let before = database.process().written_bytes()?;
        let rounds = self.measure(&[Job { warm_up: Duration::ZERO, ..job }])?.remove(0);
        let written = (database.process().written_bytes()? - before) as f64;
        let ops = rounds.iter().map(|round| round.metrics.ops()).sum::<u64>() as f64;
        let targets = [(&database, "bolide", rounds)];
        let mut scenario = self.scenario(load, VALUE_BYTES, keys.count(), &targets);
        scenario.notes.push(format!("written to the device: {:.0} bytes/op", written / ops));
        Ok(scenario)
    }

    /// Starts of a server that was killed, or was stopped in order.
    fn device_start(
        &self,
        program: &Path,
        load: DeviceLoad,
        records: u64,
    ) -> anyhow::Result<StartReport> {
        let file = DeviceFile::new(&self.devices, 0)?;
        // A record with its header takes 240 bytes at most; half of the file stays free.
        let mib = self.devices.device_mib.max((records * 480) >> 20);
        let engine = file.engine(mib, &[format!("post-write-cache {CACHE_MIB}M")]);
        let home = Home::new(program, None, &engine)?;
        let mut server = home.start(&[])?;
        let keys = KeySpace::new(SET, 1, records);
        insert_all(&self.job_with(&server, &FILL, &keys, blob(START_VALUE_BYTES))?)?;
        thread::sleep(FLUSH_TIME);
        let (mut took, mut ready, mut cpu, mut plain) = (vec![], vec![], vec![], vec![]);
        let mut last = LoggedStart::default();
        for _ in 0..self.rounds {
            let arguments: &[&str] = if load == DeviceLoad::ColdStart {
                server.kill()?;
                &["--cold-start"]
            } else {
                drop(server);
                &[]
            };
            let begun = Instant::now();
            server = home.start(arguments)?;
            ready.push(begun.elapsed().as_secs_f64() * 1e3);
            cpu.push(server.process().cpu_time()?.total().as_secs_f64() * 1e3);
            last = LoggedStart::find(&home.log()?).context("no start in the log")?;
            took.push(last.took_ms as f64);
            if last.bytes > 0 {
                let time = raw::sequential_reads(&file.0, last.bytes)?;
                plain.push(time.as_secs_f64() * 1e3);
            }
        }
        ensure!(last.objects == records, "{} records came back, not {records}", last.objects);
        let spread = |numbers| Spread::of(numbers).context("no rounds");
        Ok(StartReport {
            way: last.way,
            records,
            bytes: last.bytes,
            took_ms: spread(took)?,
            ready_ms: spread(ready)?,
            cpu_ms: spread(cpu)?,
            plain_ms: Spread::of(plain),
        })
    }

    /// Runs jobs in turns.
    fn measure(&self, jobs: &[Job]) -> anyhow::Result<Vec<Vec<Measurement>>> {
        let mut random = fastrand::Rng::with_seed(1);
        alternate(jobs, self.rounds.into(), &mut random, &mut |_, second| {
            if !self.output.quiet {
                println!("{}", text::progress("bolide", second));
            }
        })
    }

    fn scenario(
        &self,
        load: &Load,
        value_bytes: usize,
        records: u64,
        measured: &[(&ServerProcess, &str, Vec<Measurement>)],
    ) -> Scenario {
        let settings = [
            ("connections", load.connections.to_string()),
            ("in flight each", load.depth.to_string()),
            ("keys", text::thousands(records as f64)),
            ("bytes of a value", value_bytes.to_string()),
            ("MiB of the file", self.devices.device_mib.to_string()),
            ("rounds", format!("{} of {} s", self.rounds, self.round_seconds)),
            ("server on core", self.server_core.to_string()),
            ("load on core", self.load_core.to_string()),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value)).into();
        let measured = measured.iter().map(|(server, label, rounds)| {
            let label = (*label).to_owned();
            (Target { label, address: server.address }, rounds.clone())
        });
        Scenario::new(load.name, settings, &measured.collect::<Vec<_>>())
    }
}

/// What a server logs of its start from a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct LoggedStart {
    way: String,
    objects: u64,
    bytes: u64,
    took_ms: u64,
}

impl LoggedStart {
    /// The last one in a log.
    fn find(log: &str) -> Option<Self> {
        let line = log.lines().rfind(|line| line.contains(" start") && line.contains("took-ms"))?;
        let (before, counts) = line.split_once(": objects ")?;
        let (_, way) = before.rsplit_once("} ")?;
        let number = |name: &str| {
            let mut words = counts.split_whitespace().skip_while(|word| *word != name);
            words.nth(1)?.parse().ok()
        };
        Some(Self {
            way: way.to_owned(),
            objects: counts.split_whitespace().next()?.parse().ok()?,
            bytes: number("bytes")?,
            took_ms: number("took-ms")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_start_of_a_log_is_found() {
        let log = "Nov 30 2026 03:00:00 GMT: INFO (drv_ssd): (devices.rs:1) {test} fresh start: objects 0 \
                   tombstones 0 expired 0 truncated 0 superseded 0 blocks 0 bytes 0 took-ms 3\n\
                   Nov 30 2026 03:00:00 GMT: INFO (drv_ssd): (devices.rs:1) {test} cold start: objects 7 \
                   tombstones 1 expired 2 truncated 0 superseded 3 blocks 4 bytes 5 took-ms 6\n";
        let found = LoggedStart::find(log).unwrap();
        let expected = LoggedStart { way: "cold start".into(), objects: 7, bytes: 5, took_ms: 6 };
        assert_eq!(found, expected);
        assert_eq!(LoggedStart::find("nothing"), None);
    }
}
