//! What the threads of a node's devices do: writing, moving records, removing traces of deletes; and how long
//! its disks take.

use std::time::Duration;

use storage::{Fetch, Moved, Ticket};

use super::{Event, World};
use crate::machine::{Chore, Task};

/// How long whoever moves records waits after a block, and when there is no room.
const MOVE_PAUSE: Duration = Duration::from_millis(1);
const BLOCKED_PAUSE: Duration = Duration::from_millis(20);
/// How often the thread of a namespace looks what there is to do.
const HOUSE_PERIOD: Duration = Duration::from_secs(1);

impl World {
    /// Has the devices of a node that has just started tended.
    pub(super) fn begin_upkeep(&mut self, machine: usize) {
        let now = self.now;
        let Some(process) = &mut self.machines[machine].process else { return };
        let count = process.upkeep.devices.len();
        process.upkeep.raided_at = now;
        process.upkeep.devices.iter_mut().for_each(|chores| chores.flushed_at = now);
        if let Some(found) = process.found.clone() {
            let text = format_args!("node {machine} finds on its disks: {found:?}");
            self.trace.line(now, text);
            if !self.machines[machine].was_torn {
                self.starts.push((machine, found));
            }
        }
        for device in 0..count {
            self.wake(machine, Task::Upkeep(Chore::Move(device)), Duration::ZERO);
        }
        if count > 0 {
            self.wake(machine, Task::Upkeep(Chore::House), HOUSE_PERIOD);
        }
    }

    /// Sends the reads of a node's loops on their way, and its writes if there is something to write.
    pub(super) fn look_after_devices(&mut self, machine: usize) {
        let of = &self.machines[machine];
        let (life, Some(process)) = (of.life, &of.process) else { return };
        let (namespace, upkeep) = (&process.node.namespaces[0], &process.upkeep);
        let mut due = Vec::new();
        for (device, chores) in upkeep.devices.iter().enumerate() {
            if namespace.is_flush_due(device, self.now - chores.flushed_at) {
                due.push(device);
            }
        }
        let reads = process.loops.iter().enumerate();
        let reads = reads.flat_map(|(index, of)| {
            of.reads().into_iter().map(move |(ticket, fetch)| (index, ticket, fetch))
        });
        for (index, ticket, fetch) in reads.collect::<Vec<_>>() {
            let pause = self.disk_delay(machine);
            self.after(pause, Event::HasRead(machine, life, index, ticket, fetch));
        }
        for device in due {
            let pause = self.disk_delay(machine);
            self.wake(machine, Task::Upkeep(Chore::Flush(device)), pause);
        }
    }

    /// How long a read or write takes.
    fn disk_delay(&mut self, machine: usize) -> Duration {
        let micros = match self.random.u32(..300) {
            0 => self.random.u64(1000..20_000),
            _ => self.random.u64(40..400),
        };
        let is_slow = self.machines[machine].slow_until > self.now;
        Duration::from_micros(if is_slow { micros * 100 } else { micros })
    }

    /// A read is done. Its loop may not be there any more.
    pub(super) fn has_read(
        &mut self,
        machine: usize,
        life: u32,
        index: usize,
        (ticket, fetch): (Ticket, &Fetch),
    ) {
        let of = &self.machines[machine];
        let Some(process) = of.process.as_ref().filter(|_| of.life == life) else { return };
        process.loops[index].has_read(ticket, fetch);
        self.trace.note(self.now, 7 + machine as u64 * 16, &ticket.to_le_bytes());
        self.after_work(machine);
    }

    pub(super) fn tend_devices(&mut self, machine: usize, chore: Chore) {
        match chore {
            Chore::Flush(device) => self.flush(machine, device),
            Chore::Move(device) => self.move_block(machine, device),
            Chore::House => self.keep_house(machine),
        }
    }

    fn flush(&mut self, machine: usize, device: usize) {
        let now = self.now;
        let Some(process) = &mut self.machines[machine].process else { return };
        let chores = &mut process.upkeep.devices[device];
        if process.node.namespaces[0].flush_due(device, now - chores.flushed_at) {
            chores.flushed_at = now;
        }
        self.trace.note(now, 8 + machine as u64 * 16, &[device as u8]);
    }

    fn move_block(&mut self, machine: usize, device: usize) {
        let Some(process) = &self.machines[machine].process else { return };
        let moved = process.node.namespaces[0].move_block(device);
        let pause = match moved {
            Moved::Block => MOVE_PAUSE + self.disk_delay(machine),
            Moved::Blocked => BLOCKED_PAUSE,
            Moved::Nothing => Duration::from_millis(self.random.u64(2..100)),
        };
        if moved == Moved::Block {
            self.tally.moves += 1;
            self.trace.note(self.now, 9 + machine as u64 * 16, &[device as u8]);
        }
        self.wake(machine, Task::Upkeep(Chore::Move(device)), pause);
    }

    /// As the thread of the server that bears this name does.
    fn keep_house(&mut self, machine: usize) {
        let now = self.now;
        let Some(process) = &mut self.machines[machine].process else { return };
        let namespace = &process.node.namespaces[0];
        let incidents = namespace.incidents();
        let period = u64::from(namespace.config().tomb_raider_period_seconds);
        let mut removed = None;
        if period != 0 && now - process.upkeep.raided_at >= Duration::from_secs(period) {
            removed = Some(namespace.raid());
            process.upkeep.raided_at = now;
        }
        for incident in incidents {
            self.trace.line(now, format_args!("node {machine}: {incident}"));
        }
        if let Some(removed) = removed {
            self.trace.line(now, format_args!("node {machine} removes {removed} old traces"));
        }
        self.wake(machine, Task::Upkeep(Chore::House), HOUSE_PERIOD);
    }
}
