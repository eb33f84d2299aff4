//! What a run counts: latencies and results, by kind of operation.

use hdrhistogram::Histogram;
use wire::ResultCode;

use crate::workload::OpKind;

/// Lowest latency told apart from zero, and highest one kept, in ns: 0.1 µs to 100 s.
const LATENCY_NS: std::ops::RangeInclusive<u64> = 100..=100_000_000_000;

/// Significant decimal digits of a latency.
const LATENCY_DIGITS: u8 = 3;

/// Latencies and results of all operations of one kind.
#[derive(Clone, Debug)]
pub struct KindMetrics {
    /// Latencies in ns. Holds more values than there were operations if the closed loop's missing
    /// ones were filled in.
    pub latency_ns: Histogram<u64>,
    /// Operations answered, by result code.
    results: Box<[u64; 256]>,
    /// Records that the operations without an error were about: several each for batches.
    pub rows: u64,
    /// Operations whose answer never came.
    pub lost: u64,
}

impl Default for KindMetrics {
    fn default() -> Self {
        let latency_ns =
            Histogram::new_with_bounds(*LATENCY_NS.start(), *LATENCY_NS.end(), LATENCY_DIGITS)
                .expect("the bounds are apart and the digits at most five");
        Self { latency_ns, results: Box::new([0; 256]), rows: 0, lost: 0 }
    }
}

impl KindMetrics {
    /// Operations answered.
    pub fn ops(&self) -> u64 {
        self.results.iter().sum()
    }

    /// Operations answered with something else than success or "not found", or never answered.
    pub fn errors(&self) -> u64 {
        let answered_with_errors: u64 = self
            .results()
            .filter(|(code, _)| *code != ResultCode::OK && *code != ResultCode::NOT_FOUND)
            .map(|(_, count)| count)
            .sum();
        answered_with_errors + self.lost
    }

    /// Result codes that came, with their counts, ascending.
    pub fn results(&self) -> impl Iterator<Item = (ResultCode, u64)> {
        let counts = self.results.iter().enumerate().filter(|(_, count)| **count > 0);
        counts.map(|(code, &count)| (ResultCode(code as u8), count))
    }

    fn add(&mut self, other: &Self) {
        self.latency_ns += &other.latency_ns;
        for (sum, count) in self.results.iter_mut().zip(other.results.iter()) {
            *sum += count;
        }
        self.rows += other.rows;
        self.lost += other.lost;
    }

    fn reset(&mut self) {
        self.latency_ns.reset();
        self.results.fill(0);
        self.rows = 0;
        self.lost = 0;
    }
}

/// Latencies and results by kind. A kind takes memory once it has occurred.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    kinds: [Option<Box<KindMetrics>>; OpKind::ALL.len()],
}

/// How latencies are counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Correction {
    /// Each one once: they were measured from the intended start, or are wanted as they are.
    None,
    /// A closed loop sends nothing while it waits, so that a long wait hides the requests that would
    /// have waited too. They are filled in: one for every interval of so many ns that the wait lasted.
    Interval(u64),
}

impl Metrics {
    /// Counts an operation that was answered.
    pub fn answered(
        &mut self,
        kind: OpKind,
        code: ResultCode,
        latency_ns: u64,
        correction: Correction,
    ) {
        let metrics = self.kind_mut(kind);
        metrics.results[usize::from(code.0)] += 1;
        let latency_ns = latency_ns.min(*LATENCY_NS.end());
        match correction {
            Correction::None => metrics.latency_ns.record(latency_ns),
            Correction::Interval(interval) => {
                metrics.latency_ns.record_correct(latency_ns, interval)
            }
        }
        .expect("the latency was clamped to the histogram's range");
    }

    /// Counts records that an operation was about.
    pub fn rows(&mut self, kind: OpKind, rows: u64) {
        self.kind_mut(kind).rows += rows;
    }

    /// Counts an operation that will not be answered.
    pub fn lost(&mut self, kind: OpKind) {
        self.kind_mut(kind).lost += 1;
    }

    /// The kinds that occurred.
    pub fn kinds(&self) -> impl Iterator<Item = (OpKind, &KindMetrics)> {
        OpKind::ALL
            .into_iter()
            .zip(&self.kinds)
            .filter_map(|(kind, metrics)| metrics.as_deref().map(|metrics| (kind, metrics)))
            .filter(|(_, metrics)| metrics.ops() + metrics.lost > 0)
    }

    /// Operations answered.
    pub fn ops(&self) -> u64 {
        self.kinds().map(|(_, metrics)| metrics.ops()).sum()
    }

    /// Records that the operations without an error were about.
    pub fn row_count(&self) -> u64 {
        self.kinds().map(|(_, metrics)| metrics.rows).sum()
    }

    /// Operations that failed; "not found" is no failure.
    pub fn errors(&self) -> u64 {
        self.kinds().map(|(_, metrics)| metrics.errors()).sum()
    }

    /// Latencies of all kinds together.
    pub fn latency_ns(&self) -> Histogram<u64> {
        let mut all = KindMetrics::default().latency_ns;
        for (_, metrics) in self.kinds() {
            all += &metrics.latency_ns;
        }
        all
    }

    /// Adds what another one has counted.
    pub fn add(&mut self, other: &Self) {
        for (kind, metrics) in other.kinds() {
            self.kind_mut(kind).add(metrics);
        }
    }

    /// Forgets everything, but keeps the memory.
    pub fn reset(&mut self) {
        self.kinds.iter_mut().flatten().for_each(|metrics| metrics.reset());
    }

    fn kind_mut(&mut self, kind: OpKind) -> &mut KindMetrics {
        self.kinds[kind.index()].get_or_insert_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn not_found_is_no_error() {
        let mut metrics = Metrics::default();
        for code in [ResultCode::OK, ResultCode::NOT_FOUND, ResultCode::GENERATION] {
            metrics.answered(OpKind::Read, code, MS, Correction::None);
        }
        metrics.lost(OpKind::Update);
        assert_eq!((metrics.ops(), metrics.errors()), (3, 2));
        let (kind, read) = metrics.kinds().next().unwrap();
        assert_eq!((kind, read.errors()), (OpKind::Read, 1));
        assert_eq!(read.results().nth(1), Some((ResultCode::NOT_FOUND, 1)));
    }

    #[test]
    fn sums_and_resets() {
        let mut one = Metrics::default();
        one.answered(OpKind::Read, ResultCode::OK, 2 * MS, Correction::None);
        one.rows(OpKind::Read, 1);
        let mut sum = one.clone();
        sum.add(&one);
        assert_eq!((sum.ops(), sum.row_count(), sum.latency_ns().len()), (2, 2, 2));
        sum.reset();
        assert_eq!((sum.ops(), sum.kinds().count()), (0, 0));
    }

    #[test]
    fn waits_beyond_the_range_are_kept_as_its_end() {
        let mut metrics = Metrics::default();
        metrics.answered(OpKind::Read, ResultCode::OK, u64::MAX, Correction::None);
        metrics.answered(OpKind::Read, ResultCode::OK, 0, Correction::None);
        let max = metrics.latency_ns().max();
        assert!(max.abs_diff(*LATENCY_NS.end()) < *LATENCY_NS.end() / 500, "{max}");
    }

    #[test]
    fn correction_fills_in_what_a_stall_hid() {
        // A request a ms; 999 take 0.1 ms, then the server stands still for a second.
        let percentile_99 = |correction| {
            let mut metrics = Metrics::default();
            for _ in 0..999 {
                metrics.answered(OpKind::Read, ResultCode::OK, MS / 10, correction);
            }
            metrics.answered(OpKind::Read, ResultCode::OK, 1_000 * MS, correction);
            metrics.latency_ns().value_at_quantile(0.99)
        };
        assert!(percentile_99(Correction::None) < MS);
        // In truth half of the 2,000 intended requests fell into the stall, evenly over it: the
        // slowest hundredth of all is the slowest fiftieth of those.
        let corrected = percentile_99(Correction::Interval(MS));
        assert!(corrected.abs_diff(980 * MS) < 5 * MS, "{corrected}");
    }
}
