//! A connection that sends bytes as they are.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::frame::{COMPRESSED, INFO, MESSAGE, SECURITY, frame, inflate};
use crate::golden::{Message, decode_body};

/// How long to wait for bytes that should come. A loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long to watch for bytes that should not come.
const SILENCE: Duration = Duration::from_millis(150);
/// A frame header.
const HEADER_SIZE: usize = 8;
/// Longer replies than any request of these tests can have.
const BODY_SIZE_MAX: u64 = 64 << 20;

/// What came back first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A whole frame: type and body.
    Frame(u8, Vec<u8>),
    /// The server closed the connection, with no byte before.
    Closed,
    /// Nothing at all, for a while.
    Silence,
}

/// One connection to a server.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// How long to wait for bytes that should come.
    patience: Duration,
}

impl Connection {
    /// Connects to a port of this machine.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open(port: u16) -> Result<Self> {
        Self::of(TcpStream::connect(("127.0.0.1", port)).context("connecting")?, PATIENCE)
    }

    /// Connects to an address, and waits for nothing longer than this.
    ///
    /// # Errors
    /// When nobody listens.
    pub fn open_at(address: SocketAddr, patience: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience);
        Self::of(stream.with_context(|| format!("connecting to {address}"))?, patience)
    }

    fn of(stream: TcpStream, patience: Duration) -> Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, patience })
    }

    /// The socket, for those who want to do something unusual with it.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// # Errors
    /// When the server does not take the bytes.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.stream.write_all(bytes).context("sending")
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// When the connection is gone.
    pub fn finish(&mut self) -> Result<()> {
        self.stream.shutdown(Shutdown::Write).context("closing the sending side")
    }

    /// Waits for a frame or a close.
    ///
    /// # Errors
    /// When the frame is cut short, or is none.
    pub fn answer(&mut self) -> Result<Answer> {
        self.answer_within(self.patience)
    }

    /// Watches for a while whether anything comes at all.
    ///
    /// # Errors
    /// As [`Self::answer`].
    pub fn glance(&mut self) -> Result<Answer> {
        self.answer_within(SILENCE)
    }

    fn answer_within(&mut self, time: Duration) -> Result<Answer> {
        self.stream.set_read_timeout(Some(time))?;
        let mut header = [0; HEADER_SIZE];
        match self.stream.read(&mut header[..1]) {
            Ok(0) => return Ok(Answer::Closed),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(Answer::Closed),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Ok(Answer::Silence);
            }
            Err(error) => return Err(error).context("reading"),
            Ok(_) => {}
        }
        self.stream.set_read_timeout(Some(self.patience))?;
        self.stream.read_exact(&mut header[1..]).context("a frame is cut in its header")?;
        let [version, kind, ..] = header;
        ensure!(version == 2, "a reply of version {version}");
        let size = u64::from_be_bytes(header) & 0xffff_ffff_ffff;
        ensure!(size <= BODY_SIZE_MAX, "a reply of {size} bytes");
        let mut body = vec![0; size as usize];
        self.stream.read_exact(&mut body).context("a frame is cut in its body")?;
        Ok(Answer::Frame(kind, body))
    }

    /// The body of the next frame, which must be of this type.
    ///
    /// # Errors
    /// When something else comes.
    pub fn body(&mut self, kind: u8) -> Result<Vec<u8>> {
        match self.answer()? {
            Answer::Frame(found, body) if found == kind => Ok(body),
            other => bail!("a frame of type {kind} was to come, and not {other:?}"),
        }
    }

    /// The next frame, which must hold one message and nothing else.
    ///
    /// # Errors
    /// When something else comes.
    pub fn message(&mut self) -> Result<Message> {
        one_message(&self.body(MESSAGE)?)
    }

    /// The message in the next frame, which must be a compressed one.
    ///
    /// # Errors
    /// When something else comes.
    pub fn compressed_message(&mut self) -> Result<Message> {
        let inner = inflate(&self.body(COMPRESSED)?).context("not what the frame announces")?;
        let (header, body) = inner.split_at_checked(HEADER_SIZE).context("no whole header")?;
        ensure!(inner == frame(MESSAGE, body), "header of the frame inside: {header:?}");
        one_message(body)
    }

    /// Sends and returns the one message that comes back.
    ///
    /// # Errors
    /// When something else comes.
    pub fn ask(&mut self, frame: &[u8]) -> Result<Message> {
        self.send(frame)?;
        self.message()
    }

    /// Sends and returns the result code that comes back.
    ///
    /// # Errors
    /// When something else than one message comes.
    pub fn result(&mut self, frame: &[u8]) -> Result<u8> {
        Ok(self.ask(frame)?.result)
    }

    /// The text that answers an info request with this body.
    ///
    /// # Errors
    /// When something else comes.
    pub fn info(&mut self, body: &str) -> Result<String> {
        self.send(&frame(INFO, body.as_bytes()))?;
        String::from_utf8(self.body(INFO)?).context("an answer that is no text")
    }

    /// The result code that answers a security request with this body.
    ///
    /// # Errors
    /// When something else than a security header comes.
    pub fn security(&mut self, body: &[u8]) -> Result<u8> {
        self.send(&frame(SECURITY, body))?;
        let reply = self.body(SECURITY)?;
        ensure!(reply.len() == 16, "a security reply of {} bytes", reply.len());
        Ok(reply[1])
    }

    /// Demands that the server closes without another byte.
    ///
    /// # Errors
    /// When it does something else.
    pub fn expect_close(&mut self) -> Result<()> {
        match self.answer()? {
            Answer::Closed => Ok(()),
            other => bail!("the server was to close, but: {other:?}"),
        }
    }

    /// Demands that the connection still answers.
    ///
    /// # Errors
    /// When it does not.
    pub fn expect_alive(&mut self) -> Result<()> {
        let answer = self.info("status\n")?;
        ensure!(answer == "status\tok\n", "{answer:?}");
        Ok(())
    }
}

fn one_message(body: &[u8]) -> Result<Message> {
    let mut messages = decode_body(body)?;
    ensure!(messages.len() == 1, "{} messages in a frame", messages.len());
    Ok(messages.remove(0))
}
