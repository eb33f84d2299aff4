//! Latency histograms as of the ticker's last slice.

use config::{Config, Namespace};

use super::call::{Call, Refusal, put, put_joined};
use crate::fabric_latency::FabricLatencies;

/// Most bytes of a histogram's name.
const NAME_BYTES_MAX: usize = 99;
/// Histograms of each namespace that are shown unless one is asked for.
const SHOWN: [&str; 8] = [
    "read",
    "write",
    "udf",
    "batch-sub-read",
    "batch-sub-write",
    "batch-sub-udf",
    "pi-query",
    "si-query",
];
/// Further ones that can be asked for.
const OTHERS: [&str; 3] = ["read-touch", "re-repl", "proxy"];

/// Histograms of the steps of one kind of request, which are switched on together.
struct Benchmark {
    /// Kind of the requests; the group is asked for as `{ns}-benchmarks-<kind>`.
    kind: &'static str,
    /// Name of each histogram after `{ns}-<kind>-`.
    steps: &'static [&'static str],
    is_enabled: fn(&Namespace) -> bool,
}

const WRITE_STEPS: &[&str] = &["start", "restart", "dup-res", "master", "repl-write", "response"];

const BENCHMARKS: [Benchmark; 6] = [
    Benchmark {
        kind: "read",
        steps: &["start", "restart", "dup-res", "repl-ping", "local", "response"],
        is_enabled: |namespace| namespace.enable_benchmarks_read,
    },
    Benchmark {
        kind: "write",
        steps: WRITE_STEPS,
        is_enabled: |namespace| namespace.enable_benchmarks_write,
    },
    Benchmark {
        kind: "udf",
        steps: WRITE_STEPS,
        is_enabled: |namespace| namespace.enable_benchmarks_udf,
    },
    Benchmark {
        kind: "batch-sub",
        steps: &[
            "prestart",
            "start",
            "restart",
            "dup-res",
            "repl-ping",
            "read-local",
            "write-master",
            "udf-master",
            "repl-write",
            "response",
        ],
        is_enabled: |namespace| namespace.enable_benchmarks_batch_sub,
    },
    Benchmark {
        kind: "udf-sub",
        steps: WRITE_STEPS,
        is_enabled: |namespace| namespace.enable_benchmarks_udf_sub,
    },
    Benchmark {
        kind: "ops-sub",
        steps: WRITE_STEPS,
        is_enabled: |namespace| namespace.enable_benchmarks_ops_sub,
    },
];

/// Names, without the namespace, of the histograms that its settings switch on.
pub(crate) fn enabled_benchmarks(namespace: &Namespace) -> impl Iterator<Item = String> {
    let enabled = BENCHMARKS.iter().filter(|benchmark| (benchmark.is_enabled)(namespace));
    let proxy = namespace.enable_hist_proxy.then(|| "proxy".to_owned());
    enabled.flat_map(Benchmark::names).chain(proxy)
}

impl Benchmark {
    fn names(&self) -> impl Iterator<Item = String> + use<> {
        let kind = self.kind;
        self.steps.iter().map(move |step| format!("{kind}-{step}"))
    }
}

/// The histograms that people look at, or the one or the group that `hist` names.
pub(super) fn latencies(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let config = call.node.config();
    let names = match call.optional("hist", NAME_BYTES_MAX)? {
        None => {
            let of_namespaces = config.namespaces.iter().flat_map(|namespace| {
                SHOWN.iter().map(|name| format!("{{{}}}-{name}", namespace.name))
            });
            ["batch-index".to_owned()].into_iter().chain(of_namespaces).collect()
        }
        Some(hist) => std::str::from_utf8(hist)
            .ok()
            .and_then(|hist| expand(&config, hist))
            .ok_or_else(|| Refusal::parameter("bad hist name"))?,
    };
    let slices = call.node.slices.lock();
    put_joined(out, b';', names, |out, name| {
        put(out, format_args!("{name}:{}", slices.get(&name)));
    });
    Ok(())
}

/// The histograms that a name stands for.
fn expand(config: &Config, hist: &str) -> Option<Vec<String>> {
    match hist {
        "batch-index" | "info" => return Some(vec![hist.to_owned()]),
        "benchmarks-fabric" => return Some(FabricLatencies::names().collect()),
        _ => {}
    }
    let (namespace, name) = hist.strip_prefix('{')?.split_once("}-")?;
    config.namespace(namespace)?;
    let full = |name: &str| format!("{{{namespace}}}-{name}");
    if let Some(kind) = name.strip_prefix("benchmarks-") {
        let benchmark = BENCHMARKS.iter().find(|benchmark| benchmark.kind == kind)?;
        return Some(benchmark.names().map(|name| full(&name)).collect());
    }
    (SHOWN.contains(&name) || OTHERS.contains(&name)).then(|| vec![full(name)])
}
