//! Numbers of up to 64 bits that begin at any bit. Bit 0 is the highest of the first byte.

use std::ops::Range;

/// Bits of the greatest number.
pub(crate) const FIELD_BITS_MAX: usize = 64;

/// Reads the number of `size_bits` (1 to 64) that begins at bit `at`. Bits past the end are 0.
pub(crate) fn load(bytes: &[u8], at: usize, size_bits: usize) -> u64 {
    let rest = bytes.get(at / 8..).unwrap_or_default();
    let window = match rest.first_chunk() {
        Some(window) => *window,
        None => {
            let mut window = [0; size_of::<u128>()];
            for (to, from) in window.iter_mut().zip(rest) {
                *to = *from;
            }
            window
        }
    };
    (u128::from_be_bytes(window) << (at % 8) >> (u128::BITS as usize - size_bits)) as u64
}

/// Writes the number's low `size_bits` to bit `at` and those behind it. The whole must fit into
/// eight bytes of `bytes`; bits past the end are dropped.
pub(crate) fn store(bytes: &mut [u8], at: usize, size_bits: usize, number: u64) {
    let skip = at % 8;
    debug_assert!((1..=FIELD_BITS_MAX - skip).contains(&size_bits));
    let rest = bytes.get_mut(at / 8..).unwrap_or_default();
    let touched = rest.len().min((skip + size_bits).div_ceil(8));
    let Some(target) = rest.get_mut(..touched) else { return };

    let mut window = [0; size_of::<u64>()];
    window.iter_mut().zip(&*target).for_each(|(to, from)| *to = *from);
    let below = FIELD_BITS_MAX - skip - size_bits;
    let mask = low_bits(size_bits) << below;
    let old = u64::from_be_bytes(window);
    let new = (old & !mask | number << below & mask).to_be_bytes();
    target.iter_mut().zip(new).for_each(|(to, from)| *to = from);
}

/// A number whose low `size_bits` (1 to 64) are set.
pub(crate) fn low_bits(size_bits: usize) -> u64 {
    u64::MAX >> (FIELD_BITS_MAX - size_bits)
}

/// Cuts a range of bits into parts that [`store`] can write.
pub(crate) fn parts(range: Range<usize>) -> impl Iterator<Item = Part> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let size_bits = (FIELD_BITS_MAX - at % 8).min(range.end.checked_sub(at)?);
        let part = Part { at, size_bits };
        at += size_bits;
        (size_bits > 0).then_some(part)
    })
}

/// A part of a range: its first bit, and 1 to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) at: usize,
    pub(crate) size_bits: usize,
}

impl Part {
    /// The number that stands there.
    pub(crate) fn load(self, bytes: &[u8]) -> u64 {
        load(bytes, self.at, self.size_bits)
    }
}
