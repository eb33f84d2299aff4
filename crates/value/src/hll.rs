//! The form of a HyperLogLog sketch (`reference`: bits-hll.md, B1).
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 1 | flags, 0 |
//! | 1 | 1 | index bits: there are 2 to that power registers |
//! | 2 | 1 | minhash bits of a register, 0 if it has none |
//! | 3 | 8 | cached count, little-endian; 0 if there is none |
//! | 11 | … | registers of 6 bits and the minhash bits, packed |

use std::ops::RangeInclusive;

/// Bytes before the registers.
pub const HEADER_SIZE_BYTES: usize = 11;

/// Bits of a register besides the minhash.
const HLL_BITS: usize = 6;
const INDEX_BITS: RangeInclusive<u8> = 4..=16;
const MINHASH_BITS: RangeInclusive<u8> = 4..=51;
/// Both are cut from one 64-bit hash.
const COMBINED_BITS_MAX: u8 = 64;

/// Whether the bytes are a sketch: known flags, legal numbers of bits, and the size these make.
pub fn is_valid(sketch: &[u8]) -> bool {
    match *sketch {
        [0, index_bits, minhash_bits, ..] if are_legal(index_bits, minhash_bits) => {
            sketch.len() == size_bytes(index_bits, minhash_bits)
        }
        _ => false,
    }
}

/// Whether a sketch can have so many index bits and minhash bits.
pub fn are_legal(index_bits: u8, minhash_bits: u8) -> bool {
    INDEX_BITS.contains(&index_bits)
        && (minhash_bits == 0 || MINHASH_BITS.contains(&minhash_bits))
        && index_bits + minhash_bits <= COMBINED_BITS_MAX
}

/// Size of a sketch with legal numbers of bits.
pub fn size_bytes(index_bits: u8, minhash_bits: u8) -> usize {
    let register_bits = HLL_BITS + usize::from(minhash_bits);
    HEADER_SIZE_BYTES + (register_bits << index_bits).div_ceil(8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(flags: u8, index_bits: u8, minhash_bits: u8, size: usize) -> Vec<u8> {
        let mut sketch = vec![flags, index_bits, minhash_bits];
        sketch.resize(size, 0);
        sketch
    }

    #[test]
    fn sizes_follow_the_bits() {
        // Index bits, minhash bits, size.
        for (index_bits, minhash_bits, size) in
            [(4, 0, 23), (4, 4, 31), (8, 0, 203), (16, 0, 49_163), (13, 51, 58_379)]
        {
            assert!(is_valid(&sketch(0, index_bits, minhash_bits, size)));
            assert!(!is_valid(&sketch(0, index_bits, minhash_bits, size - 1)));
            assert!(!is_valid(&sketch(0, index_bits, minhash_bits, size + 1)));
            assert!(!is_valid(&sketch(1, index_bits, minhash_bits, size)));
        }
    }

    #[test]
    fn bits_have_bounds() {
        for (index_bits, minhash_bits) in
            [(3, 0), (17, 0), (4, 3), (4, 52), (14, 51), (0, 0), (255, 255)]
        {
            assert!(!are_legal(index_bits, minhash_bits), "{index_bits}, {minhash_bits}");
        }
        assert!(!is_valid(&[]));
        assert!(!is_valid(&[0, 4]));
    }
}
