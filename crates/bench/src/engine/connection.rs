//! One connection: requests queued for it, requests in flight, bytes of replies not yet whole.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpStream;

use super::frames::{BadReply, first_frame};
use crate::workload::OpKind;

/// Longest wait for a server to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A request whose reply is awaited. Replies come in the order of the requests.
#[derive(Clone, Copy, Debug)]
pub struct InFlight {
    /// What it is part of.
    pub kind: OpKind,
    /// Whether its reply ends the operation; not so the first of the two of [`OpKind::Modify`].
    pub is_final: bool,
    /// The key it is about.
    pub key: u64,
    /// When the operation started or was meant to, in ns since the run's start.
    pub start_ns: u64,
}

/// Bytes and requests of one connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// Requests not yet taken by the socket; everything before `sent` is.
    pub output: Vec<u8>,
    sent: usize,
    /// Requests without reply, oldest first.
    pub flight: VecDeque<InFlight>,
    /// The beginning of a frame whose end has not come.
    unfinished: Vec<u8>,
}

impl Connection {
    /// Connects, waiting up to two seconds; the connection does not block afterwards.
    ///
    /// # Errors
    /// If the server does not accept it.
    pub fn open(server: SocketAddr, depth: usize) -> io::Result<Self> {
        let stream = std::net::TcpStream::connect_timeout(&server, CONNECT_TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: TcpStream::from_std(stream),
            output: Vec::new(),
            sent: 0,
            flight: VecDeque::with_capacity(depth + 1),
            unfinished: Vec::new(),
        })
    }

    /// Its socket, for registration.
    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// If the connection is broken.
    pub fn flush(&mut self) -> io::Result<()> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.sent = 0;
        Ok(())
    }

    /// Reads once into `scratch`; 0 if there is nothing now.
    ///
    /// # Errors
    /// If the connection is broken or was closed by the server.
    pub fn read(&mut self, scratch: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.stream.read(scratch) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands every whole frame in the bytes that came to `on_frame`, and keeps the rest for later.
    pub fn split_frames(
        &mut self,
        fresh: &[u8],
        mut on_frame: impl FnMut(&mut Self, &[u8]) -> Result<(), BadReply>,
    ) -> Result<(), BadReply> {
        let mut held = std::mem::take(&mut self.unfinished);
        let input = if held.is_empty() {
            fresh
        } else {
            held.extend_from_slice(fresh);
            &held[..]
        };
        let mut at = 0;
        while let Some((body, size)) = first_frame(&input[at..])? {
            on_frame(self, body)?;
            at += size;
        }
        if held.is_empty() {
            held.extend_from_slice(&fresh[at..]);
        } else {
            held.drain(..at);
        }
        self.unfinished = held;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use wire::{ResultCode, reply};

    use super::*;

    #[test]
    fn frames_come_whole_however_the_bytes_are_cut() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut connection = Connection::open(listener.local_addr().unwrap(), 1).unwrap();
        let mut bytes = Vec::new();
        for generation in 0..50 {
            reply::header_only(&mut bytes, ResultCode::OK, generation, 0);
        }
        let mut random = fastrand::Rng::with_seed(1);
        let mut generations = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(random.usize(1..=rest.len().min(90)));
            connection
                .split_frames(piece, |_, body| {
                    generations.push(super::super::frames::read_single(body)?.generation);
                    Ok(())
                })
                .unwrap();
            rest = after;
        }
        assert_eq!(generations, (0..50).collect::<Vec<_>>());
        assert!(connection.unfinished.is_empty());
    }
}
