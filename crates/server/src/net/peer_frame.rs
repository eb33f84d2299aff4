//! The frames that nodes send each other: a length of four bytes, little-endian, and so many bytes.

/// The longest frame on a link, in bytes, its length not counted: the greatest message of a client with
/// room for what a node has to say about it.
pub const PEER_FRAME_SIZE_MAX: usize = 128 * 1024 * 1024 + 64 * 1024;

/// Bytes of the length in front of a frame.
pub(super) const LENGTH_SIZE: usize = size_of::<u32>();

/// What a length in front of a frame may not be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLong(pub u32);

/// The frame at the beginning of `data`, without its length; `None` while it is incomplete.
///
/// # Errors
/// [`TooLong`] as soon as the length is there.
#[inline]
pub(super) fn first_of(data: &[u8]) -> Result<Option<&[u8]>, TooLong> {
    let Some((length, rest)) = data.split_first_chunk() else { return Ok(None) };
    Ok(rest.get(..size(*length)?))
}

/// How many bytes are missing from the frame that `held` begins with: to the end of its length, then to
/// its own. 0 when it is whole or not a frame at all.
pub(super) fn missing(held: &[u8]) -> usize {
    let size = match held.first_chunk().map(|length| size(*length)) {
        None => LENGTH_SIZE,
        Some(Ok(size)) => LENGTH_SIZE + size,
        Some(Err(_)) => 0,
    };
    size.saturating_sub(held.len())
}

#[inline]
fn size(length: [u8; LENGTH_SIZE]) -> Result<usize, TooLong> {
    let length = u32::from_le_bytes(length);
    match usize::try_from(length) {
        Ok(size) if size <= PEER_FRAME_SIZE_MAX => Ok(size),
        _ => Err(TooLong(length)),
    }
}

/// Appends a frame with its length in front; `None`, with nothing appended, when it is too long.
#[inline]
pub(super) fn append(bytes: &mut Vec<u8>, frame: impl FnOnce(&mut Vec<u8>)) -> Option<()> {
    let start = bytes.len();
    let unfinished = Unfinished { bytes, start };
    unfinished.bytes.extend_from_slice(&[0; LENGTH_SIZE]);
    frame(unfinished.bytes);
    unfinished.finish()
}

/// A frame that is being appended. It is taken away again when that comes to no good end, a panic
/// included.
struct Unfinished<'a> {
    bytes: &'a mut Vec<u8>,
    start: usize,
}

impl Unfinished<'_> {
    fn finish(mut self) -> Option<()> {
        let frame = self.bytes.get_mut(self.start..)?;
        let (length, rest) = frame.split_first_chunk_mut()?;
        if rest.len() > PEER_FRAME_SIZE_MAX {
            return None;
        }
        *length = u32::try_from(rest.len()).ok()?.to_le_bytes();
        self.start = self.bytes.len();
        Some(())
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.bytes.truncate(self.start);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn the_limit_itself_is_allowed() {
        let length = PEER_FRAME_SIZE_MAX as u32;
        assert_eq!(first_of(&length.to_le_bytes()), Ok(None));
        assert_eq!(missing(&length.to_le_bytes()), PEER_FRAME_SIZE_MAX);
        for length in [length + 1, u32::MAX] {
            assert_eq!(first_of(&length.to_le_bytes()), Err(TooLong(length)));
            assert_eq!(missing(&length.to_le_bytes()), 0);
        }
    }

    #[test]
    fn a_frame_is_whole_or_missing_bytes() {
        let bytes = b"\x05\0\0\0prole\0\0\0\0";
        for end in 0..9 {
            assert_eq!(first_of(&bytes[..end]), Ok(None));
            let target = if end < LENGTH_SIZE { LENGTH_SIZE } else { 9 };
            assert_eq!(missing(&bytes[..end]), target - end);
        }
        assert_eq!(first_of(bytes), Ok(Some(&b"prole"[..])));
        assert_eq!(first_of(&bytes[9..]), Ok(Some(&b""[..])));
        assert_eq!(missing(bytes), 0);
    }

    #[test]
    fn a_frame_is_appended_whole_or_not_at_all() {
        let mut bytes = b"before".to_vec();
        append(&mut bytes, |out| out.extend(b"prole")).unwrap();
        append(&mut bytes, |_| ()).unwrap();
        let expected = b"before\x05\0\0\0prole\0\0\0\0";
        assert_eq!(bytes, expected);
        let too_long = |out: &mut Vec<u8>| out.resize(out.len() + PEER_FRAME_SIZE_MAX + 1, 0);
        assert_eq!(append(&mut bytes, too_long), None);
        assert_eq!(bytes, expected);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            append(&mut bytes, |out| {
                out.push(b'x');
                panic!("as ordered");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(bytes, expected);
    }
}
