//! A load of a low fixed rate that follows the partition map while that changes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use wire::ResultCode;
use wire::client::Reply;

use super::super::queries::Connection;
use super::map::Map;
use crate::workload::{Generator, Mix, Workload};

/// Threads, each with one request in flight.
const THREADS: u32 = 4;

/// How often the map is fetched; clients do once a second.
const MAP_PERIOD: Duration = Duration::from_millis(250);

/// How one operation went.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    begun: Instant,
    took: Duration,
    is_good: bool,
}

/// What all threads share.
struct Shared {
    nodes: Vec<SocketAddr>,
    map: RwLock<Map>,
    stop: AtomicBool,
}

/// A load that runs.
pub struct Probe {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<anyhow::Result<Vec<Sample>>>>,
}

impl Probe {
    /// Reads and writes records of a workload, as often as each other.
    pub fn start(nodes: Vec<SocketAddr>, workload: &Workload, ops_per_s: u32) -> Self {
        let map = RwLock::new(Map::fetch(&nodes));
        let shared = Arc::new(Shared { nodes, map, stop: AtomicBool::new(false) });
        let mix = "RU,50".parse::<Mix>().unwrap_or_else(|_| workload.mix.clone());
        let interval = Duration::from_secs(1) * THREADS / ops_per_s;
        let mut threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let workload = Workload { mix: mix.clone(), ..workload.clone() };
                let shared = Arc::clone(&shared);
                let begin = Instant::now() + interval * thread / THREADS;
                thread::spawn(move || {
                    let generator = Generator::new(&workload, thread.into());
                    shared.send(generator, &workload, begin, interval)
                })
            })
            .collect();
        let fetching = Arc::clone(&shared);
        threads.push(thread::spawn(move || Ok(fetching.follow_map())));
        Self { shared, threads }
    }

    /// Ends it; returns what was measured.
    ///
    /// # Errors
    /// If a thread could not go on.
    pub fn stop(self) -> anyhow::Result<Vec<Sample>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let mut samples = Vec::new();
        for thread in self.threads {
            samples.extend(thread.join().map_err(|_| anyhow!("a thread of the load failed"))??);
        }
        Ok(samples)
    }
}

impl Shared {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn follow_map(&self) -> Vec<Sample> {
        while !self.is_stopped() {
            thread::sleep(MAP_PERIOD);
            let map = Map::fetch(&self.nodes);
            // While nodes agree on a change, an older map serves better than half of one.
            if map.check_complete().is_ok() {
                *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
            }
        }
        Vec::new()
    }

    /// Sends operations at an interval. One that had to wait for the one before counts from when it was
    /// meant to start; one that its thread slept for, from when the thread woke.
    fn send(
        &self,
        mut generator: Generator,
        workload: &Workload,
        mut due: Instant,
        interval: Duration,
    ) -> anyhow::Result<Vec<Sample>> {
        let (mut samples, mut connections) = (Vec::new(), HashMap::new());
        let mut frame = Vec::new();
        while !self.is_stopped() {
            let wait = due.saturating_duration_since(Instant::now());
            thread::sleep(wait);
            let begun = if wait.is_zero() { due } else { Instant::now() };
            let (kind, key) = generator.draw(0);
            frame.clear();
            generator.append(&mut frame, kind, key);
            let digest = workload.keys.digest(key);
            let node = self.map.read().unwrap_or_else(PoisonError::into_inner).node(&digest);
            let node = node.context("a partition without a master")?;
            let connection = match connections.entry(node) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(Connection::open(self.nodes[node])?),
            };
            let mut is_good = false;
            connection.ask(&frame, |body| {
                let (reply, _) = Reply::parse(body).ok().context("the answer has no message")?;
                is_good = reply.header.result == ResultCode::OK;
                Ok(true)
            })?;
            samples.push(Sample { begun, took: begun.elapsed(), is_good });
            due += interval;
        }
        Ok(samples)
    }
}

/// What operations took that began in some time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Latencies {
    /// Median in µs.
    pub p50_us: f64,
    /// 99th percentile in µs.
    pub p99_us: f64,
    /// Operations.
    pub ops: usize,
    /// Those that did not succeed.
    pub errors: usize,
}

impl Latencies {
    /// Of the samples from one moment to another.
    pub fn of(samples: &[Sample], from: Instant, to: Instant) -> Self {
        let within = samples.iter().filter(|sample| (from..to).contains(&sample.begun));
        let errors = within.clone().filter(|sample| !sample.is_good).count();
        let mut took: Vec<Duration> = within.map(|sample| sample.took).collect();
        took.sort_unstable();
        let at = |part: f64| {
            let index = (took.len() as f64 * part) as usize;
            took.get(index).map_or(f64::NAN, |took| took.as_secs_f64() * 1e6)
        };
        Self { p50_us: at(0.5), p99_us: at(0.99), ops: took.len(), errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_of_the_time_asked_for() {
        let start = Instant::now();
        let sample = |ms: u64| Sample {
            begun: start + Duration::from_millis(ms),
            took: Duration::from_micros(ms),
            is_good: ms != 150,
        };
        let samples: Vec<_> = (0..300).map(sample).collect();
        let at = |ms| start + Duration::from_millis(ms);
        let found = Latencies::of(&samples, at(100), at(200));
        assert_eq!((found.ops, found.errors), (100, 1));
        assert!(
            (found.p50_us - 150.0).abs() < 0.1 && (found.p99_us - 199.0).abs() < 0.1,
            "{found:?}"
        );
    }
}
