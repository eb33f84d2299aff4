//! The 8-byte header in front of every message of the client protocol, and whole frames.
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0 | 1 | version: 2, or 0 with type 2 |
//! | 1 | 1 | type, see [`FrameKind`] |
//! | 2 | 6 | length of the body, big-endian, header not counted |
//!
//! Source of the rules: client protocol reference, section 1.

use thiserror::Error;

/// Size of the header in bytes.
pub const HEADER_SIZE: usize = 8;

/// The longest body a frame may announce, in bytes (128 MiB, itself allowed).
pub const PROTO_SIZE_MAX: u64 = 128 * 1024 * 1024;

const VERSION: u8 = 2;
/// Some clients send their security messages with version 0.
const VERSION_OLD_SECURITY: u8 = 0;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Info: text commands.
    Info,
    /// Security: login and administration of users and roles.
    Security,
    /// A record message.
    Message,
    /// A compressed record message.
    Compressed,
    /// Shipping between clusters.
    Xdr,
}

/// One whole frame, borrowed from the buffer that it was received into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: FrameKind,
    bytes: &'a [u8],
}

impl<'a> Frame<'a> {
    /// What the frame holds.
    pub fn kind(&self) -> FrameKind {
        self.kind
    }

    /// The frame as received, header included.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What follows the header.
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_SIZE..).unwrap_or_default()
    }

    /// The frame at the beginning of `data`; `None` while it is incomplete.
    ///
    /// # Errors
    /// [`HeaderError`] as soon as a whole header is there and breaks a rule.
    #[inline]
    pub fn first_of(data: &'a [u8]) -> Result<Option<Self>, HeaderError> {
        let Some(header) = data.first_chunk() else { return Ok(None) };
        let header = Header::parse(header)?;
        Ok(data.get(..header.frame_size).map(|bytes| Self { kind: header.kind, bytes }))
    }
}

/// How many bytes are missing from the frame that `held` begins with: to its header's end while
/// that is incomplete, then to the frame's end. 0 when it is whole or not a frame at all.
pub(super) fn missing(held: &[u8]) -> usize {
    let size = match held.first_chunk().map(Header::parse) {
        None => HEADER_SIZE,
        Some(Ok(header)) => header.frame_size,
        Some(Err(_)) => 0,
    };
    size.saturating_sub(held.len())
}

/// A header that passed every check.
struct Header {
    kind: FrameKind,
    /// Header and body together.
    frame_size: usize,
}

impl Header {
    #[inline]
    fn parse(bytes: &[u8; HEADER_SIZE]) -> Result<Self, HeaderError> {
        let kind = match (bytes[0], bytes[1]) {
            (VERSION, 1) => FrameKind::Info,
            (VERSION | VERSION_OLD_SECURITY, 2) => FrameKind::Security,
            (VERSION, 3) => FrameKind::Message,
            (VERSION, 4) => FrameKind::Compressed,
            (VERSION, 5) => FrameKind::Xdr,
            (VERSION, other) => return Err(HeaderError::Type(other)),
            // A TLS handshake record (22), protocol 3.x, holding a ClientHello (1).
            (22, 3) if bytes[5] == 1 => return Err(HeaderError::Tls),
            (other, _) => return Err(HeaderError::Version(other)),
        };
        let body_size = u64::from_be_bytes(*bytes) & 0xffff_ffff_ffff;
        if body_size > PROTO_SIZE_MAX {
            return Err(HeaderError::TooLong(body_size));
        }
        Ok(Self { kind, frame_size: HEADER_SIZE + body_size as usize })
    }
}

/// Why a header is refused. The connection is closed without a reply.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum HeaderError {
    /// Not a version of this protocol, or version 0 with another type than security.
    #[error("unknown protocol version {0}")]
    Version(u8),
    /// No such type of message.
    #[error("unknown message type {0}")]
    Type(u8),
    /// The announced body is longer than [`PROTO_SIZE_MAX`].
    #[error("announced body of {0} bytes is over the limit")]
    TooLong(u64),
    /// The client speaks TLS to a port without TLS.
    #[error("TLS handshake on a port without TLS")]
    Tls,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(version: u8, kind: u8, body_size: u64) -> [u8; HEADER_SIZE] {
        let mut bytes = body_size.to_be_bytes();
        bytes[0] = version;
        bytes[1] = kind;
        bytes
    }

    #[test]
    fn every_version_and_type() {
        for version in 0..=255 {
            for kind in 0..=255 {
                let parsed = Header::parse(&header(version, kind, 0)).map(|header| header.kind);
                let expected = match (version, kind) {
                    (2, 1) => Ok(FrameKind::Info),
                    (2 | 0, 2) => Ok(FrameKind::Security),
                    (2, 3) => Ok(FrameKind::Message),
                    (2, 4) => Ok(FrameKind::Compressed),
                    (2, 5) => Ok(FrameKind::Xdr),
                    (2, other) => Err(HeaderError::Type(other)),
                    (other, _) => Err(HeaderError::Version(other)),
                };
                assert_eq!(parsed, expected, "version {version} type {kind}");
            }
        }
    }

    #[test]
    fn the_limit_itself_is_allowed() {
        let at_limit = header(2, 3, PROTO_SIZE_MAX);
        assert_eq!(Frame::first_of(&at_limit), Ok(None));
        assert_eq!(missing(&at_limit), PROTO_SIZE_MAX as usize);
        let above = header(2, 3, PROTO_SIZE_MAX + 1);
        assert_eq!(Frame::first_of(&above), Err(HeaderError::TooLong(PROTO_SIZE_MAX + 1)));
        let highest = header(2, 3, 0xffff_ffff_ffff);
        assert_eq!(Frame::first_of(&highest), Err(HeaderError::TooLong(0xffff_ffff_ffff)));
    }

    #[test]
    fn a_client_hello_is_recognized() {
        let hello = [22, 3, 1, 2, 0, 1, 0, 1];
        assert_eq!(Frame::first_of(&hello), Err(HeaderError::Tls));
        let other_record = [22, 3, 1, 2, 0, 2, 0, 1];
        assert_eq!(Frame::first_of(&other_record), Err(HeaderError::Version(22)));
    }

    #[test]
    fn a_frame_is_whole_or_missing_bytes() {
        let mut bytes = header(2, 1, 5).to_vec();
        bytes.extend(b"build");
        for end in 0..bytes.len() {
            assert_eq!(Frame::first_of(&bytes[..end]), Ok(None));
            let target = if end < HEADER_SIZE { HEADER_SIZE } else { bytes.len() };
            assert_eq!(missing(&bytes[..end]), target - end);
        }
        bytes.extend(b"the next frame");
        let frame = Frame::first_of(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind(), frame.body()), (FrameKind::Info, &b"build"[..]));
        assert_eq!(frame.as_bytes(), &bytes[..13]);
        assert_eq!(missing(frame.as_bytes()), 0);
    }
}
