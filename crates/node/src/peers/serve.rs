//! What other nodes ask of this one.
//!
//! A question that has to wait for a device, or a client's request that has to wait for yet other nodes, is
//! parked: the answers to later ones overtake it.

use std::collections::HashMap;
use std::sync::Arc;

use cluster::fabric::{Change, Frame, Kind, Lookup, Removal, Status, Transfer};
use cluster::partition::Partition;
use engine::copies::{Rule, Version};
use engine::{Namespace, Turn};
use storage::{Fetch, Fetched, Pledges, Ticket};
use wire::{Digest, Request, ResultCode};

use super::{Asker, PeerAnswer, Remote};
use crate::clustering::Letter;
use crate::node::Node;
use crate::unfinished::{Progress, Unfinished};
use crate::waits::Claim;
use crate::worker::{Unanswerable, Worker};

/// Questions that wait, by their tickets.
#[derive(Debug, Default)]
pub(crate) struct Tasks(HashMap<Ticket, Task>);

#[derive(Debug)]
struct Task {
    from: Remote,
    call: u64,
    what: Waiting,
}

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
        self.count_received(frame.kind, bytes.len());
        match frame.kind {
            Kind::Membership | Kind::Exchange | Kind::Metadata => {
                let letter =
                    Letter { kind: frame.kind, from: frame.from, body: frame.body.to_vec() };
                self.node().cluster.deliver(letter);
            }
            Kind::Answer => self.take_answer(&frame),
            Kind::Write | Kind::Remove | Kind::Lookup => self.serve_record(from, &frame, bytes),
            Kind::Proxy => self.serve_proxied(from, &frame),
            Kind::Migration => {
                let letter =
                    Letter { kind: frame.kind, from: frame.from, body: frame.body.to_vec() };
                self.node().migrations.deliver(letter);
            }
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
                let status = Status::split(frame.body).map(|(status, _)| status);
                self.copy_answered(key, from, status);
            }
        }
    }

    fn copy_answered(&mut self, key: usize, from: cluster::NodeId, status: Option<Status>) {
        let now = self.node().host.monotonic();
        if let Some(ticket) = self.waits().peers.copy_answered(key, from, status, now) {
            self.waits().copied(ticket);
        }
    }

    fn send_answer(&mut self, to: Remote, call: u64, body: &[u8]) {
        let mut frame = Vec::new();
        Frame::begin(&mut frame, Kind::Answer, call, self.node().cluster.me());
        frame.extend_from_slice(body);
        self.waits().peers.outbox.push((to, frame));
    }

    fn serve_record(&mut self, from: Remote, frame: &Frame<'_>, bytes: &[u8]) {
        self.answer_record(from, frame, bytes, &Fetched::default(), None);
    }

    fn answer_record(
        &mut self,
        from: Remote,
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
                None => return self.send_answer(from, frame.call, &answer),
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
        self.park(Task { from, call: frame.call, what });
    }

    fn serve_proxied(&mut self, from: Remote, frame: &Frame<'_>) {
        let mut out = vec![Status::Done as u8];
        let (woken, mut pledges) = (self.woken(), Pledges::default());
        let (node, mut turn, waits) = self.resume(Fetched::NONE, &mut pledges);
        let node = Arc::clone(node);
        match node.answer_proxied(frame.body, woken, &mut turn, waits, &mut out) {
            None => self.send_answer(from, frame.call, &out),
            Some(unfinished) => {
                let what = Waiting::Request(Box::new(unfinished), out);
                self.park(Task { from, call: frame.call, what });
            }
        }
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
        let Task { from, call, what } = task;
        match what {
            Waiting::Held(claim, answer) => match claim.outcome() {
                Some(outcome) if outcome.failed => {
                    let failed = [Status::Failed as u8, ResultCode::UNKNOWN.0];
                    self.send_answer(from, call, &failed);
                }
                Some(_) => self.send_answer(from, call, &answer),
                None => self.park(Task { from, call, what: Waiting::Held(claim, answer) }),
            },
            Waiting::Record(claim, bytes) => match (claim.outcome(), Frame::parse(&bytes)) {
                (Some(outcome), Some(frame)) => {
                    self.answer_record(from, &frame, &bytes, &outcome.fetched, Some(claim));
                }
                _ => self.park(Task { from, call, what: Waiting::Record(claim, bytes) }),
            },
            Waiting::Request(mut unfinished, mut out) => loop {
                match unfinished.advance(self, &mut out) {
                    Progress::More => {}
                    Progress::Over => return self.send_answer(from, call, &out),
                    Progress::Waits(ticket) => {
                        let what = Waiting::Request(unfinished, out);
                        self.tasks().0.insert(ticket, Task { from, call, what });
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
                let Change { cluster_key, namespace, digest, transfer } = change;
                let Some(namespace) = self.addressed(cluster_key, namespace, &digest, answer)
                else {
                    return Ok(None);
                };
                let Transfer { meta, set_name, bytes } = transfer;
                let version = Version { meta, set_name, body, bytes };
                let accepted = namespace.accept(&digest, &version, Rule::LastUpdateTime, turn)?;
                put_status(answer, accepted.err());
                Ok(Some(namespace))
            }
            Kind::Remove => {
                let Some(removal) = Removal::decode(frame.body) else { return malformed(answer) };
                let Removal { cluster_key, namespace, digest, at } = removal;
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
        namespace: &Namespace,
        digest: &Digest,
        bytes: &[u8],
        turn: &mut Turn<'_>,
    ) -> Result<Result<(), ResultCode>, Fetch> {
        let Some((Transfer { meta, set_name, bytes }, body)) = Transfer::decode(bytes) else {
            return Ok(Err(ResultCode::UNKNOWN));
        };
        let version = Version { meta, set_name, body, bytes };
        let accepted = namespace.accept(digest, &version, namespace.conflict_rule(), turn)?;
        Ok(accepted.map(|_| ()))
    }

    /// Answers a client's request that came to another node, or begins to.
    fn answer_proxied(
        self: &Arc<Self>,
        body: &[u8],
        woken: std::time::Duration,
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
        self.answer_for_peer(&request, body, woken, turn, waits, out)
    }
}

fn put_status(answer: &mut Vec<u8>, failure: Option<ResultCode>) {
    match failure {
        None => answer.push(Status::Done as u8),
        Some(result) => answer.extend_from_slice(&[Status::Failed as u8, result.0]),
    }
}
