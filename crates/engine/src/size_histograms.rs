//! Histograms over the records of a namespace and its sets: sizes and times to live.
//!
//! The supervisor makes them anew in each pass; info commands read the last ones (statistics
//! reference, size and TTL histograms).

use std::collections::HashMap;

use record::{SecondsSince2010, SetId, VoidTime};

/// Buckets of the time-to-live histogram.
pub const TTL_BUCKETS: usize = 100;
/// Buckets of the linear size histogram.
pub const LINEAR_BUCKETS: usize = 1024;
/// Buckets of the logarithmic size histogram.
pub const LOG_BUCKETS: usize = 64;

/// Buckets of equal width from zero.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LinearHistogram {
    /// Width of all buckets together.
    pub width: u64,
    /// Width of a bucket.
    pub bucket_width: u64,
    /// Count of each bucket; what lies beyond the last counts in it.
    pub buckets: Box<[u64]>,
}

impl LinearHistogram {
    fn new(buckets: usize, width: u64) -> Self {
        let bucket_width = width.div_ceil(buckets as u64).max(1);
        Self {
            width: bucket_width * buckets as u64,
            bucket_width,
            buckets: vec![0; buckets].into(),
        }
    }

    fn count(&mut self, value: u64) {
        let last = self.buckets.len() - 1;
        let bucket = ((value / self.bucket_width) as usize).min(last);
        self.buckets[bucket] += 1;
    }
}

/// The histograms of a namespace or a set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RecordHistograms {
    /// Times to live in seconds, of records that expire.
    pub ttl: LinearHistogram,
    /// Sizes in bytes, up to `max-record-size`.
    pub size_linear: LinearHistogram,
    /// Sizes in bytes: bucket n counts sizes from 2^(n-1) up to below 2^n.
    pub size_log: [u64; LOG_BUCKETS],
}

impl RecordHistograms {
    fn new(scale: &Scale) -> Self {
        Self {
            ttl: LinearHistogram::new(TTL_BUCKETS, scale.ttl_seconds_max),
            size_linear: LinearHistogram::new(LINEAR_BUCKETS, scale.record_size_bytes_max),
            size_log: [0; LOG_BUCKETS],
        }
    }

    fn count(&mut self, now: SecondsSince2010, void_time: VoidTime, size_bytes: u64) {
        if void_time != VoidTime::NEVER {
            self.ttl.count(u64::from(void_time.0.saturating_sub(now.0)));
        }
        self.size_linear.count(size_bytes);
        let bucket = (u64::BITS - size_bytes.leading_zeros()) as usize;
        self.size_log[bucket.min(LOG_BUCKETS - 1)] += 1;
    }
}

/// What the histograms have to span.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scale {
    /// Longest time to live of any record, in seconds.
    pub ttl_seconds_max: u64,
    /// `max-record-size` in bytes.
    pub record_size_bytes_max: u64,
}

/// The histograms of a namespace and of each of its sets that has records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SizeHistograms {
    /// Of all records; `None` before the first pass.
    pub namespace: Option<RecordHistograms>,
    /// Of each set.
    pub sets: HashMap<SetId, RecordHistograms>,
}

/// Histograms under construction.
#[derive(Debug)]
pub struct SizeHistogramsBuilder {
    scale: Scale,
    now: SecondsSince2010,
    namespace: RecordHistograms,
    sets: HashMap<SetId, RecordHistograms>,
}

impl SizeHistogramsBuilder {
    /// Starts empty histograms.
    pub fn new(scale: Scale, now: SecondsSince2010) -> Self {
        Self { scale, now, namespace: RecordHistograms::new(&scale), sets: HashMap::new() }
    }

    /// Counts one record.
    pub fn count(&mut self, set: SetId, void_time: VoidTime, size_bytes: u64) {
        self.namespace.count(self.now, void_time, size_bytes);
        if set != SetId::NONE {
            let scale = &self.scale;
            let of_set = self.sets.entry(set).or_insert_with(|| RecordHistograms::new(scale));
            of_set.count(self.now, void_time, size_bytes);
        }
    }

    /// The finished histograms.
    pub fn finish(self) -> SizeHistograms {
        SizeHistograms { namespace: Some(self.namespace), sets: self.sets }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_fall_into_their_buckets() {
        let scale = Scale { ttl_seconds_max: 1000, record_size_bytes_max: 1 << 20 };
        let mut builder = SizeHistogramsBuilder::new(scale, SecondsSince2010(100));
        builder.count(SetId::NONE, VoidTime(150), 64);
        builder.count(SetId(3), VoidTime(1100), 2048);
        builder.count(SetId(3), VoidTime::NEVER, 2047);
        let histograms = builder.finish();
        let all = histograms.namespace.unwrap();
        assert_eq!((all.ttl.bucket_width, all.ttl.buckets[5]), (10, 1));
        assert_eq!(all.ttl.buckets[TTL_BUCKETS - 1], 1);
        assert_eq!(all.size_linear.bucket_width, 1024);
        assert_eq!(all.size_linear.buckets[..3], [1, 1, 1]);
        assert_eq!((all.size_log[7], all.size_log[11], all.size_log[12]), (1, 1, 1));
        assert_eq!(histograms.sets[&SetId(3)].size_log.iter().sum::<u64>(), 2);
    }
}
