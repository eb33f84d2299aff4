//! Servers killed at any moment: what was acknowledged is there after the next start, and nothing else.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use tests::announce;
use tests::harness::{Launch, Server};

use crate::worker::{Sizes, Worker};
use crate::{launch, number, on_files};

/// Clients that write at the same time.
const WORKERS: usize = 6;
/// How often each server is killed unless the environment says otherwise.
const RUNS: usize = 7;

#[test]
fn on_one_file() -> Result<()> {
    let storage = on_files(&["one.dat"], &["commit-to-device true"]);
    Trial { name: "one file", storage, records: 60, sizes: Sizes::Mixed }.run()
}

#[test]
fn on_two_files() -> Result<()> {
    let settings = ["commit-to-device true", "compression lz4", "flush-size 4K"];
    let storage = on_files(&["one.dat", "two.dat"], &settings);
    Trial { name: "two files", storage, records: 60, sizes: Sizes::Mixed }.run()
}

#[test]
fn in_memory_with_a_file_behind() -> Result<()> {
    let storage = on_files(&["one.dat"], &["commit-to-device true", "compression snappy"]);
    let storage = storage.replace("device {", "memory {");
    Trial { name: "memory with a file", storage, records: 60, sizes: Sizes::Mixed }.run()
}

#[test]
fn encrypted_and_compressed() -> Result<()> {
    let settings = [
        "commit-to-device true",
        "compression zstd",
        "compression-level 1",
        "encryption aes-256",
        "encryption-key-file @FOLDER@/key",
    ];
    let storage = on_files(&["one.dat"], &settings);
    Trial { name: "encrypted", storage, records: 60, sizes: Sizes::Mixed }.run()
}

/// Few records that are large enough to fill blocks within a run, so that blocks become sparse and their
/// records are moved all the time.
#[test]
fn while_records_are_moved() -> Result<()> {
    let settings =
        ["commit-to-device true", "defrag-sleep 0", "defrag-lwm-pct 80", "post-write-cache 0"];
    let storage = on_files(&["one.dat"], &settings);
    Trial { name: "moved", storage, records: 20, sizes: Sizes::About(100_000) }.run()
}

/// One server and its kills.
struct Trial {
    name: &'static str,
    storage: String,
    records: usize,
    sizes: Sizes,
}

/// What happened in a trial.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kills: u64,
    kills_in_start: u64,
    stops: u64,
    acknowledged: u64,
    refused: u64,
    moved_blocks: u64,
}

impl Trial {
    fn run(self) -> Result<()> {
        let seed = from_environment("BOLIDE_CRASH_SEED")?.unwrap_or_else(|| fastrand::u64(..));
        let begun = Instant::now();
        let outcome = self.kill_and_restart(seed);
        let outcome =
            outcome.with_context(|| format!("{}: BOLIDE_CRASH_SEED={seed}", self.name))?;
        announce(format_args!("crash: {:18} {outcome:?} in {:?}", self.name, begun.elapsed()));
        Ok(())
    }

    fn kill_and_restart(&self, seed: u64) -> Result<Tally> {
        let runs = from_environment("BOLIDE_CRASH_RUNS")?.map_or(RUNS, |runs| runs as usize);
        let mut random = Rng::with_seed(seed);
        let mut workers: Vec<Worker> = (0..WORKERS)
            .map(|number| Worker::new(number, self.records, self.sizes, seed))
            .collect();
        let mut launch = launch(&self.storage)?;
        fs::write(launch.folder().join("key"), [random.u128(..).to_ne_bytes(); 3].concat())?;
        let mut tally = Tally::default();
        for run in 0..runs {
            let server = launch.start()?;
            check(&server, &mut workers).with_context(|| format!("after {run} runs"))?;
            let stops = random.u8(..5) == 0;
            let time = Duration::from_millis(random.u64(10..300));
            launch = load(server, &mut workers, time, stops, &mut tally)?;
            if stops {
                tally.stops += 1;
            } else {
                tally.kills += 1;
            }
            if random.u8(..3) == 0 {
                launch.start_and_kill(Duration::from_millis(random.u64(5..150)))?;
                tally.kills_in_start += 1;
            }
        }
        let server = launch.start()?;
        check(&server, &mut workers).context("at the end")?;
        tally.refused = workers.iter().map(|worker| worker.refused).sum();
        tally.acknowledged = workers.iter().map(|worker| worker.acknowledged).sum();
        ensure!(tally.acknowledged > runs as u64 * 10, "too little happened: {tally:?}");
        Ok(tally)
    }
}

/// A number that the environment may hold.
fn from_environment(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(text.parse().with_context(|| format!("{name}={text}"))?)),
        Err(_) => Ok(None),
    }
}

/// Lets workers write for a while, and ends the server amid that: at once, or in order.
fn load(
    server: Server,
    workers: &mut [Worker],
    time: Duration,
    stops: bool,
    tally: &mut Tally,
) -> Result<Launch> {
    let port = server.port();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let working: Vec<_> =
            workers.iter_mut().map(|worker| scope.spawn(|| worker.work(port, &stop))).collect();
        thread::sleep(time);
        tally.moved_blocks += devices(&server)
            .map(|device| number(&server, &format!("{device}.defrag_reads")))
            .sum::<Result<u64>>()?;
        let ended = if stops {
            server.stop().and_then(|(status, launch)| {
                ensure!(status.code() == Some(0), "{status:?}:\n{}", launch.log());
                Ok(launch)
            })
        } else {
            server.kill()
        };
        stop.store(true, Ordering::Relaxed);
        for working in working {
            working.join().expect("workers do not panic")?;
        }
        ended
    })
}

/// The names that statistics have for the server's files.
fn devices(server: &Server) -> impl Iterator<Item = String> {
    let all = crate::ask(server, "namespace/test").unwrap_or_default();
    let names = ["file", "stripe"].into_iter();
    let names = names.flat_map(|kind| (0..2).map(move |at| format!("storage-engine.{kind}[{at}]")));
    names.filter(move |name| all.contains(&format!("{name}.defrag_reads=")))
}

/// Demands that all records are what they have to be, and as many as the server says.
fn check(server: &Server, workers: &mut [Worker]) -> Result<()> {
    let mut records = 0;
    for worker in workers {
        let verified = worker.verify(server.port());
        records += verified.with_context(|| format!("the server said:\n{}", server.log()))?;
    }
    let objects = number(server, "objects")?;
    let log = server.log();
    ensure!(objects == records, "{objects} objects, {records} of which can be read:\n{log}");
    ensure!(!log.contains("panic"), "the server said:\n{log}");
    Ok(())
}
