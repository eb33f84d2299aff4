//! How long things take, all derived from the heartbeat's interval and timeout (`reference`: cluster.md, sections 2
//! and 3).

use std::time::Duration;

/// Longest time that a message takes in a healthy network.
const LATENCY: Duration = Duration::from_millis(5);

/// The heartbeat's times.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// Between two pulses.
    pub interval: Duration,
    /// A node is not heard any more when so many intervals passed without a pulse.
    pub timeout_intervals: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self { interval: Duration::from_millis(150), timeout_intervals: 10 }
    }
}

impl Timing {
    /// The same within bounds: an interval of 50 ms to 10 min, a timeout of at least 3 of them.
    pub(super) fn bounded(self) -> Self {
        let interval = self.interval.clamp(Duration::from_millis(50), Duration::from_secs(600));
        Self { interval, timeout_intervals: self.timeout_intervals.clamp(3, 10_000) }
    }

    /// Without a pulse for so long, a node is not heard any more.
    pub fn timeout(&self) -> Duration {
        self.interval * self.timeout_intervals
    }

    /// The rhythm of decisions.
    pub fn quantum(&self) -> Duration {
        let longest = (self.interval * 2).max(Duration::from_secs(5));
        let detected = self.timeout() + (self.interval + LATENCY) * 2;
        detected.min(longest).max(LATENCY * 8)
    }

    /// Evidence that has not changed for so long is decided on: every node's next pulse has arrived.
    pub(super) fn quiet(&self) -> Duration {
        (self.interval * 2 + LATENCY).min(self.quantum() / 4)
    }

    /// Messages of a round are repeated after so long.
    pub(super) fn retransmit(&self) -> Duration {
        (self.quantum() / 4).min(Duration::from_millis(100)).max(LATENCY * 2)
    }

    /// A round that has not succeeded by then has failed.
    pub(super) fn round(&self) -> Duration {
        (self.quantum() / 2).max(LATENCY * 2)
    }

    /// Without a view for so long, a node stops serving.
    pub(super) fn orphaned(&self) -> Duration {
        self.quantum() * 5
    }

    /// How long a node is kept out that has been dropped so often.
    pub(super) fn hold_off(&self, times: u8) -> Duration {
        match times {
            0 | 1 => Duration::ZERO,
            more => self.quantum() * (1 << (more - 1).min(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_original() {
        let timing = Timing::default();
        assert_eq!(timing.timeout().as_millis(), 1500);
        assert_eq!(timing.quantum().as_millis(), 1810);
        assert_eq!(timing.retransmit().as_millis(), 100);
        assert_eq!(timing.orphaned().as_millis(), 9050);
    }

    #[test]
    fn hold_offs_grow_up_to_a_minute() {
        let timing = Timing::default();
        let of: Vec<_> = (0..9).map(|times| timing.hold_off(times).as_millis() / 1810).collect();
        assert_eq!(of, [0, 0, 2, 4, 8, 16, 32, 32, 32]);
    }
}
