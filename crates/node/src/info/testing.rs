//! A host for tests: clocks stand still until they are told to move, and the log is a list.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cluster::Protocols;
use config::{Config, LOG_CONTEXTS, LogLevel, StorageEngine};
use engine::Namespace;
use engine::devices::{DevicePlan, NamespaceOpening};
use parking_lot::Mutex;
use record::LastUpdateTime;
use storage::device::Device;
use storage::format::BLOCK_BYTES;
use storage::{Reader, Signal, Ticket};
use wire::client::RequestBuilder;
use wire::{Digest, Info2, OpCode, ParticleType, ProtoType};

use crate::host::{ConnectionCounts, Connections, Host, Log, MetadataFiles, Vitals};
use crate::metadata::Unreadable;
use crate::node::Node;
use crate::unfinished::Progress;
use crate::worker::{Answer, Worker};

/// The moment at which tests begin: as good as any, in ms since 2010.
pub(crate) const START: LastUpdateTime = LastUpdateTime(533_082_403_000);

/// See the module.
#[derive(Debug)]
pub(crate) struct TestHost {
    elapsed: Mutex<Duration>,
    levels: Mutex<Vec<LogLevel>>,
    pub messages: Mutex<Vec<String>>,
    pub addresses: Mutex<Vec<String>>,
    /// Where other nodes reach it.
    pub control: Mutex<Vec<SocketAddr>>,
    /// Files of the system metadata.
    pub files: Mutex<HashMap<String, Vec<u8>>>,
    /// Whether nothing can be written.
    pub full: AtomicBool,
    /// What it speaks with other nodes.
    pub protocols: Mutex<Protocols>,
}

impl TestHost {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            elapsed: Mutex::default(),
            levels: Mutex::new(vec![LogLevel::Info; LOG_CONTEXTS.len()]),
            messages: Mutex::default(),
            addresses: Mutex::new(vec!["10.0.0.1:3000".into()]),
            control: Mutex::default(),
            files: Mutex::default(),
            full: AtomicBool::new(false),
            protocols: Mutex::new(Protocols::ALL),
        })
    }

    pub fn advance(&self, by: Duration) {
        *self.elapsed.lock() += by;
    }
}

impl Host for TestHost {
    fn protocols(&self) -> Protocols {
        *self.protocols.lock()
    }

    fn now(&self) -> LastUpdateTime {
        LastUpdateTime(START.0 + self.elapsed.lock().as_millis() as u64)
    }

    fn monotonic(&self) -> Duration {
        *self.elapsed.lock()
    }

    fn random(&self) -> u64 {
        0xB7F6_9397_187E_0000
    }

    fn vitals(&self) -> Vitals {
        Vitals {
            system_user_cpu_pct: 3,
            system_kernel_cpu_pct: 4,
            threads: 5,
            heap_allocated_kbytes: 90,
            heap_active_kbytes: 100,
            ..Vitals::default()
        }
    }

    fn connections(&self) -> Connections {
        Connections { clients: ConnectionCounts::new(2, 1), ..Connections::default() }
    }

    fn service_addresses(&self) -> Vec<String> {
        self.addresses.lock().clone()
    }

    fn control_addresses(&self) -> Vec<SocketAddr> {
        self.control.lock().clone()
    }

    fn configured(&self, _: &Config) {}

    fn log(&self) -> &dyn Log {
        self
    }

    fn metadata(&self) -> &dyn MetadataFiles {
        self
    }
}

impl MetadataFiles for TestHost {
    fn save(&self, module: &str, bytes: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.files.lock().insert(module.into(), bytes.into());
        Ok(())
    }

    fn load(&self, module: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.lock().get(module).cloned())
    }

    fn place(&self, module: &str) -> String {
        format!("smd/{module}.smd")
    }
}

impl Log for TestHost {
    fn sinks(&self) -> Vec<String> {
        vec!["stderr".into()]
    }

    fn levels(&self, sink: usize) -> Option<Vec<LogLevel>> {
        (sink == 0).then(|| self.levels.lock().clone())
    }

    fn set_level(&self, sink: usize, context: Option<usize>, level: LogLevel) -> bool {
        let mut levels = self.levels.lock();
        match context {
            Some(context) => levels[context] = level,
            None => levels.fill(level),
        }
        sink == 0
    }

    fn message(&self, text: &str) {
        // Every node says this when it comes up.
        if !text.contains(" formed of 1 nodes") {
            self.messages.lock().push(text.into());
        }
    }
}

/// A node with namespaces `test` and `bar`, whose id is A1.
pub(crate) fn node() -> (Arc<TestHost>, Arc<Node>) {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    node_with(config)
}

/// A node that comes up where another one was, with the same namespaces in memory.
pub(crate) fn restarted(host: &Arc<TestHost>) -> Result<Arc<Node>, Unreadable> {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    let node = Node::new(config, host.clone(), 1);
    node.restore_metadata()?;
    Ok(Arc::new(node))
}

/// A node whose namespace `test` has this storage engine, on these devices.
pub(crate) fn node_on(
    engine: StorageEngine,
    devices: Vec<Arc<dyn Device>>,
) -> (Arc<TestHost>, Arc<Node>) {
    let host = TestHost::new();
    let node = node_on_with(&host, engine, devices);
    (host, node)
}

/// The same with a host that is there already.
pub(crate) fn node_on_with(
    host: &Arc<TestHost>,
    engine: StorageEngine,
    devices: Vec<Arc<dyn Device>>,
) -> Arc<Node> {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    config.resolve(&config::Host { cpus: 2, node_id: 0xA1, heartbeat_mtu_bytes: 65_536 });
    config.namespaces.truncate(1);
    config.namespaces[0].storage_engine = engine;
    let namespace = namespace_on(config.namespaces[0].clone(), devices);
    Arc::new(Node::with(config, vec![Arc::new(namespace)], host.clone(), 1))
}

/// A namespace on devices, with what is on them.
pub(crate) fn namespace_on(config: config::Namespace, devices: Vec<Arc<dyn Device>>) -> Namespace {
    let plan = DevicePlan {
        devices,
        image: None,
        block_bytes: BLOCK_BYTES,
        encryption: None,
        threads: 1,
        random: || 0xD15C,
    };
    let opening = NamespaceOpening::begin(config, 1, plan).unwrap();
    opening.finish(START.seconds()).unwrap().0
}

/// A node with these settings.
pub(crate) fn node_with(config: Config) -> (Arc<TestHost>, Arc<Node>) {
    let host = TestHost::new();
    (host.clone(), Arc::new(Node::new(config, host, 1)))
}

pub(crate) const CLIENT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// A write of an integer bin `a` and a string bin `s`, with the user key to be stored.
pub(crate) fn write(set: Option<&str>, key: &str, ttl_seconds: u32) -> Vec<u8> {
    let request = RequestBuilder::new()
        .info2(Info2::WRITE)
        .record_ttl(ttl_seconds)
        .namespace("test")
        .digest(&digest(set, key))
        .key(ParticleType::STRING, key.as_bytes())
        .op(OpCode::WRITE, ParticleType::INTEGER, b"a", &7u64.to_be_bytes())
        .op(OpCode::WRITE, ParticleType::STRING, b"s", b"v");
    set.map_or(request.clone(), |set| request.set(set)).into_body()
}

/// The digest of a string key.
pub(crate) fn digest(set: Option<&str>, key: &str) -> Digest {
    Digest::of_key(set.unwrap_or_default().as_bytes(), ParticleType::STRING, key.as_bytes())
}

/// A worker of the node.
pub(crate) fn worker(node: &Arc<Node>) -> Worker {
    Worker::new(Arc::clone(node), 0, Reader::inline(), Signal::new().unwrap())
}

/// Lets an answer come to its end.
pub(crate) fn finish(worker: &mut Worker, answer: Answer, out: &mut Vec<u8>) {
    let Answer::Partial(mut rest) = answer else { return };
    loop {
        match rest.advance(worker, out) {
            Progress::Over => return,
            Progress::Waits(ticket) => await_ticket(worker, ticket),
            Progress::More => {}
        }
    }
}

/// Waits until the answer with this ticket may go on.
pub(crate) fn await_ticket(worker: &mut Worker, ticket: Ticket) {
    let mut ready = Vec::new();
    worker.flush();
    while !ready.contains(&ticket) {
        worker.reap(&mut ready);
    }
}

/// Sends a message to the node and returns the result code of its answer.
pub(crate) fn send(node: &Arc<Node>, message: &[u8]) -> u8 {
    let mut out = Vec::new();
    let mut worker = worker(node);
    let answer = worker.answer(ProtoType::Message, message, CLIENT, &mut out).unwrap();
    finish(&mut worker, answer, &mut out);
    out[8 + 5]
}

/// The answer to one command, without the echo.
pub(crate) fn ask(node: &Node, command: &str) -> String {
    let mut value = Vec::new();
    super::answer_value(node, command.as_bytes(), CLIENT, &mut value);
    String::from_utf8(value).unwrap()
}
