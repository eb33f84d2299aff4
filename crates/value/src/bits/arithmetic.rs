//! Sums of numbers of any size up to 64 bits (`reference`: bits-hll.md, A6).

use super::call::{Arithmetic, Overflow};
use super::field::{FIELD_BITS_MAX, low_bits};

impl Arithmetic {
    /// The sum, cut to its size; `None` if it does not fit and must. `old` has no more bits than it
    /// may have, `operand` can be any.
    pub(super) fn add(self, old: u64, operand: u64, size_bits: usize) -> Option<u64> {
        let max = low_bits(size_bits);
        let sum = old.wrapping_add(operand) & max;
        if self.is_signed {
            return self.signed(old, operand, sum, size_bits);
        }
        if sum >= old { Some(sum) } else { self.unfit(sum, max) }
    }

    /// The difference, like [`Arithmetic::add`].
    pub(super) fn subtract(self, old: u64, operand: u64, size_bits: usize) -> Option<u64> {
        let difference = old.wrapping_sub(operand) & low_bits(size_bits);
        if self.is_signed {
            // As the original has it, so that the least number, which is its own negative, is
            // taken for a negative operand of a sum.
            return self.signed(old, operand.wrapping_neg(), difference, size_bits);
        }
        if difference <= old { Some(difference) } else { self.unfit(difference, 0) }
    }

    /// Checks the sign of a sum; one of exactly 0 passes, even that of the least number and itself.
    fn signed(self, old: u64, operand: u64, sum: u64, size_bits: usize) -> Option<u64> {
        let least = 1 << (size_bits - 1);
        let signum = |number| sign_extended(number, size_bits).signum();
        match (signum(old), signum(operand), signum(sum)) {
            (-1, -1, 1) => self.unfit(sum, least),
            (1, 1, -1) => self.unfit(sum, least - 1),
            _ => Some(sum),
        }
    }

    fn unfit(self, wrapped: u64, saturated: u64) -> Option<u64> {
        match self.overflow {
            Overflow::Fail => None,
            Overflow::Saturate => Some(saturated),
            Overflow::Wrap => Some(wrapped),
        }
    }
}

/// A number of `size_bits` (1 to 64) whose highest bit is its sign.
pub(super) fn sign_extended(number: u64, size_bits: usize) -> i64 {
    let unused = FIELD_BITS_MAX - size_bits;
    (number << unused).cast_signed() >> unused
}
