//! Load on a cluster with the client's normal policies, until the end of standard input.
//!
//! usage: `rust_load HOST PORT`
//!
//! Adds to counters and reads them back. The last line tells how many requests succeeded, which failed, and
//! which of those failures are none of the kinds that a client meets while a node dies.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use aerospike::{
    Bins, Client, ClientPolicy, Error, ErrorKind, ReadPolicy, ResultCode, Value, WritePolicy,
    as_bin, as_key,
};
use anyhow::{Context, Result, bail};

const RECORDS: usize = 100;
const WORKERS: usize = 2;
const PAUSE: Duration = Duration::from_millis(2);

/// What a worker has seen.
#[derive(Default)]
struct Report {
    succeeded: u64,
    failed: BTreeMap<String, u64>,
    unexpected: BTreeMap<String, u64>,
    lost: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [host, port] = &arguments[..] else { bail!("usage: rust_load HOST PORT") };
    let client = Client::new(&ClientPolicy::default(), &format!("{host}:{port}"));
    let client = client.context("connecting")?;
    let stop = AtomicBool::new(false);
    let mut all = Report::default();
    thread::scope(|scope| -> Result<()> {
        let start = |worker| {
            let (client, stop) = (&client, &stop);
            scope.spawn(move || work(client, worker, stop))
        };
        let workers: Vec<_> = (0..WORKERS).map(start).collect();
        let ended = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            all.add(worker.join().expect("workers do not panic"));
        }
        ended.map(drop).context("reading standard input")
    })?;
    client.close()?;
    for line in all.lost.iter().take(5) {
        println!("LOST {line}");
    }
    let Report { succeeded, failed, unexpected, lost } = all;
    println!("succeeded={succeeded} failed={failed:?} unexpected={unexpected:?}");
    let is_well = lost.is_empty() && succeeded > 0;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn work(client: &Client, worker: usize, stop: &AtomicBool) -> Report {
    let mut report = Report::default();
    let (mut least, mut most) = ([0; RECORDS], [0; RECORDS]);
    for number in (0..RECORDS).cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let name = format!("rust-{worker}-{number}");
        most[number] += 1;
        let added = || {
            least[number] += 1;
            report.succeeded += 1;
        };
        match step(client, &name, added) {
            Ok(found) => {
                report.succeeded += 1;
                let (least, most) = (least[number], most[number]);
                if !(least..=most).contains(&found) {
                    report.lost.push(format!("{name}: {found} of {least} to {most}"));
                }
            }
            Err(error) => report.note(&error),
        }
        thread::sleep(PAUSE);
    }
    report
}

/// Adds to a counter, says so when that is done, and reads it.
fn step(client: &Client, name: &str, added: impl FnOnce()) -> Result<i64, Error> {
    let key = as_key!("test", "load", name);
    client.add(&WritePolicy::default(), &key, &[as_bin!("n", 1)])?;
    added();
    let record = client.get(&ReadPolicy::default(), &key, Bins::All)?;
    Ok(match record.bins.get("n") {
        Some(Value::Int(found)) => *found,
        _ => 0,
    })
}

/// A node that is gone: no answer in time, a broken connection, nobody left to ask; or one that is back, and in
/// no cluster yet.
fn is_expected(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Timeout
        | ErrorKind::Connection
        | ErrorKind::ConnectionPoolEmpty
        | ErrorKind::NoMoreConnections
        | ErrorKind::MaxErrorRate
        | ErrorKind::InvalidNode => true,
        _ => error.matches(&[ResultCode::Timeout, ResultCode::PartitionUnavailable]),
    }
}

impl Report {
    fn note(&mut self, error: &Error) {
        let kind = format!("{} {}", error.result_code(), error.base_message());
        if !is_expected(error) {
            *self.unexpected.entry(kind.clone()).or_default() += 1;
        }
        *self.failed.entry(kind).or_default() += 1;
    }

    fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.lost.extend(other.lost);
        for (kind, count) in other.failed {
            *self.failed.entry(kind).or_default() += count;
        }
        for (kind, count) in other.unexpected {
            *self.unexpected.entry(kind).or_default() += count;
        }
    }
}
