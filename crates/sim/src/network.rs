//! Connections between nodes, as TCP makes them: frames of one connection in one direction come in order,
//! and none is lost but with the connection itself.
//!
//! A loop of a node sends on *routes*, which are connected when something is to be sent, and on connections
//! that others opened. What the network does to them:
//!
//! - every frame takes a time, and those of *clogged* pairs of machines take longer;
//! - what is sent over a *cut* direction waits until it is open again, and no connection can be made;
//! - a *break* ends a connection: what is under way on it is lost, and its two ends hear of it at different
//!   times; until then they send into nowhere.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use cluster::fabric::Channel;
use node::peers::{LinkId, Remote};

use crate::host::machine_at;

/// A loop of a process: machine, life of the process, number of the loop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Spot {
    /// The machine.
    pub machine: usize,
    /// Which of its processes.
    pub life: u32,
    /// Which loop.
    pub index: usize,
}

/// A connection that a loop opens, or tries to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Route {
    /// Whose it is.
    pub from: Spot,
    /// Where it leads.
    pub address: SocketAddr,
    /// What travels on it.
    pub channel: Channel,
}

/// Something that happens in the network.
#[derive(Debug)]
pub enum NetEvent {
    /// A frame reaches an end of a connection.
    Frame {
        /// The connection.
        connection: LinkId,
        /// Whether that end is the one that opened it.
        to_opener: bool,
        /// The frame.
        frame: Vec<u8>,
    },
    /// A request for a connection reaches a machine, or does not.
    Knock(Route, Duration),
    /// A connection is there.
    Opened(Route, LinkId),
    /// A connection could not be made.
    Failed(Route),
    /// A connection may be tried again.
    Retry(Route),
    /// An end hears that its connection is over.
    Ended {
        /// The connection.
        connection: LinkId,
        /// Whether that end is the one that opened it.
        at_opener: bool,
    },
}

/// What comes of an event for a loop.
#[derive(Debug)]
pub enum Outcome {
    /// Nothing.
    Nothing,
    /// A frame came.
    Frame(Spot, Remote, Vec<u8>),
    /// A connection is lost.
    Lost(Spot, Remote),
}

/// How long things take, and how often they fail.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Weather {
    /// The shortest time of a frame.
    pub delay_min: Duration,
    /// How much longer most take at most.
    pub jitter: Duration,
    /// Of a thousand frames, so many take ten times as long.
    pub stragglers: u32,
    /// Of ten thousand frames that a loop sends, so many are refused.
    pub refusals: u32,
}

/// A network as it is within a building.
pub const FAIR: Weather = Weather {
    delay_min: Duration::from_micros(60),
    jitter: Duration::from_micros(300),
    stragglers: 2,
    refusals: 0,
};

/// How long it takes until a connection counts as one that cannot be made.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The shortest time before it is tried again.
const RETRY_MIN: Duration = Duration::from_millis(50);
/// The longest.
const RETRY_MAX: Duration = Duration::from_secs(1);
/// A connection on which something is held back for so long is given up by its system.
const STALL_MAX: Duration = Duration::from_secs(10);

/// One direction of a connection.
#[derive(Debug, Default)]
struct Pipe {
    /// When the last frame arrives.
    last_at: Duration,
    /// What waits for the direction to be open.
    held: Vec<Vec<u8>>,
    /// Since when.
    held_since: Duration,
}

#[derive(Debug)]
struct Connection {
    route: Route,
    acceptor: Spot,
    /// Towards the acceptor, and back.
    pipes: [Pipe; 2],
    /// Which ends still believe in it: the opener's, and the acceptor's.
    believes: [bool; 2],
    /// Whether nothing arrives any more.
    is_broken: bool,
}

impl Connection {
    /// From which machine to which a pipe leads.
    fn direction(&self, back: bool) -> (usize, usize) {
        let (opener, acceptor) = (self.route.from.machine, self.acceptor.machine);
        if back { (acceptor, opener) } else { (opener, acceptor) }
    }

    fn end(&self, opener: bool) -> Spot {
        if opener { self.route.from } else { self.acceptor }
    }
}

#[derive(Debug)]
enum Stage {
    Connecting,
    Open(LinkId),
    /// Until then.
    Down(Duration),
}

#[derive(Debug)]
struct RouteState {
    stage: Stage,
    failures: u32,
    waiting: Vec<Vec<u8>>,
}

/// See the module.
#[derive(Debug)]
pub struct Network {
    /// What it is like now.
    pub weather: Weather,
    connections: BTreeMap<LinkId, Connection>,
    routes: BTreeMap<Route, RouteState>,
    /// The life of each machine's process and how many loops it has, if one runs.
    processes: Vec<Option<(u32, usize)>>,
    cuts: BTreeSet<(usize, usize)>,
    /// How much longer frames take between two machines.
    clogs: BTreeMap<(usize, usize), Duration>,
    last_id: LinkId,
    /// What is to happen, for the queue of the world.
    pub events: Vec<(Duration, NetEvent)>,
}

impl Network {
    /// A network of so many machines, of which none runs.
    pub fn new(machines: usize) -> Self {
        Self {
            weather: FAIR,
            connections: BTreeMap::new(),
            routes: BTreeMap::new(),
            processes: vec![None; machines],
            cuts: BTreeSet::new(),
            clogs: BTreeMap::new(),
            last_id: 0,
            events: Vec::new(),
        }
    }

    /// A process runs on a machine from now on.
    pub fn started(&mut self, machine: usize, life: u32, loops: usize) {
        self.processes[machine] = Some((life, loops));
    }

    /// It does not any more: the others hear of it when what it had sent has arrived.
    pub fn ended(&mut self, machine: usize, now: Duration, random: &mut fastrand::Rng) {
        self.processes[machine] = None;
        self.routes.retain(|route, _| route.from.machine != machine);
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in ids {
            let delay = self.delay(random);
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            for opener in [true, false] {
                if connection.end(opener).machine != machine {
                    continue;
                }
                connection.believes[usize::from(!opener)] = false;
                // What is under way to the others is in pipe 1 if they are the opener.
                let pipe = &mut connection.pipes[usize::from(!opener)];
                pipe.held.clear();
                let at = pipe.last_at.max(now) + delay;
                let ended = NetEvent::Ended { connection: id, at_opener: !opener };
                self.events.push((at, ended));
            }
        }
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        self.connections.retain(|_, connection| connection.believes != [false; 2]);
    }

    fn delay(&self, random: &mut fastrand::Rng) -> Duration {
        let Weather { delay_min, jitter, stragglers, .. } = self.weather;
        let delay = delay_min + jitter.mul_f64(random.f64() * random.f64());
        if random.u32(..1000) < stragglers { delay * 10 } else { delay }
    }

    fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cuts.contains(&(from, to))
    }

    /// Sends a frame of a loop. False if it is refused: it is lost.
    pub fn send(
        &mut self,
        now: Duration,
        random: &mut fastrand::Rng,
        from: Spot,
        to: Remote,
        frame: &[u8],
    ) -> bool {
        if random.u32(..10_000) < self.weather.refusals {
            return false;
        }
        match to {
            Remote::Incoming(id) => {
                let is_own = self.connections.get(&id).is_some_and(|of| of.acceptor == from);
                if is_own {
                    self.put(now, random, id, true, frame.to_vec());
                }
                is_own
            }
            Remote::Route(address, channel) => {
                self.send_on_route(now, random, Route { from, address, channel }, frame.to_vec());
                true
            }
        }
    }

    fn send_on_route(
        &mut self,
        now: Duration,
        random: &mut fastrand::Rng,
        route: Route,
        frame: Vec<u8>,
    ) {
        let delay = self.delay(random);
        let Some(state) = self.routes.get_mut(&route) else {
            let state = RouteState { stage: Stage::Connecting, failures: 0, waiting: vec![frame] };
            self.routes.insert(route, state);
            self.events.push((now + delay, NetEvent::Knock(route, now)));
            return;
        };
        match state.stage {
            Stage::Open(id) => self.put(now, random, id, false, frame),
            Stage::Connecting => state.waiting.push(frame),
            Stage::Down(until) => {
                if state.waiting.is_empty() {
                    self.events.push((until.max(now), NetEvent::Retry(route)));
                }
                state.waiting.push(frame);
            }
        }
    }

    /// Puts a frame on its way.
    fn put(
        &mut self,
        now: Duration,
        random: &mut fastrand::Rng,
        id: LinkId,
        back: bool,
        frame: Vec<u8>,
    ) {
        let delay = self.delay(random);
        let Some(connection) = self.connections.get_mut(&id).filter(|of| !of.is_broken) else {
            return;
        };
        let (from, to) = connection.direction(back);
        let pipe = &mut connection.pipes[usize::from(back)];
        if !pipe.held.is_empty() || self.cuts.contains(&(from, to)) {
            if pipe.held.is_empty() {
                pipe.held_since = now;
            }
            pipe.held.push(frame);
            return;
        }
        let clog = self.clogs.get(&(from, to)).copied().unwrap_or_default();
        let at = (now + delay + clog).max(pipe.last_at);
        pipe.last_at = at;
        self.events.push((at, NetEvent::Frame { connection: id, to_opener: back, frame }));
    }

    /// Lets something happen.
    pub fn step(&mut self, now: Duration, random: &mut fastrand::Rng, event: NetEvent) -> Outcome {
        match event {
            NetEvent::Frame { connection: id, to_opener, frame } => {
                let Some(connection) = self.connections.get(&id) else { return Outcome::Nothing };
                if connection.is_broken || !connection.believes[usize::from(!to_opener)] {
                    return Outcome::Nothing;
                }
                Outcome::Frame(connection.end(to_opener), remote(connection, id, to_opener), frame)
            }
            NetEvent::Knock(route, since) => {
                self.knock(now, random, route, since);
                Outcome::Nothing
            }
            NetEvent::Opened(route, id) => {
                let is_there = self.connections.get(&id).is_some_and(|of| of.believes[0]);
                let Some(state) = self.routes.get_mut(&route) else { return Outcome::Nothing };
                if !matches!(state.stage, Stage::Connecting) {
                    return Outcome::Nothing;
                }
                if !is_there {
                    return self.close_route(now, route);
                }
                state.stage = Stage::Open(id);
                state.failures = 0;
                for frame in std::mem::take(&mut state.waiting) {
                    self.put(now, random, id, false, frame);
                }
                Outcome::Nothing
            }
            NetEvent::Failed(route) => self.close_route(now, route),
            NetEvent::Retry(route) => {
                let delay = self.delay(random);
                if let Some(state) = self.routes.get_mut(&route)
                    && matches!(state.stage, Stage::Down(_))
                {
                    state.stage = Stage::Connecting;
                    self.events.push((now + delay, NetEvent::Knock(route, now)));
                }
                Outcome::Nothing
            }
            NetEvent::Ended { connection: id, at_opener } => {
                let Some(connection) = self.connections.get_mut(&id) else {
                    return Outcome::Nothing;
                };
                let place = usize::from(!at_opener);
                if !std::mem::replace(&mut connection.believes[place], false) {
                    return Outcome::Nothing;
                }
                let (spot, remote) = (connection.end(at_opener), remote(connection, id, at_opener));
                let route = connection.route;
                self.forget_ended();
                if at_opener { self.close_route(now, route) } else { Outcome::Lost(spot, remote) }
            }
        }
    }

    /// A request for a connection arrives: the system answers, also of a process that is stopped.
    fn knock(&mut self, now: Duration, random: &mut fastrand::Rng, route: Route, since: Duration) {
        let from = route.from.machine;
        let Some(to) = machine_at(route.address).filter(|to| *to < self.processes.len()) else {
            return self.events.push((since + CONNECT_TIMEOUT, NetEvent::Failed(route)));
        };
        if self.is_cut(from, to) || self.is_cut(to, from) {
            return self.events.push((since + CONNECT_TIMEOUT, NetEvent::Failed(route)));
        }
        let delay = self.delay(random);
        let Some((life, loops)) = self.processes[to] else {
            return self.events.push((now + delay, NetEvent::Failed(route)));
        };
        self.last_id += 1;
        let acceptor = Spot { machine: to, life, index: random.usize(..loops) };
        let (pipes, believes) = (Default::default(), [true; 2]);
        let connection = Connection { route, acceptor, pipes, believes, is_broken: false };
        self.connections.insert(self.last_id, connection);
        self.events.push((now + delay, NetEvent::Opened(route, self.last_id)));
    }

    fn close_route(&mut self, now: Duration, route: Route) -> Outcome {
        let Some(state) = self.routes.get_mut(&route) else { return Outcome::Nothing };
        let pause = RETRY_MIN * 2u32.pow(state.failures.min(5));
        state.failures += 1;
        state.stage = Stage::Down(now + pause.min(RETRY_MAX));
        // What waited is lost.
        state.waiting.clear();
        Outcome::Lost(route.from, Remote::Route(route.address, route.channel))
    }

    /// Breaks a connection that somebody uses, chosen at random.
    pub fn break_one(&mut self, now: Duration, random: &mut fastrand::Rng) -> Option<(Spot, Spot)> {
        let sound: Vec<_> =
            self.connections.iter().filter(|(_, of)| !of.is_broken).map(|(id, _)| *id).collect();
        let id = *random.choice(&sound)?;
        self.break_connection(now, random, id);
        let connection = self.connections.get(&id)?;
        Some((connection.route.from, connection.acceptor))
    }

    /// Breaks all connections between two machines.
    pub fn break_between(
        &mut self,
        now: Duration,
        random: &mut fastrand::Rng,
        one: usize,
        other: usize,
    ) {
        let is_between = |of: &Connection| {
            let (from, to) = of.direction(false);
            (from, to) == (one, other) || (to, from) == (one, other)
        };
        let between = self.connections.iter().filter(|(_, of)| is_between(of));
        let ids: Vec<_> = between.map(|(id, _)| *id).collect();
        ids.into_iter().for_each(|id| self.break_connection(now, random, id));
    }

    fn break_connection(&mut self, now: Duration, random: &mut fastrand::Rng, id: LinkId) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if std::mem::replace(&mut connection.is_broken, true) {
            return;
        }
        for at_opener in [true, false] {
            // Mostly both hear at once; now and then one goes on for a while.
            let later =
                if random.u32(..8) == 0 { random.u64(..800_000) } else { random.u64(..900) };
            let ended = NetEvent::Ended { connection: id, at_opener };
            self.events.push((now + Duration::from_micros(later), ended));
        }
    }

    /// Cuts a direction.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    /// Has frames from one machine to another take longer, or not any more.
    pub fn clog(&mut self, from: usize, to: usize, by: Duration) {
        match by {
            Duration::ZERO => self.clogs.remove(&(from, to)),
            by => self.clogs.insert((from, to), by),
        };
    }

    /// Opens a direction again.
    pub fn mend(&mut self, now: Duration, random: &mut fastrand::Rng, from: usize, to: usize) {
        self.cuts.remove(&(from, to));
        self.release(now, random);
    }

    /// Mends everything.
    pub fn mend_all(&mut self, now: Duration, random: &mut fastrand::Rng) {
        self.cuts.clear();
        self.clogs.clear();
        self.weather = FAIR;
        self.release(now, random);
    }

    /// Puts what was held back on its way, where nothing holds it any more.
    fn release(&mut self, now: Duration, random: &mut fastrand::Rng) {
        let ids: Vec<_> = self.connections.keys().copied().collect();
        for id in ids {
            for back in [false, true] {
                let Some(connection) = self.connections.get_mut(&id) else { continue };
                let direction = connection.direction(back);
                let pipe = &mut connection.pipes[usize::from(back)];
                if pipe.held.is_empty() || self.cuts.contains(&direction) {
                    continue;
                }
                let held = std::mem::take(&mut pipe.held);
                if now.saturating_sub(pipe.held_since) > STALL_MAX {
                    self.break_connection(now, random, id);
                    continue;
                }
                held.into_iter().for_each(|frame| self.put(now, random, id, back, frame));
            }
        }
    }
}

fn remote(connection: &Connection, id: LinkId, at_opener: bool) -> Remote {
    match at_opener {
        true => Remote::Route(connection.route.address, connection.route.channel),
        false => Remote::Incoming(id),
    }
}

#[cfg(test)]
mod tests;
