//! The world: everything that happens, in order.
//!
//! Events are ordered by their time, and by when they were entered if that is the same. One generator of
//! random numbers decides all that is open: so a seed names a course of events.

mod ailments;
mod calls;
mod changes;
mod crashes;
mod jobs;
mod machines;
mod queries;
mod spans;
mod tally;
mod upkeep;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use spans::Spans;
pub use tally::Tally;

use crate::client::{CallId, Clients, KeyNumber, Keys, Verdict};
use crate::faults::{FaultEvent, Nemesis};
use crate::host::Clock;
use crate::machine::{Machine, Setup, Task};
use crate::network::{NetEvent, Network, Outcome};
use crate::profile::Profile;
use crate::trace::Trace;

pub use crashes::Crash;

use ailments::Ailment;
use crashes::Absence;
use storage::{Fetch, Report, Ticket};

/// Something that happens.
#[derive(Debug)]
pub enum Event {
    /// A process on a machine, by its life, does what is due.
    Due(usize, u32, Task),
    /// A read that a loop wants done is.
    HasRead(usize, u32, usize, Ticket, Fetch),
    /// Something in the network.
    Net(NetEvent),
    /// A client begins its next request.
    Next(usize),
    /// Those who follow the partition map ask for it.
    Tend,
    /// An operator changes some metadata.
    Change,
    /// A query asks for what is left of it.
    QueryRound(usize),
    /// Nodes are asked how far a job is.
    AskAboutJob(usize),
    /// A request reaches its machine.
    Arrives(CallId),
    /// An answer reaches its client.
    Answered(CallId, Vec<u8>),
    /// A client's connection is lost.
    Dropped(CallId),
    /// A client waits no longer.
    TimedOut(CallId),
    /// Something breaks, or is mended.
    Fault(FaultEvent),
}

/// See the module.
pub struct World {
    /// What time it is.
    pub now: Duration,
    /// Decides what is open.
    pub random: fastrand::Rng,
    /// What has happened.
    pub trace: Trace,
    /// How nodes are configured.
    pub setup: Setup,
    /// The machines.
    pub machines: Vec<Machine>,
    /// What connects them.
    pub network: Network,
    /// Who uses them.
    pub clients: Clients,
    /// Who breaks them.
    pub nemesis: Nemesis,
    /// What audits have read: key, machine, and what it answered.
    pub audits: Vec<(KeyNumber, usize, Verdict)>,
    /// When they began.
    pub audited_at: Duration,
    /// Times during which running nodes were of different views.
    pub divided: Spans,
    /// Times during which they were, or had not told each other what they have.
    pub apart: Spans,
    /// Whether all has come to rest since nodes came or went, or were of different views.
    is_at_rest: bool,
    /// Times during which machines were away with what their disks hold.
    absences: Vec<Absence>,
    /// Times during which their disks failed.
    ailments: Vec<Ailment>,
    /// What nodes that started found on their disks, where the power had taken nothing: of a write that was under way
    /// the end of a block may be there without what stands before it.
    pub starts: Vec<(usize, Report)>,
    /// How often some things have happened.
    pub tally: Tally,
    clock: Arc<Clock>,
    queue: BTreeMap<(Duration, u64), Event>,
    queued: u64,
}

impl World {
    /// A world in which the nodes of a profile have been started.
    ///
    /// # Errors
    /// When a node cannot be started.
    pub fn new(seed: u64, profile: &Profile, is_shown: bool) -> anyhow::Result<Self> {
        let mut random = fastrand::Rng::with_seed(seed);
        let setup = profile.setup(&mut random);
        let running = profile.running(&mut random, setup.machines);
        let mut world = Self::with(random, profile, setup, running, is_shown)?;
        world.trace.line(world.now, format_args!("seed {seed}"));
        Ok(world)
    }

    /// The same with nodes configured like this, of which so many run at first.
    ///
    /// # Errors
    /// When a node cannot be started.
    pub fn with(
        mut random: fastrand::Rng,
        profile: &Profile,
        setup: Setup,
        running: usize,
        is_shown: bool,
    ) -> anyhow::Result<Self> {
        let machines = (0..setup.machines).map(|number| Machine { number, ..Machine::default() });
        let rest = Duration::from_millis(random.u64(2..60));
        let keys = Keys::new(profile.keys, setup.nsup_period_seconds > 0);
        let mut world = Self {
            now: Duration::from_secs(1),
            trace: Trace::new(is_shown),
            machines: machines.collect(),
            network: Network::new(setup.machines),
            clients: Clients::new(profile.clients, keys, setup.machines, rest),
            nemesis: Nemesis::new(*profile),
            audits: Vec::new(),
            audited_at: Duration::ZERO,
            divided: Spans::default(),
            apart: Spans::default(),
            is_at_rest: false,
            absences: Vec::new(),
            ailments: Vec::new(),
            starts: Vec::new(),
            tally: Tally::default(),
            clock: Arc::default(),
            queue: BTreeMap::new(),
            queued: 0,
            random,
            setup,
        };
        world.clock.set(world.now);
        world.place_disks();
        world.trace.line(world.now, format_args!("{profile:?} {setup:?}"));
        for machine in 0..running {
            let skew_ms = profile.skew_ms;
            let skew_ms = world.random.i64(-skew_ms..=skew_ms);
            world.set_skew(machine, skew_ms);
            world.start(machine)?;
        }
        Ok(world)
    }

    /// Enters an event.
    pub fn at(&mut self, time: Duration, event: Event) {
        self.queued += 1;
        self.queue.insert((time.max(self.now), self.queued), event);
    }

    /// The same, for so much later.
    pub fn after(&mut self, time: Duration, event: Event) {
        self.at(self.now + time, event);
    }

    /// Has clients begin.
    pub fn begin_clients(&mut self) {
        self.at(self.now, Event::Tend);
        for client in 0..self.clients.clients.len() {
            let pause = Duration::from_micros(self.random.u64(..500_000));
            self.after(pause, Event::Next(client));
        }
    }

    /// Lets everything happen up to a time.
    ///
    /// # Errors
    /// When a node cannot be started.
    pub fn run_until(&mut self, end: Duration) -> anyhow::Result<()> {
        while let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) {
            let ((time, _), event) = entry.remove_entry();
            self.now = time;
            self.clock.set(time);
            self.step(event)?;
            self.enter_net_events();
        }
        self.now = end;
        self.clock.set(end);
        Ok(())
    }

    /// Lets everything happen until something is so, which is looked at again and again; says whether it
    /// came to be in time.
    ///
    /// # Errors
    /// As [`Self::run_until`].
    pub fn run_while(
        &mut self,
        at_most: Duration,
        mut goes_on: impl FnMut(&Self) -> bool,
    ) -> anyhow::Result<bool> {
        let end = self.now + at_most;
        while goes_on(self) {
            if self.now >= end {
                return Ok(false);
            }
            self.run_until(self.now + Duration::from_millis(250))?;
        }
        Ok(true)
    }

    fn step(&mut self, event: Event) -> anyhow::Result<()> {
        match event {
            Event::Due(machine, life, task) => self.perform(machine, life, task),
            Event::HasRead(machine, life, index, ticket, fetch) => {
                self.has_read(machine, life, index, (ticket, &fetch));
            }
            Event::Net(event) => self.net(event),
            Event::Next(client) => self.begin_request(client),
            Event::Tend => self.tend(),
            Event::Change => self.next_change(),
            Event::QueryRound(query) => self.query_round(query),
            Event::AskAboutJob(job) => self.ask_about_job(job),
            Event::Arrives(call) => self.arrive(call),
            Event::Answered(call, frame) => self.answered(call, &frame),
            Event::Dropped(call) => self.dropped(call),
            Event::TimedOut(call) => self.timed_out(call),
            Event::Fault(fault) => return self.strike(fault),
        }
        Ok(())
    }

    fn net(&mut self, event: NetEvent) {
        let random = &mut self.random;
        match self.network.step(self.now, random, event) {
            Outcome::Nothing => {}
            Outcome::Frame(spot, remote, frame) => self.deliver_frame(spot, remote, frame),
            Outcome::Lost(spot, remote) => self.deliver_loss(spot, remote),
        }
    }

    /// Enters what the network wants to happen.
    pub fn enter_net_events(&mut self) {
        for (time, event) in std::mem::take(&mut self.network.events) {
            self.at(time, Event::Net(event));
        }
    }

    /// Machines on which a process runs.
    pub fn running(&self) -> impl Iterator<Item = usize> + '_ {
        self.machines.iter().filter(|machine| machine.process.is_some()).map(|of| of.number)
    }

    /// A time that a message between a client and a node takes.
    fn client_delay(&mut self) -> Duration {
        Duration::from_micros(self.random.u64(50..600))
    }

    /// Notes since when nodes are of different views, or that they are not any more.
    pub(crate) fn look_for_division(&mut self) {
        let mut keys = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let mut keys = keys.by_ref().map(|process| process.node.cluster.state().cluster_key);
        let first = keys.next();
        let is_divided = keys.any(|key| Some(key) != first);
        let mut states = self.machines.iter().filter_map(|machine| machine.process.as_ref());
        let is_balancing = states.any(|process| !process.node.cluster.state().is_balanced);
        self.apart.note(is_divided || is_balancing, self.now);
        self.divided.note(is_divided, self.now);
        self.is_at_rest &= !is_divided && !is_balancing;
        if !is_divided {
            self.end_absences();
        }
    }

    /// Whether nodes were of different views at some time in between.
    pub fn was_divided(&self, from: Duration, to: Duration) -> bool {
        self.divided.touch(from, to)
    }
}
