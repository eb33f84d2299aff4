//! A machine, and the process of a node that runs on it: its event loops and what its threads do.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use cluster::{Protocol, Protocols};
use config::{Config, ConflictResolution, HeartbeatMode, HostPort, Set, SetOverride};
use node::peers::Remote;
use node::{Answer, Host, Node, Progress, Unfinished, Worker};
use storage::{Desk, Fetch, Reader, Report, Signal, Ticket};
use wire::ProtoType;

use crate::client::{CallId, LIFE_DEFAULT_SECONDS, MORTAL_SET};
use crate::devices::Storage;
use crate::host::{CONTROL_PORT, Clock, FABRIC_PORT, Ground, SERVICE_PORT, SimHost, address_of};
use crate::threads::{Thread, Threads};

/// The one namespace.
pub const NAMESPACE: &str = "test";

/// How the nodes of a world are configured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Setup {
    /// Machines, of which some may not run at first.
    pub machines: usize,
    /// Copies of each partition.
    pub replication_factor: u32,
    /// Event loops of each node.
    pub loops: usize,
    /// Whether the version with the higher generation counts, instead of the one written last.
    pub by_generation: bool,
    /// How many partitions a node gives at a time.
    pub migrate_threads: u32,
    /// How many nodes a view needs at least.
    pub min_cluster_size: u32,
    /// `nsup-period`; 0: nothing expires.
    pub nsup_period_seconds: u32,
    /// Where records are.
    pub storage: Storage,
    /// Whether machines begin with an older release, and are upgraded one by one when they start again. Some go
    /// back.
    pub is_upgraded: bool,
}

impl Setup {
    /// What a process speaks with other nodes.
    fn protocols(&self, life: u32, seed: u64) -> Protocols {
        let is_old = self.is_upgraded && (life <= 1 || seed.is_multiple_of(4));
        if is_old { Protocols::ALL.up_to(Protocol::FIRST) } else { Protocols::ALL }
    }
}

/// What a client sends to a node.
#[derive(Debug)]
pub struct Call {
    /// Which call it is; the answer names it.
    pub id: CallId,
    /// What kind of frame.
    pub kind: ProtoType,
    /// Its body.
    pub body: Vec<u8>,
}

/// What comes to a loop.
#[derive(Debug)]
pub enum Inbound {
    /// A frame of another node.
    Frame(Remote, Vec<u8>),
    /// A connection with another node is lost.
    Lost(Remote),
    /// A request of a client.
    Call(Call),
    /// A client has closed the connection on which it made a call.
    Close(CallId),
}

/// What a turn of a loop has brought about.
#[derive(Debug, Default)]
pub struct TurnResult {
    /// Answers to clients, whole frames.
    pub answers: Vec<(CallId, Vec<u8>)>,
    /// Connections that carried what was no frame.
    pub nonsense: usize,
}

/// An answer that is not whole.
struct Parked {
    id: CallId,
    rest: Box<Unfinished>,
    out: Vec<u8>,
}

/// An event loop.
pub struct Loop {
    worker: Worker,
    signal: Signal,
    desk: Desk,
    /// What it has not taken in.
    pub inbox: VecDeque<Inbound>,
    parked: BTreeMap<Ticket, Parked>,
    streams: Vec<Parked>,
    /// When its next turn is.
    pub turn_at: Option<Duration>,
}

/// What a process does when its time has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Task {
    /// An event loop wakes up.
    Turn(usize),
    /// The thread for the cluster looks what there is to do.
    Conduct,
    /// The thread for migrations does.
    Migrate,
    /// Another thread does.
    Thread(Thread),
    /// A thread for the devices does.
    Upkeep(Chore),
}

/// What is to be done about devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Chore {
    /// Something is written to a device.
    Flush(usize),
    /// A block of a device is emptied.
    Move(usize),
    /// Old traces go.
    House,
}

/// A running node.
pub struct Process {
    /// The node.
    pub node: Arc<Node>,
    /// Its host.
    pub host: Arc<SimHost>,
    /// Its event loops.
    pub loops: Vec<Loop>,
    /// When its thread for the cluster is next to look.
    pub conduct_at: Option<Duration>,
    /// When its thread for migrations is.
    pub migrate_at: Option<Duration>,
    /// Balances so far: a new one gives that thread something to do.
    pub rebalances: u64,
    /// Its further threads.
    pub threads: Threads,
    /// When its threads for devices are next to look.
    pub upkeep: Upkeep,
    /// What its start has found on its disks.
    pub found: Option<Report>,
}

/// The threads that tend a node's devices.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// Those of each device.
    pub devices: Vec<Chores>,
    /// When the one of the namespace is to look.
    pub house_at: Option<Duration>,
    /// When traces of deletes were removed last.
    pub raided_at: Duration,
}

impl Upkeep {
    fn due(&mut self, chore: Chore) -> &mut Option<Duration> {
        match chore {
            Chore::Flush(device) => &mut self.devices[device].flush_at,
            Chore::Move(device) => &mut self.devices[device].move_at,
            Chore::House => &mut self.house_at,
        }
    }
}

/// The threads that tend a device.
#[derive(Debug, Default)]
pub struct Chores {
    /// When something is to be written.
    pub flush_at: Option<Duration>,
    /// When everything was written last.
    pub flushed_at: Duration,
    /// When a block is to be emptied.
    pub move_at: Option<Duration>,
}

/// A machine.
#[derive(Default)]
pub struct Machine {
    /// Its number.
    pub number: usize,
    /// What outlives a process.
    pub ground: Arc<Ground>,
    /// Processes so far.
    pub life: u32,
    /// The one that runs.
    pub process: Option<Process>,
    /// Stopped until then; what is to happen on it happens then.
    pub paused_until: Duration,
    /// Whether the power went while something was written that did not last.
    pub was_torn: bool,
    /// Until then its disks take long.
    pub slow_until: Duration,
}

/// A node's id, by the number of its machine: not in the order of the machines.
pub fn id_of(machine: usize) -> u64 {
    0xA0 + (machine as u64 * 7) % 16 * 0x10 + machine as u64
}

/// The configuration of the node on a machine.
fn config_of(setup: &Setup, machine: usize) -> Config {
    let mut config = Config::default_single_node(Path::new("/nowhere"));
    let address = || vec![address_of(machine).to_string()];
    config.service.cluster_name = Some("sim".into());
    config.service.migrate_threads = setup.migrate_threads;
    config.service.min_cluster_size = setup.min_cluster_size;
    config.network.service.addresses = address();
    config.network.service.port = Some(SERVICE_PORT);
    config.network.fabric.addresses = address();
    config.network.fabric.port = Some(FABRIC_PORT);
    config.network.heartbeat.mode = Some(HeartbeatMode::Mesh);
    config.network.heartbeat.addresses = address();
    config.network.heartbeat.port = Some(CONTROL_PORT);
    let seed =
        |of| HostPort { host: address_of(of).to_string(), port: CONTROL_PORT, tls_name: None };
    config.network.heartbeat.mesh_seeds = (0..setup.machines).map(seed).collect();
    config.namespaces.truncate(1);
    for namespace in &mut config.namespaces {
        namespace.replication_factor = setup.replication_factor;
        setup.storage.configure(namespace, machine);
        namespace.nsup_period_seconds = setup.nsup_period_seconds;
        if setup.nsup_period_seconds > 0 {
            let default_ttl = SetOverride::Value(LIFE_DEFAULT_SECONDS);
            namespace.sets.push(Set { name: MORTAL_SET.into(), default_ttl, ..Set::default() });
        }
        namespace.conflict_resolution_policy = match setup.by_generation {
            true => ConflictResolution::Generation,
            false => ConflictResolution::LastUpdateTime,
        };
    }
    config.resolve(&config::Host {
        cpus: setup.loops as u32,
        node_id: id_of(machine),
        heartbeat_mtu_bytes: 1500,
    });
    config
}

impl Process {
    /// Starts a node on a machine.
    ///
    /// # Errors
    /// When the system has no descriptor left, or the node takes its own metadata or disks for another's.
    pub fn start(
        setup: &Setup,
        machine: &Machine,
        clock: &Arc<Clock>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let ground = Arc::clone(&machine.ground);
        let protocols = setup.protocols(machine.life, seed);
        let of = (machine.number, seed);
        let host = Arc::new(SimHost::new(Arc::clone(clock), ground, of, protocols));
        let config = config_of(setup, machine.number);
        let now = host.now();
        let (namespace, found) = setup.storage.open(
            &config.namespaces[0],
            setup.loops,
            &machine.ground,
            now.seconds(),
            seed,
        )?;
        let upkeep = Upkeep {
            devices: (0..namespace.device_count()).map(|_| Chores::default()).collect(),
            ..Upkeep::default()
        };
        let namespaces = vec![Arc::new(namespace)];
        let node = Arc::new(Node::with(config, namespaces, Arc::clone(&host) as _, setup.loops));
        node.restore_metadata().context("a node does not take its metadata")?;
        let new_loop = |index| {
            let signal = Signal::new()?;
            let desk = Desk::new(signal.clone());
            let reader = Reader::on_desk(desk.clone());
            let worker = Worker::new(Arc::clone(&node), index, reader, signal.clone());
            anyhow::Ok(Loop {
                worker,
                signal,
                desk,
                inbox: VecDeque::new(),
                parked: BTreeMap::new(),
                streams: Vec::new(),
                turn_at: None,
            })
        };
        let loops = (0..setup.loops).map(new_loop).collect::<anyhow::Result<_>>()?;
        let seeds = (0..setup.machines).filter(|of| *of != machine.number);
        let seeds = seeds.map(|of| SocketAddr::from((address_of(of), CONTROL_PORT))).collect();
        node.set_seeds(seeds);
        let (conduct_at, migrate_at, rebalances) = (None, None, 0);
        let threads = Threads::new(&node);
        Ok(Self { node, host, loops, conduct_at, migrate_at, rebalances, threads, upkeep, found })
    }

    /// When it is to do something next.
    pub fn due(&mut self, task: Task) -> &mut Option<Duration> {
        match task {
            Task::Turn(index) => &mut self.loops[index].turn_at,
            Task::Conduct => &mut self.conduct_at,
            Task::Migrate => &mut self.migrate_at,
            Task::Thread(thread) => self.threads.due(thread),
            Task::Upkeep(chore) => self.upkeep.due(chore),
        }
    }

    /// The table of the one namespace.
    pub fn table(&self) -> &node::clustering::PartitionTable {
        self.node.cluster.table(0)
    }

    /// Whether a loop has anything to do that nobody told it of.
    pub fn is_raised(&self, index: usize) -> bool {
        self.loops[index].signal.lower()
    }
}

impl Loop {
    /// A wake-up: takes in what came, goes on with what may, and hands `send` what is for other nodes.
    pub fn turn(
        &mut self,
        from: SocketAddr,
        send: impl FnMut(Remote, &[u8]) -> bool,
    ) -> TurnResult {
        let mut result = TurnResult::default();
        self.worker.wake();
        while let Some(inbound) = self.inbox.pop_front() {
            match inbound {
                Inbound::Frame(remote, frame) => {
                    result.nonsense += usize::from(self.worker.peer_frame(remote, &frame).is_err());
                }
                Inbound::Lost(remote) => self.worker.peer_lost(remote),
                Inbound::Call(call) => self.answer(call, from, &mut result),
                Inbound::Close(id) => {
                    self.parked.retain(|_, parked| parked.id != id);
                    self.streams.retain(|parked| parked.id != id);
                }
            }
        }
        let mut ready = Vec::new();
        self.worker.reap(&mut ready);
        let mut going: Vec<_> = std::mem::take(&mut self.streams);
        going.extend(ready.iter().filter_map(|ticket| self.parked.remove(ticket)));
        going.into_iter().for_each(|parked| self.advance(parked, &mut result));
        self.worker.send_peers(send);
        self.worker.flush();
        result
    }

    fn answer(&mut self, call: Call, from: SocketAddr, result: &mut TurnResult) {
        let mut out = Vec::new();
        match self.worker.answer(call.kind, &call.body, from, &mut out) {
            Ok(Answer::Whole { .. }) => result.answers.push((call.id, out)),
            Ok(Answer::Partial(rest)) => self.park(Parked { id: call.id, rest, out }),
            Err(_) => result.nonsense += 1,
        }
    }

    fn park(&mut self, parked: Parked) {
        match parked.rest.ticket() {
            Some(ticket) => _ = self.parked.insert(ticket, parked),
            None => self.streams.push(parked),
        }
    }

    fn advance(&mut self, mut parked: Parked, result: &mut TurnResult) {
        match parked.rest.advance(&mut self.worker, &mut parked.out) {
            Progress::More => self.streams.push(parked),
            Progress::Over => result.answers.push((parked.id, parked.out)),
            Progress::Waits(ticket) => _ = self.parked.insert(ticket, parked),
        }
    }

    /// Takes the reads that it wants done.
    pub fn reads(&self) -> Vec<(Ticket, Fetch)> {
        self.desk.take()
    }

    /// Hands it what was read.
    pub fn has_read(&self, ticket: Ticket, fetch: &Fetch) {
        self.desk.put(ticket, fetch.read_now());
    }

    /// How long it may sleep; `None`: until something comes.
    pub fn sleep(&self) -> Option<Duration> {
        match self.streams.is_empty() {
            true => self.worker.wake_after(),
            false => Some(Duration::ZERO),
        }
    }

    /// Requests that wait.
    pub fn parked(&self) -> usize {
        self.parked.len() + self.streams.len()
    }
}
