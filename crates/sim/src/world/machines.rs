//! What happens on machines.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::fabric::migration::{Step, What};
use cluster::fabric::{Change, Frame, Kind, Lookup, Removal};
use node::peers::Remote;
use wire::ProtoType;

use super::{Event, World};
use crate::machine::{Call, Inbound, Process, id_of};
use crate::network::Spot;
use crate::threads::{Thread, was_called};

impl World {
    /// Starts a process on a machine.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn start(&mut self, machine: usize) -> anyhow::Result<()> {
        let seed = self.random.u64(..);
        let of = &mut self.machines[machine];
        of.life += 1;
        of.paused_until = Duration::ZERO;
        let (life, loops) = (of.life, self.setup.loops);
        of.process = Some(Process::start(&self.setup, of, &self.clock, seed)?);
        of.slow_until = Duration::ZERO;
        self.network.started(machine, life, loops);
        let id = id_of(machine);
        self.trace.line(self.now, format_args!("node {machine} ({id:X}) starts, life {life}"));
        (0..loops).for_each(|index| self.wake_loop(machine, index, Duration::ZERO));
        self.wake_conductor(machine, Duration::ZERO);
        self.wake_migration(machine, Duration::ZERO);
        Thread::ALL.into_iter().for_each(|of| self.wake_thread(machine, of, Duration::ZERO));
        self.begin_upkeep(machine);
        self.after_work(machine);
        Ok(())
    }

    /// A process is no more.
    pub(super) fn bury(&mut self, machine: usize) {
        self.machines[machine].process = None;
        self.network.ended(machine, self.now, &mut self.random);
        let lost = self.clients.pending.iter();
        let lost = lost.filter(|(_, of)| of.machine == machine && of.arrived.is_some());
        let lost: Vec<_> = lost.map(|(call, _)| *call).collect();
        for call in lost {
            let delay = self.client_delay();
            self.after(delay, Event::Dropped(call));
        }
        self.look_for_division();
    }

    /// Stops the process on a machine for a time.
    pub fn pause(&mut self, machine: usize, time: Duration) {
        self.trace.line(self.now, format_args!("node {machine} is stopped for {time:?}"));
        self.machines[machine].paused_until = self.now + time;
    }

    /// Sets how far the wall clock of a machine is off.
    pub fn set_skew(&mut self, machine: usize, skew_ms: i64) {
        self.trace.line(self.now, format_args!("clock of {machine} is off by {skew_ms} ms"));
        self.machines[machine].ground.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    /// Has a node carry out an info command, as an operator would.
    pub fn command(&mut self, machine: usize, command: &str) {
        self.trace.line(self.now, format_args!("node {machine} is told: {command}"));
        let id = self.clients.next_call();
        let body = crate::client::info_frame(command);
        self.deliver(machine, 0, Inbound::Call(Call { id, kind: ProtoType::Info, body }));
    }

    /// Has a loop get something.
    pub(super) fn deliver(&mut self, machine: usize, index: usize, inbound: Inbound) {
        let Some(process) = &mut self.machines[machine].process else { return };
        process.loops[index].inbox.push_back(inbound);
        let pause = Duration::from_micros(self.random.u64(2..40));
        self.wake_loop(machine, index, pause);
    }

    fn runs(&self, spot: Spot) -> bool {
        let machine = &self.machines[spot.machine];
        machine.life == spot.life && machine.process.is_some()
    }

    pub(super) fn deliver_frame(&mut self, spot: Spot, remote: Remote, frame: Vec<u8>) {
        if self.runs(spot) {
            self.trace.note(self.now, 2 + spot.machine as u64 * 16, &frame);
            self.trace.show(self.now, || explain(spot, &frame));
            self.deliver(spot.machine, spot.index, Inbound::Frame(remote, frame));
        }
    }

    pub(super) fn deliver_loss(&mut self, spot: Spot, remote: Remote) {
        if self.runs(spot) {
            self.trace.note(self.now, 3 + spot.machine as u64 * 16, &[]);
            self.deliver(spot.machine, spot.index, Inbound::Lost(remote));
        }
    }

    /// Has a loop wake up in so much time, if it does not before.
    fn wake_loop(&mut self, machine: usize, index: usize, pause: Duration) {
        let at = self.now + pause;
        let of = &mut self.machines[machine];
        let life = of.life;
        let Some(process) = &mut of.process else { return };
        let turn_at = &mut process.loops[index].turn_at;
        if turn_at.is_none_or(|turn_at| at < turn_at) {
            *turn_at = Some(at);
            self.at(at, Event::Turn(machine, life, index));
        }
    }

    fn wake_conductor(&mut self, machine: usize, pause: Duration) {
        let at = self.now + pause;
        let of = &mut self.machines[machine];
        let life = of.life;
        let Some(process) = &mut of.process else { return };
        if process.conduct_at.is_none_or(|conduct_at| at < conduct_at) {
            process.conduct_at = Some(at);
            self.at(at, Event::Conduct(machine, life));
        }
    }

    fn wake_migration(&mut self, machine: usize, pause: Duration) {
        let at = self.now + pause;
        let of = &mut self.machines[machine];
        let life = of.life;
        let Some(process) = &mut of.process else { return };
        if process.migrate_at.is_none_or(|migrate_at| at < migrate_at) {
            process.migrate_at = Some(at);
            self.at(at, Event::Migrate(machine, life));
        }
    }

    fn wake_thread(&mut self, machine: usize, thread: Thread, pause: Duration) {
        let at = self.now + pause;
        let of = &mut self.machines[machine];
        let life = of.life;
        let Some(process) = &mut of.process else { return };
        let due = process.threads.due(thread);
        if due.is_none_or(|due| at < due) {
            *due = Some(at);
            self.at(at, Event::Thread(machine, life, thread));
        }
    }

    /// Whether a process is there for an event, and not stopped. One that is stopped gets it later; `slot` is
    /// where it stands when the event is due.
    pub(super) fn is_due(
        &mut self,
        machine: usize,
        life: u32,
        event: Event,
        slot: impl Fn(&mut Process) -> &mut Option<Duration>,
    ) -> bool {
        let now = self.now;
        let of = &mut self.machines[machine];
        let paused_until = of.paused_until;
        let Some(process) = of.process.as_mut().filter(|_| of.life == life) else { return false };
        let due = slot(process);
        if *due != Some(now) {
            return false;
        }
        if paused_until > now {
            *due = Some(paused_until);
            self.at(paused_until, event);
            return false;
        }
        *due = None;
        true
    }

    pub(super) fn turn(&mut self, machine: usize, life: u32, index: usize) {
        let event = Event::Turn(machine, life, index);
        if !self.is_due(machine, life, event, |process| &mut process.loops[index].turn_at) {
            return;
        }
        let spot = Spot { machine, life, index };
        let (now, random, network) = (self.now, &mut self.random, &mut self.network);
        let Some(process) = &mut self.machines[machine].process else { return };
        let (mut conducts, mut migrates) = (false, false);
        for inbound in &process.loops[index].inbox {
            let Inbound::Frame(_, frame) = inbound else { continue };
            match Frame::parse(frame).map(|frame| frame.kind) {
                Ok(Kind::Membership | Kind::Exchange | Kind::Metadata) => conducts = true,
                Ok(Kind::Migration) => migrates = true,
                _ => {}
            }
        }
        let client = std::net::SocketAddr::from(([10, 1, 0, 1], 40_000));
        let result = process.loops[index]
            .turn(client, |to, frame| network.send(now, random, spot, to, frame));
        let sleep = process.loops[index].sleep();
        for (call, frame) in result.answers {
            let delay = self.client_delay();
            self.after(delay, Event::Answered(call, frame));
        }
        if result.nonsense > 0 {
            self.trace.line(now, format_args!("node {machine} got nonsense"));
        }
        let mut pause = || Duration::from_micros(self.random.u64(2..60));
        let (conduct_pause, migrate_pause, least) = (pause(), pause(), pause());
        if conducts {
            self.wake_conductor(machine, conduct_pause);
        }
        if migrates {
            self.wake_migration(machine, migrate_pause);
        }
        if let Some(sleep) = sleep {
            self.wake_loop(machine, index, sleep.max(least));
        }
        self.after_work(machine);
    }

    pub(super) fn conduct(&mut self, machine: usize, life: u32) {
        let event = Event::Conduct(machine, life);
        if !self.is_due(machine, life, event, |process| &mut process.conduct_at) {
            return;
        }
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.node.conduct();
        let rebalances = process.node.cluster.state().rebalances;
        let is_balanced = std::mem::replace(&mut process.rebalances, rebalances) != rebalances;
        self.wake_conductor(machine, wait.max(Duration::from_micros(100)));
        if is_balanced {
            let key = process_key(self, machine);
            self.trace.line(self.now, format_args!("node {machine} balances, view {key:X}"));
            self.wake_migration(machine, Duration::from_micros(50));
        }
        self.look_for_division();
        self.after_work(machine);
    }

    pub(super) fn migrate(&mut self, machine: usize, life: u32) {
        let event = Event::Migrate(machine, life);
        if !self.is_due(machine, life, event, |process| &mut process.migrate_at) {
            return;
        }
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.node.migrate();
        self.wake_migration(machine, wait.max(Duration::from_micros(20)));
        self.after_work(machine);
    }

    pub(super) fn thread(&mut self, machine: usize, life: u32, thread: Thread) {
        let event = Event::Thread(machine, life, thread);
        if !self.is_due(machine, life, event, |process| process.threads.due(thread)) {
            return;
        }
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.threads.turn(&process.node, thread);
        self.wake_thread(machine, thread, wait);
        self.after_work(machine);
    }

    /// Takes what a node has logged, and wakes those of its loops and threads that it has called.
    pub(super) fn after_work(&mut self, machine: usize) {
        let Some(process) = &self.machines[machine].process else { return };
        for line in process.host.take_lines() {
            self.trace.line(self.now, format_args!("node {machine}: {line}"));
        }
        let loops = 0..process.loops.len();
        let raised: Vec<_> = loops.filter(|index| process.is_raised(*index)).collect();
        let called = Thread::ALL.map(|thread| was_called(&process.node, thread));
        for index in raised {
            let pause = Duration::from_micros(self.random.u64(2..40));
            self.wake_loop(machine, index, pause);
        }
        for thread in Thread::ALL.into_iter().filter(|thread| called[*thread as usize]) {
            let pause = Duration::from_micros(self.random.u64(5..100));
            self.wake_thread(machine, thread, pause);
        }
        self.look_after_devices(machine);
    }
}

fn process_key(world: &World, machine: usize) -> u64 {
    let process = world.machines[machine].process.as_ref();
    process.map_or(0, |process| process.node.cluster.state().cluster_key)
}

/// What a frame about a record says, for whoever follows a course of events.
fn explain(to: Spot, frame: &[u8]) -> Option<String> {
    let frame = Frame::parse(frame).ok()?;
    let what = match frame.kind {
        Kind::Write => {
            let (change, _) = Change::decode(frame.body)?;
            let meta = &change.transfer.meta;
            let (time, generation) = (meta.last_update_time.0, meta.generation.0);
            let (number, key) = (change.digest.partition().index(), change.cluster_key);
            format!("write {number} of {time} generation {generation} view {key:X}")
        }
        Kind::Remove => {
            let Removal { digest, at, cluster_key, .. } = Removal::decode(frame.body)?;
            let number = digest.partition().index();
            format!("remove {number} of {} view {cluster_key:X}", at.0)
        }
        Kind::Lookup => {
            let Lookup { digest, known, cluster_key, .. } = Lookup::decode(frame.body)?;
            let number = digest.partition().index();
            format!("lookup {number}, known {known:?} view {cluster_key:X}")
        }
        Kind::Migration => {
            let step = Step::decode(frame.body)?;
            let (number, key) = (step.partition.index(), step.cluster_key);
            let what = match step.what {
                What::Begin(_) => "begin".to_owned(),
                What::Ready { differ, empty } => format!("ready {differ:x} {empty:x}"),
                What::List(part, _) => format!("list {part}"),
                What::Want(part, _) => format!("want {part}"),
                What::Packed(..) => "packed".to_owned(),
                What::Records(part, list) => format!("records {part}, {} bytes", list.len()),
                What::Stored(part) => format!("stored {part}"),
                What::End => "end".to_owned(),
                What::Ended => "ended".to_owned(),
                What::Busy => "busy".to_owned(),
                What::AllDone => "all done".to_owned(),
                What::GaveUp => "gave up".to_owned(),
            };
            format!("migration {number} {what} view {key:X}")
        }
        Kind::Answer => format!("answer {:?}", frame.body.first()),
        _ => return None,
    };
    let Spot { machine, index, .. } = to;
    Some(format!("  {} to {machine}.{index}: call {} {what}", frame.from, frame.call))
}
