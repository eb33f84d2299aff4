//! What nodes send each other, frame by frame.
//!
//! A frame has a header and a body. Some ask for something and carry the number of a *call*, by which the
//! answer finds its way back on the same connection; others are told and not answered. The layout is
//! little-endian:
//!
//! | offset | size | |
//! |---|---|---|
//! | 0 | 1 | the [`Protocol`] that it is of |
//! | 1 | 1 | [`Kind`] |
//! | 2 | 2 | zero |
//! | 4 | 8 | number of the call; 0: none |
//! | 12 | 8 | node that sends it |
//! | 20 | .. | body, by kind |
//! | end | 4 | from [`Protocol::CHECKED`] on: CRC-32C of all that stands before |
//!
//! The sums of TCP miss one damaged segment in 65,000. Between the log of one node and that of another, a record
//! has no other checksum.
//!
//! Messages about the cluster have bodies of their own machines. Those about single records are [`Change`],
//! [`Removal`] and [`Lookup`], those of migrations are in [`migration`].

pub mod migration;
mod record;

pub use record::{Change, Lookup, Removal, Transfer};

use crate::{NodeId, Protocol, Protocols};

/// Size of a frame's header in bytes.
pub const HEADER_BYTES: usize = 20;

/// Size of the checksum at a frame's end, if it has one.
const CHECKSUM_BYTES: usize = 4;

/// Most frames are about one small record, and no longer.
const FRAME_BYTES_MOSTLY: usize = 256;

/// On which of the connections between two nodes a frame travels, so that much of one kind holds up none
/// of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Channel {
    /// Membership, exchange, metadata.
    Control = 0,
    /// Single records, for which clients wait.
    Record = 1,
    /// Records that move between nodes.
    Bulk = 2,
}

impl Channel {
    /// The channel with this number.
    pub fn of(number: u8) -> Option<Self> {
        [Self::Control, Self::Record, Self::Bulk].into_iter().find(|of| *of as u8 == number)
    }
}

/// What a frame is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// Of the membership machine.
    Membership = 1,
    /// Of the exchange machine.
    Exchange = 2,
    /// Of the replicated metadata.
    Metadata = 3,
    /// A client's request, for the node that can carry it out.
    Proxy = 16,
    /// A record as it is now, for a replica.
    Write = 17,
    /// A record is gone, for a replica.
    Remove = 18,
    /// What does the other node have of this record?
    Lookup = 19,
    /// An operator's command about metadata, for the principal.
    Command = 20,
    /// Of a migration.
    Migration = 32,
    /// The answer to a call.
    Answer = 64,
}

impl Kind {
    /// All that this release knows.
    const ALL: [Self; 10] = [
        Self::Membership,
        Self::Exchange,
        Self::Metadata,
        Self::Proxy,
        Self::Write,
        Self::Remove,
        Self::Lookup,
        Self::Command,
        Self::Migration,
        Self::Answer,
    ];

    /// The kind with this number; `None` if this release knows none.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Where frames of this kind travel. An answer travels where its call did.
    pub fn channel(self) -> Channel {
        match self {
            Self::Membership | Self::Exchange | Self::Metadata | Self::Command => Channel::Control,
            Self::Proxy | Self::Write | Self::Remove | Self::Lookup | Self::Answer => {
                Channel::Record
            }
            Self::Migration => Channel::Bulk,
        }
    }
}

/// A frame, borrowed from where it was received.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame<'a> {
    /// Of which version it is. An answer is of the same.
    pub protocol: Protocol,
    /// What it is.
    pub kind: Kind,
    /// Number of the call; 0: none.
    pub call: u64,
    /// Who sent it.
    pub from: NodeId,
    /// What follows the header.
    pub body: &'a [u8],
}

/// Why bytes are no frame.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unreadable {
    /// They are too short, of another version, or of a kind that this release does not know.
    Unknown,
    /// They are not what was sent.
    Damaged,
}

impl<'a> Frame<'a> {
    /// Reads a frame.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        let protocol = Protocol(u16::from(*bytes.first().ok_or(Unreadable::Unknown)?));
        if !(Protocols::ALL.low..=Protocols::ALL.high).contains(&protocol) {
            return Err(Unreadable::Unknown);
        }
        let content = match protocol >= Protocol::CHECKED {
            true => checked(bytes)?,
            false => bytes,
        };
        Self::parse_content(protocol, content).ok_or(Unreadable::Unknown)
    }

    fn parse_content(protocol: Protocol, content: &'a [u8]) -> Option<Self> {
        let (header, body) = content.split_first_chunk::<HEADER_BYTES>()?;
        let (start, rest) = header.split_first_chunk::<4>()?;
        let (call, node) = rest.split_first_chunk::<8>()?;
        Some(Self {
            protocol,
            kind: Kind::of(start[1])?,
            call: u64::from_le_bytes(*call),
            from: NodeId(u64::from_le_bytes(node.try_into().ok()?)),
            body,
        })
    }
}

/// CRC-32C, as of everything that is stored.
fn checksum(bytes: &[u8]) -> u32 {
    crc_fast::crc32_iscsi(bytes)
}

/// What stands before the checksum, if that holds.
fn checked(bytes: &[u8]) -> Result<&[u8], Unreadable> {
    let (content, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Unreadable::Unknown)?;
    match checksum(content) == u32::from_le_bytes(*sum) {
        true => Ok(content),
        false => Err(Unreadable::Damaged),
    }
}

/// What stands in the header of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Head {
    /// Of which version it is to be.
    pub protocol: Protocol,
    /// What it is.
    pub kind: Kind,
    /// Number of the call; 0: none.
    pub call: u64,
    /// Who sends it.
    pub from: NodeId,
}

impl Head {
    /// A frame with this header, whose body `write` appends.
    pub fn frame(self, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let Self { protocol, kind, call, from } = self;
        let mut out = Vec::with_capacity(FRAME_BYTES_MOSTLY);
        out.extend_from_slice(&[protocol.0 as u8, kind as u8, 0, 0]);
        out.extend_from_slice(&call.to_le_bytes());
        out.extend_from_slice(&from.0.to_le_bytes());
        write(&mut out);
        if protocol >= Protocol::CHECKED {
            let sum = checksum(&out);
            out.extend_from_slice(&sum.to_le_bytes());
        }
        out
    }
}

/// How a call ended. The first byte of an answer's body; what follows is by the kind of the call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// It was done.
    Done = 0,
    /// The node is in another view than the one that the call names.
    OtherView = 1,
    /// The node is not the one for that. A node that is, as far as it knows, may follow (8 bytes).
    Elsewhere = 2,
    /// It could not be done; a result code of the client protocol follows (1 byte).
    Failed = 3,
    /// Not now; later maybe.
    Later = 4,
    /// The node cannot make sense of the call.
    Malformed = 5,
}

impl Status {
    /// The status with this number.
    pub fn of(number: u8) -> Option<Self> {
        use Status::{Done, Elsewhere, Failed, Later, Malformed, OtherView};
        let all = [Done, OtherView, Elsewhere, Failed, Later, Malformed];
        all.into_iter().find(|status| *status as u8 == number)
    }

    /// Reads the body of an answer: the status and what follows it.
    pub fn split(body: &[u8]) -> Option<(Self, &[u8])> {
        let (status, rest) = body.split_first()?;
        Some((Self::of(*status)?, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(protocol: Protocol) -> Vec<u8> {
        let head = Head { protocol, kind: Kind::Write, call: 7, from: NodeId(0xBB9) };
        head.frame(|out| out.extend_from_slice(b"body"))
    }

    #[test]
    fn frames_are_read_as_they_are_written() {
        for protocol in [Protocol::FIRST, Protocol::CHECKED] {
            let (kind, call, from, body) = (Kind::Write, 7, NodeId(0xBB9), &b"body"[..]);
            let bytes = frame(protocol);
            assert_eq!(Frame::parse(&bytes), Ok(Frame { protocol, kind, call, from, body }));
            for end in 0..HEADER_BYTES {
                assert!(Frame::parse(&bytes[..end]).is_err());
            }
        }
        for (place, value) in [(0, 0), (0, 3), (1, 0), (1, 255)] {
            let mut other = frame(Protocol::FIRST);
            other[place] = value;
            assert_eq!(Frame::parse(&other), Err(Unreadable::Unknown), "not of this release");
        }
    }

    #[test]
    fn a_damaged_frame_is_none() {
        let sound = frame(Protocol::CHECKED);
        for bit in 16..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Frame::parse(&bytes), Err(Unreadable::Damaged), "bit {bit}");
        }
    }

    #[test]
    fn kinds_and_states_have_numbers() {
        for number in 0..=255 {
            assert!(Kind::of(number).is_none_or(|kind| kind as u8 == number));
            assert!(Status::of(number).is_none_or(|status| status as u8 == number));
        }
        assert_eq!(Status::split(&[2, 9]), Some((Status::Elsewhere, &[9][..])));
        assert_eq!((Status::split(&[]), Status::split(&[99])), (None, None));
    }
}
