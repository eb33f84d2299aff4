//! How fast a job may go.

use std::time::Duration;

/// A number of records per second, spread evenly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Pace {
    /// 0: as fast as it goes.
    per_second: u32,
    begun: Duration,
    done: u64,
}

/// Time that is made up for if a job could not go on for longer: what it missed before that is lost.
const ARREARS: Duration = Duration::from_millis(100);

impl Pace {
    /// A job that begins now, by the monotonic clock.
    pub fn new(per_second: u32, now: Duration) -> Self {
        Self { per_second, begun: now, done: 0 }
    }

    /// How many records may be worked on now.
    pub fn allowance(&mut self, now: Duration) -> usize {
        if self.per_second == 0 {
            return usize::MAX;
        }
        let earliest = now.saturating_sub(ARREARS);
        if self.time_of(self.done) + self.begun < earliest {
            (self.begun, self.done) = (earliest, 0);
        }
        let elapsed = now.saturating_sub(self.begun).as_micros();
        let due = (elapsed * u128::from(self.per_second) / 1_000_000) as u64;
        due.saturating_sub(self.done) as usize
    }

    /// Takes note of records that were worked on.
    pub fn worked(&mut self, records: usize) {
        self.done += records as u64;
    }

    /// When one more record may be worked on.
    pub fn next_at(&self) -> Duration {
        self.begun + self.time_of(self.done + 1)
    }

    fn time_of(&self, records: u64) -> Duration {
        Duration::from_micros(
            (u128::from(records) * 1_000_000).div_ceil(u128::from(self.per_second.max(1))) as u64,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(5);

    #[test]
    fn records_are_spread_over_a_second() {
        let mut pace = Pace::new(1_000, START);
        assert_eq!(pace.allowance(START), 0);
        assert_eq!(pace.next_at(), START + Duration::from_millis(1));
        assert_eq!(pace.allowance(START + Duration::from_millis(10)), 10);
        pace.worked(10);
        assert_eq!(pace.allowance(START + Duration::from_millis(10)), 0);
        assert_eq!(pace.next_at(), START + Duration::from_millis(11));
    }

    #[test]
    fn what_was_missed_long_ago_is_lost() {
        let mut pace = Pace::new(1_000, START);
        assert_eq!(pace.allowance(START + Duration::from_secs(60)), 100);
        pace.worked(100);
        assert_eq!(pace.allowance(START + Duration::from_secs(60)), 0);
    }

    #[test]
    fn without_a_pace_it_goes_on() {
        assert_eq!(Pace::new(0, START).allowance(START), usize::MAX);
    }
}
