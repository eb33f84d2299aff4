//! Changes inputs, a little or a lot.

use fastrand::Rng;

/// Bytes that an input has at most after a change.
const INPUT_BYTES_MAX: usize = 16 * 1024;
/// Changes made to one input at most.
const CHANGES_MAX: usize = 6;

/// Bytes at the edges of what formats distinguish.
const EDGES: [u8; 16] =
    [0, 1, 2, 4, 7, 8, 0x1f, 0x20, 0x7f, 0x80, 0x8f, 0x90, 0xc0, 0xdf, 0xfe, 0xff];
/// Numbers at the edges of what lengths and counts can be.
const NUMBERS: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// Changes `input` in a few places; `other` lends it bytes.
pub fn mutate(input: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    for _ in 0..random.usize(1..=CHANGES_MAX) {
        change(input, other, random);
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn change(input: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    if input.is_empty() {
        input.extend(some_of(other, random));
        input.push(random.u8(..));
        return;
    }
    let place = random.usize(..input.len());
    match random.u8(..13) {
        0 => input[place] ^= 1 << random.u8(..8),
        1 => input[place] = random.u8(..),
        2 => input[place] = random.choice(EDGES).unwrap_or_default(),
        // One more or less: counts, sizes, digits.
        3 => input[place] = input[place].wrapping_add(1),
        4 => input[place] = input[place].wrapping_sub(1),
        5 => overwrite(input, place, &number(random)),
        6 => overwrite(input, place, some_of(other, random)),
        7 => insert(input, place, &vec![random.u8(..); random.usize(..40)]),
        8 => insert(input, place, some_of(other, random)),
        9 => {
            let own = some_of(input, random).to_vec();
            insert(input, place, &own);
        }
        10 => {
            let end = (place + random.usize(..20)).min(input.len());
            input.drain(place..end);
        }
        11 => input.truncate(place),
        // The beginning of this and the end of the other.
        _ => {
            input.truncate(place);
            let from = random.usize(..=other.len());
            input.extend(&other[from..]);
        }
    }
}

/// A run of bytes out of `bytes`, short as a rule.
fn some_of<'a>(bytes: &'a [u8], random: &mut Rng) -> &'a [u8] {
    let from = random.usize(..=bytes.len());
    let most = if random.u8(..8) == 0 { bytes.len() } else { 16 };
    let size = random.usize(..=most.min(bytes.len() - from));
    &bytes[from..from + size]
}

/// A number as formats hold it: 2, 4 or 8 bytes, either end first.
fn number(random: &mut Rng) -> Vec<u8> {
    let number = random.choice(NUMBERS).unwrap_or_default().wrapping_add(random.u64(..3));
    let size = random.choice([2, 4, 8]).unwrap_or(8);
    let mut bytes = number.to_be_bytes()[8 - size..].to_vec();
    if random.bool() {
        bytes.reverse();
    }
    bytes
}

fn overwrite(input: &mut [u8], place: usize, bytes: &[u8]) {
    for (old, new) in input[place..].iter_mut().zip(bytes) {
        *old = *new;
    }
}

fn insert(input: &mut Vec<u8>, place: usize, bytes: &[u8]) {
    input.splice(place..place, bytes.iter().copied());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides() {
        let input_of = |seed| {
            let mut random = Rng::with_seed(seed);
            let mut input = b"some input".to_vec();
            for _ in 0..100 {
                mutate(&mut input, b"another", &mut random);
            }
            input
        };
        assert_eq!(input_of(1), input_of(1));
        assert_ne!(input_of(1), input_of(2));
    }

    #[test]
    fn inputs_stay_small_and_nothing_is_out_of_bounds() {
        let mut random = Rng::with_seed(3);
        let mut input = Vec::new();
        for _ in 0..20_000 {
            mutate(&mut input, &[7; 3000], &mut random);
            assert!(input.len() <= INPUT_BYTES_MAX);
            if random.u8(..10) == 0 {
                input.clear();
                mutate(&mut input, b"", &mut random);
            }
        }
    }
}
