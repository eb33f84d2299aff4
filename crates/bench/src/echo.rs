//! The ceiling of a machine: a server on the database's own event loop that only answers.
//!
//! What a load reaches against it is what loop, kernel and network allow; the difference to a
//! database is the database.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, ensure};
use server::net::{
    Endpoint, Frame, Limits, Options, Peer, Protocol, Server, Service, Verdict, Worker,
};
use wire::reply::{self, ReplyWriter};
use wire::{Info3, MessageHeader, OpCode, ParticleType, ProtoHeader, ProtoType, ResultCode};

/// Bytes of a reply that is only a header.
const HEADERS_BYTES: usize = ProtoHeader::SIZE + MessageHeader::SIZE;

/// Largest reply, in bytes.
const REPLY_BYTES_MAX: usize = 8 << 20;

/// Where the third flags byte stands in a message's frame.
const INFO3_AT: usize = ProtoHeader::SIZE + 3;

/// What the echo server answers to messages. Info commands are all answered with `ok`.
#[derive(Clone, Debug)]
pub enum Echo {
    /// The request itself, marked as the last message of a reply, so that a batch ends with it.
    Request,
    /// Always these bytes.
    Reply(Arc<[u8]>),
}

impl Echo {
    /// Replies of so many bytes, frame header included: a message with one blob that fills it.
    ///
    /// # Errors
    /// If no message has that size: the smallest has 30 bytes, the next 38.
    pub fn with_reply_bytes(size_bytes: usize) -> anyhow::Result<Self> {
        let mut out = Vec::new();
        let mut reply = ReplyWriter::new(&mut out);
        if size_bytes != HEADERS_BYTES {
            let least = HEADERS_BYTES + reply::OP_HEADER_BYTES;
            ensure!(
                (least..=REPLY_BYTES_MAX).contains(&size_bytes),
                "a reply has {HEADERS_BYTES} bytes, or {least} to {REPLY_BYTES_MAX}"
            );
            let value = vec![0; size_bytes - least];
            reply.op(OpCode::READ, ParticleType::BLOB, b"", &value);
        }
        reply.finish(ResultCode::OK, 1, 0);
        mark_as_last(&mut out, 0);
        Ok(Self::Reply(out.into()))
    }

    /// Starts the server on `address` with so many event loops.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub fn start(
        self,
        address: SocketAddr,
        threads: usize,
    ) -> anyhow::Result<(Server, SocketAddr)> {
        let endpoints = vec![Endpoint { address, protocol: Protocol::Frames }];
        let options = Options { endpoints, threads, pin: false };
        let server = Server::start(self, &options, &Arc::new(Limits::default()))?;
        let address = server.endpoints().first().context("the server listens nowhere")?.address;
        Ok((server, address))
    }
}

impl Service for Echo {
    type Worker = Self;

    fn worker(&self, _index: usize) -> Self {
        self.clone()
    }
}

impl Worker for Echo {
    fn on_frame(&mut self, _peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        match (frame.kind(), &*self) {
            (ProtoType::Info, _) => answer_info(frame.body(), out),
            (ProtoType::Message, Self::Reply(reply)) => out.extend_from_slice(reply),
            (ProtoType::Message, Self::Request) => {
                let start = out.len();
                out.extend_from_slice(frame.as_bytes());
                mark_as_last(out, start);
            }
            _ => return Verdict::Close,
        }
        Verdict::Continue
    }

    fn on_line(&mut self, _peer: &Peer, _line: &[u8], _out: &mut Vec<u8>) -> Verdict<Self> {
        Verdict::Close
    }
}

fn mark_as_last(out: &mut [u8], start: usize) {
    if let Some(info3) = out.get_mut(start + INFO3_AT) {
        *info3 |= Info3::LAST.bits();
    }
}

fn answer_info(body: &[u8], out: &mut Vec<u8>) {
    wire::proto::frame(out, wire::ProtoType::Info, |out| {
        for command in wire::info::commands(body) {
            wire::info::append_answer(out, command.line, b"ok");
        }
    });
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::time::Duration;

    use wire::client::{Reply, RequestBuilder};

    use super::*;

    fn exchange(echo: Echo, request: &[u8]) -> Vec<u8> {
        let (server, address) = echo.start("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        crate::info::wait_until_up(address, Duration::from_secs(5)).unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(request).unwrap();
        let mut header = [0; ProtoHeader::SIZE];
        stream.read_exact(&mut header).unwrap();
        let mut body = vec![0; ProtoHeader::parse(header).unwrap().body_size_bytes];
        stream.read_exact(&mut body).unwrap();
        server.shutdown(Duration::from_secs(1));
        body
    }

    #[test]
    fn a_request_comes_back() {
        let request = RequestBuilder::new().generation(5).namespace("test").into_frame();
        let body = exchange(Echo::Request, &request);
        let (reply, rest) = Reply::parse(&body).unwrap();
        assert_eq!((reply.header.generation, rest.len()), (5, 0));
        assert_eq!(reply.header.info3, Info3::LAST);
        assert_eq!(body.len(), request.len() - ProtoHeader::SIZE);
    }

    #[test]
    fn replies_have_the_size_asked_for() {
        let request = RequestBuilder::new().namespace("test").into_frame();
        for size in [30, 38, 145] {
            let body = exchange(Echo::with_reply_bytes(size).unwrap(), &request);
            assert_eq!(body.len(), size - ProtoHeader::SIZE);
            let (reply, rest) = Reply::parse(&body).unwrap();
            assert_eq!((reply.header.result, rest.len()), (ResultCode::OK, 0));
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        for size in [0, 29, 31, 37, REPLY_BYTES_MAX + 1] {
            assert!(Echo::with_reply_bytes(size).is_err(), "{size}");
        }
    }
}
