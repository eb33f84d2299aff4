//! A server on a free port, clients that talk to it, and a service that does as it is told.

use std::collections::HashSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use rustix::process::{Resource, getrlimit, setrlimit};
use server::net::{
    Endpoint, Frame, Limits, Options, Peer, Progress, Protocol, Server, Service, Snapshot, Stream,
    Ticket, Verdict, Worker,
};

/// Far beyond what any step takes, so that a bug ends a test rather than hanging it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Time a slice for which a stream panics.
pub const PANIC_MS: u64 = 77;

/// Ticket for which the worker panics when it is called, behind those called before.
pub const PANIC_TICKET: Ticket = 777;

/// A running server with a frame port and a text port.
pub struct Rig {
    pub server: Server,
    pub limits: Arc<Limits>,
    /// Streams that are not over.
    pub streams: Arc<AtomicUsize>,
    /// What has the workers call tickets.
    pub boards: Boards,
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
        let boards = Boards((0..threads).map(|_| Arc::new(Board::new())).collect());
        let service = Orders { streams: Arc::clone(&streams), boards: boards.clone() };
        let server = Server::start(service, &options, &limits).unwrap();
        Self { server, limits, streams, boards }
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

/// A client of the server at this address.
pub fn connect(address: SocketAddr) -> TcpStream {
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
/// - `park N SIZE TICKET`: the same, but before each slice wait for a ticket, which grows by one
/// - `stall N SIZE TICKET`: the same, but find out about the first ticket in a turn
/// - `fetch N SIZE TICKET`: as `park`, and call the tickets at the end of the wake-up
/// - `sulk`: echo, then panic at the end of the wake-up
struct Obedient {
    streams: Arc<AtomicUsize>,
    board: Arc<Board>,
    /// Tickets that were called, and that no stream has asked for yet.
    due: HashSet<Ticket>,
    /// Tickets to be called at the end of the wake-up.
    asked: Vec<Ticket>,
    sulks: bool,
}

/// Makes one for each loop.
struct Orders {
    streams: Arc<AtomicUsize>,
    boards: Boards,
}

/// The boards of all loops.
#[derive(Clone)]
pub struct Boards(Vec<Arc<Board>>);

impl Boards {
    /// Has the workers call these tickets.
    pub fn call(&self, tickets: &[Ticket]) {
        self.0.iter().for_each(|board| board.call(tickets));
    }
}

/// Where a worker finds the tickets that it is to call.
struct Board {
    tickets: Mutex<Vec<Ticket>>,
    fd: OwnedFd,
}

impl Board {
    fn new() -> Self {
        let flags = EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK;
        Self { tickets: Mutex::default(), fd: eventfd(0, flags).unwrap() }
    }

    fn call(&self, tickets: &[Ticket]) {
        self.tickets.lock().unwrap().extend(tickets);
        rustix::io::write(&self.fd, &1u64.to_ne_bytes()).unwrap();
    }
}

impl Service for Orders {
    type Worker = Obedient;

    fn worker(&self, index: usize) -> Obedient {
        Obedient {
            streams: Arc::clone(&self.streams),
            board: Arc::clone(&self.boards.0[index]),
            due: HashSet::new(),
            asked: Vec::new(),
            sulks: false,
        }
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
            "park" | "stall" | "fetch" => {
                let (left, size, ticket) = (number(1), number(2) as usize, number(3));
                self.streams.fetch_add(1, Relaxed);
                let asks = words[0] == "fetch";
                if asks {
                    self.asked.push(ticket);
                }
                let streams = Arc::clone(&self.streams);
                let waiter = Box::new(Waiter { left, size, ticket, asks, streams });
                return match words[0] {
                    "stall" => Verdict::Stream(waiter),
                    _ => Verdict::Parked(waiter, ticket),
                };
            }
            "sulk" => self.sulks = true,
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

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.board.fd.as_fd())
    }

    fn on_wake_fd(&mut self, ready: &mut Vec<Ticket>) {
        let _ = rustix::io::read(&self.board.fd, &mut [0; 8]);
        let called = std::mem::take(&mut *self.board.tickets.lock().unwrap());
        for ticket in called {
            assert_ne!(ticket, PANIC_TICKET, "as ordered");
            self.due.insert(ticket);
            ready.push(ticket);
        }
    }

    fn before_wait(&mut self) {
        if !self.asked.is_empty() {
            self.board.call(&std::mem::take(&mut self.asked));
        }
        assert!(!std::mem::take(&mut self.sulks), "as ordered");
    }
}

/// See the order `park`.
struct Waiter {
    left: u64,
    size: usize,
    ticket: Ticket,
    asks: bool,
    streams: Arc<AtomicUsize>,
}

impl Stream<Obedient> for Waiter {
    fn advance(&mut self, worker: &mut Obedient, out: &mut Vec<u8>) -> Progress {
        if !worker.due.remove(&self.ticket) {
            return Progress::Waits(self.ticket);
        }
        out.extend(message(&vec![b's'; self.size]));
        self.left -= 1;
        if self.left == 0 {
            return Progress::Over;
        }
        self.ticket += 1;
        if self.asks {
            worker.asked.push(self.ticket);
        }
        Progress::Waits(self.ticket)
    }

    fn buffered_bytes(&self) -> usize {
        0
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.streams.fetch_sub(1, Relaxed);
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
