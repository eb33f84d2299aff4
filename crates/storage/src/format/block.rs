//! A write block: a header, records one after the other, and a mark behind the last.
//!
//! Header, 64 bytes:
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | checksum of the rest, tied to its place |
//! | 4 | 4 | magic |
//! | 8 | 8 | sequence number: grows each time that a block of the device begins to be filled |
//! | 16 | 4 | number of the block |
//! | 20 | 1 | version of the form |
//! | 21 | 1 | 1: in use, 2: free |
//! | 22 | 42 | zero |
//!
//! End mark, 16 bytes: a checksum tied to its place (4), the low half of the sequence number (4), a
//! magic (2), zeros. A block gets it when nothing more will be appended; a block without it was being
//! filled when the server ended. Zeros follow up to the next multiple of 4 KiB; what is beyond that was not
//! written in this life of the block.

use super::flat::{self, Found};
use super::{Cursor, Place, UNIT_BYTES, checksum};
use crate::aligned::ALIGN_BYTES;

/// Bytes in front of the first record.
pub const HEADER_BYTES: usize = 64;
/// Bytes of the mark behind the last record.
pub const END_BYTES: usize = UNIT_BYTES;

const MAGIC: u32 = 0x4B4C_4442;
const END_MAGIC: u16 = 0xB0ED;
const VERSION: u8 = 1;
const IN_USE: u8 = 1;
const FREE: u8 = 2;

/// What a block's header says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    /// Nothing was ever written there.
    Blank,
    /// It holds nothing any more. The next life gets a greater sequence number.
    Free {
        /// Sequence number of the life that is over.
        sequence: u64,
    },
    /// It holds records.
    InUse {
        /// Sequence number of this life.
        sequence: u64,
    },
    /// The header does not stand up to its checksum, or belongs to another block or device.
    Damaged,
}

fn encode(sequence: u64, block: u32, state: u8, place: &Place) -> [u8; HEADER_BYTES] {
    let mut out = [0; HEADER_BYTES];
    out[4..8].copy_from_slice(&MAGIC.to_le_bytes());
    out[8..16].copy_from_slice(&sequence.to_le_bytes());
    out[16..20].copy_from_slice(&block.to_le_bytes());
    out[20] = VERSION;
    out[21] = state;
    let tied = place.tie(checksum(&out[4..]));
    out[..4].copy_from_slice(&tied.to_le_bytes());
    out
}

/// The header of a block in use. `place` is the block's.
pub fn in_use(block: u32, place: &Place) -> [u8; HEADER_BYTES] {
    encode(place.sequence, block, IN_USE, place)
}

/// The header of a block that is free.
pub fn free(block: u32, place: &Place) -> [u8; HEADER_BYTES] {
    encode(place.sequence, block, FREE, place)
}

/// Reads the header at the beginning of `bytes`, those of this block of this device.
pub fn head(bytes: &[u8], device: u64, block: u32, offset_bytes: u64) -> Head {
    let Some(front) = bytes.first_chunk::<HEADER_BYTES>() else { return Head::Damaged };
    if *front == [0; HEADER_BYTES] {
        return Head::Blank;
    }
    decode(front, device, block, offset_bytes).unwrap_or(Head::Damaged)
}

fn decode(front: &[u8; HEADER_BYTES], device: u64, block: u32, offset_bytes: u64) -> Option<Head> {
    let mut cursor = Cursor(front);
    let (tied, magic) = (cursor.u32()?, cursor.u32()?);
    let (sequence, number) = (cursor.u64()?, cursor.u32()?);
    let (version, state) = (cursor.u8()?, cursor.u8()?);
    let place = Place { device, offset_bytes, sequence };
    let sound = tied == place.tie(checksum(&front[4..]))
        && (magic, number, version) == (MAGIC, block, VERSION);
    match state {
        IN_USE if sound => Some(Head::InUse { sequence }),
        FREE if sound => Some(Head::Free { sequence }),
        _ => None,
    }
}

/// An id with which what seems to be this block's header at the beginning of `bytes` would be sound, for
/// a device whose own header is lost. That others are sound with the same id proves it.
pub fn stand_in(bytes: &[u8], block: u32, offset_bytes: u64) -> Option<u64> {
    let front = bytes.first_chunk::<HEADER_BYTES>()?;
    let mut cursor = Cursor(front);
    let (tied, magic) = (cursor.u32()?, cursor.u32()?);
    let (sequence, number) = (cursor.u64()?, cursor.u32()?);
    let version = cursor.u8()?;
    let place = Place { device: 0, offset_bytes, sequence };
    ((magic, number, version) == (MAGIC, block, VERSION))
        .then(|| place.stand_in(checksum(&front[4..]), tied))
}

/// The mark behind the last record of a block.
pub fn end(place: &Place) -> [u8; END_BYTES] {
    let mut out = [0; END_BYTES];
    out[4..8].copy_from_slice(&(place.sequence as u32).to_le_bytes());
    out[8..10].copy_from_slice(&END_MAGIC.to_le_bytes());
    let tied = place.tie(checksum(&out[4..]));
    out[..4].copy_from_slice(&tied.to_le_bytes());
    out
}

/// A block as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Image<'b> {
    /// All its bytes.
    pub bytes: &'b [u8],
    /// The device's id.
    pub device: u64,
    /// Where it begins on the device, in bytes.
    pub offset_bytes: u64,
    /// Its sequence number.
    pub sequence: u64,
}

/// What stands in a block.
#[derive(Clone, Copy, Debug)]
pub enum Item<'b> {
    /// A sound record.
    Record {
        /// Where in the block, in bytes.
        at: usize,
        /// The record.
        found: Found<'b>,
    },
    /// Bytes in which no sound record begins, in front of one or of the end.
    Damage {
        /// Where in the block, in bytes.
        at: usize,
        /// How many bytes.
        size_bytes: usize,
    },
}

/// How a block ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With its mark: that was all.
    Sealed,
    /// Without one: it was being filled, and what came last may be missing.
    Open,
    /// Without one, and with the remains of something behind the last record: a write that was torn
    /// when the server ended, or damage.
    Torn,
}

impl<'b> Image<'b> {
    fn place(&self, at: usize) -> Place {
        let offset_bytes = self.offset_bytes + at as u64;
        Place { device: self.device, offset_bytes, sequence: self.sequence }
    }

    /// The record at a place in the block, if a sound one begins there.
    pub fn record(&self, at: usize) -> Option<Found<'b>> {
        flat::read(self.bytes.get(at..)?, &self.place(at))
    }

    fn is_end(&self, at: usize) -> bool {
        let Some(bytes) = self.bytes.get(at..at + END_BYTES) else { return false };
        // Looked for in many places, so what needs no checksum comes first.
        bytes[8..10] == END_MAGIC.to_le_bytes() && bytes == end(&self.place(at))
    }

    /// Shows everything in the block, in order; says how it ends, and where, in bytes.
    pub fn walk(&self, mut visit: impl FnMut(Item<'b>)) -> (End, usize) {
        let mut at = HEADER_BYTES;
        loop {
            if let Some(found) = self.record(at) {
                visit(Item::Record { at, found });
                at += found.bytes.len();
                continue;
            }
            if self.is_end(at) {
                return (self.end_at(at, &mut visit), at);
            }
            let later = (at + UNIT_BYTES..self.bytes.len()).step_by(UNIT_BYTES);
            match later.into_iter().find(|&next| self.record(next).is_some() || self.is_end(next)) {
                Some(next) => {
                    visit(Item::Damage { at, size_bytes: next - at });
                    at = next;
                }
                None => return (self.open_end(at), at),
            }
        }
    }

    /// The padding behind the end mark is part of what was written.
    fn end_at(&self, at: usize, visit: &mut impl FnMut(Item<'b>)) -> End {
        let from = at + END_BYTES;
        let to = from.next_multiple_of(ALIGN_BYTES).min(self.bytes.len());
        if self.bytes.get(from..to).is_some_and(|rest| rest.iter().any(|&byte| byte != 0)) {
            visit(Item::Damage { at: from, size_bytes: to - from });
        }
        End::Sealed
    }

    /// Whether there are remains of a write behind the last record of a block without an end. What was
    /// written last is padded with zeros; behind that may stand an earlier life of the block.
    fn open_end(&self, at: usize) -> End {
        let written_to = at.next_multiple_of(ALIGN_BYTES).min(self.bytes.len());
        let padding = self.bytes.get(at..written_to).unwrap_or_default();
        let of_this_life = |at: &usize| {
            let hint = self.bytes.get(*at..).and_then(flat::sequence_hint);
            hint == Some(self.sequence as u32)
        };
        let mut behind = (written_to..self.bytes.len()).step_by(UNIT_BYTES);
        let torn = padding.iter().any(|&byte| byte != 0) || behind.any(|at| of_this_life(&at));
        if torn { End::Torn } else { End::Open }
    }
}

/// Finds out the sequence number of a block whose header is damaged: the greatest with which any
/// record in it is sound. `above` is a greater one than any, as the high half cannot be seen.
pub fn recover_sequence(bytes: &[u8], device: u64, offset_bytes: u64, above: u64) -> Option<u64> {
    let places = (HEADER_BYTES..bytes.len()).step_by(UNIT_BYTES);
    let mut best: Option<u64> = None;
    for at in places {
        let Some(low) = bytes.get(at..).and_then(flat::sequence_hint) else { continue };
        let high = above & !u64::from(u32::MAX);
        let near = high | u64::from(low);
        let sequence = if near < above { near } else { near.saturating_sub(1 << 32) };
        if best.is_some_and(|best| best >= sequence) {
            continue;
        }
        let image = Image { bytes, device, offset_bytes, sequence };
        if image.record(at).is_some() {
            best = Some(sequence);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::flat::{Header, begin, content_checksum, finish, settle};
    use record::{Generation, LastUpdateTime};
    use wire::Digest;

    const SIZE: usize = 16 * 1024;
    const OFFSET: u64 = 3 * SIZE as u64;

    fn place(at: usize, sequence: u64) -> Place {
        Place { device: 5, offset_bytes: OFFSET + at as u64, sequence }
    }

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        begin(&mut bytes);
        bytes.extend_from_slice(payload);
        let digest = Digest([payload.len() as u8; 20]);
        finish(&mut bytes, &Header::grave(digest, LastUpdateTime(1), Generation(1)));
        bytes
    }

    /// A block with records of these payload sizes; where each begins, and where they end.
    fn block(sequence: u64, payloads: &[usize], sealed: bool) -> (Vec<u8>, Vec<usize>, usize) {
        let mut bytes = vec![0; SIZE];
        bytes[..HEADER_BYTES].copy_from_slice(&in_use(3, &place(0, sequence)));
        let mut at = HEADER_BYTES;
        let mut places = Vec::new();
        for &size in payloads {
            let mut record = record(&vec![7; size]);
            let content = content_checksum(&record);
            settle(&mut record, content, &place(at, sequence));
            bytes[at..at + record.len()].copy_from_slice(&record);
            places.push(at);
            at += record.len();
        }
        if sealed {
            bytes[at..at + END_BYTES].copy_from_slice(&end(&place(at, sequence)));
        }
        (bytes, places, at)
    }

    fn walk(bytes: &[u8], sequence: u64) -> (Vec<usize>, Vec<usize>, End) {
        let image = Image { bytes, device: 5, offset_bytes: OFFSET, sequence };
        let (mut records, mut damage) = (Vec::new(), Vec::new());
        let (end, _) = image.walk(|item| match item {
            Item::Record { at, .. } => records.push(at),
            Item::Damage { at, .. } => damage.push(at),
        });
        (records, damage, end)
    }

    #[test]
    fn headers_tell_their_state() {
        let head_of = |bytes: &[u8]| head(bytes, 5, 3, OFFSET);
        assert_eq!(head_of(&[0; SIZE]), Head::Blank);
        assert_eq!(head_of(&in_use(3, &place(0, 9))), Head::InUse { sequence: 9 });
        assert_eq!(head_of(&free(3, &place(0, 9))), Head::Free { sequence: 9 });
        assert_eq!(head(&in_use(3, &place(0, 9)), 5, 4, OFFSET + SIZE as u64), Head::Damaged);
        assert_eq!(head(&in_use(3, &place(0, 9)), 6, 3, OFFSET), Head::Damaged);
    }

    #[test]
    fn a_lost_id_has_a_stand_in() {
        let front = in_use(3, &place(0, 9));
        let id = stand_in(&front, 3, OFFSET).unwrap();
        assert_eq!(head(&front, id, 3, OFFSET), Head::InUse { sequence: 9 });
        let other = Place { device: 5, offset_bytes: OFFSET + 64, sequence: 9 };
        assert_eq!(end(&other), end(&Place { device: id, ..other }));
        assert_eq!(stand_in(&front, 4, OFFSET), None);
        assert_eq!(stand_in(&[0; SIZE], 3, OFFSET), None);
    }

    #[test]
    fn a_block_shows_its_records() {
        for sealed in [true, false] {
            let (bytes, places, _) = block(9, &[10, 100, 3, 5000], sealed);
            let end = if sealed { End::Sealed } else { End::Open };
            assert_eq!(walk(&bytes, 9), (places, vec![], end));
        }
        let (bytes, _, _) = block(9, &[], true);
        assert_eq!(walk(&bytes, 9), (vec![], vec![], End::Sealed));
    }

    #[test]
    fn an_earlier_life_does_not_show() {
        let (old, ..) = block(8, &[100; 60], true);
        let (mut bytes, places, end) = block(9, &[100, 100], false);
        let written = end.next_multiple_of(ALIGN_BYTES);
        bytes[written..].copy_from_slice(&old[written..]);
        assert_eq!(walk(&bytes, 9), (places, vec![], End::Open));
    }

    #[test]
    fn damage_costs_what_it_hits() {
        let (bytes, places, _) = block(9, &[10, 100, 3], true);
        for bit in HEADER_BYTES * 8..ALIGN_BYTES * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let (records, damage, end) = walk(&bent, 9);
            let hit = places.iter().rposition(|&at| bit / 8 >= at).unwrap();
            let in_record = bit / 8 < places.last().unwrap() + 64;
            let left: Vec<_> =
                places.iter().enumerate().filter(|(i, _)| !in_record || *i != hit).collect();
            assert_eq!(records, left.iter().map(|(_, at)| **at).collect::<Vec<_>>(), "bit {bit}");
            assert!(!damage.is_empty() || end == End::Torn, "bit {bit}");
        }
    }

    #[test]
    fn the_sequence_of_a_block_without_header() {
        let (old, ..) = block(8, &[100; 60], true);
        let (mut bytes, _, end) = block(9, &[100, 100], false);
        let written = end.next_multiple_of(ALIGN_BYTES);
        bytes[written..].copy_from_slice(&old[written..]);
        assert_eq!(recover_sequence(&bytes, 5, OFFSET, 20), Some(9));
        assert_eq!(recover_sequence(&[0; SIZE], 5, OFFSET, 20), None);
    }
}
