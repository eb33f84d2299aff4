//! Whole frames of the client protocol, as they are cut out of a stream.

use wire::proto::FrameError;
use wire::{ProtoHeader, ProtoType};

/// One whole frame, borrowed from the buffer that it was received into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: ProtoType,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What the frame holds.
    pub fn kind(&self) -> ProtoType {
        self.kind
    }

    /// The frame as received, header included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(ProtoHeader::SIZE..).unwrap_or_default()
    }

    /// The frame at the beginning of `data`; `None` while it is incomplete.
    ///
    /// # Errors
    /// A [`FrameError`] as soon as a whole header is there and breaks a rule.
    #[inline]
    pub fn first_of(data: &'a [u8]) -> Result<Option<Self>, FrameError> {
        let Some(header) = data.first_chunk() else { return Ok(None) };
        let header = ProtoHeader::parse(*header)?;
        Ok(data.get(..frame_size(header)).map(|bytes| Self { kind: header.kind, bytes }))
    }
}

/// Header and body together, in bytes.
fn frame_size(header: ProtoHeader) -> usize {
    ProtoHeader::SIZE + header.body_size_bytes
}

/// How many bytes are missing from the frame that `held` begins with: to its header's end while
/// that is incomplete, then to the frame's end. 0 when it is whole or not a frame at all.
pub(super) fn missing(held: &[u8]) -> usize {
    let size = match held.first_chunk().map(|header| ProtoHeader::parse(*header)) {
        None => ProtoHeader::SIZE,
        Some(Ok(header)) => frame_size(header),
        Some(Err(_)) => 0,
    };
    size.saturating_sub(held.len())
}

#[cfg(test)]
mod tests {
    use wire::proto::BODY_SIZE_BYTES_MAX;

    use super::*;

    fn header(kind: u8, body_size: u64) -> [u8; ProtoHeader::SIZE] {
        let mut bytes = body_size.to_be_bytes();
        bytes[..2].copy_from_slice(&[2, kind]);
        bytes
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let at_limit = header(3, BODY_SIZE_BYTES_MAX);
        assert_eq!(Frame::first_of(&at_limit), Ok(None));
        assert_eq!(missing(&at_limit), BODY_SIZE_BYTES_MAX as usize);
        let above = header(3, BODY_SIZE_BYTES_MAX + 1);
        let refused = FrameError::Oversize(BODY_SIZE_BYTES_MAX + 1);
        assert_eq!(Frame::first_of(&above), Err(refused));
        assert_eq!(missing(&above), 0);
    }

    #[test]
    fn a_frame_is_whole_or_missing_bytes() {
        let mut bytes = header(1, 5).to_vec();
        bytes.extend(b"build");
        for end in 0..bytes.len() {
            assert_eq!(Frame::first_of(&bytes[..end]), Ok(None));
            let target = if end < ProtoHeader::SIZE { ProtoHeader::SIZE } else { bytes.len() };
            assert_eq!(missing(&bytes[..end]), target - end);
        }
        bytes.extend(b"the next frame");
        let frame = Frame::first_of(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind(), frame.body()), (ProtoType::Info, &b"build"[..]));
        assert_eq!(frame.as_bytes(), &bytes[..13]);
        assert_eq!(missing(frame.as_bytes()), 0);
    }
}
