//! The ticker's lines about devices, and the share of reads that they were spared.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use config::EngineKind;
use engine::Namespace;
use storage::DeviceStats;

use super::Line;

/// How often there are lines about devices.
const PERIOD: Duration = Duration::from_secs(20);

/// What the ticker remembers of devices.
#[derive(Debug, Default)]
pub(super) struct DeviceTicker {
    said_at: Duration,
    /// Stats as of the last lines, by namespace.
    stats: HashMap<Box<str>, Vec<DeviceStats>>,
    /// Bodies that were in memory, and bodies that were read, as of the last step, by namespace.
    reads: HashMap<Box<str>, (u64, u64)>,
}

impl DeviceTicker {
    /// Works out which share of the reads since the last step needed no device.
    pub fn measure_reads(&mut self, namespace: &Namespace) {
        let (cached, read) = namespace.body_reads();
        let before = self.reads.insert(namespace.name.clone(), (cached, read)).unwrap_or_default();
        let (cached, read) = (cached.saturating_sub(before.0), read.saturating_sub(before.1));
        let share = (cached * 10_000).checked_div(cached + read).unwrap_or(0);
        namespace.gauges.cache_read_pct_hundredths.store(share, Ordering::Relaxed);
    }

    /// The lines that are due now, for namespaces with devices.
    pub fn lines<'n>(
        &mut self,
        namespaces: impl Iterator<Item = &'n Namespace>,
        now: Duration,
        out: &mut Vec<Line>,
    ) {
        let elapsed = now.saturating_sub(self.said_at);
        if elapsed < PERIOD {
            return;
        }
        self.said_at = now;
        for namespace in namespaces.filter(|namespace| namespace.has_devices()) {
            let stats = namespace.device_stats();
            let before = self.stats.remove(&namespace.name).unwrap_or_default();
            for (index, of) in stats.iter().enumerate() {
                let before = before.get(index).cloned().unwrap_or_default();
                out.push(line(namespace, index, (of, &before), elapsed));
            }
            self.stats.insert(namespace.name.clone(), stats);
        }
    }
}

fn line(
    namespace: &Namespace,
    index: usize,
    (stats, before): (&DeviceStats, &DeviceStats),
    elapsed: Duration,
) -> Line {
    let kind = namespace.config().storage_engine.kind;
    let with_rate = |value: u64, before: u64| {
        format!("({value},{:.1})", value.saturating_sub(before) as f64 / elapsed.as_secs_f64())
    };
    let write = with_rate(stats.writes, before.writes);
    let defrag_read = with_rate(stats.defrag_reads, before.defrag_reads);
    let defrag_write = with_rate(stats.defrag_writes, before.defrag_writes);
    let name = &namespace.name;
    let space = format!("used-bytes {} free-wblocks {}", stats.used_bytes, stats.free_wblocks);
    let write_q = format!(" write-q {}", stats.write_q);
    let defrag = format!(
        "defrag-q {} defrag-read {defrag_read} defrag-write {defrag_write}",
        stats.defrag_q
    );
    let shadow = if stats.has_shadow { " shadow-write-q 0" } else { "" };
    match kind {
        EngineKind::Memory => Line {
            context: "drv-mem",
            text: format!("{{{name}}} stripe-{index}: {space} write {write} {defrag}{write_q}"),
        },
        EngineKind::Device | EngineKind::Pmem => Line {
            context: if kind == EngineKind::Device { "drv_ssd" } else { "drv_pmem" },
            text: format!(
                "{{{name}}} {}: {space}{write_q} write {write} {defrag}{shadow}",
                stats.name
            ),
        },
    }
}
