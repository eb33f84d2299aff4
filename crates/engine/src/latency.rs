//! Latency histograms: 64 power-of-two buckets, raised without contention.
//!
//! Bucket 0 counts values below 1 of the unit, bucket n values from 2^(n-1) up to below 2^n
//! (statistics reference, latency histograms).

use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::counters::Stripe;

/// Buckets of a histogram.
pub const BUCKETS: usize = 64;

/// One histogram, with a stripe for each event loop and one for everybody else.
#[derive(Debug)]
pub struct Latency {
    stripes: Box<[CachePadded<Box<[AtomicU64]>>]>,
}

/// A histogram's counts at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts(pub [u64; BUCKETS]);

impl Default for Counts {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Latency {
    /// An empty histogram for this many event loops.
    pub fn new(loops: usize) -> Self {
        let stripe =
            || CachePadded::new((0..BUCKETS).map(|_| AtomicU64::new(0)).collect::<Box<[_]>>());
        Self { stripes: (0..=loops).map(|_| stripe()).collect() }
    }

    /// Counts one value, given in the histogram's unit.
    pub fn record(&self, stripe: Stripe, value: u64) {
        let bucket = bucket(value);
        let slot = self.stripes.get(stripe.index()).and_then(|stripe| stripe.get(bucket));
        if let Some(slot) = slot {
            if stripe == Stripe::SHARED {
                slot.fetch_add(1, Ordering::Relaxed);
            } else {
                slot.store(slot.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            }
        }
    }

    /// The counts over all threads.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for stripe in &self.stripes {
            for (sum, count) in counts.0.iter_mut().zip(stripe.iter()) {
                *sum += count.load(Ordering::Relaxed);
            }
        }
        counts
    }

    /// Sets all counts back to zero. Values recorded meanwhile may survive.
    pub fn clear(&self) {
        self.stripes.iter().flat_map(|stripe| stripe.iter()).for_each(|count| {
            count.store(0, Ordering::Relaxed);
        });
    }
}

impl Counts {
    /// Values counted.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// What was counted since `earlier`; zero where a histogram was cleared meanwhile.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut difference = *self;
        for (count, before) in difference.0.iter_mut().zip(earlier.0) {
            *count = count.saturating_sub(before);
        }
        difference
    }

    /// Share of values, in percent, of at least 2^`exponent` units.
    pub fn percent_at_least(&self, exponent: usize) -> f64 {
        let total = self.total();
        let above: u64 = self.0.iter().skip(exponent + 1).sum();
        if total == 0 { 0.0 } else { above as f64 * 100.0 / total as f64 }
    }
}

fn bucket(value: u64) -> usize {
    ((u64::BITS - value.leading_zeros()) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_powers_of_two() {
        for (value, expected) in
            [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (1023, 10), (1024, 11), (u64::MAX, 63)]
        {
            assert_eq!(bucket(value), expected, "{value}");
        }
    }

    #[test]
    fn share_above_a_threshold() {
        let latency = Latency::new(1);
        for value in [0, 0, 1, 5] {
            latency.record(Stripe::of_loop(0), value);
        }
        let counts = latency.counts();
        assert_eq!(counts.total(), 4);
        assert_eq!(counts.percent_at_least(0), 50.0);
        assert_eq!(counts.percent_at_least(2), 25.0);
        assert_eq!(counts.percent_at_least(3), 0.0);
        latency.record(Stripe::SHARED, 9);
        assert_eq!(latency.counts().since(&counts).total(), 1);
        latency.clear();
        assert_eq!(latency.counts().total(), 0);
        assert_eq!(latency.counts().percent_at_least(0), 0.0);
    }
}
