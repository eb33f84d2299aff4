//! Compression of stored bodies.
//!
//! A packed body is its original size (4 bytes, little-endian), then what the method made of it: an
//! LZ4 block, raw Snappy, or a Zstandard frame. A body that does not get smaller is stored plain.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

use crate::format::flat::Packing;

/// Greatest size in bytes of a body, packed or not: far above `max-record-size`.
pub const BODY_BYTES_MAX: usize = 16 << 20;

/// Levels of Zstandard that can be configured; 0 stands for the last.
const ZSTD_LEVELS: (u32, u32) = (1, 9);
const SIZE_BYTES: usize = 4;

/// The bytes are not what the method makes of any body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unpackable {
    /// No original size in front, or one above [`BODY_BYTES_MAX`].
    Size,
    /// The method cannot read them, or they make fewer or more bytes than they announce.
    Content,
}

// A Zstandard context is far larger than most records; each thread keeps its own.
thread_local! {
    static COMPRESSOR: RefCell<Option<(i32, Compressor<'static>)>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// Appends a body to `out` as the method packs it. False if that does not make it smaller, or
/// [`Packing::Plain`] is asked for, or the body exceeds [`BODY_BYTES_MAX`]: nothing is appended then,
/// and the body is to be stored plain.
///
/// `level` is that of Zstandard, 1 to 9, 0 for its default; `acceleration` is that of LZ4, of which
/// our implementation knows only one.
pub fn pack(
    packing: Packing,
    level: u32,
    acceleration: u32,
    body: &[u8],
    out: &mut Vec<u8>,
) -> bool {
    let _ = acceleration;
    let start = out.len();
    let room = match packing {
        _ if body.len() > BODY_BYTES_MAX => return false,
        Packing::Plain => return false,
        Packing::Lz4 => lz4_flex::block::get_maximum_output_size(body.len()),
        Packing::Snappy => snap::raw::max_compress_len(body.len()),
        // What needs more than the body itself is of no use.
        Packing::Zstd => body.len(),
    };
    let from = start + SIZE_BYTES;
    out.resize(from + room, 0);
    let packed_bytes = match out.get_mut(from..) {
        Some(room) => compress(packing, level, body, room),
        None => None,
    };
    match packed_bytes {
        Some(size) if SIZE_BYTES + size < body.len() => {
            out[start..from].copy_from_slice(&(body.len() as u32).to_le_bytes());
            out.truncate(from + size);
            true
        }
        _ => {
            out.truncate(start);
            false
        }
    }
}

fn compress(packing: Packing, level: u32, body: &[u8], room: &mut [u8]) -> Option<usize> {
    match packing {
        Packing::Plain => None,
        Packing::Lz4 => lz4_flex::block::compress_into(body, room).ok(),
        Packing::Snappy => snap::raw::Encoder::new().compress(body, room).ok(),
        Packing::Zstd => {
            let (least, greatest) = ZSTD_LEVELS;
            let level = if level == 0 { greatest } else { level.clamp(least, greatest) };
            zstd_compress(level as i32, body, room)
        }
    }
}

fn zstd_compress(level: i32, body: &[u8], room: &mut [u8]) -> Option<usize> {
    COMPRESSOR.with_borrow_mut(|kept| {
        if kept.as_ref().is_none_or(|(of, _)| *of != level) {
            *kept = Some((level, Compressor::new(level).ok()?));
        }
        let (_, compressor) = kept.as_mut()?;
        compressor.compress_to_buffer(body, room).ok()
    })
}

/// Replaces what `out` holds by the body that was packed; of [`Packing::Plain`], by the bytes as they
/// are. Takes at most [`BODY_BYTES_MAX`] of memory, whatever the bytes announce.
///
/// # Errors
/// [`Unpackable`] if the bytes are not a body packed by this method; `out` is then of no use.
pub fn unpack(packing: Packing, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Unpackable> {
    out.clear();
    if packing == Packing::Plain {
        out.extend_from_slice(bytes);
        return Ok(());
    }
    let (size, packed) = bytes.split_first_chunk::<SIZE_BYTES>().ok_or(Unpackable::Size)?;
    let size_bytes = u32::from_le_bytes(*size) as usize;
    if size_bytes > BODY_BYTES_MAX {
        return Err(Unpackable::Size);
    }
    out.resize(size_bytes, 0);
    match decompress(packing, packed, out) {
        Some(written) if written == size_bytes => Ok(()),
        _ => Err(Unpackable::Content),
    }
}

fn decompress(packing: Packing, packed: &[u8], out: &mut [u8]) -> Option<usize> {
    match packing {
        Packing::Plain => None,
        Packing::Lz4 => lz4_flex::block::decompress_into(packed, out).ok(),
        Packing::Snappy => {
            // The decoder writes nothing for what announces another size than there is room for.
            let announced = snap::raw::decompress_len(packed).ok()?;
            (announced == out.len()).then_some(())?;
            snap::raw::Decoder::new().decompress(packed, out).ok()
        }
        Packing::Zstd => DECOMPRESSOR.with_borrow_mut(|kept| {
            if kept.is_none() {
                *kept = Some(Decompressor::new().ok()?);
            }
            kept.as_mut()?.decompress_to_buffer(packed, out).ok()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHODS: [Packing; 3] = [Packing::Lz4, Packing::Snappy, Packing::Zstd];

    fn text(size_bytes: usize) -> Vec<u8> {
        b"a body that repeats itself, ".iter().copied().cycle().take(size_bytes).collect()
    }

    /// Bytes without a pattern: a counter, mixed.
    fn noise(size_bytes: usize) -> Vec<u8> {
        let mixed = |at: u64| (at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31);
        (0..size_bytes as u64).map(|at| (mixed(at).wrapping_mul(mixed(at)) >> 56) as u8).collect()
    }

    #[test]
    fn bodies_come_back() {
        for packing in METHODS {
            for size_bytes in [100, 4096, 1 << 20] {
                let (body, mut out, mut back) = (text(size_bytes), vec![1, 2], vec![9; 3]);
                assert!(pack(packing, 0, 1, &body, &mut out), "{packing:?} {size_bytes}");
                assert!(out.len() < body.len() && out.starts_with(&[1, 2]));
                assert_eq!(unpack(packing, &out[2..], &mut back), Ok(()));
                assert_eq!(back, body);
            }
        }
    }

    #[test]
    fn levels_beyond_the_greatest_are_the_greatest() {
        for level in [0, 1, 9, 22, u32::MAX] {
            let (body, mut out, mut back) = (text(5000), Vec::new(), Vec::new());
            assert!(pack(Packing::Zstd, level, 0, &body, &mut out));
            assert_eq!(unpack(Packing::Zstd, &out, &mut back), Ok(()));
            assert_eq!(back, body);
        }
    }

    #[test]
    fn what_does_not_get_smaller_is_left_alone() {
        for packing in METHODS {
            for body in [Vec::new(), vec![7], noise(20), noise(10_000)] {
                let mut out = vec![1, 2];
                assert!(!pack(packing, 0, 1, &body, &mut out), "{packing:?} {}", body.len());
                assert_eq!(out, [1, 2]);
            }
        }
        assert!(!pack(Packing::Plain, 0, 1, &text(100), &mut Vec::new()));
        let too_big = vec![0; BODY_BYTES_MAX + 1];
        assert!(!pack(Packing::Lz4, 0, 1, &too_big, &mut Vec::new()));
    }

    #[test]
    fn plain_bodies_are_copied() {
        let mut out = vec![1, 2];
        assert_eq!(unpack(Packing::Plain, b"body", &mut out), Ok(()));
        assert_eq!(out, b"body");
    }

    #[test]
    fn other_bytes_are_refused() {
        let mut out = Vec::new();
        for packing in METHODS {
            let mut bytes = Vec::new();
            assert!(pack(packing, 3, 1, &text(1000), &mut bytes));
            for end in 0..bytes.len() {
                assert!(unpack(packing, &bytes[..end], &mut out).is_err(), "{packing:?} {end}");
            }
            for size in [999u32, 1001, 0] {
                bytes[..4].copy_from_slice(&size.to_le_bytes());
                assert_eq!(unpack(packing, &bytes, &mut out), Err(Unpackable::Content));
            }
            bytes[..4].copy_from_slice(&(BODY_BYTES_MAX as u32 + 1).to_le_bytes());
            assert_eq!(unpack(packing, &bytes, &mut out), Err(Unpackable::Size));
        }
    }

    #[test]
    fn flipped_bits_yield_something_or_an_error() {
        let mut out = Vec::new();
        for packing in METHODS {
            let mut bytes = Vec::new();
            assert!(pack(packing, 3, 1, &text(300), &mut bytes));
            for bit in 0..bytes.len() * 8 {
                let mut bent = bytes.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                let _ = unpack(packing, &bent, &mut out);
                assert!(out.len() <= BODY_BYTES_MAX);
            }
        }
    }
}
