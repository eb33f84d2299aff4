//! A node in a world where hardly any time passes unless told otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Config, LOG_CONTEXTS, LogLevel};
use node::host::{Connections, Log};
use node::peers::Remote;
use node::{Answer, Host, Node, Progress, Vitals, Worker};
use record::LastUpdateTime;
use storage::{Reader, Signal};
use wire::client::Reply;
use wire::compress::inflate;
use wire::proto::{ProtoHeader, ProtoType};
use wire::{Info3, MessageHeader, ResultCode};

/// The moment at which the world begins, in ms since 2010.
const BEGINNING: u64 = 500_000_000_000;
/// Inputs after which a node is replaced by a fresh one: it would fill up.
const INPUTS_MAX: u32 = 20_000;
/// Where requests come from.
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// A node with namespaces `test` and `bar`, and a worker of it.
pub struct World {
    host: Arc<StillHost>,
    node: Arc<Node>,
    worker: Worker,
    inputs: u32,
}

impl World {
    pub fn new() -> Self {
        let mut config = Config::default_single_node(Path::new("/nowhere"));
        config.resolve(&config::Host { cpus: 1, node_id: 0xA1, heartbeat_mtu_bytes: 1500 });
        let host = Arc::new(StillHost::default());
        let node = Node::new(config, Arc::clone(&host) as Arc<dyn Host>, 1);
        let (node, signal) = (Arc::new(node), Signal::new().expect("a descriptor is left"));
        let worker = Worker::new(Arc::clone(&node), 0, Reader::inline(), signal);
        Self { host, node, worker, inputs: 0 }
    }

    /// Sends a body, a millisecond after the last one, and returns the frames that answer it.
    pub fn ask(&mut self, kind: ProtoType, body: &[u8]) -> Vec<Frame> {
        self.pass();
        let mut out = Vec::new();
        let answer = self.worker.answer(kind, body, CLIENT, &mut out);
        if let Answer::Partial(mut rest) = answer.expect("this kind is answered") {
            while rest.advance(&mut self.worker, &mut out) != Progress::Over {
                self.go_on();
            }
        }
        frames(&out)
    }

    /// Does what an answer may wait for: the work of other threads, and time.
    fn go_on(&mut self) {
        self.node.work_on_jobs();
        if let Some(time) = self.worker.wake_after() {
            self.host.elapsed_us.fetch_add(time.as_micros() as u64 + 1, Ordering::Relaxed);
        }
        self.worker.reap(&mut Vec::new());
    }

    /// Sends a line of the text port and returns the answer.
    pub fn ask_line(&mut self, line: &[u8]) -> Vec<u8> {
        self.pass();
        let mut out = Vec::new();
        self.worker.answer_line(line, CLIENT, &mut out);
        out
    }

    /// The view of the node, which it is in alone.
    pub fn cluster_key(&self) -> u64 {
        self.node.cluster.state().cluster_key
    }

    /// Sends a frame as another node does, lets the node do all that it wants to, and returns what it sent to
    /// the other node.
    pub fn tell_as_peer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        self.pass();
        let mut sent = Vec::new();
        if self.worker.peer_frame(Remote::Incoming(1), frame).is_err() {
            return sent;
        }
        for _ in 0..3 {
            self.node.conduct();
            self.node.migrate();
            self.node.spread_metadata();
            self.go_on();
            self.worker.send_peers(|_, frame| {
                sent.push(frame.to_vec());
                true
            });
        }
        sent
    }

    fn pass(&mut self) {
        self.inputs += 1;
        if self.inputs == INPUTS_MAX {
            *self = Self::new();
        }
        self.host.elapsed_us.fetch_add(1000, Ordering::Relaxed);
        self.worker.wake();
    }
}

/// A frame of an answer.
pub struct Frame {
    pub kind: ProtoType,
    pub body: Vec<u8>,
}

fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk() {
        let header = ProtoHeader::parse(*header).expect("an answer's header is sound");
        let (body, rest) = rest.split_at_checked(header.body_size_bytes).expect("a whole frame");
        frames.push(Frame { kind: header.kind, body: body.to_vec() });
        bytes = rest;
    }
    assert!(bytes.is_empty() && !frames.is_empty(), "an answer is whole frames");
    frames
}

/// How a request ended, by the messages that answer it: one, or the rows of a batch and one that says
/// that it is the last.
pub fn result_of(frames: &[Frame]) -> ResultCode {
    let headers: Vec<_> = frames.iter().flat_map(headers_of).collect();
    let (last, rows) = headers.split_last().expect("an answer holds a message");
    assert!(rows.iter().all(|row| row.info3.is_empty()), "a row before the last is the last");
    if last.info3 == Info3::LAST {
        assert_eq!(last.n_ops, 0, "the last message is no row");
    } else {
        assert!(rows.is_empty() && last.info3.is_empty(), "{:?}", last.info3);
    }
    last.result
}

fn headers_of(frame: &Frame) -> Vec<MessageHeader> {
    let mut inflated = Vec::new();
    let mut rest = match frame.kind {
        ProtoType::Message => &frame.body[..],
        ProtoType::Compressed => {
            inflate(&frame.body, &mut inflated).expect("an answer can be inflated")
        }
        other => panic!("a message is answered by {other:?}"),
    };
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (reply, behind) = Reply::parse(rest).expect("an answer is messages");
        let header = reply.header;
        assert!(header.n_fields == 0 || header.result == ResultCode::OK, "an error with fields");
        let known = ResultCode::ALL.iter().any(|(code, ..)| *code == header.result);
        assert!(known, "unknown result code {:?}", header.result);
        let may_have_ops = [ResultCode::OK, ResultCode::UDF_EXECUTION].contains(&header.result);
        assert!(may_have_ops || header.n_ops == 0, "an error with operations");
        headers.push(header);
        rest = behind;
    }
    headers
}

/// A host whose clock only the world moves, but for some microseconds whenever somebody looks: scripts
/// that loop shall come to an end.
#[derive(Default)]
struct StillHost {
    elapsed_us: AtomicU64,
}

/// How far the clock goes on when somebody looks, in µs.
const LOOK_US: u64 = 10;

impl Host for StillHost {
    fn now(&self) -> LastUpdateTime {
        LastUpdateTime(BEGINNING + self.elapsed_us.load(Ordering::Relaxed) / 1000)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.elapsed_us.fetch_add(LOOK_US, Ordering::Relaxed))
    }

    fn random(&self) -> u64 {
        0x5EED
    }

    fn vitals(&self) -> Vitals {
        Vitals::default()
    }

    fn connections(&self) -> Connections {
        Connections::default()
    }

    fn service_addresses(&self) -> Vec<String> {
        vec!["10.0.0.1:3000".into()]
    }

    fn configured(&self, _: &Config) {}

    fn log(&self) -> &dyn Log {
        self
    }
}

impl Log for StillHost {
    fn sinks(&self) -> Vec<String> {
        vec!["stderr".into()]
    }

    fn levels(&self, sink: usize) -> Option<Vec<LogLevel>> {
        (sink == 0).then(|| vec![LogLevel::Info; LOG_CONTEXTS.len()])
    }

    fn set_level(&self, sink: usize, _: Option<usize>, _: LogLevel) -> bool {
        sink == 0
    }

    fn message(&self, _: &str) {}
}
