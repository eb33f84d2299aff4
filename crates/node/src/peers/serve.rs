//! What other nodes ask of this one.
//!
//! A question that has to wait for a device, or a client's request that has to wait for yet other nodes, is
//! parked: the answers to later ones overtake it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cluster::fabric::{Change, Frame, Kind, Lookup, Removal, Status, Transfer};
use cluster::partition::Partition;
use engine::copies::{Accepted, Rule, Version};
use engine::{Namespace, Turn};
use storage::{Fetch, Fetched, Pledges, Ticket};
use wire::{Digest, Request, ResultCode};

use super::copies::Lost;
use super::{Asker, PeerAnswer, Remote, Waiter};
use crate::clustering::Letter;
use crate::info::Administration;
use crate::node::Node;
use crate::outcome::Origin;
use crate::unfinished::{Progress, Unfinished};
use crate::waits::Claim;
use crate::worker::{Unanswerable, Worker};

/// Questions that wait, by their tickets.
#[derive(Debug, Default)]
pub(crate) struct Tasks(HashMap<Ticket, Task>);

#[derive(Debug)]
struct Task {
    to: AnswerTo,
    what: Waiting,
}

/// Who gets the answer to a question.
#[derive(Clone, Debug)]
enum AnswerTo {
    /// Another node, on the connection that it asked on, with the number of its call.
    Peer(Remote, u64),
    /// A batch of this loop that waits with a ticket, as the answer to the row with this number.
    Row(Ticket, RowAnswers, usize),
}

/// The answers to rows of a batch, by number.
pub(crate) type RowAnswers = Rc<RefCell<BTreeMap<usize, Vec<u8>>>>;

#[derive(Debug)]
enum Waiting {
    /// A question about a record, which has to be read first; its frame is kept.
    Record(Claim, Box<[u8]>),
    /// An answer that is held back until a device has done its part.
    Held(Claim, Vec<u8>),
    /// A client's request, and what there is of its reply.
    Request(Box<Unfinished>, Vec<u8>),
}

impl Worker {
    /// Takes in a frame of another node. Returns how much work that was, in requests about one record.
    ///
    /// # Errors
    /// [`Unanswerable`] for what is no frame: the connection is to be closed.
    pub fn peer_frame(&mut self, from: Remote, bytes: &[u8]) -> Result<usize, Unanswerable> {
        let frame = Frame::parse(bytes).ok_or(Unanswerable)?;
        match frame.kind {
            Kind::Membership | Kind::Exchange => self.node().cluster.deliver(letter_of(&frame)),
            Kind::Metadata => self.node().spread.deliver(letter_of(&frame)),
            Kind::Answer => self.take_answer(&frame),
            Kind::Write | Kind::Remove | Kind::Lookup => self.serve_record(from, &frame, bytes),
            Kind::Proxy => self.serve_proxied(from, &frame),
            Kind::Migration => self.node().migrations.deliver(letter_of(&frame)),
            Kind::Command => self.serve_command(from, &frame),
        }
        Ok(1)
    }

    /// A connection is lost, or could not be made. What was asked there may never be answered.
    pub fn peer_lost(&mut self, remote: Remote) {
        match remote {
            Remote::Route(address, channel) => {
                let lost = self.waits().peers.lose(address, channel);
                self.give_up(lost);
            }
            // The other node will ask again.
            Remote::Incoming(_) => {}
        }
    }

    /// Calls that will not be answered.
    pub(crate) fn give_up(&mut self, lost: Vec<(Asker, cluster::NodeId)>) {
        for (asker, from) in lost {
            match asker {
                Asker::Claim(ticket) => {
                    self.waits().answer(ticket, PeerAnswer { from, body: None });
                }
                Asker::Copy(key) => self.copy_answered(key, from, None),
            }
        }
    }

    fn take_answer(&mut self, frame: &Frame<'_>) {
        let Some((asker, from)) = self.waits().peers.take(frame.call) else { return };
        match asker {
            Asker::Claim(ticket) => {
                let answer = PeerAnswer { from, body: Some(frame.body.to_vec()) };
                self.waits().answer(ticket, answer);
            }
            Asker::Copy(key) => {
                let (status, rest) = Status::split(frame.body).unzip();
                if let (Some(Status::Failed), Some([code, version @ ..])) = (status, rest)
                    && ResultCode(*code) == ResultCode::LOST_CONFLICT
                {
                    return self.copy_lost(key, version);
                }
                self.copy_answered(key, from, status);
            }
        }
    }

    fn copy_answered(&mut self, key: u64, from: cluster::NodeId, status: Option<Status>) {
        let now = self.node().host.monotonic();
        if let Some(ticket) = self.waits().peers.copy_answered(key, from, status, now) {
            self.waits().copied(ticket);
        }
    }

    /// A change came too late: somebody else serves, and has written since. Whether it was made is for
    /// its client to find out; here, the other version takes its place.
    fn copy_lost(&mut self, key: u64, version: &[u8]) {
        let Some(lost) = self.waits().peers.give_up_copy(key) else { return };
        let mut fetched = Fetched::default();
        while !version.is_empty() {
            let mut pledges = Pledges::default();
            let (node, mut turn, _) = self.resume(&fetched, &mut pledges);
            match node.adopt(&lost, version, &mut turn) {
                Ok(()) => break,
                Err(fetch) => {
                    fetched.clear();
                    fetched.add(fetch.read_now());
                }
            }
        }
        if let Waiter::Ticket(ticket) = lost.waiter {
            self.waits().copy_lost(ticket);
        }
    }

    fn send_answer(&mut self, to: AnswerTo, body: Vec<u8>) {
        match to {
            AnswerTo::Peer(to, call) => {
                let mut frame = Vec::new();
                Frame::begin(&mut frame, Kind::Answer, call, self.node().cluster.me());
                frame.extend_from_slice(&body);
                self.waits().peers.outbox.push((to, frame));
            }
            AnswerTo::Row(ticket, answers, number) => {
                answers.borrow_mut().insert(number, body);
                self.waits().row_answered(ticket);
            }
        }
    }

    /// Carries out a row of a batch as a request of its own, because other nodes have to do with it. Its
    /// answer is put among `answers`, and the batch, which waits with this ticket, hears of it.
    pub(crate) fn run_row(
        &mut self,
        (ticket, answers, number): (Ticket, &RowAnswers, usize),
        message: &[u8],
        woken: Duration,
    ) {
        let to = AnswerTo::Row(ticket, Rc::clone(answers), number);
        let (mut out, mut pledges) = (Vec::new(), Pledges::default());
        let (node, mut turn, waits) = self.resume(Fetched::NONE, &mut pledges);
        let node = Arc::clone(node);
        // It was just written.
        let Ok(request) = Request::parse(message) else { return self.send_answer(to, out) };
        let asked = (Origin::Batch, woken);
        match node.answer_for(asked, &request, message, &mut turn, waits, &mut out) {
            None => self.send_answer(to, out),
            Some(unfinished) => {
                let what = Waiting::Request(Box::new(unfinished), out);
                self.park(Task { to, what });
            }
        }
    }

    fn serve_record(&mut self, from: Remote, frame: &Frame<'_>, bytes: &[u8]) {
        let to = AnswerTo::Peer(from, frame.call);
        self.answer_record(to, frame, bytes, &Fetched::default(), None);
    }

    fn answer_record(
        &mut self,
        to: AnswerTo,
        frame: &Frame<'_>,
        bytes: &[u8],
        fetched: &Fetched,
        claim: Option<Claim>,
    ) {
        let mut pledges = Pledges::default();
        let mut answer = Vec::new();
        let (node, mut turn, waits) = self.resume(fetched, &mut pledges);
        let served = node.serve_record(frame, &mut turn, &mut answer);
        let what = match served {
            Ok(namespace) => match namespace.filter(|_| !turn.pledges.is_empty()) {
                None => return self.send_answer(to, answer),
                Some(namespace) => {
                    let claim = claim.unwrap_or_else(|| waits.claim());
                    waits.hold(&claim, vec![(namespace, turn.pledges.take())]);
                    Waiting::Held(claim, answer)
                }
            },
            Err(fetch) => {
                let claim = claim.unwrap_or_else(|| waits.claim());
                waits.read(&claim, &fetch);
                Waiting::Record(claim, bytes.into())
            }
        };
        self.park(Task { to, what });
    }

    fn serve_proxied(&mut self, from: Remote, frame: &Frame<'_>) {
        let to = AnswerTo::Peer(from, frame.call);
        let mut out = vec![Status::Done as u8];
        let (woken, mut pledges) = (self.woken(), Pledges::default());
        let (node, mut turn, waits) = self.resume(Fetched::NONE, &mut pledges);
        let node = Arc::clone(node);
        match node.answer_proxied(frame.body, woken, &mut turn, waits, &mut out) {
            None => self.send_answer(to, out),
            Some(unfinished) => {
                let what = Waiting::Request(Box::new(unfinished), out);
                self.park(Task { to, what });
            }
        }
    }

    /// Carries out a command about metadata that another node was given.
    fn serve_command(&mut self, from: Remote, frame: &Frame<'_>) {
        let to = AnswerTo::Peer(from, frame.call);
        let out = vec![Status::Done as u8];
        let command = Administration::for_peer(frame.body, self.waits());
        let what = Waiting::Request(Box::new(Unfinished::Info(Box::new(command))), out);
        self.go_on(Task { to, what });
    }

    fn park(&mut self, task: Task) {
        let ticket = match &task.what {
            Waiting::Record(claim, _) | Waiting::Held(claim, _) => Some(claim.ticket()),
            Waiting::Request(unfinished, _) => unfinished.ticket(),
        };
        match ticket {
            Some(ticket) => _ = self.tasks().0.insert(ticket, task),
            // It does not wait after all.
            None => self.go_on(task),
        }
    }

    /// Goes on with the questions among those that may; leaves the tickets of others.
    pub(crate) fn advance_tasks(&mut self, ready: &mut Vec<Ticket>) {
        if self.tasks().0.is_empty() {
            return;
        }
        let mut mine = Vec::new();
        ready.retain(|ticket| match self.tasks().0.remove(ticket) {
            Some(task) => {
                mine.push(task);
                false
            }
            None => true,
        });
        mine.into_iter().for_each(|task| self.go_on(task));
    }

    fn go_on(&mut self, task: Task) {
        let Task { to, what } = task;
        match what {
            Waiting::Held(claim, answer) => match claim.outcome() {
                Some(outcome) if outcome.failed => {
                    self.send_answer(to, vec![Status::Failed as u8, ResultCode::UNKNOWN.0]);
                }
                Some(_) => self.send_answer(to, answer),
                None => self.park(Task { to, what: Waiting::Held(claim, answer) }),
            },
            Waiting::Record(claim, bytes) => match (claim.outcome(), Frame::parse(&bytes)) {
                (Some(outcome), Some(frame)) => {
                    self.answer_record(to, &frame, &bytes, &outcome.fetched, Some(claim));
                }
                _ => self.park(Task { to, what: Waiting::Record(claim, bytes) }),
            },
            Waiting::Request(mut unfinished, mut out) => loop {
                match unfinished.advance(self, &mut out) {
                    Progress::More => {}
                    Progress::Over => return self.send_answer(to, out),
                    Progress::Waits(ticket) => {
                        let what = Waiting::Request(unfinished, out);
                        self.tasks().0.insert(ticket, Task { to, what });
                        return;
                    }
                }
            },
        }
    }
}

impl Node {
    /// Answers a question about a record. Returns the namespace if a device may have something to do before the
    /// answer is sent.
    fn serve_record(
        &self,
        frame: &Frame<'_>,
        turn: &mut Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<Option<Arc<Namespace>>, Fetch> {
        answer.clear();
        let malformed = |answer: &mut Vec<u8>| {
            answer.push(Status::Malformed as u8);
            Ok(None)
        };
        match frame.kind {
            Kind::Write => {
                let Some((change, body)) = Change::decode(frame.body) else {
                    return malformed(answer);
                };
                let Change { cluster_key, namespace, digest, is_late, transfer } = change;
                let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer)
                else {
                    return Ok(None);
                };
                let Transfer { meta, set_name, bytes } = transfer;
                self.observe_time(meta.last_update_time);
                let version = Version { meta, set_name, body, bytes };
                if is_late {
                    self.accept_late(&namespace, &digest, &version, turn, answer)?;
                } else {
                    let rule = Rule::LastUpdateTime;
                    let accepted = namespace.accept(&digest, &version, rule, turn)?;
                    put_status(answer, accepted.err());
                }
                Ok(Some(namespace))
            }
            Kind::Remove => {
                let Some(removal) = Removal::decode(frame.body) else { return malformed(answer) };
                let Removal { cluster_key, namespace, digest, at } = removal;
                self.observe_time(at);
                let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer)
                else {
                    return Ok(None);
                };
                let accepted = namespace.accept_removal(&digest, at, turn)?;
                put_status(answer, accepted.err());
                Ok(Some(namespace))
            }
            _ => {
                let Some(lookup) = Lookup::decode(frame.body) else { return malformed(answer) };
                self.look_up(&lookup, turn, answer)?;
                Ok(None)
            }
        }
    }

    /// Takes over a write of a node that served before, if nothing was written since. Otherwise that node
    /// hears what is here instead.
    fn accept_late(
        &self,
        namespace: &Arc<Namespace>,
        digest: &Digest,
        version: &Version<'_>,
        turn: &mut Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Fetch> {
        let partition = self.partition(namespace, digest);
        if !partition.serves() {
            answer.push(Status::Later as u8);
            return Ok(());
        }
        match namespace.accept(digest, version, Rule::Successor, turn)? {
            Ok(Accepted::Unfit) => {
                answer.extend_from_slice(&[Status::Failed as u8, ResultCode::LOST_CONFLICT.0]);
                let mut bytes = Vec::new();
                if let Some((meta, set)) = namespace.copy_out(digest, turn.fetched, &mut bytes)? {
                    let set_name = set.map_or(&[][..], |set| &set.name);
                    Transfer { meta, set_name, bytes: &bytes }.encode(answer);
                }
            }
            accepted => {
                // The others hear of it from whoever serves.
                self.copy_from_thread(namespace, digest, turn.written, Waiter::Nobody);
                put_status(answer, accepted.err());
            }
        }
        Ok(())
    }

    /// The namespace that another node means, if both are in the same view.
    fn addressed(
        &self,
        cluster_key: u64,
        namespace: &[u8],
        digest: &Digest,
        answer: &mut Vec<u8>,
    ) -> Option<Arc<Namespace>> {
        let Some(namespace) = self.namespace(namespace) else {
            answer.extend_from_slice(&[Status::Failed as u8, ResultCode::NAMESPACE.0]);
            return None;
        };
        let key = self.partition(namespace, digest).cluster_key;
        if key != cluster_key {
            answer.push(Status::OtherView as u8);
            return None;
        }
        Some(Arc::clone(namespace))
    }

    fn partition(&self, namespace: &Namespace, digest: &Digest) -> Arc<Partition> {
        self.cluster.table(namespace.number()).get(digest.partition())
    }

    /// Says what is here of a record, unless it is what the other node has.
    fn look_up(
        &self,
        lookup: &Lookup<'_>,
        turn: &Turn<'_>,
        answer: &mut Vec<u8>,
    ) -> Result<(), Fetch> {
        let Lookup { cluster_key, namespace, digest, known } = *lookup;
        let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer) else {
            return Ok(());
        };
        answer.push(Status::Done as u8);
        let meta = namespace.meta_of(&digest);
        let is_known =
            |meta: &record::RecordMeta| known == Some((meta.last_update_time, meta.generation));
        if meta.as_ref().is_none_or(is_known) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        if let Some((meta, set)) = namespace.copy_out(&digest, turn.fetched, &mut bytes)? {
            let set_name = set.map_or(&[][..], |set| &set.name);
            Transfer { meta, set_name, bytes: &bytes }.encode(answer);
        }
        Ok(())
    }

    /// Takes over what another node has of a record, if that counts more.
    pub(crate) fn take_over(
        &self,
        namespace: &Namespace,
        digest: &Digest,
        bytes: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<Result<(), ResultCode>, Fetch> {
        let Some((Transfer { meta, set_name, bytes }, body)) = Transfer::decode(bytes) else {
            return Ok(Err(ResultCode::UNKNOWN));
        };
        self.observe_time(meta.last_update_time);
        let version = Version { meta, set_name, body, bytes };
        let accepted = namespace.accept(digest, &version, namespace.conflict_rule(), turn)?;
        Ok(accepted.map(|_| ()))
    }

    /// Takes over the version of whoever serves in place of a change that came too late there.
    fn adopt(&self, lost: &Lost, version: &[u8], turn: &mut Turn<'_>) -> Result<(), Fetch> {
        let Some((time, generation)) = lost.sent else { return Ok(()) };
        let Some((Transfer { meta, set_name, bytes }, body)) = Transfer::decode(version) else {
            return Ok(());
        };
        let version = Version { meta, set_name, body, bytes };
        let rule = Rule::Instead(time, generation);
        // If it cannot be stored, the next migration brings it.
        let _ = lost.namespace.accept(&lost.digest, &version, rule, turn)?;
        Ok(())
    }

    /// Answers a client's request that came to another node, or begins to.
    fn answer_proxied(
        self: &Arc<Self>,
        body: &[u8],
        woken: Duration,
        turn: &mut Turn<'_>,
        waits: &mut crate::waits::Waits,
        out: &mut Vec<u8>,
    ) -> Option<Unfinished> {
        let refuse = |out: &mut Vec<u8>, status: Status| {
            out.clear();
            out.push(status as u8);
            None
        };
        let Ok(request) = Request::parse(body) else { return refuse(out, Status::Malformed) };
        if request.is_batch() || request.digest.is_none() {
            return refuse(out, Status::Malformed);
        }
        self.answer_for((Origin::Proxy, woken), &request, body, turn, waits, out)
    }
}

fn letter_of(frame: &Frame<'_>) -> Letter {
    Letter { kind: frame.kind, from: frame.from, body: frame.body.to_vec() }
}

fn put_status(answer: &mut Vec<u8>, failure: Option<ResultCode>) {
    match failure {
        None => answer.push(Status::Done as u8),
        Some(result) => answer.extend_from_slice(&[Status::Failed as u8, result.0]),
    }
}
