//! What happens on machines.

use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::fabric::migration::{Step, What};
use cluster::fabric::{Change, Frame, Kind, Lookup, Removal};
use node::peers::Remote;
use wire::ProtoType;

use super::{Event, World};
use crate::machine::{Call, Inbound, Process, Task, id_of};
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
        self.is_at_rest = false;
        self.network.started(machine, life, loops);
        let id = id_of(machine);
        self.trace.line(self.now, format_args!("node {machine} ({id:X}) starts, life {life}"));
        let tasks = (0..loops).map(Task::Turn).chain([Task::Conduct, Task::Migrate]);
        let tasks = tasks.chain(Thread::ALL.map(Task::Thread));
        tasks.for_each(|task| self.wake(machine, task, Duration::ZERO));
        self.begin_upkeep(machine);
        self.after_work(machine);
        Ok(())
    }

    /// A process is no more.
    pub(super) fn bury(&mut self, machine: usize) {
        self.machines[machine].process = None;
        self.is_at_rest = false;
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
        self.wake(machine, Task::Turn(index), pause);
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

    /// Has a process do something in so much time, if it does not before.
    pub(super) fn wake(&mut self, machine: usize, task: Task, pause: Duration) {
        let at = self.now + pause;
        let of = &mut self.machines[machine];
        let life = of.life;
        let Some(process) = &mut of.process else { return };
        let due = process.due(task);
        if due.is_none_or(|due| at < due) {
            *due = Some(at);
            self.at(at, Event::Due(machine, life, task));
        }
    }

    /// A process does what is due, unless it has done so before, or is no more.
    pub(super) fn perform(&mut self, machine: usize, life: u32, task: Task) {
        if !self.is_due(machine, life, task) {
            return;
        }
        match task {
            Task::Turn(index) => self.turn(Spot { machine, life, index }),
            Task::Conduct => self.conduct(machine),
            Task::Migrate => self.migrate(machine),
            Task::Thread(thread) => self.thread(machine, thread),
            Task::Upkeep(chore) => self.tend_devices(machine, chore),
        }
        self.after_work(machine);
    }

    /// Whether a process is there for a task that was to be due now, and not stopped. One that is stopped does it
    /// later.
    fn is_due(&mut self, machine: usize, life: u32, task: Task) -> bool {
        let now = self.now;
        let of = &mut self.machines[machine];
        let paused_until = of.paused_until;
        let Some(process) = of.process.as_mut().filter(|_| of.life == life) else { return false };
        let due = process.due(task);
        if *due != Some(now) {
            return false;
        }
        if paused_until > now {
            *due = Some(paused_until);
            self.at(paused_until, Event::Due(machine, life, task));
            return false;
        }
        *due = None;
        true
    }

    fn turn(&mut self, spot: Spot) {
        let Spot { machine, index, .. } = spot;
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
            self.wake(machine, Task::Conduct, conduct_pause);
        }
        if migrates {
            self.wake(machine, Task::Migrate, migrate_pause);
        }
        if let Some(sleep) = sleep {
            self.wake(machine, Task::Turn(index), sleep.max(least));
        }
    }

    fn conduct(&mut self, machine: usize) {
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.node.conduct();
        let rebalances = process.node.cluster.state().rebalances;
        let is_balanced = std::mem::replace(&mut process.rebalances, rebalances) != rebalances;
        self.wake(machine, Task::Conduct, wait.max(Duration::from_micros(100)));
        if is_balanced {
            self.is_at_rest = false;
            let key = process_key(self, machine);
            self.trace.line(self.now, format_args!("node {machine} balances, view {key:X}"));
            self.wake(machine, Task::Migrate, Duration::from_micros(50));
        }
        self.look_for_division();
    }

    fn migrate(&mut self, machine: usize) {
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.node.migrate();
        self.wake(machine, Task::Migrate, wait.max(Duration::from_micros(20)));
    }

    fn thread(&mut self, machine: usize, thread: Thread) {
        let Some(process) = &mut self.machines[machine].process else { return };
        let wait = process.threads.turn(&process.node, thread);
        self.tally.expired += std::mem::take(&mut process.threads.expired);
        self.wake(machine, Task::Thread(thread), wait);
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
            self.wake(machine, Task::Turn(index), pause);
        }
        for thread in Thread::ALL.into_iter().filter(|thread| called[*thread as usize]) {
            let pause = Duration::from_micros(self.random.u64(5..100));
            self.wake(machine, Task::Thread(thread), pause);
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
