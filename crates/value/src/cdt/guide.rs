//! What is kept beside a map so that operations find their way in it: an offset index, and whether
//! the client asked for one.
//!
//! The original keeps its index inside the value, if the client hinted at it, and takes it out of
//! every reply. Here the value is exactly what a reply carries, so the index lies beside it, and
//! every large map has one: of every [`PAIRS_PER_MARK`] pairs or so it says where one begins. A key
//! is found by a binary search among the marks and a short walk from there.
//!
//! | size | meaning |
//! |---|---|
//! | 1 | 1 if the client hinted at an index, else 0 |
//! | 8 each | marks, ascending: pairs before this one, its offset behind the map's header; both little-endian |
//!
//! A map that is small and has no hint has no guide: no bytes at all.

use std::ops::Range;

use super::container::Raw;
use crate::msgpack::{Malformed, Reader};

/// Pairs between two marks of a new guide; when there come to be more than twice as many, another
/// mark is made.
const PAIRS_PER_MARK: usize = 64;

/// A guide as it is stored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guide<'a>(&'a [u8]);

/// Where a pair begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Pairs before it.
    pub(crate) index: usize,
    /// Bytes of pairs before it.
    pub(crate) offset: usize,
}

/// A change of the bytes of a map's pairs.
#[derive(Clone, Debug)]
pub(crate) struct Splice {
    /// What is replaced.
    pub(crate) at: Range<usize>,
    /// Size of what replaces it.
    pub(crate) size_bytes: usize,
}

impl<'a> Guide<'a> {
    /// No guide.
    pub const NONE: Self = Self(&[]);

    /// Looks at a stored guide.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether the client asked for an index.
    pub(crate) fn is_hinted(self) -> bool {
        self.0.first() == Some(&1)
    }

    /// The last mark that is not beyond something, which `is_beyond` tells of an offset; the map's
    /// first pair if there is none.
    pub(crate) fn mark_before(self, is_beyond: impl Fn(usize) -> bool) -> Mark {
        let marks = self.marks();
        let place = marks.partition_point(|mark| !is_beyond(Mark::read(mark).offset));
        let mark = place.checked_sub(1).and_then(|place| marks.get(place));
        mark.map_or(Mark { index: 0, offset: 0 }, Mark::read)
    }

    /// A new map's guide.
    pub(crate) fn build(map: &Raw<'_>, is_hinted: bool) -> Vec<u8> {
        let mut marks = Vec::new();
        if map.count >= 2 * PAIRS_PER_MARK {
            let mut mark = Mark { index: 0, offset: 0 };
            while mark.index + 2 * PAIRS_PER_MARK <= map.count {
                let Ok(next) = mark.next(map) else { break };
                mark = next;
                marks.push(mark);
            }
        }
        encode(is_hinted, &marks)
    }

    /// The guide of a map that came of one with this guide by a single change.
    pub(crate) fn spliced(self, splice: &Splice, old: &Raw<'_>, new: &Raw<'_>) -> Vec<u8> {
        if self.marks().is_empty() {
            return Self::build(new, self.is_hinted());
        }
        let moved = |mark: Mark| match mark.offset {
            offset if offset <= splice.at.start => mark,
            offset => Mark {
                index: (mark.index + new.count).saturating_sub(old.count),
                offset: (offset + splice.size_bytes).saturating_sub(splice.at.len()),
            },
        };
        let mut marks: Vec<Mark> =
            self.marks().iter().map(|mark| moved(Mark::read(mark))).collect();
        // Where a pair was taken away, two marks can have come to stand at the same one.
        marks.dedup();
        marks.retain(|mark| mark.index < new.count);
        let place = marks.partition_point(|mark| mark.offset <= splice.at.start);
        let before = place.checked_sub(1).map_or(Mark { index: 0, offset: 0 }, |at| marks[at]);
        let end = marks.get(place).map_or(new.count, |mark| mark.index);
        if end.saturating_sub(before.index) > 2 * PAIRS_PER_MARK
            && let Ok(mark) = before.next(new)
        {
            marks.insert(place, mark);
        }
        encode(self.is_hinted(), &marks)
    }

    fn marks(self) -> &'a [[u8; 8]] {
        self.0.get(1..).unwrap_or_default().as_chunks().0
    }
}

fn encode(is_hinted: bool, marks: &[Mark]) -> Vec<u8> {
    if !is_hinted && marks.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::with_capacity(1 + 8 * marks.len());
    out.push(u8::from(is_hinted));
    for mark in marks {
        // Records are far smaller than 4 GiB.
        out.extend_from_slice(&(mark.index as u32).to_le_bytes());
        out.extend_from_slice(&(mark.offset as u32).to_le_bytes());
    }
    out
}

impl Mark {
    fn read(bytes: &[u8; 8]) -> Self {
        let [i0, i1, i2, i3, o0, o1, o2, o3] = *bytes;
        Self {
            index: u32::from_le_bytes([i0, i1, i2, i3]) as usize,
            offset: u32::from_le_bytes([o0, o1, o2, o3]) as usize,
        }
    }

    /// The mark of the pair that comes [`PAIRS_PER_MARK`] later.
    fn next(self, map: &Raw<'_>) -> Result<Self, Malformed> {
        let mut reader = Reader::new(map.body.get(self.offset..).ok_or(Malformed)?);
        for _ in 0..PAIRS_PER_MARK {
            reader.element()?;
            reader.element()?;
        }
        let offset = map.body.len() - reader.rest().len();
        Ok(Self { index: self.index + PAIRS_PER_MARK, offset })
    }
}

#[cfg(test)]
mod tests {
    use wire::ParticleType;

    use super::*;
    use crate::cdt::{self, Bin, Modified, Stored};
    use crate::collection::Kind;
    use crate::msgpack::{Flags, write};

    /// A map with every second number as a key, each under it once more.
    fn large(pairs: u32) -> Vec<u8> {
        let mut out = Vec::new();
        write::map_start(&mut out, pairs as usize, Flags::MAP_KEY_ORDERED);
        for key in 0..u64::from(pairs) {
            write::unsigned(&mut out, 2 * key);
            write::unsigned(&mut out, 2 * key);
        }
        out
    }

    fn operation(code: u8, parameters: &[u64]) -> Vec<u8> {
        let mut out = Vec::new();
        write::list_header(&mut out, parameters.len() + 1);
        out.push(code);
        parameters.iter().for_each(|parameter| write::unsigned(&mut out, *parameter));
        out
    }

    /// A bin as it changes.
    struct Work {
        value: Vec<u8>,
        guide: Vec<u8>,
    }

    impl Work {
        fn new(value: Vec<u8>) -> Self {
            let guide = cdt::guide_of_written((ParticleType::MAP, &value), &value);
            Self { value, guide }
        }

        fn stored(&self) -> Stored<'_> {
            let guide = Guide::new(&self.guide);
            Stored { particle_type: ParticleType::MAP, value: &self.value, guide }
        }

        fn modify(&mut self, operation: &[u8]) {
            let bin: Bin<'_> = Some(self.stored());
            let modified = cdt::modify(bin, operation).expect("the operation applies");
            if let Modified { bin: Some((_, value)), guide, .. } = modified {
                (self.value, self.guide) = (value, guide);
            }
        }

        /// Each mark is where the pair of its index begins, and none is far from the next.
        fn check(&self) {
            let map = Raw::of_kind(Kind::Map, &self.value).expect("it is a map");
            let mut reader = Reader::new(map.body);
            let starts: Vec<usize> = (0..map.count)
                .map(|_| {
                    let start = map.body.len() - reader.rest().len();
                    reader.element().and(reader.element()).expect("the map is whole");
                    start
                })
                .collect();
            let marks = Guide::new(&self.guide).marks().iter().map(Mark::read);
            let mut before = 0;
            for mark in marks {
                assert_eq!(starts.get(mark.index), Some(&mark.offset), "{mark:?}");
                assert!(mark.index - before <= 2 * PAIRS_PER_MARK, "{before} to {mark:?}");
                before = mark.index;
            }
            assert!(map.count - before <= 2 * PAIRS_PER_MARK, "{before} to {}", map.count);
        }
    }

    #[test]
    fn small_maps_have_none() {
        assert!(Work::new(large(127)).guide.is_empty());
        assert!(!Work::new(large(128)).guide.is_empty());
        // Unless the client asked for it.
        let hinted = b"\x82\xc7\x00\x11\xc0\x01\x02";
        let stored = b"\x82\xc7\x00\x01\xc0\x01\x02";
        let guide = cdt::guide_of_written((ParticleType::MAP, stored), hinted);
        assert!(Guide::new(&guide).is_hinted());
        assert!(cdt::guide_of_written((ParticleType::LIST, b"\x90"), b"\x90").is_empty());
    }

    #[test]
    fn marks_follow_every_change() {
        let mut random = fastrand::Rng::with_seed(10);
        let mut work = Work::new(large(700));
        for step in 0..2_000 {
            let key = random.u64(..1_500);
            match random.u8(..4) {
                // Values of different sizes; the removals leave but few pairs in the end.
                0 if step < 1_000 => work.modify(&operation(67, &[key, random.u64(..1 << 20)])),
                1 if step < 1_000 => work.modify(&operation(73, &[key, 1_000])),
                _ if step >= 1_000 || random.bool() => work.modify(&operation(76, &[0, key])),
                _ => work.modify(&operation(67, &[300, key])),
            }
            if step % 20 == 0 {
                work.check();
            }
        }
    }

    #[test]
    fn changes_behind_a_context_move_marks_too() {
        let mut work = Work::new(large(300));
        // Under keys that are there and keys that are not: create a list, append.
        for key in [1, 100, 299, 555, 599, 1_001] {
            let mut append = b"\x93\xcc\xff\x92\xcc\xa2".to_vec();
            write::unsigned(&mut append, key);
            append.extend(b"\x92\x01\x07");
            if key % 2 == 1 {
                (0..5).for_each(|_| work.modify(&append));
                work.check();
            }
        }
    }

    #[test]
    fn keys_are_found_with_and_without() {
        let work = Work::new(large(1_000));
        let without = Stored { guide: Guide::NONE, ..work.stored() };
        for key in (0..2_010).step_by(7) {
            for returns in [1, 7, 9] {
                let get = operation(97, &[returns, key]);
                let expected = cdt::read(without, &get);
                assert_eq!(cdt::read(work.stored(), &get), expected, "{key}");
            }
        }
    }

    #[test]
    fn a_damaged_guide_hurts_nobody() {
        let mut random = fastrand::Rng::with_seed(11);
        let mut work = Work::new(large(300));
        for _ in 0..2_000 {
            let size = random.usize(..work.guide.len());
            work.guide[size] = random.u8(..);
            let key = random.u64(..700);
            for call in [operation(97, &[7, key]), operation(107, &[7, key])] {
                let _ = cdt::read(work.stored(), &call);
            }
            for call in [operation(67, &[key, 9]), operation(76, &[7, key])] {
                let modified = cdt::modify(Some(work.stored()), &call);
                assert!(modified.is_err() || modified.is_ok_and(|m| m.guide.len() < 1_000));
            }
        }
    }
}
