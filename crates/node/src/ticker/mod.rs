//! The ticker: lines for the log at a regular interval, and the slices that `latencies` shows.
//!
//! A state machine without a clock of its own: the host calls [`Ticker::step`] every
//! `ticker-interval` and logs the lines.

mod devices;
mod families;
mod lines;
mod slices;

use std::collections::HashMap;
use std::time::Duration;

use engine::Namespace;
use engine::latencies::LatencyKind;
use engine::latency::Counts;

use crate::info::enabled_benchmarks;
use crate::node::Node;
use crate::traffic::RATED;

use devices::DeviceTicker;
pub(crate) use slices::Slices;

/// A line for the log, at level INFO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// The log context that it belongs to.
    pub context: &'static str,
    /// What it says.
    pub text: String,
}

/// What the ticker remembers from one step to the next.
#[derive(Debug, Default)]
pub struct Ticker {
    stepped_at: Duration,
    /// Counts of each active histogram as of the last step.
    counts: HashMap<String, Counts>,
    devices: DeviceTicker,
    /// Bytes between nodes as of the last step.
    bytes: [u64; RATED.len()],
}

/// A histogram that has something to show.
struct Histogram {
    name: String,
    counts: Counts,
}

impl Ticker {
    /// Makes the lines that are due now, and the slices since the last step.
    pub fn step(&mut self, node: &Node) -> Vec<Line> {
        let now = node.host.monotonic();
        let elapsed = now.saturating_sub(std::mem::replace(&mut self.stepped_at, now));
        let unit = if node.histograms_in_micros() { "usec" } else { "msec" };
        let mut texts = Vec::new();
        self.bytes = node.traffic.measure(self.bytes, elapsed);
        lines::of_node(node, &mut texts);
        for namespace in &node.namespaces {
            self.devices.measure_reads(namespace);
            lines::of_namespace(node, namespace, &mut texts);
        }
        let mut active = HashMap::new();
        let mut slices = node.slices.lock();
        slices.forget_all();
        for Histogram { name, counts } in histograms(node) {
            lines::of_histogram(&name, unit, &counts, &mut texts);
            if let Some(before) = self.counts.get(&name) {
                slices.set(&name, unit, elapsed, &counts.since(before));
            }
            active.insert(name, counts);
        }
        self.counts = active;
        let texts = texts.into_iter();
        let mut all: Vec<_> = texts.map(|text| Line { context: "info", text }).collect();
        self.devices.lines(node.namespaces.iter().map(|of| &**of), now, &mut all);
        all
    }
}

/// Histograms that have counted something, or that a setting keeps switched on.
fn histograms(node: &Node) -> Vec<Histogram> {
    let mut all = Vec::new();
    if node.config().service.enable_hist_info {
        all.push(Histogram { name: "info".into(), counts: node.info_latency.counts() });
    }
    if node.fabric_latencies.is_on() {
        let steps = node.fabric_latencies.counts();
        all.extend(steps.map(|(name, counts)| Histogram { name, counts }));
    }
    let batches = node.batch_latency.counts();
    if batches.total() != 0 {
        all.push(Histogram { name: "batch-index".into(), counts: batches });
    }
    node.namespaces.iter().for_each(|namespace| of_namespace(namespace, &mut all));
    all
}

fn of_namespace(namespace: &Namespace, all: &mut Vec<Histogram>) {
    let full = |name: &str| format!("{{{}}}-{name}", namespace.name);
    let counts = |kind: LatencyKind| namespace.latencies.of(kind).counts();
    let enabled: Vec<String> = enabled_benchmarks(&namespace.config()).collect();
    for kind in LatencyKind::ALL.into_iter().filter(|kind| kind.setting().is_none()) {
        let counts = counts(kind);
        if counts.total() != 0 {
            all.push(Histogram { name: full(kind.name()), counts });
        }
    }
    for name in enabled {
        let kind = LatencyKind::ALL.into_iter().find(|kind| kind.name() == name);
        let counts = kind.map(counts).unwrap_or_default();
        all.push(Histogram { name: full(&name), counts });
    }
}

#[cfg(test)]
mod tests;
