//! What happens to requests of clients.

use std::time::Duration;

use wire::ProtoType;

use super::{Event, World};
use crate::client::{
    Action, CallId, Family, KeyNumber, Outcome, Pending, Seen, Verdict, info_frame, read,
    request_of,
};
use crate::machine::{Call, Inbound};

/// How often the partition map is asked for.
const TEND_PERIOD: Duration = Duration::from_millis(300);

impl World {
    /// Sends a request on its way.
    fn send_call(&mut self, pending: Pending, patience: Duration) -> CallId {
        let call = self.clients.next_call();
        self.clients.pending.insert(call, pending);
        let delay = self.client_delay();
        self.after(delay, Event::Arrives(call));
        self.after(patience, Event::TimedOut(call));
        call
    }

    pub(super) fn begin_request(&mut self, client: usize) {
        if !self.clients.are_active || self.clients.clients[client].waits.is_some() {
            return;
        }
        let (key, action) = self.clients.choose(client, &mut self.random);
        let machine = self.clients.machine_for(client, key, action, &mut self.random);
        let deed = self.clients.history.begin(key, action, machine, self.now);
        let keys = &self.clients.keys;
        let body = request_of(keys.family(key), &keys.digest(key), action, deed as i64);
        let pending = Pending {
            client: Some(client),
            deed: Some(deed),
            machine,
            arrived: None,
            body,
            audited: None,
        };
        let patience = Duration::from_millis(self.random.u64(1000..2500));
        let call = self.send_call(pending, patience);
        self.clients.clients[client].waits = Some(call);
    }

    pub(super) fn tend(&mut self) {
        for machine in 0..self.machines.len() {
            let body = info_frame("replicas");
            let (client, deed, arrived, audited) = (None, None, None, None);
            let pending = Pending { client, deed, machine, arrived, body, audited };
            self.send_call(pending, Duration::from_secs(1));
        }
        if self.clients.are_active {
            self.after(TEND_PERIOD, Event::Tend);
        }
    }

    /// Reads all keys from all nodes.
    pub fn audit(&mut self) {
        self.audits.clear();
        let machines: Vec<_> = self.running().collect();
        for key in 0..self.clients.keys.count() {
            for &machine in &machines {
                let keys = &self.clients.keys;
                let action = Action::Read { all: key % 2 == 0 };
                let body = request_of(keys.family(key), &keys.digest(key), action, 0);
                let (client, deed, arrived, audited) = (None, None, None, Some(key));
                let pending = Pending { client, deed, machine, arrived, body, audited };
                self.send_call(pending, Duration::from_secs(5));
            }
        }
    }

    pub(super) fn arrive(&mut self, call: CallId) {
        let Some(pending) = self.clients.pending.get_mut(&call) else { return };
        let machine = pending.machine;
        let of = &self.machines[machine];
        let Some(process) = &of.process else {
            let delay = self.client_delay();
            self.after(delay, Event::Dropped(call));
            return;
        };
        // A client keeps to its connection, and that to its loop.
        let index = pending.client.unwrap_or(call as usize) % process.loops.len();
        pending.arrived = Some((of.life, index));
        let is_info = pending.deed.is_none() && pending.audited.is_none();
        let kind = if is_info { ProtoType::Info } else { ProtoType::Message };
        let body = std::mem::take(&mut pending.body);
        self.trace.note(self.now, 4, &body);
        self.deliver(machine, index, Inbound::Call(Call { id: call, kind, body }));
    }

    pub(super) fn answered(&mut self, call: CallId, frame: &[u8]) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        self.trace.note(self.now, 5, frame);
        let verdict = || read(frame);
        match (pending.deed, pending.audited) {
            (Some(deed), _) => self.end_request(&pending, deed, verdict()),
            (None, Some(key)) => self.audits.push((key, pending.machine, verdict())),
            (None, None) => {
                let text = String::from_utf8_lossy(frame.get(8..).unwrap_or_default());
                let value = text.split_once('\t').map_or("", |(_, value)| value);
                self.clients.map.learn(pending.machine, value);
            }
        }
    }

    pub(super) fn dropped(&mut self, call: CallId) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        self.give_up(&pending, "lost");
    }

    pub(super) fn timed_out(&mut self, call: CallId) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        if let Some((life, index)) = pending.arrived
            && self.machines[pending.machine].life == life
        {
            self.deliver(pending.machine, index, Inbound::Close(call));
        }
        self.give_up(&pending, "late");
    }

    /// A client knows nothing of what came of its request, but whether it arrived.
    fn give_up(&mut self, pending: &Pending, why: &str) {
        let verdict = match pending.arrived {
            Some(_) => Verdict::Doubt(wire::ResultCode::TIMEOUT),
            None => Verdict::Refused(wire::ResultCode::UNAVAILABLE),
        };
        match (pending.deed, pending.audited) {
            (Some(deed), _) => {
                self.trace.note(self.now, 6, why.as_bytes());
                self.end_request(pending, deed, verdict);
            }
            (None, Some(key)) => self.audits.push((key, pending.machine, verdict)),
            (None, None) => self.clients.map.forget(pending.machine),
        }
    }

    fn end_request(&mut self, pending: &Pending, deed: usize, verdict: Verdict) {
        let Some(client) = pending.client else { return };
        let (outcome, seen) = match verdict {
            Verdict::Done(seen) => (Outcome::Done, Some(seen)),
            Verdict::Absent => (Outcome::Absent, None),
            Verdict::Refused(_) => (Outcome::Refused, None),
            Verdict::Doubt(_) => (Outcome::Doubt, None),
        };
        let (key, action) = {
            let deed = &self.clients.history.deeds[deed];
            (deed.key, deed.action)
        };
        self.tell_of(deed, pending.machine, outcome, seen.as_ref());
        self.remember_for_modify(client, key, action, outcome, seen.as_ref());
        self.clients.history.end(deed, outcome, seen, self.now);
        self.clients.clients[client].waits = None;
        let rest = self.clients.rest.as_micros() as u64;
        let rest = if self.random.u32(..5) == 0 { 0 } else { self.random.u64(..rest) };
        self.after(Duration::from_micros(rest), Event::Next(client));
    }

    fn tell_of(&mut self, deed: usize, machine: usize, outcome: Outcome, seen: Option<&Seen>) {
        let of = &self.clients.history.deeds[deed];
        let (key, action, family) = (of.key, of.action, self.clients.keys.family(of.key));
        let read = seen.filter(|_| !action.writes());
        let partition = self.clients.keys.digest(key).partition().index();
        let now = self.now;
        let text = format_args!(
            "op {deed} on {family:?} {key} (partition {partition}) at {machine} since {:.6}: {action:?} \
             {outcome:?} {read:?}",
            of.begun.as_secs_f64()
        );
        self.trace.line(now, text);
    }

    fn remember_for_modify(
        &mut self,
        client: usize,
        key: KeyNumber,
        action: Action,
        outcome: Outcome,
        seen: Option<&Seen>,
    ) {
        if self.clients.keys.family(key) != Family::Modified || action.writes() {
            return;
        }
        let number = seen.and_then(|seen| seen.number);
        let generation = seen.map(|seen| seen.generation);
        self.clients.clients[client].read = match outcome {
            Outcome::Done => number.map(|number| (key, number, generation)),
            Outcome::Absent => Some((key, 0, None)),
            _ => None,
        };
    }
}
