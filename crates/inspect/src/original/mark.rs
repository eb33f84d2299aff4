//! The mark behind each record of the original: a hash of its digest and last-update-time.

/// Bytes of a mark.
pub const MARK_BYTES: usize = 4;
/// What is hashed: the digest, then the five bytes of the last-update-time.
pub const MARKED_BYTES: usize = 25;

/// The original's seed of the hash.
const SEED: u64 = 0x0002_9FBB_14CC_886F;
/// The standard secret of wyhash, final version 3 (in the public domain).
const SECRET: [u64; 2] = [0xA076_1D64_78BD_642F, 0xE703_7ED1_A0B4_28DB];

/// The mark of a record. Its top bit is always clear.
pub fn mark(marked: &[u8; MARKED_BYTES]) -> u32 {
    wyhash(marked, SEED) as u32 & 0x7FFF_FFFF
}

/// wyhash of 17 to 32 bytes: one round for the first 16, then the last 16.
fn wyhash<const N: usize>(bytes: &[u8; N], seed: u64) -> u64 {
    const { assert!(N > 16 && N <= 32) };
    let word =
        |at: usize| bytes[at..].first_chunk().map_or(0, |word: &[u8; 8]| u64::from_le_bytes(*word));
    let [first, second] = SECRET;
    let seed = mix(word(0) ^ second, word(8) ^ seed ^ first);
    mix(second ^ N as u64, mix(word(N - 16) ^ second, word(N - 8) ^ seed))
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_wyhash() {
        // A published test vector of its final version 3: this text, seed 4.
        assert_eq!(wyhash(b"abcdefghijklmnopqrstuvwxyz", 4), 0x9A64_E42E_8971_95B9);
    }
}
