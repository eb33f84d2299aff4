//! The cluster as this node sees it: so far always itself alone.

use std::time::Duration;

/// Bits of a cluster key.
const KEY_BITS: u32 = 48;

/// A cluster that was agreed on, and the balance of partitions that followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct View {
    /// Names this agreement: random, 48 bits, not zero.
    pub cluster_key: u64,
    /// Agreements so far.
    pub generation: u64,
    /// Balances so far.
    pub rebalances: u64,
    /// When the last balance was, by the monotonic clock.
    pub rebalanced_at: Duration,
}

impl View {
    /// The first agreement of a node that comes up.
    pub fn form(random: u64, now: Duration) -> Self {
        Self { cluster_key: key_of(random), generation: 1, rebalances: 1, rebalanced_at: now }
    }

    /// Agrees anew, under another key.
    pub fn reform(&mut self, random: u64, now: Duration) {
        self.cluster_key = key_of(random);
        self.generation += 1;
        self.rebalances += 1;
        self.rebalanced_at = now;
    }
}

fn key_of(random: u64) -> u64 {
    (random >> (u64::BITS - KEY_BITS)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_48_bits_and_are_never_zero() {
        assert_eq!(View::form(0, Duration::ZERO).cluster_key, 1);
        let mut view = View::form(u64::MAX, Duration::ZERO);
        assert_eq!(view.cluster_key, 0xFFFF_FFFF_FFFF);
        view.reform(7 << 16, Duration::from_secs(5));
        let rebalanced_at = Duration::from_secs(5);
        assert_eq!(view, View { cluster_key: 7, generation: 2, rebalances: 2, rebalanced_at });
    }
}
