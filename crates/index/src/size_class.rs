//! The sizes that blocks come in.
//!
//! Multiples of 16 up to 128, then four classes to each doubling: a block that grows to the next
//! class grows by 12 to 25 percent. These are jemalloc's classes too, so that blocks too large for
//! the pool waste nothing in the server's allocator.

/// Up to this size classes are [`QUANTUM`] apart; beyond, a quarter of the power of two below.
const SMALL_BYTES_MAX: usize = 128;
const QUANTUM: usize = 16;

/// The smallest class that holds `bytes`.
pub(crate) const fn round_up(bytes: usize) -> usize {
    let bytes = if bytes == 0 { 1 } else { bytes };
    bytes.next_multiple_of(spacing(bytes))
}

/// The class next above `class`.
pub(crate) const fn above(class: usize) -> usize {
    round_up(class + 1)
}

/// The class next below `class`, zero below the first.
pub(crate) const fn below(class: usize) -> usize {
    class.saturating_sub(spacing(class))
}

/// The number of `class` when classes are counted from zero upward.
pub(crate) const fn ordinal(class: usize) -> usize {
    if class <= SMALL_BYTES_MAX {
        return class.div_ceil(QUANTUM).saturating_sub(1);
    }
    let doubling = (class - 1).ilog2();
    let quarter = (class - (1 << doubling)).div_ceil(spacing(class));
    let doublings_before = (doubling - SMALL_BYTES_MAX.ilog2()) as usize;
    SMALL_BYTES_MAX / QUANTUM + doublings_before * 4 + quarter - 1
}

/// Distance between the class that holds `bytes` and the one below it.
const fn spacing(bytes: usize) -> usize {
    if bytes <= SMALL_BYTES_MAX {
        return QUANTUM;
    }
    // Classes in (2^k, 2^(k+1)] are 2^(k-2) apart.
    1 << ((bytes - 1).ilog2() - 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first classes as jemalloc documents them for a quantum of 16 bytes.
    const CLASSES: [usize; 24] = [
        16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896,
        1024, 1280, 1536, 1792, 2048,
    ];

    #[test]
    fn classes_follow_each_other() {
        for (ordinal_below, pair) in CLASSES.windows(2).enumerate() {
            assert_eq!([ordinal(pair[0]), ordinal(pair[1])], [ordinal_below, ordinal_below + 1]);
            assert_eq!(round_up(pair[0]), pair[0]);
            assert_eq!(round_up(pair[0] + 1), pair[1]);
            assert_eq!(below(pair[1]), pair[0]);
            assert_eq!(above(pair[0]), pair[1]);
        }
        assert_eq!(round_up(0), 16);
        assert_eq!(below(16), 0);
        assert_eq!(round_up(12_289), 14_336);
    }
}
