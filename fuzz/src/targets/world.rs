//! A node in a world where time stands still unless told otherwise.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Config, LOG_CONTEXTS, LogLevel};
use node::host::{Connections, Log};
use node::{Host, Node, Vitals, Worker};
use record::LastUpdateTime;
use wire::client::Reply;
use wire::compress::inflate;
use wire::proto::{ProtoHeader, ProtoType};
use wire::{Info3, ResultCode};

/// The moment at which the world begins, in ms since 2010.
const BEGINNING: u64 = 500_000_000_000;
/// Inputs after which a node is replaced by a fresh one: it would fill up.
const INPUTS_MAX: u32 = 20_000;
/// Where requests come from.
const CLIENT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// A node with namespaces `test` and `bar`, and a worker of it.
pub struct World {
    host: Arc<StillHost>,
    worker: Worker,
    inputs: u32,
}

impl World {
    pub fn new() -> Self {
        let mut config = Config::default_single_node(Path::new("/nowhere"));
        config.resolve(&config::Host { cpus: 1, node_id: 0xA1, heartbeat_mtu_bytes: 1500 });
        let host = Arc::new(StillHost::default());
        let node = Node::new(config, Arc::clone(&host) as Arc<dyn Host>, 1);
        Self { host, worker: Worker::new(Arc::new(node), 0), inputs: 0 }
    }

    /// Sends a body, a millisecond after the last one, and returns the frame that answers it.
    pub fn ask(&mut self, kind: ProtoType, body: &[u8]) -> Frame {
        self.pass();
        let mut out = Vec::new();
        self.worker.answer(kind, body, CLIENT, &mut out).expect("this kind is answered");
        let (header, body) = out.split_first_chunk().expect("an answer has a header");
        let header = ProtoHeader::parse(*header).expect("an answer's header is sound");
        assert_eq!(header.body_size_bytes, body.len(), "one frame, and nothing behind it");
        Frame { kind: header.kind, body: body.to_vec() }
    }

    /// Sends a line of the text port and returns the answer.
    pub fn ask_line(&mut self, line: &[u8]) -> Vec<u8> {
        self.pass();
        let mut out = Vec::new();
        self.worker.answer_line(line, CLIENT, &mut out);
        out
    }

    fn pass(&mut self) {
        self.inputs += 1;
        if self.inputs == INPUTS_MAX {
            *self = Self::new();
        }
        self.host.elapsed_ms.fetch_add(1, Ordering::Relaxed);
        self.worker.wake();
    }
}

/// An answer.
pub struct Frame {
    pub kind: ProtoType,
    pub body: Vec<u8>,
}

impl Frame {
    /// The result code of the one message in it.
    pub fn result(&self) -> ResultCode {
        let mut inflated = Vec::new();
        let body = match self.kind {
            ProtoType::Message => &self.body,
            ProtoType::Compressed => {
                inflate(&self.body, &mut inflated).expect("an answer can be inflated")
            }
            other => panic!("a message is answered by {other:?}"),
        };
        let (reply, rest) = Reply::parse(body).expect("an answer is a message");
        assert!(rest.is_empty(), "one message, and nothing behind it");
        let header = reply.header;
        assert_eq!(header.n_fields, 0, "no answer of a record has fields");
        assert!((Info3::empty() | Info3::LAST).contains(header.info3), "{:?}", header.info3);
        let known = ResultCode::ALL.iter().any(|(code, ..)| *code == header.result);
        assert!(known, "unknown result code {:?}", header.result);
        assert!(header.result == ResultCode::OK || header.n_ops == 0, "an error with operations");
        header.result
    }
}

/// A host whose clock only the world moves.
#[derive(Default)]
struct StillHost {
    elapsed_ms: AtomicU64,
}

impl Host for StillHost {
    fn now(&self) -> LastUpdateTime {
        LastUpdateTime(BEGINNING + self.elapsed_ms.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms.load(Ordering::Relaxed))
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
