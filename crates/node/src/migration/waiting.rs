//! What waits to be given.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::Place;

/// Partitions that wait to be given, each of them once.
#[derive(Default)]
pub(super) struct Waiting {
    /// Those that may be given now, in order.
    ready: VecDeque<Place>,
    /// Those for nodes that have nothing yet: these wait, since a node that is missed may be back soon.
    fills: VecDeque<Place>,
    /// Those that wait until a time.
    postponed: Vec<(Duration, Place)>,
    /// All of them. There may be 4,096 in each namespace, and each that moves may bring another.
    all: BTreeSet<Place>,
}

impl Waiting {
    /// Adds a partition behind all others, unless it waits already.
    pub fn push(&mut self, place: Place) {
        if self.all.insert(place) {
            self.ready.push_back(place);
        }
    }

    /// Takes out the next that may be given and is no fill that has to wait.
    pub fn pop(&mut self, is_waiting_fill: impl Fn(Place) -> bool) -> Option<Place> {
        while let Some(place) = self.ready.pop_front() {
            if !is_waiting_fill(place) {
                self.all.remove(&place);
                return Some(place);
            }
            self.fills.push_back(place);
        }
        None
    }

    /// Adds a partition that is to wait until a time.
    pub fn postpone(&mut self, place: Place, until: Duration) {
        if self.all.insert(place) {
            self.postponed.push((until, place));
        }
    }

    /// Lets go of what has waited for long enough.
    pub fn release(&mut self, now: Duration, are_fills_free: bool) {
        if are_fills_free {
            self.ready.append(&mut self.fills);
        }
        let due = self.postponed.extract_if(.., |(until, _)| *until <= now);
        self.ready.extend(due.map(|(_, place)| place));
    }

    /// When something that was postponed may be given.
    pub fn next_due(&self) -> Option<Duration> {
        self.postponed.iter().map(|(until, _)| *until).min()
    }
}

impl FromIterator<Place> for Waiting {
    fn from_iter<I: IntoIterator<Item = Place>>(places: I) -> Self {
        let mut waiting = Self::default();
        places.into_iter().for_each(|place| waiting.push(place));
        waiting
    }
}

#[cfg(test)]
mod tests {
    use wire::PartitionId;

    use super::*;

    fn place(number: u16) -> Place {
        (0, PartitionId::new(number).unwrap())
    }

    #[test]
    fn each_partition_waits_once() {
        let mut waiting: Waiting = [place(2), place(1), place(2)].into_iter().collect();
        waiting.push(place(1));
        waiting.postpone(place(1), Duration::ZERO);
        assert_eq!(waiting.pop(|_| false), Some(place(2)));
        waiting.push(place(2));
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop(|_| false)).collect();
        assert_eq!(order, [place(1), place(2)]);
    }

    #[test]
    fn fills_and_what_was_postponed_wait_for_their_time() {
        let mut waiting: Waiting = (0..4).map(place).collect();
        let is_fill = |of: Place| of == place(0) || of == place(2);
        assert_eq!(waiting.pop(is_fill), Some(place(1)));
        waiting.postpone(place(1), Duration::from_secs(5));
        assert_eq!(waiting.pop(is_fill), Some(place(3)));
        waiting.push(place(0));
        assert_eq!(waiting.pop(is_fill), None, "it is a fill that waits");
        assert_eq!(waiting.next_due(), Some(Duration::from_secs(5)));
        waiting.release(Duration::from_secs(4), false);
        assert_eq!(waiting.pop(is_fill), None);
        waiting.release(Duration::from_secs(5), true);
        let order: Vec<_> = std::iter::from_fn(|| waiting.pop(|_| false)).collect();
        assert_eq!(order, [place(0), place(2), place(1)]);
        assert_eq!(waiting.next_due(), None);
    }
}
