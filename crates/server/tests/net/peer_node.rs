//! Nodes that send each other frames, and tell a test what became of them.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, eventfd};
use server::net::{
    Endpoint, Frame, Limits, LinkTiming, Options, Peer, PeerVerdict, Post, Progress, Protocol,
    Remote, Route, Server, Service, Snapshot, Stream, Ticket, Verdict, Worker,
};

use crate::harness::{PATIENCE, message};

/// A server of one loop with a port for clients and one for nodes.
pub struct Node {
    pub server: Server,
    pub limits: Arc<Limits>,
    pub desk: Arc<Desk>,
}

/// What a test and the worker of its node share.
pub struct Desk {
    fd: OwnedFd,
    /// Frames to be sent, in this order.
    outbox: Mutex<VecDeque<(Remote, Vec<u8>)>>,
    /// Frames that came back on the node's own links.
    pub received: Mutex<Vec<Vec<u8>>>,
    /// Frames that arrived on links of others, if they are to be kept.
    pub requests: Mutex<Vec<Vec<u8>>>,
    /// Links that were connected.
    pub opened: Mutex<Vec<Route>>,
    /// Whether links tell how long they take.
    pub times: AtomicBool,
    /// What they told.
    pub timings: Mutex<Vec<LinkTiming>>,
    /// Links that were lost, and when.
    pub lost: Mutex<Vec<(Instant, Remote)>>,
    /// Answers received, without their bytes.
    pub answers: AtomicUsize,
    /// How often a link was full.
    pub full: AtomicUsize,
    /// Have the worker send one frame after the other to this route, until a link is full.
    pub flood: Mutex<Option<(Route, Vec<u8>)>>,
    /// Where the requests of clients go.
    relay: Mutex<Option<Route>>,
    /// Answers to requests of others wait until it is off.
    pub sulks: AtomicBool,
}

impl Node {
    pub fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    /// One that other nodes find at this address.
    pub fn start_at(address: SocketAddr) -> Self {
        let client_address = (Ipv4Addr::LOCALHOST, 0).into();
        let options = Options {
            endpoints: vec![
                Endpoint { address: client_address, protocol: Protocol::Frames },
                Endpoint { address, protocol: Protocol::Peer },
            ],
            threads: 1,
            pin: false,
        };
        let limits = Arc::new(Limits::default());
        let desk = Arc::new(Desk {
            fd: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).unwrap(),
            outbox: Mutex::default(),
            received: Mutex::default(),
            requests: Mutex::default(),
            opened: Mutex::default(),
            times: AtomicBool::new(false),
            timings: Mutex::default(),
            lost: Mutex::default(),
            answers: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            flood: Mutex::default(),
            relay: Mutex::default(),
            sulks: AtomicBool::new(false),
        });
        let server = Server::start(Talkers(Arc::clone(&desk)), &options, &limits).unwrap();
        Self { server, limits, desk }
    }

    /// Where other nodes find it.
    pub fn route(&self) -> Route {
        Route { address: self.server.endpoints()[1].address, channel: 0 }
    }

    pub fn stats(&self) -> Snapshot {
        self.server.stats().snapshot()
    }

    /// Has frames sent, in this order.
    pub fn send(&self, route: Route, frames: impl IntoIterator<Item = Vec<u8>>) {
        let frames = frames.into_iter().map(|frame| (Remote::Route(route), frame));
        self.desk.outbox.lock().unwrap().extend(frames);
        self.desk.wake();
    }

    /// Has requests of clients answered by another node.
    pub fn relay_to(&self, route: Route) {
        *self.desk.relay.lock().unwrap() = Some(route);
    }

    /// Begins to flood a route with copies of a frame.
    pub fn flood(&self, route: Route, frame: Vec<u8>) {
        *self.desk.flood.lock().unwrap() = Some((route, frame));
        self.desk.wake();
    }

    /// Waits for a condition.
    #[track_caller]
    pub fn wait_for(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < PATIENCE, "{what}: {:?}", self.stats());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Waits for so many frames on the node's own links, and takes them.
    #[track_caller]
    pub fn receive(&self, count: usize) -> Vec<Vec<u8>> {
        self.wait_for("frames", |node| node.desk.received.lock().unwrap().len() >= count);
        std::mem::take(&mut *self.desk.received.lock().unwrap())
    }

    /// How many links were lost.
    pub fn lost(&self) -> usize {
        self.desk.lost.lock().unwrap().len()
    }
}

impl Desk {
    /// Has the worker look at what is to be done.
    pub fn wake(&self) {
        rustix::io::write(&self.fd, &1u64.to_ne_bytes()).unwrap();
    }
}

struct Talkers(Arc<Desk>);

impl Service for Talkers {
    type Worker = Talker;

    fn worker(&self, _index: usize) -> Talker {
        Talker {
            desk: Arc::clone(&self.0),
            replies: VecDeque::new(),
            delayed: Vec::new(),
            waiting: HashMap::new(),
            ready: HashSet::new(),
            next_ticket: 0,
        }
    }
}

/// Answers frames that begin with
///
/// - `e`: with the same frame
/// - `l`: the same, but later, in the opposite order, when `g` has come
/// - `k`: not at all, but keeps them
/// - `c`: by closing the link, `p`: by a panic, and `q` with a panic while it sends an answer
/// - `t`: as `e`, after a tenth of a millisecond, saying that this was much work
/// - `T` and a ticket: with the same
///
/// and the messages of clients with what another node says to them.
struct Talker {
    desk: Arc<Desk>,
    replies: VecDeque<(Remote, Vec<u8>)>,
    delayed: Vec<(Remote, Vec<u8>)>,
    /// Messages of clients, by their tickets.
    waiting: HashMap<Ticket, Vec<u8>>,
    ready: HashSet<Ticket>,
    next_ticket: Ticket,
}

impl Worker for Talker {
    fn on_frame(&mut self, _peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        let Some(route) = *self.desk.relay.lock().unwrap() else {
            out.extend(frame.as_bytes());
            return Verdict::Continue;
        };
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.insert(ticket, frame.body().to_vec());
        let request = [b"T", &ticket.to_be_bytes()[..]].concat();
        self.replies.push_back((Remote::Route(route), request));
        Verdict::Parked(Box::new(Relayed(ticket)), ticket)
    }

    fn on_line(&mut self, _: &Peer, _: &[u8], _: &mut Vec<u8>) -> Verdict<Self> {
        Verdict::Close
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.desk.fd.as_fd())
    }

    fn on_wake_fd(&mut self, ready: &mut Vec<Ticket>) {
        let _ = rustix::io::read(&self.desk.fd, &mut [0; 8]);
        ready.extend(&self.ready);
    }

    fn wake_after(&self) -> Option<Duration> {
        (!self.ready.is_empty()).then_some(Duration::ZERO)
    }

    fn on_peer_frame(&mut self, from: Remote, frame: &[u8]) -> PeerVerdict {
        if let Remote::Route(_) = from {
            self.on_answer(frame);
            return PeerVerdict::Continue;
        }
        match frame.first() {
            Some(b'l') => self.delayed.push((from, frame.to_vec())),
            Some(b'g') => self.replies.extend(self.delayed.drain(..).rev()),
            Some(b'k') => self.desk.requests.lock().unwrap().push(frame.to_vec()),
            Some(b'c') => return PeerVerdict::Close,
            Some(b'p') => panic!("as ordered"),
            Some(b't') => {
                thread::sleep(Duration::from_micros(100));
                self.replies.push_back((from, frame.to_vec()));
                return PeerVerdict::Worked(1000);
            }
            _ => self.replies.push_back((from, frame.to_vec())),
        }
        PeerVerdict::Continue
    }

    fn on_peer_opened(&mut self, route: Route) {
        self.desk.opened.lock().unwrap().push(route);
    }

    fn on_peer_lost(&mut self, remote: Remote) {
        self.desk.lost.lock().unwrap().push((Instant::now(), remote));
    }

    fn times_links(&self) -> bool {
        self.desk.times.load(Relaxed)
    }

    fn on_link_timed(&mut self, timing: LinkTiming) {
        self.desk.timings.lock().unwrap().push(timing);
    }

    fn send_peers(&mut self, post: &mut Post<'_>) {
        if !self.desk.sulks.load(Relaxed) {
            self.send_queue(
                post,
                |talker| talker.replies.pop_front(),
                |talker, item| {
                    talker.replies.push_front(item);
                },
            );
        }
        self.send_queue(
            post,
            |talker| talker.desk.outbox.lock().unwrap().pop_front(),
            |talker, item| talker.desk.outbox.lock().unwrap().push_front(item),
        );
        let flood = self.desk.flood.lock().unwrap().clone();
        if let Some((route, frame)) = flood {
            while post.send(Remote::Route(route), |out| out.extend(&frame)).is_ok() {}
            self.desk.full.fetch_add(1, Relaxed);
        }
    }
}

impl Talker {
    fn on_answer(&mut self, frame: &[u8]) {
        self.desk.answers.fetch_add(1, Relaxed);
        if let Some((b'T', ticket)) = frame.split_first() {
            self.ready.insert(Ticket::from_be_bytes(ticket.try_into().unwrap()));
        } else if self.desk.flood.lock().unwrap().is_none() {
            self.desk.received.lock().unwrap().push(frame.to_vec());
        }
    }

    /// Sends what there is until a link is full.
    fn send_queue(
        &mut self,
        post: &mut Post<'_>,
        take: impl Fn(&mut Self) -> Option<(Remote, Vec<u8>)>,
        put_back: impl Fn(&mut Self, (Remote, Vec<u8>)),
    ) {
        while let Some((to, frame)) = take(self) {
            let sent = post.send(to, |out| {
                out.extend(&frame);
                assert_ne!(frame.first(), Some(&b'q'), "as ordered");
            });
            if sent.is_err() {
                self.desk.full.fetch_add(1, Relaxed);
                put_back(self, (to, frame));
                break;
            }
        }
    }
}

/// A reply to a client that waits for another node.
struct Relayed(Ticket);

impl Stream<Talker> for Relayed {
    fn advance(&mut self, worker: &mut Talker, out: &mut Vec<u8>) -> Progress {
        if !worker.ready.remove(&self.0) {
            return Progress::Waits(self.0);
        }
        out.extend(message(&worker.waiting.remove(&self.0).unwrap_or_default()));
        Progress::Over
    }

    fn buffered_bytes(&self) -> usize {
        0
    }
}
