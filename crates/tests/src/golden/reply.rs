//! A reply as a client sees it: frames, or no frames.

use anyhow::{Result, bail};

use super::message::{Malformed, Message, decode_body};

/// Bytes of the frame header: version, type, 48-bit length of the body.
pub const FRAME_HEADER_SIZE: usize = 8;
/// Frame types.
pub const TYPE_INFO: u8 = 1;
pub const TYPE_MESSAGE: u8 = 3;

const PROTOCOL_VERSION: u8 = 2;

/// What kind of request it was, which says how its reply ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One frame with one message.
    Record,
    /// Frames of rows, up to the message that is marked last.
    Batch,
    /// Frames of rows, up to the message that is marked last or carries an error.
    Query,
    /// One frame of text.
    Info,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Whole frames, with their headers.
    Frames(Vec<Vec<u8>>),
    /// The server closed the connection first.
    Closed,
    /// Nothing came for as long as we cared to wait.
    Silence,
}

impl Kind {
    pub fn named(name: &str) -> Result<Self> {
        Ok(match name {
            "msg" => Self::Record,
            "batch" => Self::Batch,
            "query" => Self::Query,
            "info" => Self::Info,
            unknown => bail!("unknown kind of request {unknown:?}"),
        })
    }

    /// Whether a reply of this kind is complete with this frame.
    pub fn ends_with(self, frame: &[u8]) -> bool {
        if matches!(self, Self::Record | Self::Info) || frame_type(frame) != Some(TYPE_MESSAGE) {
            return true;
        }
        let Ok(messages) = decode_body(frame.get(FRAME_HEADER_SIZE..).unwrap_or_default()) else {
            return true;
        };
        messages.iter().any(|message| match self {
            Self::Batch => message.is_last(),
            _ => message.is_last() || (message.result != 0 && !message.is_partition_done()),
        })
    }
}

impl Reply {
    /// All messages of the reply, when it consists of well-formed message frames.
    pub fn messages(&self) -> Result<Vec<Message>, Malformed> {
        let Self::Frames(frames) = self else { return Err(Malformed("no frames")) };
        let mut messages = Vec::new();
        for frame in frames {
            let [PROTOCOL_VERSION, TYPE_MESSAGE, ..] = frame[..] else {
                return Err(Malformed("not a message frame"));
            };
            messages.extend(decode_body(frame.get(FRAME_HEADER_SIZE..).unwrap_or_default())?);
        }
        Ok(messages)
    }

    /// The text of an info reply, one character a byte.
    pub fn info_text(&self) -> Option<String> {
        let Self::Frames(frames) = self else { return None };
        let body = frames.first()?.get(FRAME_HEADER_SIZE..)?;
        Some(latin1(body))
    }

    /// Version and type of the first frame.
    pub fn frame_type(&self) -> Option<[u8; 2]> {
        match self {
            Self::Frames(frames) => frames.first()?.first_chunk().copied(),
            Self::Closed | Self::Silence => None,
        }
    }
}

/// Bytes as text in which every byte is a character, so that any bytes can be compared as text.
pub fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn frame_type(frame: &[u8]) -> Option<u8> {
    frame.get(1).copied()
}
