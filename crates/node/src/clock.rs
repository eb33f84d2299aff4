//! The clock by which records are written: a hybrid of the wall clock and of what other nodes have written
//! (`reference`: cluster.md, section 1).
//!
//! Clocks of nodes differ. What a node writes shall count more than what it has heard of, so its clock
//! never stands behind a moment that it has seen on a record of another node. One that is far ahead is not
//! believed: a single wrong clock would set all others.

use std::sync::atomic::{AtomicU64, Ordering};

use record::LastUpdateTime;

/// How far ahead of the own wall clock, in ms, another's is followed.
const AHEAD_MAX_MS: u64 = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct HybridClock {
    /// The latest moment that was seen, in ms since 2010.
    seen: AtomicU64,
}

impl HybridClock {
    /// The time, by a wall clock that says this.
    #[inline]
    pub fn now(&self, wall: LastUpdateTime) -> LastUpdateTime {
        let seen = self.seen.load(Ordering::Relaxed);
        LastUpdateTime(seen.max(wall.0).min(wall.0 + AHEAD_MAX_MS))
    }

    /// Another node has written something at this time.
    #[inline]
    pub fn observe(&self, time: LastUpdateTime) {
        // Seldom more: clocks are close to each other.
        if time.0 > self.seen.load(Ordering::Relaxed) {
            self.seen.fetch_max(time.0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_behind_nothing_that_was_seen_but_follows_no_wrong_clock() {
        let (clock, at) = (HybridClock::default(), LastUpdateTime);
        assert_eq!(clock.now(at(100)), at(100));
        clock.observe(at(150));
        clock.observe(at(120));
        assert_eq!((clock.now(at(100)), clock.now(at(151))), (at(150), at(151)));
        clock.observe(at(1_000_000));
        assert_eq!(clock.now(at(151)), at(151 + AHEAD_MAX_MS));
        assert_eq!(clock.now(at(2_000_000)), at(2_000_000));
    }
}
