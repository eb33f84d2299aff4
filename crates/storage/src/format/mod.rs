//! What lies on a device: headers, write blocks, records. The bytes are drawn in
//! `docs/formats/device.md`.
//!
//! Numbers are little-endian. Whatever is decoded here came from a medium that may have changed it:
//! any bytes give a value whose checksum held, or say what is wrong with them.

pub mod block;
pub mod flat;
pub mod header;

use std::ops::Range;

use crate::aligned::ALIGN_BYTES;

/// Records and their positions are multiples of this many bytes: a unit.
pub const UNIT_BYTES: usize = 16;

/// Size of a write block, and of the header region, in bytes (storage reference, constants).
pub const BLOCK_BYTES: u32 = 8 << 20;

/// CRC-32C, the one checksum of everything that is stored.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// How a device is divided: a header region of the size of a block, then blocks. What does not make
/// a whole block at the end is not used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Size of a block in bytes.
    pub block_bytes: u32,
    /// Blocks, the header region not counted. They are numbered from 1, so that a block's offset is
    /// its number times its size.
    pub block_count: u32,
}

impl Geometry {
    /// Least blocks of a device: eight are a reserve for defragmentation, and a few are being filled.
    pub const BLOCKS_MIN: u32 = 15;

    /// How a device of this size is divided into blocks of this size; `None` if it is too small.
    pub fn of(device_bytes: u64, block_bytes: u32) -> Option<Self> {
        let blocks = device_bytes / u64::from(block_bytes);
        let block_count = u32::try_from(blocks).ok()?.checked_sub(1)?;
        (block_count >= Self::BLOCKS_MIN).then_some(Self { block_bytes, block_count })
    }

    /// Where a block begins, in bytes.
    pub fn offset_bytes(&self, block: u32) -> u64 {
        u64::from(block) * u64::from(self.block_bytes)
    }

    /// All blocks.
    pub fn blocks(&self) -> Range<u32> {
        1..self.block_count + 1
    }

    /// Bytes of all blocks.
    pub fn data_bytes(&self) -> u64 {
        u64::from(self.block_count) * u64::from(self.block_bytes)
    }

    /// The block that holds this offset in bytes.
    pub fn block_of(&self, offset_bytes: u64) -> u32 {
        (offset_bytes / u64::from(self.block_bytes)) as u32
    }
}

/// What ties a checksum to its place: bytes that are read from elsewhere, or belong to an earlier
/// life of their block, do not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The device's id.
    pub device: u64,
    /// Where on the device, in bytes.
    pub offset_bytes: u64,
    /// The sequence number of the block.
    pub sequence: u64,
}

impl Place {
    /// The checksum of content with this checksum at this place.
    pub fn tie(&self, content: u32) -> u32 {
        let mut bytes = [0; 28];
        bytes[..4].copy_from_slice(&content.to_le_bytes());
        bytes[4..12].copy_from_slice(&self.device.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.offset_bytes.to_le_bytes());
        bytes[20..].copy_from_slice(&self.sequence.to_le_bytes());
        checksum(&bytes)
    }

    /// An id of a device with which content with this checksum is tied to this place by `tied`. It
    /// does for every other place of that device as well: a checksum is linear, so all that shows
    /// of an id in it are the same 32 bits everywhere.
    pub(crate) fn stand_in(&self, content: u32, tied: u32) -> u64 {
        let tie = |device| Place { device, ..*self }.tie(content);
        let base = tie(0);
        // Reduced by highest bit: what some bits of an id change in a checksum, and which bits.
        let mut changes = [(0u32, 0u64); 32];
        for bit in 0..32 {
            let (change, bits) = reduced(&changes, (tie(1 << bit) ^ base, 1 << bit));
            if let Some(place) = change.checked_ilog2() {
                changes[place as usize] = (change, bits);
            }
        }
        reduced(&changes, (base ^ tied, 0)).1
    }
}

/// Takes from a change what others explain of it, and adds their bits.
fn reduced(changes: &[(u32, u64); 32], (mut change, mut bits): (u32, u64)) -> (u32, u64) {
    for (place, (explained, of_bits)) in changes.iter().enumerate().rev() {
        if change >> place & 1 != 0 && *explained != 0 {
            change ^= explained;
            bits ^= of_bits;
        }
    }
    (change, bits)
}

/// Takes numbers and runs of bytes off the front of a slice.
pub(crate) struct Cursor<'a>(pub &'a [u8]);

impl<'a> Cursor<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

const _: () = assert!(ALIGN_BYTES.is_multiple_of(UNIT_BYTES));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_crc_32c() {
        // The check value of the CRC catalogue.
        assert_eq!(checksum(b"123456789"), 0xE306_9283);
    }

    #[test]
    fn an_id_has_a_stand_in_for_all_places() {
        for device in [0, 1, 77, u64::MAX, 0x1234_5678_9ABC_DEF0] {
            let place = Place { device, offset_bytes: 8 << 20, sequence: 9 };
            let stand_in = place.stand_in(5, place.tie(5));
            for sequence in [0, 1, 1 << 40] {
                let place = Place { device, offset_bytes: sequence * 3, sequence };
                let same = Place { device: stand_in, ..place };
                assert_eq!(same.tie(sequence as u32), place.tie(sequence as u32));
            }
        }
    }

    #[test]
    fn devices_are_divided_into_whole_blocks() {
        let m = 1u64 << 20;
        let geometry = Geometry::of(128 * m + 5, BLOCK_BYTES).unwrap();
        assert_eq!(geometry.block_count, 15);
        assert_eq!(geometry.blocks(), 1..16);
        assert_eq!(geometry.offset_bytes(1), 8 * m);
        assert_eq!(geometry.block_of(16 * m - 1), 1);
        assert_eq!(Geometry::of(127 * m, BLOCK_BYTES), None);
    }
}
