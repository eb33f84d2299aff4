//! A server on a free port, clients that talk to it, and a service that does as it is told.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit, setrlimit};
use server::net::{
    Endpoint, Frame, Limits, Options, Peer, Progress, Protocol, Server, Service, Snapshot, Stream,
    Verdict, Worker,
};

/// Far beyond what any step takes, so that a bug ends a test rather than hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Time a slice for which a stream panics.
pub const PANIC_MS: u64 = 77;

/// A running server with a frame port and a text port.
pub struct Rig {
    pub server: Server,
    pub limits: Arc<Limits>,
    /// Streams that are not over.
    pub streams: Arc<AtomicUsize>,
}

impl Rig {
    pub fn start() -> Self {
        Self::start_with(2)
    }

    pub fn start_with(threads: usize) -> Self {
        raise_descriptor_limit();
        let endpoint = |protocol| Endpoint { address: (Ipv4Addr::LOCALHOST, 0).into(), protocol };
        let options = Options {
            endpoints: vec![endpoint(Protocol::Frames), endpoint(Protocol::Lines)],
            threads,
            pin: false,
        };
        let limits = Arc::new(Limits::default());
        let streams = Arc::default();
        let service = Obedient { streams: Arc::clone(&streams) };
        let server = Server::start(service, &options, &limits).unwrap();
        Self { server, limits, streams }
    }

    pub fn connect(&self) -> TcpStream {
        connect(self.server.endpoints()[0].address)
    }

    pub fn connect_text(&self) -> TcpStream {
        connect(self.server.endpoints()[1].address)
    }

    pub fn stats(&self) -> Snapshot {
        self.server.stats().snapshot()
    }

    /// Waits until the counters are as wanted.
    pub fn wait_for(&self, what: &str, condition: impl Fn(Snapshot) -> bool) {
        let start = Instant::now();
        while !condition(self.stats()) {
            assert!(start.elapsed() < PATIENCE, "{what}: {:?}", self.stats());
            thread::sleep(Duration::from_millis(2));
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// A thousand connections have both ends in this process.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A frame of version 2.
pub fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = header(2, kind, body.len() as u64).to_vec();
    frame.extend(body);
    frame
}

/// A message, the most ordinary frame.
pub fn message(body: &[u8]) -> Vec<u8> {
    frame(3, body)
}

pub fn header(version: u8, kind: u8, body_size: u64) -> [u8; 8] {
    let mut header = body_size.to_be_bytes();
    header[..2].copy_from_slice(&[version, kind]);
    header
}

/// Reads exactly what is expected.
#[track_caller]
pub fn expect(stream: &mut TcpStream, expected: &[u8]) {
    let mut received = vec![0; expected.len()];
    stream.read_exact(&mut received).unwrap();
    assert!(received == expected, "unexpected reply {:?}", received.escape_ascii().to_string());
}

/// Checks that the server hangs up and sends nothing before.
#[track_caller]
pub fn expect_close(stream: &mut TcpStream) {
    match stream.read(&mut [0; 64]) {
        Ok(0) => {}
        Ok(count) => panic!("{count} bytes instead of a close"),
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("{error} instead of a close"),
    }
}

/// Checks that the connection is alive and owes nothing.
#[track_caller]
pub fn expect_alive(stream: &mut TcpStream) {
    let ping = message(b"ping");
    stream.write_all(&ping).unwrap();
    expect(stream, &ping);
}

/// Sends a frame back, unless its body is an order:
///
/// - `close`: echo, then close the connection
/// - `panic`: begin a reply, then panic
/// - `reply N`: a message of N bytes of body
/// - `sleep N`: echo after N milliseconds
/// - `toil N`: the same, but say that it was as much work as a thousand requests
/// - `stream N SIZE MS`: N messages of SIZE bytes of body, one a slice, each after MS milliseconds;
///   from [`PANIC_MS`] on, begin a slice, then panic
#[derive(Clone)]
struct Obedient {
    streams: Arc<AtomicUsize>,
}

impl Service for Obedient {
    type Worker = Self;

    fn worker(&self, _index: usize) -> Self {
        self.clone()
    }
}

impl Worker for Obedient {
    fn on_frame(&mut self, _peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        let order = std::str::from_utf8(frame.body()).unwrap_or_default();
        let words: Vec<&str> = order.split(' ').collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        match words[0] {
            "reply" => {
                out.extend(message(&vec![b'r'; number(1) as usize]));
                return Verdict::Continue;
            }
            "stream" => {
                let (left, size, time_ms) = (number(1), number(2) as usize, number(3));
                self.streams.fetch_add(1, Relaxed);
                let streams = Arc::clone(&self.streams);
                return Verdict::Stream(Box::new(Slices { left, size, time_ms, streams }));
            }
            "sleep" | "toil" => thread::sleep(Duration::from_millis(number(1))),
            _ => {}
        }
        out.extend(frame.as_bytes());
        match words[0] {
            "panic" => panic!("as ordered"),
            "close" => Verdict::Close,
            "toil" => Verdict::Worked(1000),
            _ => Verdict::Continue,
        }
    }

    fn on_line(&mut self, peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict<Self> {
        if line == b"who" {
            out.extend(peer.address.to_string().into_bytes());
        } else {
            out.extend(line.iter().rev());
        }
        out.push(b'\n');
        if line == b"close" { Verdict::Close } else { Verdict::Continue }
    }
}

/// See the order `stream`.
struct Slices {
    left: u64,
    size: usize,
    time_ms: u64,
    streams: Arc<AtomicUsize>,
}

impl Stream<Obedient> for Slices {
    fn advance(&mut self, _worker: &mut Obedient, out: &mut Vec<u8>) -> Progress {
        thread::sleep(Duration::from_millis(self.time_ms));
        out.extend(message(&vec![b's'; self.size]));
        assert!(self.time_ms < PANIC_MS, "as ordered");
        self.left -= 1;
        if self.left == 0 { Progress::Over } else { Progress::More }
    }

    fn buffered_bytes(&self) -> usize {
        size_of::<Self>()
    }
}

impl Drop for Slices {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Relaxed);
    }
}
