//! Compressed messages (type 4).
//!
//! Body: size of the original frame (u64), then a zlib stream that inflates to that whole frame, its
//! header included. The inner frame is always a message.

use std::io::{self, Read, Write};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};

use crate::proto::{BODY_SIZE_BYTES_MAX, ProtoHeader, ProtoType, frame};

/// Why a compressed body was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InflateError {
    /// No room for the size, or a size beyond what a frame may have.
    Size,
    /// Not a zlib stream, or one that does not inflate to the size announced.
    Stream,
    /// What it inflates to is not one whole message frame.
    Inner,
}

/// Bytes that a compressed body inflates to at most.
const INFLATED_BYTES_MAX: u64 = BODY_SIZE_BYTES_MAX + ProtoHeader::SIZE as u64;

/// Inflates a compressed body into `out`, whose earlier content goes; returns the inner message's
/// body. Memory grows with what the stream really yields, not with what it announces.
///
/// # Errors
/// An [`InflateError`] if the body is not exactly one compressed message.
pub fn inflate<'a>(body: &[u8], out: &'a mut Vec<u8>) -> Result<&'a [u8], InflateError> {
    let (size, stream) = body.split_first_chunk::<8>().ok_or(InflateError::Size)?;
    let size = u64::from_be_bytes(*size);
    if !(ProtoHeader::SIZE as u64..=INFLATED_BYTES_MAX).contains(&size) {
        return Err(InflateError::Size);
    }
    out.clear();
    let inflated = ZlibDecoder::new(stream).take(size + 1).read_to_end(out);
    if !inflated.is_ok_and(|count| count as u64 == size) {
        return Err(InflateError::Stream);
    }
    let (header, inner) = out.split_first_chunk().ok_or(InflateError::Inner)?;
    match ProtoHeader::parse(*header) {
        Ok(header)
            if header.kind == ProtoType::Message && header.body_size_bytes == inner.len() =>
        {
            Ok(inner)
        }
        _ => Err(InflateError::Inner),
    }
}

/// Appends `whole_frame` to `out` as a compressed frame.
///
/// # Errors
/// None in practice: the writer is memory.
pub fn deflate(whole_frame: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    let mut result = Ok(());
    frame(out, ProtoType::Compressed, |out| {
        out.extend_from_slice(&(whole_frame.len() as u64).to_be_bytes());
        let mut encoder = ZlibEncoder::new(out, Compression::fast());
        result = encoder.write_all(whole_frame).and_then(|()| encoder.finish().map(drop));
    });
    result
}

/// Frames up to this size in bytes are not worth compressing: they travel in one packet of an
/// Ethernet as they are.
pub const SHRINK_FROM_BYTES: usize = 1400;

/// Replaces the frame that starts at `start` of `out` by its compressed form, if it is large and that
/// is smaller. Returns the size of the frame before and after, in bytes.
pub fn shrink_last_frame(out: &mut Vec<u8>, start: usize) -> (usize, usize) {
    let before = out.len() - start;
    if before <= SHRINK_FROM_BYTES {
        return (before, before);
    }
    let mut compressed = Vec::with_capacity(before / 2);
    if deflate(&out[start..], &mut compressed).is_ok() && compressed.len() < before {
        out.truncate(start);
        out.extend_from_slice(&compressed);
    }
    (before, out.len() - start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::client::RequestBuilder;

    fn compressed(frame: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        deflate(frame, &mut out).unwrap();
        out.split_off(ProtoHeader::SIZE)
    }

    #[test]
    fn inflates_what_was_deflated() {
        let frame = RequestBuilder::new().namespace(&"n".repeat(500)).into_frame();
        let body = compressed(&frame);
        assert!(body.len() < frame.len());
        let mut scratch = vec![9; 3];
        assert_eq!(inflate(&body, &mut scratch), Ok(&frame[ProtoHeader::SIZE..]));
    }

    #[test]
    fn lies_are_found_out() {
        let frame = RequestBuilder::new().namespace("test").into_frame();
        let mut scratch = Vec::new();
        let mut longer = compressed(&frame);
        longer[7] += 1;
        assert_eq!(inflate(&longer, &mut scratch), Err(InflateError::Stream));
        let mut shorter = compressed(&frame);
        shorter[7] -= 1;
        assert_eq!(inflate(&shorter, &mut scratch), Err(InflateError::Stream));
        let mut huge = compressed(&frame);
        huge[0] = 1;
        assert_eq!(inflate(&huge, &mut scratch), Err(InflateError::Size));
        let info = compressed(&[2, 1, 0, 0, 0, 0, 0, 1, b'\n']);
        assert_eq!(inflate(&info, &mut scratch), Err(InflateError::Inner));
        assert_eq!(inflate(&[0; 7], &mut scratch), Err(InflateError::Size));
    }

    #[test]
    fn only_large_frames_that_shrink_are_replaced() {
        let noise: String =
            (0..2000).map(|n: u32| char::from((n * n / 7 % 94 + 33) as u8)).collect();
        for (namespace, shrinks) in
            [("n".repeat(100), false), ("n".repeat(5000), true), (noise.clone(), true)]
        {
            let frame = RequestBuilder::new().namespace(&namespace).into_frame();
            let mut out = [&[0xAA][..], &frame].concat();
            let (before, after) = shrink_last_frame(&mut out, 1);
            assert_eq!((before, after), (frame.len(), out.len() - 1));
            assert_eq!(after < before, shrinks);
        }
        let random: Vec<u8> =
            (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let mut out = random.clone();
        assert_eq!(shrink_last_frame(&mut out, 0).1, out.len());
    }

    proptest! {
        #[test]
        fn any_bytes_inflate_or_do_not(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let mut scratch = Vec::new();
            let _ = inflate(&bytes, &mut scratch);
            prop_assert!(scratch.len() <= 1 << 20);
        }
    }
}
