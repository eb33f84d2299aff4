//! How well replies compress.

use std::sync::atomic::{AtomicU64, Ordering};

/// Sums over replies for which the client asked for compression.
#[derive(Debug, Default)]
pub struct CompressionStat {
    replies: AtomicU64,
    left_alone: AtomicU64,
    bytes_before: AtomicU64,
    bytes_after: AtomicU64,
}

impl CompressionStat {
    /// Counts a reply; one that did not shrink was left alone.
    pub fn record(&self, before_bytes: usize, after_bytes: usize) {
        self.replies.fetch_add(1, Ordering::Relaxed);
        if after_bytes >= before_bytes {
            self.left_alone.fetch_add(1, Ordering::Relaxed);
        } else {
            self.bytes_before.fetch_add(before_bytes as u64, Ordering::Relaxed);
            self.bytes_after.fetch_add(after_bytes as u64, Ordering::Relaxed);
        }
    }

    /// Share of replies that were left alone, in percent.
    pub fn uncompressed_pct(&self) -> f64 {
        match self.replies.load(Ordering::Relaxed) {
            0 => 0.0,
            replies => self.left_alone.load(Ordering::Relaxed) as f64 * 100.0 / replies as f64,
        }
    }

    /// Size after compression as a part of that before; 1 while nothing was compressed.
    pub fn ratio(&self) -> f64 {
        match self.bytes_before.load(Ordering::Relaxed) {
            0 => 1.0,
            before => self.bytes_after.load(Ordering::Relaxed) as f64 / before as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_become_shares() {
        let stat = CompressionStat::default();
        assert_eq!((stat.uncompressed_pct(), stat.ratio()), (0.0, 1.0));
        stat.record(100, 25);
        stat.record(30, 30);
        assert_eq!((stat.uncompressed_pct(), stat.ratio()), (50.0, 0.25));
    }
}
