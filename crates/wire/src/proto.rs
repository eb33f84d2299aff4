//! Framing: the eight bytes before every body.
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0 | 1 | version, 2 |
//! | 1 | 1 | type of the body |
//! | 2 | 6 | length of the body in bytes |

/// Version in the header of every frame but old security ones.
pub const VERSION: u8 = 2;

/// Largest body a server accepts, in bytes: 128 MiB.
pub const BODY_SIZE_BYTES_MAX: u64 = 128 << 20;

/// What a frame's body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum ProtoType {
    /// Text of the [info protocol](crate::info).
    Info = 1,
    /// A [security message](crate::admin).
    Admin = 2,
    /// A [message](crate::message): every data command.
    Message = 3,
    /// A [compressed](crate::compress) message.
    Compressed = 4,
    /// Between nodes of different clusters only.
    InternalXdr = 5,
}

/// Header of a frame whose version, type and length are acceptable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProtoHeader {
    /// What the body is.
    pub kind: ProtoType,
    /// Length of the body in bytes, at most [`BODY_SIZE_BYTES_MAX`].
    pub body_size_bytes: usize,
}

/// Why a connection must be closed without a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FrameError {
    /// The first bytes are those of a TLS client.
    #[error("TLS handshake on a port without TLS")]
    TlsOnPlainPort,
    /// Not version 2, nor version 0 of a security frame.
    #[error("unknown protocol version {0}")]
    Version(u8),
    /// No such type of body.
    #[error("unknown message type {0}")]
    Type(u8),
    /// The body would exceed [`BODY_SIZE_BYTES_MAX`].
    #[error("announced body of {0} bytes is over the limit")]
    Oversize(u64),
}

impl ProtoHeader {
    /// Bytes of a header.
    pub const SIZE: usize = 8;

    /// Checks a header.
    ///
    /// # Errors
    /// A [`FrameError`] says why the peer's bytes cannot be the start of a frame.
    pub fn parse(bytes: [u8; Self::SIZE]) -> Result<Self, FrameError> {
        let [version, kind, length @ ..] = bytes;
        let [l0, l1, l2, l3, l4, l5] = length;
        if version == 22 && kind == 3 && l3 == 1 {
            return Err(FrameError::TlsOnPlainPort);
        }
        let kind = match kind {
            1 => ProtoType::Info,
            2 => ProtoType::Admin,
            3 => ProtoType::Message,
            4 => ProtoType::Compressed,
            5 => ProtoType::InternalXdr,
            _ if version != VERSION => return Err(FrameError::Version(version)),
            _ => return Err(FrameError::Type(kind)),
        };
        if version != VERSION && !(version == 0 && kind == ProtoType::Admin) {
            return Err(FrameError::Version(version));
        }
        let body_size_bytes = u64::from_be_bytes([0, 0, l0, l1, l2, l3, l4, l5]);
        if body_size_bytes > BODY_SIZE_BYTES_MAX {
            return Err(FrameError::Oversize(body_size_bytes));
        }
        Ok(Self { kind, body_size_bytes: body_size_bytes as usize })
    }

    /// The header as sent.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [_, _, l0, l1, l2, l3, l4, l5] = (self.body_size_bytes as u64).to_be_bytes();
        [VERSION, self.kind as u8, l0, l1, l2, l3, l4, l5]
    }
}

/// Appends a frame whose body `write` appends; the length is filled in afterwards.
pub fn frame(out: &mut Vec<u8>, kind: ProtoType, write: impl FnOnce(&mut Vec<u8>)) {
    let start = open_frame(out);
    write(out);
    close_frame(out, start, kind);
}

/// Begins a frame at the end of `out` by leaving its header blank. Returns where it begins.
pub fn open_frame(out: &mut Vec<u8>) -> usize {
    let start = out.len();
    out.extend_from_slice(&[0; ProtoHeader::SIZE]);
    start
}

/// Fills in the header that was left blank at `start`; the body is all that follows it.
///
/// # Panics
/// If no frame was opened there.
pub fn close_frame(out: &mut [u8], start: usize, kind: ProtoType) {
    let body_size_bytes = out.len() - start - ProtoHeader::SIZE;
    out[start..start + ProtoHeader::SIZE]
        .copy_from_slice(&ProtoHeader { kind, body_size_bytes }.to_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_survives_a_round_trip() {
        let header = ProtoHeader { kind: ProtoType::Message, body_size_bytes: 0x0123_4567 };
        assert_eq!(header.to_bytes(), [2, 3, 0, 0, 0x01, 0x23, 0x45, 0x67]);
        assert_eq!(ProtoHeader::parse(header.to_bytes()), Ok(header));
    }

    #[test]
    fn what_is_no_frame_is_refused() {
        use FrameError::*;
        let table = [
            ([22, 3, 1, 0, 200, 1, 0, 0], TlsOnPlainPort),
            ([1, 3, 0, 0, 0, 0, 0, 22], Version(1)),
            ([0, 3, 0, 0, 0, 0, 0, 22], Version(0)),
            ([2, 0, 0, 0, 0, 0, 0, 22], Type(0)),
            ([2, 6, 0, 0, 0, 0, 0, 22], Type(6)),
            ([2, 3, 0, 0, 8, 0, 0, 1], Oversize((128 << 20) + 1)),
        ];
        for (bytes, expected) in table {
            assert_eq!(ProtoHeader::parse(bytes), Err(expected));
        }
        assert!(ProtoHeader::parse([2, 3, 0, 0, 8, 0, 0, 0]).is_ok());
        assert!(ProtoHeader::parse([0, 2, 0, 0, 0, 0, 0, 16]).is_ok());
    }
}
