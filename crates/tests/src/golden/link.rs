//! A client connection that sends requests pipelined and collects their replies in order.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use flate2::read::ZlibDecoder;

use super::reply::{FRAME_HEADER_SIZE, Kind, Reply};

/// How long to try to connect.
const CONNECT_PATIENCE: Duration = Duration::from_secs(15);
/// How long to wait for the next bytes of a reply.
const REPLY_PATIENCE: Duration = Duration::from_secs(25);
/// A body longer than any server sends, 256 MiB: the stream is out of step.
const BODY_SIZE_MAX: u64 = 1 << 28;
/// Frame type of a compressed message.
const TYPE_COMPRESSED: u8 = 4;
/// Bytes of the inflated size, which precedes the compressed stream.
const INFLATED_SIZE_SIZE: usize = 8;

/// One request to send.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    pub bytes: &'a [u8],
    pub kind: Kind,
}

/// A connection to a server, opened when needed and again after it broke.
pub struct Link {
    address: String,
    stream: Option<TcpStream>,
}

impl Link {
    /// `address` is `HOST:PORT`.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), stream: None }
    }

    /// Sends all requests without waiting and returns one reply for each, in order.
    ///
    /// # Errors
    /// When no connection can be made. A connection that breaks is a [`Reply`].
    pub fn exchange(&mut self, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        let mut reader = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        let mut writer = reader.try_clone().context("a second handle of the connection")?;
        let bytes: Vec<u8> = requests.iter().flat_map(|request| request.bytes).copied().collect();
        let replies = std::thread::scope(|scope| {
            scope.spawn(move || {
                // When the server closed, what it sent before is still to be read.
                let _ = writer.write_all(&bytes);
            });
            let replies = read_replies(&mut reader, requests);
            if replies.iter().any(|reply| !matches!(reply, Reply::Frames(_))) {
                // Releases the writer as well.
                let _ = reader.shutdown(Shutdown::Both);
            } else {
                self.stream = Some(reader);
            }
            replies
        });
        Ok(replies)
    }

    /// One info command, as it stands after the echoed command in the reply.
    ///
    /// # Errors
    /// When there is no server, or no reply.
    pub fn info(&mut self, command: &str) -> Result<String> {
        let frame = info_frame(&format!("{command}\n"));
        let replies = self.exchange(&[Request { bytes: &frame, kind: Kind::Info }])?;
        let text = replies.first().and_then(Reply::info_text);
        let text = text.with_context(|| format!("no reply to {command}"))?;
        let line = text.trim_end_matches('\n');
        Ok(line.split_once('\t').map_or(line, |(_, value)| value).to_owned())
    }

    fn connect(&self) -> Result<TcpStream> {
        let give_up = Instant::now() + CONNECT_PATIENCE;
        loop {
            match connect_once(&self.address) {
                Ok(stream) => return Ok(stream),
                Err(error) if Instant::now() > give_up => {
                    return Err(error).with_context(|| format!("connecting to {}", self.address));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }
}

/// The frame of an info request.
pub fn info_frame(body: &str) -> Vec<u8> {
    let header = (2 << 56) | (1 << 48) | body.len() as u64;
    [&header.to_be_bytes(), body.as_bytes()].concat()
}

fn connect_once(address: &str) -> std::io::Result<TcpStream> {
    let mut addresses = address.to_socket_addrs()?;
    let address = addresses.next().ok_or(ErrorKind::AddrNotAvailable)?;
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(REPLY_PATIENCE))?;
    Ok(stream)
}

fn read_replies(stream: &mut TcpStream, requests: &[Request<'_>]) -> Vec<Reply> {
    let mut replies = Vec::with_capacity(requests.len());
    let mut broken = None;
    for request in requests {
        let reply = match &broken {
            None => read_reply(stream, request.kind),
            Some(broken) => Reply::clone(broken),
        };
        if !matches!(reply, Reply::Frames(_)) {
            broken = Some(reply.clone());
        }
        replies.push(reply);
    }
    replies
}

fn read_reply(stream: &mut TcpStream, kind: Kind) -> Reply {
    let mut frames = Vec::new();
    loop {
        let frame = match read_frame(stream) {
            Ok(frame) => frame,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Reply::Silence;
            }
            Err(_) => return Reply::Closed,
        };
        let complete = kind.ends_with(&frame);
        frames.push(frame);
        if complete {
            return Reply::Frames(frames);
        }
    }
}

fn read_frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut frame = vec![0; FRAME_HEADER_SIZE];
    stream.read_exact(&mut frame)?;
    let header = u64::from_be_bytes(frame[..].try_into().expect("eight bytes were read"));
    let size = header & 0xffff_ffff_ffff;
    if size > BODY_SIZE_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    stream.take(size).read_to_end(&mut frame)?;
    if (frame.len() - FRAME_HEADER_SIZE) as u64 != size {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    inflated(frame)
}

/// The frame that a compressed one holds; others as they are. A client that asked for compression
/// sees no difference, and the recorded server did not compress.
fn inflated(frame: Vec<u8>) -> std::io::Result<Vec<u8>> {
    if frame.get(1) != Some(&TYPE_COMPRESSED) {
        return Ok(frame);
    }
    let stream = frame.get(FRAME_HEADER_SIZE + INFLATED_SIZE_SIZE..).unwrap_or_default();
    let mut inner = Vec::new();
    ZlibDecoder::new(stream).take(BODY_SIZE_MAX).read_to_end(&mut inner)?;
    Ok(inner)
}
