//! A world of nodes under one seed: a queue, a clock, and a network that loses, repeats and delays.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use cluster::membership::{Input, Membership, Moment, Note, Output, Settings, Timing, View};
use cluster::{NodeId, Protocols};

/// What the network does to messages.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub delay_min: Duration,
    pub delay_max: Duration,
    /// Of a thousand messages, so many are lost.
    pub loss: u32,
    /// Of a thousand messages, so many come twice.
    pub repeats: u32,
}

pub const FAIR: Weather = Weather {
    delay_min: Duration::from_micros(100),
    delay_max: Duration::from_micros(900),
    loss: 0,
    repeats: 0,
};

enum Event {
    Wake { at: usize },
    Message { to: usize, message: Vec<u8> },
}

/// A place for a node: the process that runs there, if it does.
struct Place {
    settings: Settings,
    machine: Option<Membership>,
    /// When the next wake-up is queued for.
    wakes_at: Duration,
    /// Stopped until then; what comes meanwhile waits.
    stopped_until: Duration,
    waiting: Vec<Vec<u8>>,
    /// How far its wall clock is off, in milliseconds.
    wall_offset_ms: i64,
    views: Vec<(Duration, View)>,
    notes: Vec<Note>,
    orphaned: u32,
}

pub struct World {
    pub now: Duration,
    pub random: fastrand::Rng,
    pub weather: Weather,
    places: Vec<Place>,
    queue: BTreeMap<(Duration, u64), Event>,
    queued: u64,
    /// Cut directions: nothing gets from the first to the second.
    cuts: BTreeSet<(usize, usize)>,
    /// Links on which all is late by so much.
    clogs: BTreeMap<(usize, usize), Duration>,
    /// All views ever formed.
    keys: BTreeMap<u64, Vec<NodeId>>,
    trace: u64,
}

pub fn id(at: usize) -> NodeId {
    NodeId(0xA000 + at as u64)
}

pub fn address(at: usize) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + at as u32), 3002))
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Duration::from_secs(1),
            random: fastrand::Rng::with_seed(seed),
            weather: FAIR,
            places: Vec::new(),
            queue: BTreeMap::new(),
            queued: 0,
            cuts: BTreeSet::new(),
            clogs: BTreeMap::new(),
            keys: BTreeMap::new(),
            trace: 0,
        }
    }

    /// A world in which so many nodes are started at once, with the first as seed of all.
    pub fn of(seed: u64, nodes: usize) -> Self {
        let mut world = Self::new(seed);
        (0..nodes).for_each(|_| world.add(|_| {}));
        (0..nodes).for_each(|at| world.start(at));
        world
    }

    /// Adds a place, where nothing runs yet.
    pub fn add(&mut self, change: impl FnOnce(&mut Settings)) {
        let at = self.places.len();
        let mut settings = Settings {
            node: id(at),
            incarnation: 0,
            protocols: Protocols::ALL,
            cluster_name: "test".to_owned(),
            addresses: vec![address(at)],
            timing: Timing::default(),
            min_cluster_size: 1,
            cluster_size_max: 256,
            card: format!("card of {at}").into_bytes(),
            seed: self.random.u64(..),
        };
        change(&mut settings);
        self.places.push(Place {
            settings,
            machine: None,
            wakes_at: Duration::MAX,
            stopped_until: Duration::ZERO,
            waiting: Vec::new(),
            wall_offset_ms: 0,
            views: Vec::new(),
            notes: Vec::new(),
            orphaned: 0,
        });
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    fn moment(&self, at: usize) -> Moment {
        let wall_ms = 1_700_000_000_000 + self.now.as_millis() as u64;
        Moment {
            monotonic: self.now,
            wall_ms: wall_ms.saturating_add_signed(self.places[at].wall_offset_ms),
        }
    }

    pub fn start(&mut self, at: usize) {
        let moment = self.moment(at);
        let place = &mut self.places[at];
        place.settings.incarnation = 1_000 + self.now.as_millis() as u64;
        place.settings.seed = self.random.u64(..);
        place.machine = Some(Membership::new(place.settings.clone(), moment));
        place.views.clear();
        place.waiting.clear();
        place.stopped_until = Duration::ZERO;
        let seeds = if at == 0 { Vec::new() } else { vec![address(0)] };
        self.input(at, Input::Seeds(seeds));
    }

    pub fn kill(&mut self, at: usize) {
        self.places[at].machine = None;
    }

    pub fn is_running(&self, at: usize) -> bool {
        self.places[at].machine.is_some()
    }

    /// Stops the process for a while; it does not know.
    pub fn stop(&mut self, at: usize, long: Duration) {
        self.places[at].stopped_until = self.now + long;
    }

    pub fn jump_wall(&mut self, at: usize, offset_ms: i64) {
        self.places[at].wall_offset_ms = offset_ms;
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.cuts.insert((from, to));
    }

    pub fn cut_both(&mut self, a: usize, b: usize) {
        self.cut(a, b);
        self.cut(b, a);
    }

    pub fn mend(&mut self, a: usize, b: usize) {
        self.cuts.remove(&(a, b));
        self.cuts.remove(&(b, a));
    }

    pub fn clog(&mut self, from: usize, to: usize, long: Duration) {
        self.clogs.insert((from, to), long);
    }

    /// Cuts all links between two groups.
    pub fn split(&mut self, side: &[usize]) {
        for a in 0..self.count() {
            for b in (0..self.count()).filter(|b| side.contains(&a) && !side.contains(b)) {
                self.cut_both(a, b);
            }
        }
    }

    /// The network is whole again, and the weather fair.
    pub fn heal(&mut self) {
        self.cuts.clear();
        self.clogs.clear();
        self.weather = FAIR;
    }

    fn queue(&mut self, at: Duration, event: Event) {
        self.queued += 1;
        self.queue.insert((at, self.queued), event);
    }

    pub fn input(&mut self, at: usize, input: Input<'_>) {
        let moment = self.moment(at);
        let Some(machine) = &mut self.places[at].machine else { return };
        let mut out = Vec::new();
        machine.step(moment, input, &mut out);
        let deadline = machine.next_deadline().max(self.now + Duration::from_micros(1));
        if deadline < self.places[at].wakes_at {
            self.places[at].wakes_at = deadline;
            self.queue(deadline, Event::Wake { at });
        }
        out.into_iter().for_each(|output| self.output(at, output));
    }

    fn output(&mut self, at: usize, output: Output) {
        match output {
            Output::Send { to, message } => self.send(at, to, message),
            Output::View(view) => self.formed(at, view),
            Output::Orphaned => self.places[at].orphaned += 1,
            Output::Note(note) => self.places[at].notes.push(note),
            Output::PeerCard { node, card, .. } => {
                let place = self.places.iter().position(|one| one.settings.node == node);
                assert!(place.is_some_and(|place| !card.is_empty() && id(place) == node));
            }
            Output::PeerGone(_) | Output::Reclustering(_) => {}
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, message: Vec<u8>) {
        let Some(to) = (0..self.count()).position(|at| address(at) == to) else { return };
        let weather = self.weather;
        self.trace = self.trace.rotate_left(5) ^ (message.len() as u64) ^ (to as u64) << 32;
        if self.cuts.contains(&(from, to)) || self.random.u32(..1000) < weather.loss {
            return;
        }
        let copies = if self.random.u32(..1000) < weather.repeats { 2 } else { 1 };
        for _ in 0..copies {
            let range = weather.delay_min.as_micros() as u64..=weather.delay_max.as_micros() as u64;
            let clog = self.clogs.get(&(from, to)).copied().unwrap_or_default();
            let delay = Duration::from_micros(self.random.u64(range)) + clog;
            self.queue(self.now + delay, Event::Message { to, message: message.clone() });
        }
    }

    /// What always holds: members of views with the same key have the same list, and are in it.
    fn formed(&mut self, at: usize, view: View) {
        let node = self.places[at].settings.node;
        assert!(view.key != 0 && view.key < 1 << 48);
        assert!(view.members.contains(&node), "{node} is not in its own view {view:?}");
        assert!(view.members.is_sorted_by(|a, b| a > b), "{view:?}");
        let members = self.keys.entry(view.key).or_insert_with(|| view.members.clone());
        assert_eq!(*members, view.members, "two lists under the key {:x}", view.key);
        self.trace ^= view.key;
        self.places[at].views.push((self.now, view));
    }

    /// Lets time pass.
    pub fn run(&mut self, long: Duration) {
        let end = self.now + long;
        self.run_until(end, |_| false);
    }

    /// Lets time pass until something is so, `long` at most. Whether it is.
    pub fn wait(&mut self, long: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + long;
        self.run_until(end, is_so)
    }

    fn run_until(&mut self, end: Duration, is_so: impl Fn(&Self) -> bool) -> bool {
        let mut next_look = self.now;
        while let Some(first) = self.queue.first_entry().filter(|first| first.key().0 <= end) {
            let ((at, _), event) = first.remove_entry();
            self.now = at.max(self.now);
            self.happen(event);
            if self.now >= next_look {
                next_look = self.now + Duration::from_millis(5);
                if is_so(self) {
                    return true;
                }
            }
        }
        self.now = end;
        is_so(self)
    }

    fn happen(&mut self, event: Event) {
        match event {
            // One that an earlier one has overtaken.
            Event::Wake { at } if self.places[at].wakes_at != self.now => {}
            Event::Wake { at } => {
                let until = self.places[at].stopped_until;
                if until > self.now {
                    self.places[at].wakes_at = until;
                    self.queue(until, Event::Wake { at });
                    return;
                }
                self.places[at].wakes_at = Duration::MAX;
                self.input(at, Input::Tick);
                for message in std::mem::take(&mut self.places[at].waiting) {
                    self.input(at, Input::Message(&message));
                }
            }
            Event::Message { to, message } => {
                if self.places[to].stopped_until > self.now {
                    self.places[to].waiting.push(message);
                } else {
                    self.input(to, Input::Message(&message));
                }
            }
        }
    }
}

/// Looking at the world.
impl World {
    pub fn machine(&self, at: usize) -> &Membership {
        self.places[at].machine.as_ref().expect("it runs")
    }

    pub fn view(&self, at: usize) -> Option<&View> {
        self.places[at].machine.as_ref()?.view()
    }

    pub fn views(&self, at: usize) -> &[(Duration, View)] {
        &self.places[at].views
    }

    pub fn notes(&self, at: usize) -> &[Note] {
        &self.places[at].notes
    }

    pub fn orphaned(&self, at: usize) -> u32 {
        self.places[at].orphaned
    }

    pub fn trace(&self) -> u64 {
        self.trace
    }

    /// Whether these nodes are in one view, and nobody else is in it.
    pub fn are_together(&self, side: &[usize]) -> bool {
        let mut members: Vec<_> = side.iter().map(|at| id(*at)).collect();
        members.sort_by(|a, b| b.cmp(a));
        let Some(first) = side.first().and_then(|at| self.view(*at)) else { return false };
        first.members == members && side.iter().all(|at| self.view(*at) == Some(first))
    }

    pub fn running(&self) -> Vec<usize> {
        (0..self.count()).filter(|at| self.is_running(*at)).collect()
    }

    pub fn all_together(&self) -> bool {
        self.are_together(&self.running())
    }

    /// What every node sees, for a failed assertion.
    pub fn shown(&self) -> String {
        let of = |at: usize| {
            let peers = self.places[at].machine.iter().flat_map(|one| one.neighbours());
            let adjacent: Vec<_> =
                peers.map(|one| (one.node, one.is_heard, one.is_adjacent)).collect();
            let notes: Vec<_> =
                self.notes(at).iter().rev().take(6).map(ToString::to_string).collect();
            format!("{}: {:?}\n   {adjacent:?}\n   {}", id(at), self.view(at), notes.join("\n   "))
        };
        (0..self.count()).map(of).collect::<Vec<_>>().join("\n")
    }
}
