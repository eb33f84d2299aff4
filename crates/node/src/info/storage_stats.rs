//! Statistics of the devices, files or stripes that a namespace's records are on.

use std::fmt;

use engine::Namespace;
use storage::DeviceStats;

use super::call::Pairs;

/// Size of a write block in bytes.
const WRITE_BLOCK_BYTES: u64 = storage::format::BLOCK_BYTES as u64;
/// The age of a device that does not tell.
const AGE_UNKNOWN: i32 = -1;

/// What is on the devices of a namespace, in the order of the original's replies.
pub(super) fn put_storage(namespace: &Namespace, pairs: &mut Pairs<'_>) {
    if !namespace.has_devices() {
        put_stripes(namespace, pairs);
        return;
    }
    let part = namespace.config().storage_engine.part_name();
    for (index, stats) in namespace.device_stats().iter().enumerate() {
        put_device(part, index, stats, pairs);
    }
}

/// A device or a file, or a stripe with one behind it.
fn put_device(part: &str, index: usize, stats: &DeviceStats, pairs: &mut Pairs<'_>) {
    let is_stripe = part == "stripe";
    let mut put = |name: &str, value: &dyn fmt::Display| {
        pairs.put(format_args!("storage-engine.{part}[{index}].{name}"), value);
    };
    put("used_bytes", &stats.used_bytes);
    put("free_wblocks", &stats.free_wblocks);
    if !is_stripe {
        put("read_errors", &stats.read_errors);
    }
    put(if is_stripe { "backing_write_q" } else { "write_q" }, &stats.write_q);
    put("writes", &stats.writes);
    put("partial_writes", &stats.partial_writes);
    put("defrag_q", &stats.defrag_q);
    put("defrag_reads", &stats.defrag_reads);
    put("defrag_writes", &stats.defrag_writes);
    put("defrag_partial_writes", &stats.defrag_partial_writes);
    if stats.has_shadow {
        // A write is written when both have it: nothing waits for the shadow alone.
        put("shadow_write_q", &0);
    }
    put("age", &AGE_UNKNOWN);
    // Ours: see the deviations.
    put("damaged", &stats.damaged);
}

/// Records in memory alone are not kept in stripes: their bytes are shown in equal parts.
fn put_stripes(namespace: &Namespace, pairs: &mut Pairs<'_>) {
    let stripes = namespace.config().storage_engine.stripe_count() as u64;
    let (used, total) = (namespace.data_used_bytes(), namespace.data_total_bytes());
    let blocks = total.checked_div(stripes).unwrap_or(0) / WRITE_BLOCK_BYTES;
    for stripe in 0..stripes {
        let part = used / stripes + u64::from(stripe < used % stripes);
        let mut put = |name, value| {
            pairs.put(format_args!("storage-engine.stripe[{stripe}].{name}"), value);
        };
        put("used_bytes", part);
        // The original keeps one block for a header.
        put("free_wblocks", blocks.saturating_sub(1 + part.div_ceil(WRITE_BLOCK_BYTES)));
        for idle in ["writes", "defrag_q", "defrag_reads", "defrag_writes"] {
            put(idle, 0);
        }
    }
}
