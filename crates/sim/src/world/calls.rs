//! What happens to requests of clients.

use std::time::Duration;

use wire::{ProtoType, ResultCode};

use super::{Event, World};
use crate::client::batch::{batch_of, read_batch};
use crate::client::{
    Action, CallId, Family, KeyNumber, Outcome, Pending, Plan, Purpose, Seen, Verdict, info_frame,
    read, request_of,
};
use crate::machine::{Call, Inbound};

/// How often the partition map is asked for.
const TEND_PERIOD: Duration = Duration::from_millis(300);

impl World {
    /// Sends a request on its way.
    pub(super) fn send_call(
        &mut self,
        purpose: Purpose,
        machine: usize,
        body: Vec<u8>,
        patience: Duration,
    ) -> CallId {
        let call = self.clients.next_call();
        let pending = Pending { purpose, machine, arrived: None, body };
        self.clients.pending.insert(call, pending);
        let delay = self.client_delay();
        self.after(delay, Event::Arrives(call));
        self.after(patience, Event::TimedOut(call));
        call
    }

    pub(super) fn begin_request(&mut self, client: usize) {
        if !self.clients.are_active || self.clients.clients[client].waits {
            return;
        }
        self.clients.clients[client].waits = true;
        let patience = Duration::from_millis(self.random.u64(1000..2500));
        match self.clients.choose(client, &mut self.random) {
            Plan::One(key, action) => {
                let machine = self.clients.machine_for(client, key, action, &mut self.random);
                let deed = self.clients.history.begin(key, action, machine, self.now);
                let body = request_of(&self.clients.keys, key, action, deed as i64);
                self.send_call(Purpose::Deed { client, deed }, machine, body, patience);
            }
            Plan::Batch(rows) => self.begin_batch(client, rows, patience),
            Plan::Query => self.begin_query_of(client),
            Plan::Aggregation => self.begin_aggregation_of(client),
            Plan::Job => self.begin_job_of(client),
        }
    }

    fn begin_batch(
        &mut self,
        client: usize,
        mut rows: Vec<(KeyNumber, Action)>,
        patience: Duration,
    ) {
        let (key, action) = rows[0];
        let machine = self.clients.machine_for(client, key, action, &mut self.random);
        if self.random.bool() {
            // Mostly clients ask each node for what it has; some maps are old.
            let (clients, random) = (&self.clients, &mut self.random);
            rows.retain(|(of, action)| {
                *of == key || clients.machine_for(client, *of, *action, random) == machine
            });
        }
        let (mut deeds, mut of_batch) = (Vec::new(), Vec::new());
        for (key, action) in rows {
            let deed = self.clients.history.begin(key, action, machine, self.now);
            of_batch.push((key, action, deed as i64));
            deeds.push(deed);
        }
        let body = batch_of(&self.clients.keys, &of_batch);
        self.send_call(Purpose::Batch { client, deeds }, machine, body, patience);
    }

    pub(super) fn tend(&mut self) {
        self.ask_for_maps();
        if self.clients.are_active {
            self.after(TEND_PERIOD, Event::Tend);
        }
    }

    fn ask_for_maps(&mut self) {
        for machine in 0..self.machines.len() {
            let body = info_frame("replicas");
            self.send_call(Purpose::Map, machine, body, Duration::from_secs(1));
        }
    }

    /// Reads all keys from all nodes, and has queries made.
    pub fn audit(&mut self) {
        self.audits.clear();
        self.audited_at = self.now;
        let machines: Vec<_> = self.running().collect();
        for key in 0..self.clients.keys.count() {
            for &machine in &machines {
                let action = Action::Read { all: key % 2 == 0 };
                let body = request_of(&self.clients.keys, key, action, 0);
                self.send_call(Purpose::Audit(key), machine, body, Duration::from_secs(5));
            }
        }
        self.ask_for_maps();
        self.begin_audit_queries();
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
        let connection = match &pending.purpose {
            Purpose::Deed { client, .. } | Purpose::Batch { client, .. } => *client,
            _ => call as usize,
        };
        let index = connection % process.loops.len();
        pending.arrived = Some((of.life, index));
        let kind = if pending.purpose.is_info() { ProtoType::Info } else { ProtoType::Message };
        let body = std::mem::take(&mut pending.body);
        self.trace.note(self.now, 4, &body);
        self.deliver(machine, index, Inbound::Call(Call { id: call, kind, body }));
    }

    pub(super) fn answered(&mut self, call: CallId, frames: &[u8]) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        self.trace.note(self.now, 5, frames);
        match &pending.purpose {
            Purpose::Deed { client, deed } => {
                self.end_deed(*client, *deed, read(frames));
                self.rest(*client);
            }
            Purpose::Batch { client, deeds } => {
                let verdicts = read_batch(frames, deeds.len());
                self.end_batch(*client, deeds, verdicts);
            }
            Purpose::Query(query) => self.query_answered(*query, call, Some(frames)),
            Purpose::Aggregation(place) => self.aggregation_answered(*place, call, Some(frames)),
            Purpose::Job(job) => self.job_begun(*job, pending.machine, &read(frames)),
            Purpose::JobStatus(job) => {
                self.job_told(*job, pending.machine, info_value(frames).as_deref());
            }
            Purpose::Audit(key) => self.audits.push((*key, pending.machine, read(frames))),
            Purpose::Change(change) => self.change_answered(*change, info_value(frames)),
            Purpose::Map => {
                let value = info_value(frames).unwrap_or_default();
                self.clients.map.learn(pending.machine, &value);
            }
        }
    }

    pub(super) fn dropped(&mut self, call: CallId) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        self.give_up(call, &pending, "lost");
    }

    pub(super) fn timed_out(&mut self, call: CallId) {
        let Some(pending) = self.clients.pending.remove(&call) else { return };
        if let Some((life, index)) = pending.arrived
            && self.machines[pending.machine].life == life
        {
            self.deliver(pending.machine, index, Inbound::Close(call));
        }
        self.give_up(call, &pending, "late");
    }

    /// A client knows nothing of what came of its request, but whether it arrived.
    fn give_up(&mut self, call: CallId, pending: &Pending, why: &str) {
        let verdict = match pending.arrived {
            Some(_) => Verdict::Doubt(ResultCode::TIMEOUT),
            None => Verdict::Refused(ResultCode::UNAVAILABLE),
        };
        self.trace.note(self.now, 6, why.as_bytes());
        match &pending.purpose {
            Purpose::Deed { client, deed } => {
                self.end_deed(*client, *deed, verdict);
                self.rest(*client);
            }
            Purpose::Batch { client, deeds } => {
                self.end_batch(*client, deeds, vec![verdict; deeds.len()]);
            }
            Purpose::Query(query) => self.query_answered(*query, call, None),
            Purpose::Aggregation(place) => self.aggregation_answered(*place, call, None),
            Purpose::Job(job) => self.job_begun(*job, pending.machine, &verdict),
            Purpose::JobStatus(job) => self.job_told(*job, pending.machine, None),
            Purpose::Audit(key) => self.audits.push((*key, pending.machine, verdict)),
            Purpose::Change(change) => {
                let outcome = match pending.arrived {
                    Some(_) => Outcome::Doubt,
                    None => Outcome::Refused,
                };
                self.end_change(*change, outcome);
            }
            Purpose::Map => self.clients.map.forget(pending.machine),
        }
    }

    fn end_batch(&mut self, client: usize, deeds: &[usize], verdicts: Vec<Verdict>) {
        for (deed, verdict) in deeds.iter().zip(verdicts) {
            self.end_deed(client, *deed, verdict);
        }
        self.rest(client);
    }

    fn end_deed(&mut self, client: usize, deed: usize, verdict: Verdict) {
        let (outcome, seen) = match verdict {
            Verdict::Done(seen) => (Outcome::Done, Some(seen)),
            Verdict::Absent => (Outcome::Absent, None),
            Verdict::Refused(_) => (Outcome::Refused, None),
            Verdict::Doubt(_) => (Outcome::Doubt, None),
        };
        let (key, action, machine) = {
            let deed = &self.clients.history.deeds[deed];
            (deed.key, deed.action, deed.machine)
        };
        self.tell_of(deed, machine, outcome, seen.as_ref());
        self.remember_for_modify(client, key, action, outcome, seen.as_ref());
        self.clients.history.end(deed, outcome, seen, self.now);
    }

    /// A client begins its next request after a while.
    pub(super) fn rest(&mut self, client: usize) {
        self.clients.clients[client].waits = false;
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

/// What an info command answered.
fn info_value(frame: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(frame.get(8..)?);
    text.split_once('\t').map(|(_, value)| value.trim_end().to_owned())
}
