//! The latency histograms of a namespace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::counters::Stripe;
use crate::latency::Latency;

/// One of a namespace's histograms.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LatencyKind {
    /// Reads.
    Read,
    /// Writes; deletes have no histogram.
    Write,
    /// UDFs.
    Udf,
    /// Reads in batches.
    BatchSubRead,
    /// Writes in batches.
    BatchSubWrite,
    /// UDFs in batches.
    BatchSubUdf,
    /// Primary-index queries.
    PiQuery,
    /// Secondary-index queries.
    SiQuery,
    /// Renewals by reads.
    ReadTouch,
    /// Replications again.
    ReRepl,
    /// Benchmark of reads: from the wake-up that brought the request to its turn.
    ReadStart,
    /// Benchmark of reads: finding the record and composing the reply.
    ReadLocal,
    /// Benchmark of reads: what is left to do after that.
    ReadResponse,
    /// Benchmark of writes: from the wake-up that brought the request to its turn.
    WriteStart,
    /// Benchmark of writes: changing the record and composing the reply.
    WriteMaster,
    /// Benchmark of writes: what is left to do after that.
    WriteResponse,
}

impl LatencyKind {
    /// All of them: first those of whole requests, in the order in which info commands print them.
    pub const ALL: [Self; 16] = [
        Self::Read,
        Self::Write,
        Self::Udf,
        Self::BatchSubRead,
        Self::BatchSubWrite,
        Self::BatchSubUdf,
        Self::PiQuery,
        Self::SiQuery,
        Self::ReadTouch,
        Self::ReRepl,
        Self::ReadStart,
        Self::ReadLocal,
        Self::ReadResponse,
        Self::WriteStart,
        Self::WriteMaster,
        Self::WriteResponse,
    ];

    /// The setting while which is on it is kept; `None` if it always is.
    pub fn setting(self) -> Option<&'static str> {
        match self {
            Self::ReadStart | Self::ReadLocal | Self::ReadResponse => {
                Some("enable-benchmarks-read")
            }
            Self::WriteStart | Self::WriteMaster | Self::WriteResponse => {
                Some("enable-benchmarks-write")
            }
            _ => None,
        }
    }

    /// Name without the namespace.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Udf => "udf",
            Self::BatchSubRead => "batch-sub-read",
            Self::BatchSubWrite => "batch-sub-write",
            Self::BatchSubUdf => "batch-sub-udf",
            Self::PiQuery => "pi-query",
            Self::SiQuery => "si-query",
            Self::ReadTouch => "read-touch",
            Self::ReRepl => "re-repl",
            Self::ReadStart => "read-start",
            Self::ReadLocal => "read-local",
            Self::ReadResponse => "read-response",
            Self::WriteStart => "write-start",
            Self::WriteMaster => "write-master",
            Self::WriteResponse => "write-response",
        }
    }
}

/// All histograms of a namespace.
#[derive(Debug)]
pub struct Latencies {
    /// Whether reads are benchmarked, at hand for every request.
    pub benchmarks_read: AtomicBool,
    /// Whether writes are.
    pub benchmarks_write: AtomicBool,
    histograms: [Latency; LatencyKind::ALL.len()],
}

impl Latencies {
    /// Empty histograms for this many event loops.
    pub fn new(loops: usize) -> Self {
        Self {
            benchmarks_read: AtomicBool::new(false),
            benchmarks_write: AtomicBool::new(false),
            histograms: std::array::from_fn(|_| Latency::new(loops)),
        }
    }

    /// One histogram.
    pub fn of(&self, kind: LatencyKind) -> &Latency {
        &self.histograms[kind as usize]
    }

    /// Whether any requests are benchmarked.
    pub fn any_benchmark(&self) -> bool {
        self.benchmarks_read.load(Ordering::Relaxed)
            || self.benchmarks_write.load(Ordering::Relaxed)
    }

    /// Counts how long a request took, in milliseconds or microseconds.
    pub fn record(&self, stripe: Stripe, kind: LatencyKind, took: Duration, in_micros: bool) {
        let micros = took.as_micros() as u64;
        self.of(kind).record(stripe, if in_micros { micros } else { micros / 1000 });
    }
}
