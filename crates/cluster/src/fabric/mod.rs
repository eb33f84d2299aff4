//! What nodes send each other, frame by frame.
//!
//! A frame has a header and a body. Some ask for something and carry the number of a *call*, by which the
//! answer finds its way back on the same connection; others are told and not answered. The layout is
//! little-endian:
//!
//! | offset | size | |
//! |---|---|---|
//! | 0 | 1 | version of this layout: [`VERSION`] |
//! | 1 | 1 | [`Kind`] |
//! | 2 | 2 | zero |
//! | 4 | 8 | number of the call; 0: none |
//! | 12 | 8 | node that sends it |
//! | 20 | .. | body, by kind |
//!
//! Messages about the cluster have bodies of their own machines. Those about single records are [`Change`],
//! [`Removal`] and [`Lookup`], those of migrations are in [`migration`].

pub mod migration;
mod record;

pub use record::{Change, Lookup, Removal, Transfer};

use crate::NodeId;

/// The version of the layout. A node answers frames of another version with nothing.
pub const VERSION: u8 = 1;

/// Size of a frame's header in bytes.
pub const HEADER_BYTES: usize = 20;

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
    /// The kind with this number; `None` if this release knows none.
    pub fn of(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Membership,
            2 => Self::Exchange,
            3 => Self::Metadata,
            16 => Self::Proxy,
            17 => Self::Write,
            18 => Self::Remove,
            19 => Self::Lookup,
            20 => Self::Command,
            32 => Self::Migration,
            64 => Self::Answer,
            _ => return None,
        })
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
    /// What it is.
    pub kind: Kind,
    /// Number of the call; 0: none.
    pub call: u64,
    /// Who sent it.
    pub from: NodeId,
    /// What follows the header.
    pub body: &'a [u8],
}

impl<'a> Frame<'a> {
    /// Reads a frame; `None` if it is of another version or of a kind that this release does not know.
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let (start, rest) = header.split_first_chunk::<4>()?;
        let (call, node) = rest.split_first_chunk::<8>()?;
        let [VERSION, kind, ..] = *start else { return None };
        Some(Self {
            kind: Kind::of(kind)?,
            call: u64::from_le_bytes(*call),
            from: NodeId(u64::from_le_bytes(node.try_into().ok()?)),
            body,
        })
    }

    /// Appends the header of a frame; its body is to follow.
    pub fn begin(out: &mut Vec<u8>, kind: Kind, call: u64, from: NodeId) {
        out.extend_from_slice(&[VERSION, kind as u8, 0, 0]);
        out.extend_from_slice(&call.to_le_bytes());
        out.extend_from_slice(&from.0.to_le_bytes());
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

    #[test]
    fn frames_are_read_as_they_are_written() {
        let mut bytes = Vec::new();
        Frame::begin(&mut bytes, Kind::Write, 7, NodeId(0xBB9));
        bytes.extend_from_slice(b"body");
        let frame = Frame { kind: Kind::Write, call: 7, from: NodeId(0xBB9), body: b"body" };
        assert_eq!(Frame::parse(&bytes), Some(frame));
        for end in 0..HEADER_BYTES {
            assert_eq!(Frame::parse(&bytes[..end]), None);
        }
        for (place, value) in [(0, 2), (1, 0), (1, 255)] {
            let mut other = bytes.clone();
            other[place] = value;
            assert_eq!(Frame::parse(&other), None, "not of this release");
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
