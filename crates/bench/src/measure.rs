//! What a run has measured, second by second and in all.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::metrics::Metrics;
use crate::procfs::{CpuTime, Memory};

/// One second of a run, or a shorter rest.
#[derive(Clone, Debug, Serialize)]
pub struct Second {
    /// When it began, in seconds since measuring began.
    pub at_s: f64,
    /// How long it was.
    pub seconds: f64,
    /// Operations answered per second.
    pub ops_per_s: f64,
    /// Records per second; more than the operations for batches.
    pub rows_per_s: f64,
    /// Operations that failed.
    pub errors: u64,
    /// Latencies of all operations.
    pub latency: Latency,
    /// Server CPU time per operation in µs, if known.
    pub server_us_per_op: Option<f64>,
}

impl Second {
    /// From what was counted between `from` and `from + length`.
    pub fn new(
        from: Duration,
        length: Duration,
        metrics: &Metrics,
        server: Option<CpuTime>,
    ) -> Self {
        let (seconds, ops) = (length.as_secs_f64(), metrics.ops());
        let per_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            at_s: from.as_secs_f64(),
            seconds,
            ops_per_s: per_second(ops),
            rows_per_s: per_second(metrics.row_count()),
            errors: metrics.errors(),
            latency: Latency::of(&metrics.latency_ns()),
            server_us_per_op: server.and_then(|time| us_per(time.total(), ops)),
        }
    }
}

/// Percentiles of a latency in µs.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Latency {
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p999_us: f64,
    /// 99.99th percentile.
    pub p9999_us: f64,
    /// Greatest.
    pub max_us: f64,
}

impl Latency {
    /// Of a histogram in ns.
    pub fn of(histogram_ns: &Histogram<u64>) -> Self {
        let at = |quantile| us(histogram_ns.value_at_quantile(quantile));
        Self {
            mean_us: histogram_ns.mean() / 1e3,
            p50_us: at(0.5),
            p90_us: at(0.9),
            p99_us: at(0.99),
            p999_us: at(0.999),
            p9999_us: at(0.9999),
            max_us: us(histogram_ns.max()),
        }
    }

    /// What a table shows, from the mean to the greatest, in µs.
    pub fn columns_us(&self) -> [f64; 7] {
        [
            self.mean_us,
            self.p50_us,
            self.p90_us,
            self.p99_us,
            self.p999_us,
            self.p9999_us,
            self.max_us,
        ]
    }
}

/// A whole run, or several of the same kind together.
#[derive(Clone, Debug, Default)]
pub struct Measurement {
    /// Time measured.
    pub time: Duration,
    /// Everything counted.
    pub metrics: Metrics,
    /// CPU time of the server, if known.
    pub server: Option<CpuTime>,
    /// CPU time of the load generator.
    pub load: CpuTime,
    /// Memory of the server at the end, if known.
    pub memory: Option<Memory>,
    /// Operations of a fixed rate's schedule that were never started, because no place was free.
    pub unstarted: u64,
    /// Second by second.
    pub timeline: Vec<Second>,
}

impl Measurement {
    /// Adds the counts of some time.
    pub fn add_second(
        &mut self,
        time: Duration,
        metrics: &Metrics,
        server: Option<CpuTime>,
        load: CpuTime,
    ) {
        self.time += time;
        self.metrics.add(metrics);
        if let Some(server) = server {
            *self.server.get_or_insert_default() += server;
        }
        self.load += load;
    }

    /// Adds a later run.
    pub fn add(&mut self, later: &Self) {
        let at_s = self.time.as_secs_f64();
        let moved = later.timeline.iter().cloned();
        self.timeline.extend(moved.map(|second| Second { at_s: second.at_s + at_s, ..second }));
        self.add_second(later.time, &later.metrics, later.server, later.load);
        self.memory = later.memory.or(self.memory);
        self.unstarted += later.unstarted;
    }

    /// Operations answered per second.
    pub fn ops_per_s(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.metrics.ops() as f64 / seconds } else { 0.0 }
    }

    /// Records per second.
    pub fn rows_per_s(&self) -> f64 {
        let seconds = self.time.as_secs_f64();
        if seconds > 0.0 { self.metrics.row_count() as f64 / seconds } else { 0.0 }
    }

    /// Server CPU time per operation in µs: user and system; `None` if not known.
    pub fn server_us_per_op(&self) -> Option<(f64, f64)> {
        let (server, ops) = (self.server?, self.metrics.ops());
        Some((us_per(server.user, ops)?, us_per(server.system, ops)?))
    }

    /// Operations per second of server CPU time; `None` if not known.
    pub fn ops_per_server_cpu_s(&self) -> Option<f64> {
        let seconds = self.server?.total().as_secs_f64();
        (seconds > 0.0).then(|| self.metrics.ops() as f64 / seconds)
    }

    /// CPU time of the load generator per operation in µs: user and system.
    pub fn load_us_per_op(&self) -> Option<(f64, f64)> {
        let ops = self.metrics.ops();
        Some((us_per(self.load.user, ops)?, us_per(self.load.system, ops)?))
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1e3
}

fn us_per(time: Duration, ops: u64) -> Option<f64> {
    (ops > 0).then(|| time.as_secs_f64() * 1e6 / ops as f64)
}
