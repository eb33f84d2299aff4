//! Devices of the original in memory, for tests: an encoder of the layout that the decoder reads.

use wire::{Digest, ParticleType};

use super::mark::mark;
use crate::device::{Device, Whose};
use crate::original::BLOCK_BYTES;
use crate::testing;

/// A record to be encoded.
#[derive(Clone)]
pub struct Flat {
    pub digest: Digest,
    pub last_update_time: u64,
    pub generation: u16,
    pub void_time: u32,
    pub tree: u8,
    pub set: &'static str,
    pub key: Option<Vec<u8>>,
    /// Name, and the particle as it lies on the device, its type in front.
    pub bins: Vec<(&'static str, Vec<u8>)>,
    /// Metadata between the name and the particle of each bin.
    pub bin_meta: Vec<u8>,
    pub extra_flags: Option<u8>,
    pub compressed: bool,
}

/// A record of set `s` with one bin `a` that holds 7.
pub fn flat(digest: u8, last_update_time: u64) -> Flat {
    Flat {
        digest: Digest([digest; 20]),
        last_update_time,
        generation: 1,
        void_time: 0,
        tree: 3,
        set: "s",
        key: None,
        bins: vec![("a", vec![1, 1, 7])],
        bin_meta: vec![],
        extra_flags: None,
        compressed: false,
    }
}

/// A particle with a size of four bytes.
pub fn sized(particle_type: ParticleType, value: &[u8]) -> Vec<u8> {
    let size = (value.len() as u32).to_le_bytes();
    [&[particle_type.0][..], &size, value].concat()
}

fn variable(out: &mut Vec<u8>, number: usize) {
    for shift in [28, 21, 14, 7] {
        if number >> shift != 0 {
            out.push((number >> shift) as u8 & 0x7F | 0x80);
        }
    }
    out.push(number as u8 & 0x7F);
}

impl Flat {
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; 8];
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.last_update_time.to_le_bytes()[..5]);
        out.extend_from_slice(&self.generation.to_le_bytes());
        out.extend(self.extra_flags);
        if self.void_time != 0 {
            out.extend_from_slice(&self.void_time.to_le_bytes());
        }
        if !self.set.is_empty() {
            out.push(self.set.len() as u8);
            out.extend_from_slice(self.set.as_bytes());
        }
        if let Some(key) = &self.key {
            variable(&mut out, key.len());
            out.extend_from_slice(key);
        }
        if !self.bins.is_empty() {
            variable(&mut out, self.bins.len());
        }
        for (name, particle) in &self.bins {
            out.push(name.len() as u8);
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(&self.bin_meta);
            out.extend_from_slice(particle);
        }
        let mark = mark(out[8..33].first_chunk().unwrap());
        out.extend_from_slice(&mark.to_le_bytes());
        out.resize(out.len().next_multiple_of(16), 0);
        let mut bits = (out.len() / 16 - 1) as u32 | u32::from(self.tree) << 26;
        let flags = [
            self.void_time != 0,
            !self.set.is_empty(),
            self.key.is_some(),
            !self.bins.is_empty(),
            self.compressed,
            false,
            self.extra_flags.is_some(),
        ];
        for (place, flag) in flags.iter().enumerate() {
            bits |= u32::from(*flag) << (19 + place);
        }
        out[..4].copy_from_slice(&0x037A_F201_u32.to_le_bytes());
        out[4..8].copy_from_slice(&bits.to_le_bytes());
        out
    }
}

/// The header of device `place` (from 0) of so many; the node holds every partition but 0x101, in
/// tree 3.
pub fn header(place: u32, count: u32) -> Vec<u8> {
    let mut out = vec![0; BLOCK_BYTES as usize];
    out[..8].copy_from_slice(&0x4349_7472_7573_0322_u64.to_le_bytes());
    out[8] = 4;
    out[12..16].copy_from_slice(b"test");
    out[44..48].copy_from_slice(&count.to_le_bytes());
    out[48..56].copy_from_slice(&77u64.to_le_bytes());
    out[56] = 1;
    out[60..64].copy_from_slice(&BLOCK_BYTES.to_le_bytes());
    for partition in (0..4096).filter(|partition| *partition != 0x101) {
        let at = 4096 + partition * 16;
        out[at] = 9;
        out[at + 8] = 3;
    }
    out[69_632..69_636].copy_from_slice(&place.to_le_bytes());
    out[69_720..69_728].copy_from_slice(&(u64::from(BLOCK_BYTES) * 2).to_le_bytes());
    out
}

/// A device with blocks of these contents.
pub fn device(blocks: &[Vec<u8>]) -> Device {
    let mut bytes = header(0, 1);
    for block in blocks {
        let start = bytes.len();
        bytes.extend_from_slice(block);
        bytes.resize(start + BLOCK_BYTES as usize, 0);
    }
    testing::open("dev", bytes, Whose::Original).unwrap()
}

/// A block of these records.
pub fn block(records: &[Flat]) -> Vec<u8> {
    records.iter().flat_map(Flat::bytes).collect()
}
