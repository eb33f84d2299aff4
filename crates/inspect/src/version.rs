//! Which of two versions of a record is the newer one.

use std::cmp::Ordering;

/// What decides between versions of one record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// When it was written, in ms since 2010.
    pub last_update_time: u64,
    /// What counts in place of that between versions of one record, as a rule the same.
    pub order: u64,
    /// How often the record had been written then.
    pub generation: u16,
    /// When it expires, in seconds since 2010; 0 for never.
    pub void_time: u32,
}

impl Version {
    /// Compares by age: the greater one is the newer. Last-update-time decides, or what stands for it,
    /// then generation, which wraps around, then void-time, of which never is the greatest. (Not `Ord`: with a wrap
    /// three generations can go round in a circle.)
    pub fn compare(&self, other: &Self) -> Ordering {
        let void_time = |version: &Self| version.void_time.wrapping_sub(1);
        self.order
            .cmp(&other.order)
            .then_with(|| compare_generations(self.generation, other.generation))
            .then_with(|| void_time(self).cmp(&void_time(other)))
    }

    /// Whether the record is gone at `now`, in seconds since 2010.
    pub fn is_expired(&self, now: u32) -> bool {
        self.void_time != 0 && now > self.void_time
    }
}

fn compare_generations(one: u16, other: u16) -> Ordering {
    match one.wrapping_sub(other) {
        0 | 0x8000 => Ordering::Equal,
        1..0x8000 => Ordering::Greater,
        _ => Ordering::Less,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_version_is_found() {
        let version = |last_update_time, generation, void_time| Version {
            last_update_time,
            order: last_update_time,
            generation,
            void_time,
        };
        let ascending = [
            [version(1, 9, 0), version(2, 1, 5)],
            [version(2, 1, 0), version(2, 2, 5)],
            [version(2, 65_535, 0), version(2, 1, 5)],
            [version(2, 1, 5), version(2, 1, 6)],
            [version(2, 1, u32::MAX), version(2, 1, 0)],
        ];
        for [older, newer] in ascending {
            assert_eq!(older.compare(&newer), Ordering::Less, "{older:?} {newer:?}");
            assert_eq!(newer.compare(&older), Ordering::Greater, "{older:?} {newer:?}");
        }
        assert_eq!(version(1, 2, 3).compare(&version(1, 2, 3)), Ordering::Equal);
    }
}
