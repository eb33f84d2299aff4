//! Keeps a warning that a client can provoke at will from filling the log.

use std::time::{Duration, Instant};

/// How far apart two warnings of one kind are at least.
const PERIOD: Duration = Duration::from_secs(10);

/// Lets the first of a kind of warning through, then one a period.
#[derive(Default)]
pub(super) struct Throttle {
    closed_until: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// Whether to warn now: if so, how many warnings were swallowed since the last one.
    pub(super) fn admit(&mut self, now: Instant) -> Option<u64> {
        if self.closed_until.is_some_and(|until| now < until) {
            self.suppressed += 1;
            return None;
        }
        self.closed_until = Some(now + PERIOD);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_warning_a_period() {
        let start = Instant::now();
        let mut throttle = Throttle::default();
        assert_eq!(throttle.admit(start), Some(0));
        assert_eq!(throttle.admit(start), None);
        assert_eq!(throttle.admit(start + PERIOD / 2), None);
        assert_eq!(throttle.admit(start + PERIOD), Some(2));
        assert_eq!(throttle.admit(start + PERIOD), None);
        assert_eq!(throttle.admit(start + PERIOD * 3), Some(1));
    }
}
