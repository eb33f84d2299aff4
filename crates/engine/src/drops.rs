//! Records that were removed not long ago.
//!
//! A record that is removed without a tombstone leaves nothing behind. Where other nodes have copies, one
//! of an earlier version may still be on its way here: sent before the removal, or by a migration. What is
//! noted here keeps it away, and has a record that is made anew be the later one.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use record::LastUpdateTime;
use wire::{Digest, PARTITIONS, PartitionId};

/// How long a removal is remembered at least, in ms: longer than what is sent in a view can be under way
/// before that view is over, or counts as lost.
const KEPT_MS: u64 = 10_000;

/// Removals of a namespace, by partition.
#[derive(Debug)]
pub struct Drops {
    /// Whether other nodes have copies.
    is_on: AtomicBool,
    partitions: Box<[Mutex<Option<Box<Recent>>>]>,
}

/// Removals of a partition.
#[derive(Debug, Default)]
struct Recent {
    /// When each of these records was removed, as versions count: no earlier version counts.
    removed: HashMap<Digest, LastUpdateTime>,
    /// The same by the time at which they were noted.
    order: VecDeque<(u64, Digest)>,
    /// Whether records move, so that nothing may be forgotten.
    is_moving: bool,
}

impl Default for Drops {
    fn default() -> Self {
        let partitions = (0..PARTITIONS).map(|_| Mutex::default()).collect();
        Self { is_on: AtomicBool::new(false), partitions }
    }
}

impl Drops {
    /// Says whether other nodes have copies. If none has, nothing is noted.
    pub fn set_on(&self, is_on: bool) {
        if self.is_on.swap(is_on, Ordering::Relaxed) && !is_on {
            self.partitions.iter().for_each(|partition| *partition.lock() = None);
        }
    }

    /// Says whether records of a partition move between nodes.
    pub fn set_moving(&self, partition: PartitionId, is_moving: bool) {
        let mut recent = self.partitions[partition.index()].lock();
        match &mut *recent {
            Some(recent) => recent.is_moving = is_moving,
            None if is_moving => {
                *recent = Some(Box::new(Recent { is_moving, ..Recent::default() }));
            }
            None => {}
        }
    }

    /// Notes that a record was removed; `now` is the time.
    pub fn note(&self, digest: &Digest, at: LastUpdateTime, now: LastUpdateTime) {
        if !self.is_on.load(Ordering::Relaxed) {
            return;
        }
        let mut recent = self.partitions[digest.partition().index()].lock();
        let recent = recent.get_or_insert_default();
        recent.forget_before(now.0.saturating_sub(KEPT_MS));
        let known = recent.removed.entry(*digest).or_insert(at);
        *known = at.max(*known);
        recent.order.push_back((now.0, *digest));
    }

    /// Whether a version of this time was removed.
    pub fn covers(&self, digest: &Digest, version: LastUpdateTime) -> bool {
        self.removed_at(digest).is_some_and(|removed| removed >= version)
    }

    /// What is remembered of a partition, by digest.
    pub fn of(&self, partition: PartitionId) -> Vec<(Digest, LastUpdateTime)> {
        let recent = self.partitions[partition.index()].lock();
        let removed = recent.iter().flat_map(|recent| &recent.removed);
        let mut removed: Vec<_> = removed.map(|(digest, at)| (*digest, *at)).collect();
        removed.sort_unstable_by_key(|(digest, _)| digest.0);
        removed
    }

    /// The last-update-time of a record that is made anew now.
    #[inline]
    pub(crate) fn after(&self, digest: &Digest, now: LastUpdateTime) -> LastUpdateTime {
        match self.removed_at(digest) {
            Some(LastUpdateTime(removed)) => now.max(LastUpdateTime(removed + 1)),
            None => now,
        }
    }

    #[inline]
    fn removed_at(&self, digest: &Digest) -> Option<LastUpdateTime> {
        if !self.is_on.load(Ordering::Relaxed) {
            return None;
        }
        let recent = self.partitions[digest.partition().index()].lock();
        recent.as_ref()?.removed.get(digest).copied()
    }
}

impl Recent {
    fn forget_before(&mut self, time_ms: u64) {
        while !self.is_moving
            && let Some((noted, digest)) = self.order.front().copied()
            && noted < time_ms
        {
            self.order.pop_front();
            // One that was removed again stands behind as well.
            if self.removed.get(&digest).is_some_and(|at| at.0 < time_ms) {
                self.removed.remove(&digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(number: u8) -> Digest {
        Digest([number; Digest::SIZE])
    }

    #[test]
    fn removals_are_remembered_for_a_while() {
        let drops = Drops::default();
        let at = LastUpdateTime;
        drops.note(&digest(1), at(100), at(100));
        assert!(!drops.covers(&digest(1), at(1)), "nobody else has copies");
        drops.set_on(true);
        drops.note(&digest(1), at(100), at(100));
        assert!(drops.covers(&digest(1), at(100)) && !drops.covers(&digest(1), at(101)));
        assert_eq!(drops.after(&digest(1), at(99)), at(101));
        assert_eq!(drops.after(&digest(2), at(99)), at(99));
        drops.note(&digest(1), at(20_000), at(20_000));
        assert!(drops.covers(&digest(1), at(20_000)), "the later one counts");
        let partition = digest(1).partition();
        drops.set_moving(partition, true);
        drops.note(&digest(1), at(50_000), at(50_000));
        drops.set_moving(partition, false);
        let other = Digest([[1; 10], [7; 10]].concat().try_into().unwrap());
        assert_eq!(other.partition(), partition);
        drops.note(&other, at(90_000), at(90_000));
        assert!(!drops.covers(&digest(1), at(1)), "it is long ago");
        assert_eq!(drops.of(partition), [(other, at(90_000))]);
        drops.set_on(false);
        drops.set_on(true);
        assert!(!drops.covers(&other, at(1)));
    }
}
