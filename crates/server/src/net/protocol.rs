//! The ways in which a byte stream is cut into requests: binary frames, text lines, frames between nodes.
//!
//! Rules of the text port (info command reference, section 1.2): a command ends at a carriage
//! return or newline, further ones right behind it are swallowed, and a byte 0xFF anywhere (what
//! telnet sends for an interrupt) closes the connection.

use thiserror::Error;
use wire::proto::FrameError;

use super::frame::{self, Frame};
use super::peer_frame::{self, PEER_FRAME_SIZE_MAX, TooLong};

/// The longest line that the text port takes, in bytes. The commands that carry bulk, such as code,
/// go through the service port; the bound only keeps a stream without line ends from growing.
pub const LINE_SIZE_MAX: usize = 1024 * 1024;

const INTERRUPT: u8 = 0xff;

/// What is spoken on a connection, decided by the port it came in through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The client protocol: frames with a header.
    Frames,
    /// Plain-text info: lines.
    Lines,
    /// What nodes say to each other: frames with a length in front.
    Peer,
}

/// One request, cut out of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request<'a> {
    Frame(Frame<'a>),
    /// Without its terminator.
    Line(&'a [u8]),
    /// Without its length.
    Peer(&'a [u8]),
}

/// Why a stream is not read any further.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum Malformed {
    #[error(transparent)]
    Header(#[from] FrameError),
    #[error("telnet interrupt")]
    Interrupt,
    #[error("line longer than {LINE_SIZE_MAX} bytes")]
    LineTooLong,
    #[error("frame of {0} bytes, but {PEER_FRAME_SIZE_MAX} are allowed between nodes")]
    PeerFrameTooLong(u32),
}

impl Protocol {
    /// The request at the beginning of `data` and the bytes it takes up, terminator included;
    /// `None` while it is incomplete.
    #[inline]
    pub(super) fn split(self, data: &[u8]) -> Result<Option<(Request<'_>, usize)>, Malformed> {
        match self {
            Self::Frames => {
                let frame = Frame::first_of(data)?;
                Ok(frame.map(|frame| (Request::Frame(frame), frame.as_bytes().len())))
            }
            Self::Lines => split_line(data),
            Self::Peer => {
                let frame = peer_frame::first_of(data)
                    .map_err(|TooLong(size)| Malformed::PeerFrameTooLong(size))?;
                Ok(frame.map(|frame| (Request::Peer(frame), peer_frame::LENGTH_SIZE + frame.len())))
            }
        }
    }

    /// How many of the `fresh` bytes still belong to the unfinished request in `held` (at least one
    /// of them), and whether with these it is worth another [`Self::split`].
    pub(super) fn belonging(self, held: &[u8], fresh: &[u8]) -> (usize, bool) {
        let (count, ripe) = match self {
            Self::Frames => (frame::missing(held), true),
            Self::Peer => (peer_frame::missing(held), true),
            // Looking at the held part again for every byte that arrives would be quadratic.
            Self::Lines => match fresh.iter().position(|&byte| ends_line(byte)) {
                Some(end) => (end + terminator_size(fresh.get(end..).unwrap_or_default()), true),
                None => (fresh.len(), held.len() + fresh.len() > LINE_SIZE_MAX),
            },
        };
        (count.clamp(1, fresh.len().max(1)), ripe)
    }
}

fn split_line(data: &[u8]) -> Result<Option<(Request<'_>, usize)>, Malformed> {
    let end = data.iter().position(|&byte| ends_line(byte));
    if end.unwrap_or(data.len()) > LINE_SIZE_MAX {
        return Err(Malformed::LineTooLong);
    }
    let Some((line, rest)) = end.and_then(|end| data.split_at_checked(end)) else {
        return Ok(None);
    };
    if rest.first() == Some(&INTERRUPT) {
        return Err(Malformed::Interrupt);
    }
    Ok(Some((Request::Line(line), line.len() + terminator_size(rest))))
}

fn ends_line(byte: u8) -> bool {
    is_line_break(byte) || byte == INTERRUPT
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// The length of the run of line breaks at the beginning of `data`, or 1 for an interrupt.
fn terminator_size(data: &[u8]) -> usize {
    data.iter().take_while(|&&byte| is_line_break(byte)).count().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cuts `data` into lines, and tells how the cutting ended.
    fn lines(mut data: &[u8]) -> (Vec<&[u8]>, Result<(), Malformed>) {
        let mut lines = Vec::new();
        loop {
            match Protocol::Lines.split(data) {
                Ok(Some((Request::Line(line), size))) => {
                    lines.push(line);
                    data = &data[size..];
                }
                Ok(Some(_)) => unreachable!("lines are no frames"),
                Ok(None) => return (lines, Ok(())),
                Err(malformed) => return (lines, Err(malformed)),
            }
        }
    }

    #[test]
    fn line_breaks() {
        let check = |data: &str, expected: &[&str]| {
            let expected: Vec<&[u8]> = expected.iter().map(|line| line.as_bytes()).collect();
            assert_eq!(lines(data.as_bytes()), (expected, Ok(())), "{data:?}");
        };
        check("", &[]);
        check("build", &[]);
        check("build\n", &["build"]);
        check("build\r", &["build"]);
        check("build\r\n", &["build"]);
        check("build\n\r\n\nnode\nrest", &["build", "node"]);
        check("\n", &[""]);
        check("\r\nbuild\n", &["", "build"]);
    }

    #[test]
    fn an_interrupt_ends_the_stream_behind_whole_lines() {
        assert_eq!(lines(b"build\nno\xffde\n"), (vec![&b"build"[..]], Err(Malformed::Interrupt)));
        assert_eq!(lines(b"\xff"), (vec![], Err(Malformed::Interrupt)));
        assert_eq!(lines(b"build\n\xff"), (vec![&b"build"[..]], Err(Malformed::Interrupt)));
    }

    #[test]
    fn the_longest_line() {
        let mut data = vec![b'a'; LINE_SIZE_MAX];
        assert_eq!(lines(&data), (vec![], Ok(())));
        data.push(b'\n');
        assert_eq!(lines(&data), (vec![&data[..LINE_SIZE_MAX]], Ok(())));
        data[LINE_SIZE_MAX] = b'a';
        assert_eq!(lines(&data), (vec![], Err(Malformed::LineTooLong)));
        data.push(b'\n');
        assert_eq!(lines(&data), (vec![], Err(Malformed::LineTooLong)));
    }

    #[test]
    fn fresh_bytes_that_belong_to_an_unfinished_line() {
        let belonging = |fresh: &[u8]| Protocol::Lines.belonging(b"bui", fresh);
        assert_eq!(belonging(b"ld"), (2, false));
        assert_eq!(belonging(b"ld\nnode\n"), (3, true));
        assert_eq!(belonging(b"ld\r\n\nnode"), (5, true));
        assert_eq!(belonging(b"ld\xff\nnode"), (3, true));
        assert_eq!(belonging(&[b'a'; LINE_SIZE_MAX]), (LINE_SIZE_MAX, true));
    }

    #[test]
    fn random_bytes_are_split_without_panic() {
        let mut random = fastrand::Rng::with_seed(2);
        for _ in 0..20_000 {
            let mut data: Vec<u8> = (0..random.usize(..64)).map(|_| random.u8(..)).collect();
            // Half the time make a sound header likely, or nothing gets past the first check.
            if random.bool() {
                for (place, byte) in data.iter_mut().zip([2, random.u8(..6), 0, 0, 0, 0, 0]) {
                    *place = byte;
                }
            }
            for protocol in [Protocol::Frames, Protocol::Lines, Protocol::Peer] {
                if let Ok(Some((_, size))) = protocol.split(&data) {
                    assert!((1..=data.len()).contains(&size));
                }
                let (held, fresh) = data.split_at(data.len() / 2);
                if !fresh.is_empty() {
                    assert!((1..=fresh.len()).contains(&protocol.belonging(held, fresh).0));
                }
            }
        }
    }
}
