//! Round trips of 100-byte frames over a link between two event loops, against those of a client that speaks
//! the plain protocol to an echo server.
//!
//! `cargo run --release -p bolide-bench --example links [SECONDS]`
//!
//! Both sides of a link are event loops; the client of the echo server is a thread with a blocking socket that
//! sends a window of requests with one call and waits for all replies. The two take turns, and so do the
//! sizes of the window.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on is over")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use server::net::{
    Echo, Endpoint, Frame, Options, Peer, PeerVerdict, Post, Protocol, Remote, Route, Server,
    Service, Verdict, Worker,
};

/// Bytes of a frame, its header not counted.
const FRAME_SIZE: usize = 100;

/// Requests under way at a time.
const WINDOWS: [usize; 4] = [1, 8, 64, 512];

/// How often each side has its turn with each window.
const ROUNDS: usize = 5;

fn main() {
    let seconds: f64 = std::env::args().nth(1).map_or(1.0, |text| text.parse().unwrap());
    let time = Duration::from_secs_f64(seconds);
    println!("window   link/s   echo/s   ratio (median of {ROUNDS})");
    for window in WINDOWS {
        let mut rounds: Vec<(f64, f64)> =
            (0..ROUNDS).map(|_| (over_link(window, time), over_echo(window, time))).collect();
        rounds.sort_by(|one, other| (one.0 / one.1).total_cmp(&(other.0 / other.1)));
        let (link, echo) = rounds[ROUNDS / 2];
        println!("{window:6} {link:8.0} {echo:8.0}   {:.2}", link / echo);
    }
}

fn start<S: Service>(service: S, protocol: Protocol) -> Server {
    let address = (Ipv4Addr::LOCALHOST, 0).into();
    let endpoints = vec![Endpoint { address, protocol }];
    let options = Options { endpoints, threads: 1, pin: false };
    Server::start(service, &options, &Arc::default()).unwrap()
}

/// Round trips a second over a link.
fn over_link(window: usize, time: Duration) -> f64 {
    let answering = start(Talkers(None, Arc::default()), Protocol::Peer);
    let route = Route { address: answering.endpoints()[0].address, channel: 0 };
    let count = Arc::new(Count::default());
    let asking = start(Talkers(Some((route, window)), Arc::clone(&count)), Protocol::Peer);
    // A loop sends at the end of a wake-up; a stranger's connection makes for the first one.
    let _wakes = TcpStream::connect(asking.endpoints()[0].address).unwrap();
    thread::sleep(time / 10);
    let (before, start) = (count.answers.load(Relaxed), Instant::now());
    thread::sleep(time);
    let rate = (count.answers.load(Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
    count.stop.store(true, Relaxed);
    rate
}

/// Round trips a second of a client of the echo server.
fn over_echo(window: usize, time: Duration) -> f64 {
    let server = start(Echo, Protocol::Frames);
    let mut client = TcpStream::connect(server.endpoints()[0].address).unwrap();
    client.set_nodelay(true).unwrap();
    let mut frame = (FRAME_SIZE as u64).to_be_bytes().to_vec();
    frame[..2].copy_from_slice(&[2, 3]);
    frame.resize(frame.len() + FRAME_SIZE, 0);
    let requests = frame.repeat(window);
    let mut replies = vec![0; requests.len()];
    let (start, mut count) = (Instant::now(), 0);
    while start.elapsed() < time {
        client.write_all(&requests).unwrap();
        client.read_exact(&mut replies).unwrap();
        count += window;
    }
    count as f64 / start.elapsed().as_secs_f64()
}

#[derive(Default)]
struct Count {
    answers: AtomicU64,
    stop: AtomicBool,
}

/// Answers frames with themselves, and may have so many of its own under way.
struct Talkers(Option<(Route, usize)>, Arc<Count>);

impl Service for Talkers {
    type Worker = Talker;

    fn worker(&self, _index: usize) -> Talker {
        let to_send = self.0.map_or(0, |(_, window)| window);
        let route = self.0.map(|(route, _)| route);
        Talker { route, to_send, replies: Vec::new(), count: Arc::clone(&self.1) }
    }
}

struct Talker {
    route: Option<Route>,
    to_send: usize,
    replies: Vec<(Remote, [u8; FRAME_SIZE])>,
    count: Arc<Count>,
}

impl Worker for Talker {
    fn on_frame(&mut self, _: &Peer, _: Frame<'_>, _: &mut Vec<u8>) -> Verdict<Self> {
        Verdict::Close
    }

    fn on_line(&mut self, _: &Peer, _: &[u8], _: &mut Vec<u8>) -> Verdict<Self> {
        Verdict::Close
    }

    fn on_peer_frame(&mut self, from: Remote, frame: &[u8]) -> PeerVerdict {
        match from {
            Remote::Incoming(_) => self.replies.push((from, frame.try_into().unwrap())),
            Remote::Route(_) => {
                self.count.answers.fetch_add(1, Relaxed);
                if !self.count.stop.load(Relaxed) {
                    self.to_send += 1;
                }
            }
        }
        PeerVerdict::Continue
    }

    fn send_peers(&mut self, post: &mut Post<'_>) {
        for (to, frame) in self.replies.drain(..) {
            post.send(to, |out| out.extend_from_slice(&frame)).unwrap();
        }
        if let Some(route) = self.route {
            for _ in 0..std::mem::take(&mut self.to_send) {
                let frame = [0; FRAME_SIZE];
                post.send(Remote::Route(route), |out| out.extend_from_slice(&frame)).unwrap();
            }
        }
    }
}
