//! The latency histograms of a namespace.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use config::Namespace as NamespaceConfig;

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
    /// Requests that another node carried out, while `enable-hist-proxy` is on.
    Proxy,
    /// Benchmark of reads: from the wake-up that brought the request to its turn.
    ReadStart,
    /// Benchmark of reads: asking other nodes for a newer version.
    ReadDupRes,
    /// Benchmark of reads: finding the record and composing the reply.
    ReadLocal,
    /// Benchmark of reads: what is left to do after that.
    ReadResponse,
    /// Benchmark of writes: from the wake-up that brought the request to its turn.
    WriteStart,
    /// Benchmark of writes: asking other nodes for a newer version.
    WriteDupRes,
    /// Benchmark of writes: changing the record and composing the reply.
    WriteMaster,
    /// Benchmark of writes: from there until all replicas, and the device, have it.
    WriteReplWrite,
    /// Benchmark of writes: what is left to do after that.
    WriteResponse,
    /// Benchmark of UDFs: from the wake-up that brought the request until a thread takes it.
    UdfStart,
    /// Benchmark of UDFs: running the function and writing what it wants.
    UdfMaster,
    /// Benchmark of batches: from the wake-up that brought the batch to a row's turn.
    BatchSubStart,
    /// Benchmark of batches: finding a row's record and composing the reply.
    BatchSubReadLocal,
    /// Benchmark of batches: changing a row's record and composing the reply.
    BatchSubWriteMaster,
    /// Benchmark of batches: running a row's function and writing what it wants.
    BatchSubUdfMaster,
    /// Benchmark of jobs: running the function for a record and writing what it wants.
    UdfSubMaster,
    /// Benchmark of jobs: applying the operations to a record.
    OpsSubMaster,
}

/// What is benchmarked together, while a setting of its own is on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Benchmark {
    /// Reads.
    Read,
    /// Writes and deletes.
    Write,
    /// UDFs.
    Udf,
    /// Rows of batches.
    BatchSub,
    /// Records that background jobs call functions for.
    UdfSub,
    /// Records that background jobs apply operations to.
    OpsSub,
    /// Requests that another node carries out.
    Proxy,
}

impl Benchmark {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Read,
        Self::Write,
        Self::Udf,
        Self::BatchSub,
        Self::UdfSub,
        Self::OpsSub,
        Self::Proxy,
    ];

    fn setting(self) -> &'static str {
        match self {
            Self::Read => "enable-benchmarks-read",
            Self::Write => "enable-benchmarks-write",
            Self::Udf => "enable-benchmarks-udf",
            Self::BatchSub => "enable-benchmarks-batch-sub",
            Self::UdfSub => "enable-benchmarks-udf-sub",
            Self::OpsSub => "enable-benchmarks-ops-sub",
            Self::Proxy => "enable-hist-proxy",
        }
    }

    /// Whether a namespace's settings switch it on.
    fn is_on_in(self, config: &NamespaceConfig) -> bool {
        match self {
            Self::Read => config.enable_benchmarks_read,
            Self::Write => config.enable_benchmarks_write,
            Self::Udf => config.enable_benchmarks_udf,
            Self::BatchSub => config.enable_benchmarks_batch_sub,
            Self::UdfSub => config.enable_benchmarks_udf_sub,
            Self::OpsSub => config.enable_benchmarks_ops_sub,
            Self::Proxy => config.enable_hist_proxy,
        }
    }
}

impl LatencyKind {
    /// All of them: first those of whole requests, in the order in which info commands print them.
    pub const ALL: [Self; 28] = [
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
        Self::Proxy,
        Self::ReadStart,
        Self::ReadDupRes,
        Self::ReadLocal,
        Self::ReadResponse,
        Self::WriteStart,
        Self::WriteDupRes,
        Self::WriteMaster,
        Self::WriteReplWrite,
        Self::WriteResponse,
        Self::UdfStart,
        Self::UdfMaster,
        Self::BatchSubStart,
        Self::BatchSubReadLocal,
        Self::BatchSubWriteMaster,
        Self::BatchSubUdfMaster,
        Self::UdfSubMaster,
        Self::OpsSubMaster,
    ];

    /// The benchmark that it is part of, if it is of one.
    pub fn benchmark(self) -> Option<Benchmark> {
        match self {
            Self::Proxy => Some(Benchmark::Proxy),
            Self::ReadStart | Self::ReadDupRes | Self::ReadLocal | Self::ReadResponse => {
                Some(Benchmark::Read)
            }
            Self::WriteStart
            | Self::WriteDupRes
            | Self::WriteMaster
            | Self::WriteReplWrite
            | Self::WriteResponse => Some(Benchmark::Write),
            Self::UdfStart | Self::UdfMaster => Some(Benchmark::Udf),
            Self::BatchSubStart
            | Self::BatchSubReadLocal
            | Self::BatchSubWriteMaster
            | Self::BatchSubUdfMaster => Some(Benchmark::BatchSub),
            Self::UdfSubMaster => Some(Benchmark::UdfSub),
            Self::OpsSubMaster => Some(Benchmark::OpsSub),
            _ => None,
        }
    }

    /// The setting while which is on it is kept; `None` if it always is.
    pub fn setting(self) -> Option<&'static str> {
        self.benchmark().map(Benchmark::setting)
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
            Self::Proxy => "proxy",
            Self::ReadStart => "read-start",
            Self::ReadDupRes => "read-dup-res",
            Self::ReadLocal => "read-local",
            Self::ReadResponse => "read-response",
            Self::WriteStart => "write-start",
            Self::WriteDupRes => "write-dup-res",
            Self::WriteMaster => "write-master",
            Self::WriteReplWrite => "write-repl-write",
            Self::WriteResponse => "write-response",
            Self::UdfStart => "udf-start",
            Self::UdfMaster => "udf-master",
            Self::BatchSubStart => "batch-sub-start",
            Self::BatchSubReadLocal => "batch-sub-read-local",
            Self::BatchSubWriteMaster => "batch-sub-write-master",
            Self::BatchSubUdfMaster => "batch-sub-udf-master",
            Self::UdfSubMaster => "udf-sub-master",
            Self::OpsSubMaster => "ops-sub-master",
        }
    }
}

/// All histograms of a namespace.
#[derive(Debug)]
pub struct Latencies {
    /// Which benchmarks are on, at hand for every request.
    benchmarks: [AtomicBool; Benchmark::ALL.len()],
    histograms: [Latency; LatencyKind::ALL.len()],
}

impl Latencies {
    /// Empty histograms for this many event loops.
    pub fn new(loops: usize) -> Self {
        Self {
            benchmarks: Default::default(),
            histograms: std::array::from_fn(|_| Latency::new(loops)),
        }
    }

    /// Takes benchmarks from the settings of the namespace.
    pub fn configure(&self, config: &NamespaceConfig) {
        for benchmark in Benchmark::ALL {
            let is_on = benchmark.is_on_in(config);
            self.benchmarks[benchmark as usize].store(is_on, Ordering::Relaxed);
        }
    }

    /// Whether these requests are benchmarked.
    pub fn is_on(&self, benchmark: Benchmark) -> bool {
        self.benchmarks[benchmark as usize].load(Ordering::Relaxed)
    }

    /// One histogram.
    pub fn of(&self, kind: LatencyKind) -> &Latency {
        &self.histograms[kind as usize]
    }

    /// Whether any single requests without a function are benchmarked.
    pub fn any_of_requests(&self) -> bool {
        self.is_on(Benchmark::Read) || self.is_on(Benchmark::Write)
    }

    /// Counts how long a request took, in milliseconds or microseconds.
    pub fn record(&self, stripe: Stripe, kind: LatencyKind, took: Duration, in_micros: bool) {
        let micros = took.as_micros() as u64;
        self.of(kind).record(stripe, if in_micros { micros } else { micros / 1000 });
    }
    /// The same for a step of what is benchmarked, if it is.
    pub fn record_step(&self, stripe: Stripe, kind: LatencyKind, took: Duration, in_micros: bool) {
        if kind.benchmark().is_none_or(|benchmark| self.is_on(benchmark)) {
            self.record(stripe, kind, took, in_micros);
        }
    }
}
