//! Devices of the original, version 8.0: what is known of their layout, and the walk over their blocks.
//!
//! Its blocks have no header and its records no checksum; what can be verified of a record is that its
//! parts fit and that the mark behind it is that of its digest and last-update-time. Which records
//! count is decided as the original's cold start decides it. Numbers are little-endian.
//!
//! The layout is that of the Community Edition. Records that only the Enterprise Edition writes
//! (compressed, or part of a transaction) are told apart and not read.

mod header;
mod mark;
mod particle;
mod record;
mod walk;

#[cfg(test)]
pub(crate) mod encode;
#[cfg(test)]
mod tests;

pub use header::{DeviceHeader, Flags, NotOriginal, is_header};
pub use mark::{MARKED_BYTES, mark};
pub use record::{FlatRecord, Malformed, read};
pub use walk::{BLOCK_BYTES, OriginalDevice};

pub(crate) use walk::{Ignored, open};

/// Takes numbers and runs of bytes off the front of a slice.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of one to five bytes, seven bits in each, the highest first; the top bit says that
    /// more follow. The first may not be a zero that says so.
    fn variable(&mut self) -> Option<u32> {
        let mut number: u32 = 0;
        for place in 0.. {
            let byte = self.u8()?;
            if place == 0 && byte == 0x80 {
                return None;
            }
            number = number.checked_mul(1 << 7)? | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                break;
            }
        }
        Some(number)
    }
}
