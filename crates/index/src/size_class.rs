//! Sizes of memory that the allocator hands out without waste.
//!
//! The server's allocator (jemalloc) rounds every request up to a size class: multiples of 16 up to
//! 128, then four classes to each doubling. A block that asks for a whole class uses every byte that
//! it costs, and grows by 12 to 25 percent from one class to the next. With another allocator the
//! classes are only round numbers.

/// Up to this size classes are [`QUANTUM`] apart; beyond, a quarter of the power of two below.
const SMALL_BYTES_MAX: usize = 128;
const QUANTUM: usize = 16;

/// The smallest class that holds `bytes`.
pub(crate) fn round_up(bytes: usize) -> usize {
    bytes.max(1).next_multiple_of(spacing(bytes))
}

/// The class next above `class`.
pub(crate) fn above(class: usize) -> usize {
    round_up(class + 1)
}

/// The class next below `class`, zero below the first.
pub(crate) fn below(class: usize) -> usize {
    class.saturating_sub(spacing(class))
}

/// Distance between the class that holds `bytes` and the one below it.
fn spacing(bytes: usize) -> usize {
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
        for pair in CLASSES.windows(2) {
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
