//! The header of a device: whose it is, and what the namespace must remember beside its records.
//!
//! It is kept twice in the header region, at its beginning and in its middle. A change overwrites the
//! older copy, so that one is whole at any moment; of two the one with the greater version counts.

use super::{Cursor, checksum};
use crate::aligned::{ALIGN_BYTES, AlignedBuf};

const MAGIC: u64 = u64::from_le_bytes(*b"BOLIDE\0\x01");
/// Checksum and size in front of the content.
const FRONT_BYTES: usize = 8;
/// Copies of the header in its region.
pub const COPIES: usize = 2;

/// The header of a device.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DeviceHeader {
    /// Grows with each change.
    pub version: u64,
    /// The device's id: random, and part of every checksum on it.
    pub device: u64,
    /// The id of the set of devices that it was made with.
    pub device_set: u64,
    /// Its place in that set, and how many there are.
    pub place: (u16, u16),
    /// Size of a block in bytes.
    pub block_bytes: u32,
    /// Blocks, when it was made.
    pub block_count: u32,
    /// Name of the namespace.
    pub namespace: String,
    /// How often it was opened; part of the nonces of encryption.
    pub opens: u64,
    /// Whether it was closed in order, and nothing was written since.
    pub clean: bool,
    /// The image of the index that was saved when it was closed in order; 0 for none.
    pub image: u64,
    /// What the namespace remembers.
    pub memory: Memory,
    /// How often that has changed: devices are written one after the other.
    pub memory_version: u64,
    /// The key that records are encrypted with, itself encrypted; empty without encryption.
    pub wrapped_key: Vec<u8>,
}

/// What a namespace must remember through restarts beside its records.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Memory {
    /// Records with a void-time before this one (seconds since 2010) were evicted; 0: none.
    pub evict_void_time: u32,
    /// Records last written before this moment (ms since 2010) are gone; 0: none.
    pub truncate_lut: u64,
    /// The same for sets, by name.
    pub set_truncate_luts: Vec<(Box<[u8]>, u64)>,
}

impl DeviceHeader {
    /// Its bytes, padded to what a device writes; `None` if they exceed `size_bytes_max`, which is
    /// that of a copy.
    pub fn encode(&self, size_bytes_max: usize) -> Option<AlignedBuf> {
        let mut out = vec![0; FRONT_BYTES];
        out.extend_from_slice(&MAGIC.to_le_bytes());
        let numbers = [self.version, self.device, self.device_set, self.opens, self.image];
        for number in numbers.into_iter().chain([self.memory_version]) {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.place.0.to_le_bytes());
        out.extend_from_slice(&self.place.1.to_le_bytes());
        out.extend_from_slice(&self.block_bytes.to_le_bytes());
        out.extend_from_slice(&self.block_count.to_le_bytes());
        out.push(u8::from(self.clean));
        append_short(&mut out, self.namespace.as_bytes());
        append_short(&mut out, &self.wrapped_key);
        self.memory.encode(&mut out);
        let size_bytes = out.len();
        out[4..FRONT_BYTES].copy_from_slice(&(size_bytes as u32).to_le_bytes());
        let sum = checksum(&out[4..]);
        out[..4].copy_from_slice(&sum.to_le_bytes());
        if size_bytes.next_multiple_of(ALIGN_BYTES) > size_bytes_max {
            return None;
        }
        let mut buffer = AlignedBuf::zeroed(size_bytes);
        buffer[..size_bytes].copy_from_slice(&out);
        Some(buffer)
    }

    /// Size in bytes of the copy that begins with these bytes, as far as that can be trusted.
    pub fn size_bytes(bytes: &[u8]) -> usize {
        let mut cursor = Cursor(bytes);
        let front = (cursor.u32(), cursor.u32());
        if let (Some(_), Some(size_bytes)) = front { size_bytes as usize } else { 0 }
    }

    /// Reads a copy.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let (sum, size_bytes) = (cursor.u32()?, cursor.u32()? as usize);
        let content = bytes.get(4..size_bytes)?;
        // Padding is checked too: every byte that was written is.
        let padded = bytes.get(size_bytes..size_bytes.next_multiple_of(ALIGN_BYTES))?;
        if sum != checksum(content)
            || cursor.u64()? != MAGIC
            || padded.iter().any(|&byte| byte != 0)
        {
            return None;
        }
        let mut cursor = Cursor(bytes.get(FRONT_BYTES + 8..size_bytes)?);
        let [version, device, device_set, opens, image] =
            [cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.u64()?, cursor.u64()?];
        let memory_version = cursor.u64()?;
        Some(Self {
            version,
            device,
            device_set,
            opens,
            image,
            memory_version,
            place: (cursor.u16()?, cursor.u16()?),
            block_bytes: cursor.u32()?,
            block_count: cursor.u32()?,
            clean: cursor.u8()? != 0,
            namespace: String::from_utf8(take_short(&mut cursor)?.to_vec()).ok()?,
            wrapped_key: take_short(&mut cursor)?.to_vec(),
            memory: Memory::decode(&mut cursor)?,
        })
    }

    /// Where a copy lies in the header region, in bytes.
    pub fn copy_offset_bytes(copy: usize, block_bytes: u32) -> u64 {
        copy as u64 * u64::from(block_bytes) / COPIES as u64
    }

    /// Most bytes of a copy.
    pub fn copy_bytes_max(block_bytes: u32) -> usize {
        block_bytes as usize / COPIES
    }
}

impl Memory {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.evict_void_time.to_le_bytes());
        out.extend_from_slice(&self.truncate_lut.to_le_bytes());
        out.extend_from_slice(&(self.set_truncate_luts.len() as u16).to_le_bytes());
        for (set, lut) in &self.set_truncate_luts {
            append_short(out, set);
            out.extend_from_slice(&lut.to_le_bytes());
        }
    }

    fn decode(cursor: &mut Cursor<'_>) -> Option<Self> {
        let (evict_void_time, truncate_lut) = (cursor.u32()?, cursor.u64()?);
        let count = cursor.u16()?;
        let sets = (0..count).map(|_| Some((take_short(cursor)?.into(), cursor.u64()?)));
        let set_truncate_luts = sets.collect::<Option<_>>()?;
        Some(Self { evict_void_time, truncate_lut, set_truncate_luts })
    }
}

/// Appends bytes with their number, at most 255, in front.
fn append_short(out: &mut Vec<u8>, bytes: &[u8]) {
    debug_assert!(bytes.len() <= usize::from(u8::MAX), "names and keys are short");
    out.push(bytes.len() as u8);
    out.extend_from_slice(bytes);
}

fn take_short<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let count = cursor.u8()?;
    cursor.take(usize::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> DeviceHeader {
        DeviceHeader {
            version: 5,
            device: 6,
            device_set: 7,
            place: (1, 3),
            block_bytes: 1 << 20,
            block_count: 99,
            namespace: "test".into(),
            opens: 8,
            clean: true,
            image: 44,
            memory_version: 3,
            memory: Memory {
                evict_void_time: 9,
                truncate_lut: 10,
                set_truncate_luts: vec![(b"set".as_slice().into(), 11)],
            },
            wrapped_key: vec![1, 2, 3],
        }
    }

    #[test]
    fn headers_come_back() {
        for header in [header(), DeviceHeader::default()] {
            let bytes = header.encode(1 << 20).unwrap();
            assert_eq!(DeviceHeader::decode(&bytes), Some(header));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = header().encode(1 << 20).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.to_vec();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(DeviceHeader::decode(&bent), None, "bit {bit}");
        }
    }

    #[test]
    fn a_header_that_does_not_fit_is_not_written() {
        let mut header = header();
        let sets = (0..4095u16).map(|at| (vec![b's'; 60 + usize::from(at) % 3].into(), 1));
        header.memory.set_truncate_luts = sets.collect();
        assert!(header.encode(1 << 16).is_none());
        assert!(header.encode(4 << 20).is_some());
    }
}
