//! Eviction: when a namespace outgrows a threshold, the records that would expire first go early.

use std::fmt;
use std::sync::OnceLock;

use record::{SecondsSince2010, VoidTime};

use crate::namespace::Namespace;

/// Whoever keeps what the nodes of a cluster have in common.
type Keeper = Box<dyn Fn(VoidTime) -> bool + Send + Sync>;

/// Who hears of a new threshold first, to keep it and then have it set.
#[derive(Default)]
pub struct ThresholdKeeper(OnceLock<Keeper>);

impl ThresholdKeeper {
    /// Has `keeper` told of thresholds. It says whether it had them set
    /// ([`Namespace::set_evict_void_time`]). The first one stays.
    pub fn set(&self, keeper: impl Fn(VoidTime) -> bool + Send + Sync + 'static) {
        // A namespace belongs to one node.
        let _ = self.0.set(Box::new(keeper));
    }
}

impl fmt::Debug for ThresholdKeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ThresholdKeeper").field(&self.0.get().is_some()).finish()
    }
}

/// What eviction came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Eviction {
    /// Records with an earlier void-time are to go.
    Before(VoidTime),
    /// No record may be evicted, or it would take nearly all of them: nothing goes.
    Nothing,
}

impl Namespace {
    /// Has records with an earlier void-time evicted.
    pub(crate) fn evict_before(&self, threshold: VoidTime) {
        let is_kept = self.threshold_keeper.0.get().is_some_and(|keeper| keeper(threshold));
        if !is_kept {
            // A device that fails is reported; what is evicted may come back with a restart then.
            let _ = self.set_evict_void_time(threshold.0);
        }
    }

    /// Where eviction has to cut to remove the configured share of evictable records.
    ///
    /// Void-times between now and the latest are counted in buckets; buckets go, earliest first, as
    /// long as they hold no more than the share in all (storage reference, eviction).
    pub(crate) fn eviction_threshold(&self, now: SecondsSince2010) -> Eviction {
        let config = self.config();
        let mut latest = VoidTime::NEVER;
        let mut total: u64 = 0;
        self.for_each_meta(|meta| {
            if self.is_evictable(meta) {
                latest = latest.max(meta.void_time);
                total += 1;
            }
        });
        let span = u64::from(latest.0.saturating_sub(now.0));
        let mut histogram = Histogram::new(now, span, config.evict_hist_buckets as usize);
        self.for_each_meta(|meta| {
            if self.is_evictable(meta) {
                histogram.count(meta.void_time);
            }
        });
        histogram.threshold(total * u64::from(config.evict_tenths_pct) / 1000)
    }
}

/// Void-times in buckets of equal width.
struct Histogram {
    start: u64,
    bucket_width: u64,
    buckets: Vec<u64>,
}

impl Histogram {
    fn new(now: SecondsSince2010, span: u64, buckets: usize) -> Self {
        let buckets = buckets.max(1);
        Self {
            start: u64::from(now.0),
            bucket_width: span.div_ceil(buckets as u64).max(1),
            buckets: vec![0; buckets],
        }
    }

    fn count(&mut self, void_time: VoidTime) {
        let offset = u64::from(void_time.0).saturating_sub(self.start);
        let last = self.buckets.len() - 1;
        self.buckets[((offset / self.bucket_width) as usize).min(last)] += 1;
    }

    /// The low edge of the bucket with which more than `target` records would go.
    fn threshold(&self, target: u64) -> Eviction {
        let mut below = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            if below + count > target {
                return match below {
                    0 => Eviction::Nothing,
                    _ => Eviction::Before(VoidTime(
                        (self.start + bucket as u64 * self.bucket_width) as u32,
                    )),
                };
            }
            below += count;
        }
        Eviction::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram(void_times: &[u32]) -> Histogram {
        let mut histogram = Histogram::new(SecondsSince2010(100), 100, 10);
        void_times.iter().for_each(|time| histogram.count(VoidTime(*time)));
        histogram
    }

    #[test]
    fn cuts_below_the_bucket_that_exceeds_the_share() {
        let histogram = histogram(&[101, 105, 111, 125, 199]);
        assert_eq!(histogram.threshold(2), Eviction::Before(VoidTime(110)));
        assert_eq!(histogram.threshold(3), Eviction::Before(VoidTime(120)));
        assert_eq!(histogram.threshold(4), Eviction::Before(VoidTime(190)));
    }

    #[test]
    fn takes_nothing_rather_than_too_much() {
        let histogram = histogram(&[101, 105, 111]);
        assert_eq!(histogram.threshold(1), Eviction::Nothing, "the first bucket holds two");
        assert_eq!(histogram.threshold(3), Eviction::Nothing, "that would be all");
    }
}
