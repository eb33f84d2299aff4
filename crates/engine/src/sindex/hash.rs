//! The hash under which an index keeps strings and blobs: wyhash, final version 3, with the seed of the
//! original, because queries return it and clients send it back (`reference`: protocol.md, 9.3).

const SECRET: [u64; 4] =
    [0xa076_1d64_78bd_642f, 0xe703_7ed1_a0b4_28db, 0x8ebc_6af0_9c88_c6e3, 0x5899_65cc_7537_4cc3];

const SEED: u64 = 0x0002_9fbb_14cc_886f ^ SECRET[0];

/// The hash of these bytes.
pub(super) fn wyhash(bytes: &[u8]) -> u64 {
    let len = bytes.len();
    let (a, b, seed) = match len {
        0 => (0, 0, SEED),
        1..4 => {
            let [first, middle, last] = [0, len / 2, len - 1].map(|at| u64::from(bytes[at]));
            (first << 16 | middle << 8 | last, 0, SEED)
        }
        4..=16 => {
            let step = len / 8 * 4;
            let pair = |at, next| word32(bytes, at) << 32 | word32(bytes, next);
            (pair(0, step), pair(len - 4, len - 4 - step), SEED)
        }
        17.. => (word(bytes, len - 16), word(bytes, len - 8), long(bytes)),
    };
    mix(SECRET[1] ^ len as u64, mix(a ^ SECRET[1], b ^ seed))
}

/// The seed after all but the last 1 to 16 bytes.
fn long(bytes: &[u8]) -> u64 {
    let mut rest = bytes;
    let mut seed = SEED;
    let step = |seed: u64, secret: u64, rest: &[u8], at: usize| {
        mix(word(rest, at) ^ secret, word(rest, at + 8) ^ seed)
    };
    if rest.len() > 48 {
        let (mut second, mut third) = (seed, seed);
        while rest.len() > 48 {
            seed = step(seed, SECRET[1], rest, 0);
            second = step(second, SECRET[2], rest, 16);
            third = step(third, SECRET[3], rest, 32);
            rest = &rest[48..];
        }
        seed ^= second ^ third;
    }
    while rest.len() > 16 {
        seed = step(seed, SECRET[1], rest, 0);
        rest = &rest[16..];
    }
    seed
}

fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|offset| bytes[at + offset]))
}

fn word32(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32::from_le_bytes(std::array::from_fn(|offset| bytes[at + offset])))
}

#[cfg(test)]
mod tests {
    use super::wyhash;

    /// As the original answers in the golden transcripts, or the algorithm computes.
    #[test]
    fn hashes_are_those_of_the_original() {
        let bytes: Vec<u8> = (0..100).collect();
        for (input, expected) in [
            (&b"a"[..], 0x4bf8_3415_1406_79a0),
            (b"k4", 0x839d_2d8a_5e46_3f54),
            (b"\x03abc", 0x6321_86a3_253f_08d9),
            (b"", 0xda34_2175_7d70_ae2d),
            (b"abcdefghijklmnopq", 0xb137_78e7_29a6_288b),
            (&bytes, 0xe77a_eb5b_8f24_744e),
        ] {
            assert_eq!(wyhash(input), expected, "{input:?}");
        }
    }
}
