//! Some nodes in one process, joined by links that lose nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cluster::Protocols;
use cluster::fabric::{Channel, Frame, Kind};
use config::{Config, EngineKind};
use engine::Namespace;
use storage::device::Device;
use wire::client::{Reply, RequestBuilder};
use wire::{ProtoHeader, ProtoType, ResultCode};

use crate::FrameStep;
use crate::info::testing::{CLIENT, TestHost, namespace_on, worker};
use crate::node::Node;
use crate::peers::{LinkId, Remote};
use crate::unfinished::{Progress, Unfinished};
use crate::worker::{Answer, Worker};

/// How long a step is.
const STEP: Duration = Duration::from_millis(5);

/// How long one is where nothing is to be missed but time.
const LONG_STEP: Duration = Duration::from_millis(100);

/// Steps in which anything has to be over.
const STEPS_MAX: usize = 20_000;

/// See the module.
#[derive(Default)]
pub struct Town {
    pub nodes: Vec<Arc<Node>>,
    pub hosts: Vec<Arc<TestHost>>,
    workers: Vec<Worker>,
    /// Frames on their way: to whom, on which link as the receiver knows it.
    mail: VecDeque<(usize, Remote, Vec<u8>)>,
    /// Who opened which link to whom.
    links: BTreeMap<LinkId, (usize, usize, Channel)>,
    /// Nodes that are down.
    down: Vec<usize>,
    /// In which version a node spoke to another about records.
    pub spoken: BTreeSet<(usize, usize, u16)>,
    /// A node that everything reaches a step later.
    pub slow: Option<usize>,
    /// What is on its way to that one.
    late: VecDeque<(usize, Remote, Vec<u8>)>,
    /// Nodes that have no time for metadata.
    pub busy: Vec<usize>,
    /// Damages the next frame for which this holds.
    pub damages: Option<fn(&Frame<'_>) -> bool>,
}

fn address(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8 + 1], 3002))
}

fn config_of(number: usize, change: impl Fn(usize, &mut Config)) -> Config {
    let mut config = Config::default_single_node(Path::new("/tmp/bolide"));
    let node_id = 0xA1 + number as u64;
    config.resolve(&config::Host { cpus: 1, node_id, heartbeat_mtu_bytes: 1500 });
    for namespace in &mut config.namespaces {
        namespace.replication_factor = 2;
    }
    change(number, &mut config);
    config
}

impl Town {
    /// So many nodes of one cluster, with these settings of their namespaces `test` and `bar`.
    pub fn of(count: usize, change: impl Fn(usize, &mut Config)) -> Self {
        let mut town = Self::default();
        for number in 0..count {
            town.add(number, &change);
        }
        town.settle();
        town
    }

    /// One node more.
    pub fn add(&mut self, number: usize, change: impl Fn(usize, &mut Config)) {
        self.add_speaking(number, Protocols::ALL, change);
    }

    /// One node more, which speaks these versions of what nodes say.
    pub fn add_speaking(
        &mut self,
        number: usize,
        protocols: Protocols,
        change: impl Fn(usize, &mut Config),
    ) {
        let config = config_of(number, change);
        let namespaces = config.namespaces.iter().cloned();
        let namespaces = namespaces.map(|namespace| Arc::new(Namespace::new(namespace, 1)));
        self.join(number, protocols, config.clone(), namespaces.collect());
    }

    /// One node more, whose namespace `test` is on a device; it has no other.
    pub fn add_on(
        &mut self,
        number: usize,
        device: Arc<dyn Device>,
        change: impl Fn(usize, &mut Config),
    ) {
        let mut config = config_of(number, change);
        config.namespaces.truncate(1);
        config.namespaces[0].storage_engine.kind = EngineKind::Device;
        let namespace = namespace_on(config.namespaces[0].clone(), vec![device]);
        self.join(number, Protocols::ALL, config, vec![Arc::new(namespace)]);
    }

    fn join(
        &mut self,
        number: usize,
        protocols: Protocols,
        config: Config,
        namespaces: Vec<Arc<Namespace>>,
    ) {
        let host = TestHost::new();
        *host.protocols.lock() = protocols;
        host.control.lock().push(address(number));
        *host.addresses.lock() = vec![format!("10.0.0.{}:3000", number + 1)];
        if let Some(first) = self.hosts.first() {
            use crate::host::Host as _;
            host.advance(first.monotonic());
        }
        let node = Arc::new(Node::with(config, namespaces, host.clone(), 1));
        node.set_seeds(vec![address(0)]);
        self.workers.push(worker(&node));
        self.hosts.push(host);
        self.nodes.push(node);
    }

    /// A node stops for ever.
    pub fn kill(&mut self, number: usize) {
        self.down.push(number);
        self.mail.retain(|(to, ..)| *to != number);
        for other in self.up() {
            for channel in [Channel::Control, Channel::Record, Channel::Bulk] {
                self.workers[other].peer_lost(Remote::Route(address(number), channel));
            }
        }
    }

    /// A node stands still: it does nothing and hears nothing, and does not know.
    pub fn freeze(&mut self, number: usize) {
        self.down.push(number);
    }

    /// It goes on. Time has passed for it as well.
    pub fn thaw(&mut self, number: usize) {
        use crate::host::Host as _;
        self.down.retain(|other| *other != number);
        let other = self.up().into_iter().find(|other| *other != number).unwrap();
        let missed = self.hosts[other].monotonic() - self.hosts[number].monotonic();
        self.hosts[number].advance(missed);
    }

    /// Has the cluster be formed anew, and waits until nothing moves.
    pub fn recluster(&mut self) {
        let key = self.nodes[0].cluster.state().cluster_key;
        let principal = self.nodes[0].cluster.state().principal().unwrap();
        let number = self.nodes.iter().position(|node| node.cluster.me() == principal).unwrap();
        assert_eq!(self.ask(number, "recluster:"), "ok");
        self.until(|town| town.nodes[0].cluster.state().cluster_key != key);
        self.settle();
    }

    pub fn up(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|number| !self.down.contains(number)).collect()
    }

    /// Lets some time pass.
    pub fn step(&mut self) {
        self.step_by(STEP);
    }

    /// Lets so much time pass, in steps that are long but for no heartbeat.
    pub fn pass(&mut self, time: Duration) {
        let mut left = time;
        while !left.is_zero() {
            let step = left.min(LONG_STEP);
            self.step_by(step);
            left -= step;
        }
    }

    fn step_by(&mut self, step: Duration) {
        self.mail.append(&mut self.late);
        for number in self.up() {
            self.hosts[number].advance(step);
            let node = Arc::clone(&self.nodes[number]);
            node.conduct();
            node.migrate();
            if !self.busy.contains(&number) {
                node.spread_metadata();
            }
            node.work_on_jobs();
            self.workers[number].wake();
            self.workers[number].reap(&mut Vec::new());
            self.collect(number);
        }
        self.deliver();
    }

    fn collect(&mut self, from: usize) {
        let mut sent = Vec::new();
        self.workers[from].send_peers(|to, frame| {
            sent.push((to, frame.to_vec()));
            true
        });
        for (to, frame) in sent {
            let (receiver, as_remote) = match to {
                Remote::Route(to, channel) => {
                    let receiver = (0..self.nodes.len()).find(|number| address(*number) == to);
                    let Some(receiver) = receiver else { continue };
                    (receiver, Remote::Incoming(self.link(from, receiver, channel)))
                }
                Remote::Incoming(link) => {
                    let (opener, _, channel) = self.links[&link];
                    (opener, Remote::Route(address(from), channel))
                }
            };
            if let Ok(Frame { protocol, kind: Kind::Write, .. }) = Frame::parse(&frame) {
                self.spoken.insert((from, receiver, protocol.0));
            }
            if self.slow == Some(receiver) {
                self.late.push_back((receiver, as_remote, frame));
            } else if !self.down.contains(&receiver) {
                self.mail.push_back((receiver, as_remote, frame));
            }
        }
    }

    fn link(&mut self, from: usize, to: usize, channel: Channel) -> LinkId {
        let known = self.links.iter().find(|(_, link)| **link == (from, to, channel));
        let known = known.map(|(number, _)| *number);
        known.unwrap_or_else(|| {
            let number = self.links.len() as LinkId + 1;
            self.links.insert(number, (from, to, channel));
            self.workers[from].peer_opened(Remote::Route(address(to), channel));
            number
        })
    }

    /// Hands over what is on its way, and what that leads to at once.
    fn deliver(&mut self) {
        while let Some((to, remote, mut frame)) = self.mail.pop_front() {
            if let (Some(is_meant), Ok(parsed)) = (self.damages, Frame::parse(&frame))
                && is_meant(&parsed)
            {
                self.damages = None;
                let middle = frame.len() / 2;
                frame[middle] ^= 1;
            }
            if self.workers[to].peer_frame(remote, &frame).is_err() {
                self.part(to, remote);
                continue;
            }
            let node = Arc::clone(&self.nodes[to]);
            node.conduct();
            node.migrate();
            if !self.busy.contains(&to) {
                node.spread_metadata();
            }
            self.workers[to].reap(&mut Vec::new());
            self.collect(to);
        }
    }

    /// A link ends: both sides hear of it.
    fn part(&mut self, to: usize, remote: Remote) {
        self.workers[to].peer_lost(remote);
        let Remote::Incoming(link) = remote else { return };
        let (opener, receiver, channel) = self.links[&link];
        self.workers[opener].peer_lost(Remote::Route(address(receiver), channel));
    }

    /// Waits until all nodes are in one view and nothing moves any more.
    pub fn settle(&mut self) {
        self.until(|town| {
            let up = town.up();
            let key = town.nodes[up[0]].cluster.state().cluster_key;
            up.iter().all(|number| {
                let node = &town.nodes[*number];
                let state = node.cluster.state();
                let moves = node.namespaces.iter().any(|namespace| node.is_migrating(namespace));
                state.members.len() == up.len()
                    && state.cluster_key == key
                    && state.is_balanced
                    && !moves
            })
        });
    }

    /// Lets time pass until something holds.
    pub fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        for _ in 0..STEPS_MAX {
            if holds(self) {
                return;
            }
            self.step();
        }
        panic!("it does not come to an end");
    }

    /// A link of a node has taken so long for a step of a frame about a write.
    pub fn tell_of_a_write(&self, number: usize, step: FrameStep, took: Duration) {
        self.workers[number].link_timed(&[1, Kind::Write as u8], step, took);
    }

    /// Begins to ask a node something.
    pub fn begin(&mut self, number: usize, kind: ProtoType, body: &[u8]) -> Asked {
        let mut out = Vec::new();
        self.workers[number].wake();
        let answer = self.workers[number].answer(kind, body, CLIENT, &mut out).unwrap();
        let rest = match answer {
            Answer::Whole { .. } => None,
            Answer::Partial(rest) => Some(rest),
        };
        Asked { number, out, rest }
    }

    /// Has the event loop go on with an answer, and nobody else do anything.
    pub fn advance(&mut self, asked: &mut Asked) {
        let unfinished = asked.rest.as_mut().expect("it is not answered");
        let progress = unfinished.advance(&mut self.workers[asked.number], &mut asked.out);
        assert!(matches!(progress, Progress::Waits(_)));
    }

    /// Lets time pass until an answer is whole.
    pub fn finish(&mut self, asked: Asked) -> Vec<u8> {
        let Asked { number, mut out, mut rest } = asked;
        for _ in 0..STEPS_MAX {
            let Some(unfinished) = &mut rest else { return out };
            match unfinished.advance(&mut self.workers[number], &mut out) {
                Progress::Over => return out,
                Progress::More => {}
                Progress::Waits(_) => {
                    self.collect(number);
                    self.deliver();
                    self.step();
                }
            }
        }
        panic!("no answer");
    }

    /// Sends a request about a record, and returns its reply.
    pub fn send(&mut self, number: usize, request: RequestBuilder) -> (ResultCode, Vec<u8>) {
        let asked = self.begin(number, ProtoType::Message, &request.into_body());
        let out = self.finish(asked);
        let body = out[ProtoHeader::SIZE..].to_vec();
        let (reply, _) = Reply::parse(&body).unwrap();
        (reply.header.result, body)
    }

    /// The answer to an info command, without the echo.
    pub fn ask(&mut self, number: usize, command: &str) -> String {
        let asked = self.begin(number, ProtoType::Info, format!("{command}\n").as_bytes());
        let out = String::from_utf8(self.finish(asked).split_off(ProtoHeader::SIZE)).unwrap();
        out.strip_prefix(command).unwrap().trim().to_owned()
    }
}

impl Asked {
    /// The reply, if it is there at once.
    pub fn answer(self) -> Option<Vec<u8>> {
        let mut out = self.out;
        (self.rest.is_none()).then(|| out.split_off(ProtoHeader::SIZE))
    }
}

/// A request that is not answered.
pub struct Asked {
    number: usize,
    out: Vec<u8>,
    rest: Option<Box<Unfinished>>,
}
