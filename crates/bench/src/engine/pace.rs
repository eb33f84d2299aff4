//! When operations are meant to start.
//!
//! In a closed loop the next operation starts when an earlier one has ended, so a server that stands
//! still also stops the questions, and few latencies tell of the stall ("coordinated omission"). At a
//! fixed rate every operation has an intended start, whether a connection is free then or not, and its
//! latency counts from there.

use std::time::Duration;

/// How a run is driven.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Pace {
    /// Every connection always has as many operations in flight as it may.
    Closed {
        /// If given, latencies are counted as if operations had been meant to start at this interval
        /// on every connection's every place; see [`crate::metrics::Correction::Interval`].
        expected_interval: Option<Duration>,
    },
    /// Operations start at a fixed rate over all connections.
    Fixed {
        /// Operations per second, above zero.
        ops_per_s: f64,
        /// How they are spread in time.
        arrivals: Arrivals,
    },
}

/// Distances between the intended starts at a fixed rate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrivals {
    /// All equal.
    Even,
    /// Exponentially distributed, as if many independent users came.
    Poisson,
}

/// The intended starts of one thread's operations.
#[derive(Clone, Debug)]
pub struct Schedule {
    interval_ns: f64,
    next_ns: f64,
    random: Option<fastrand::Rng>,
}

impl Schedule {
    /// For one of `threads` threads that share the rate; the threads take turns.
    pub fn new(ops_per_s: f64, arrivals: Arrivals, thread: usize, threads: usize) -> Self {
        let interval_ns = 1e9 * threads as f64 / ops_per_s;
        let random = match arrivals {
            Arrivals::Even => None,
            Arrivals::Poisson => Some(fastrand::Rng::with_seed(thread as u64)),
        };
        Self { interval_ns, next_ns: interval_ns * thread as f64 / threads as f64, random }
    }

    /// When the next operation is meant to start, in ns since the run's start.
    pub fn next_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Moves on to the operation after the next one; returns the start of the one left behind.
    pub fn advance(&mut self) -> u64 {
        let start = self.next_ns();
        self.next_ns += match &mut self.random {
            None => self.interval_ns,
            // 1 - f64() is never zero.
            Some(random) => -(1.0 - random.f64()).ln() * self.interval_ns,
        };
        start
    }

    /// About how many operations were meant to start before `now_ns` and were not taken.
    pub fn overdue(&self, now_ns: u64) -> u64 {
        ((now_ns as f64 - self.next_ns) / self.interval_ns).max(0.0) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_starts_interleave_over_the_threads() {
        let mut starts: Vec<u64> = (0..2)
            .flat_map(|thread| {
                let mut schedule = Schedule::new(1_000.0, Arrivals::Even, thread, 2);
                std::iter::repeat_with(move || schedule.advance()).take(5)
            })
            .collect();
        starts.sort_unstable();
        assert_eq!(starts, (0..10).map(|n| n * 1_000_000).collect::<Vec<_>>());
    }

    #[test]
    fn poisson_starts_keep_the_rate() {
        let mut schedule = Schedule::new(1_000.0, Arrivals::Poisson, 0, 1);
        let starts: Vec<u64> = (0..10_000).map(|_| schedule.advance()).collect();
        let seconds = *starts.last().unwrap() as f64 / 1e9;
        assert!((seconds - 10.0).abs() < 0.5, "{seconds}");
        // The share of gaps shorter than the mean is 1 - 1/e.
        let short = starts.windows(2).filter(|pair| pair[1] - pair[0] < 1_000_000).count();
        assert!((short as f64 / 1e4 - 0.632).abs() < 0.02, "{short}");
    }

    #[test]
    fn what_was_not_started_is_overdue() {
        let mut schedule = Schedule::new(1_000.0, Arrivals::Even, 0, 1);
        for _ in 0..10 {
            schedule.advance();
        }
        assert_eq!(schedule.overdue(5_000_000), 0);
        assert_eq!(schedule.overdue(15_000_000), 5);
    }
}
