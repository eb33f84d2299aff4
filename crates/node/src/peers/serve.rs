//! What other nodes ask of this one.
//!
//! A question that has to wait for a device, or a client's request that has to wait for yet other nodes, is
//! parked: the answers to later ones overtake it.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use cluster::Protocol;
use cluster::fabric::{Frame, Head, Kind, Status, Unreadable};
use storage::{Fetched, Pledges, Ticket};
use wire::{Request, ResultCode};

use super::{Asker, PeerAnswer, Remote, Waiter};
use crate::clustering::Letter;
use crate::host::Topic;
use crate::info::Administration;
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
    /// Another node, on the connection that it asked on: with the number of its call, in its version.
    Peer(Remote, u64, Protocol),
    /// A batch of this loop that waits with a ticket, as the answer to the row with this number.
    Row(Ticket, RowAnswers, usize),
}

impl AnswerTo {
    fn to(remote: Remote, frame: &Frame<'_>) -> Self {
        Self::Peer(remote, frame.call, frame.protocol)
    }
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
        let frame = Frame::parse(bytes).map_err(|unreadable| self.complain_of(from, unreadable))?;
        self.count_received(frame.kind, bytes.len());
        let begun = self.begin_frame();
        match frame.kind {
            Kind::Membership | Kind::Exchange => {
                self.node().cluster.mailbox.deliver(Letter::of(&frame))
            }
            Kind::Metadata => self.node().spread.mailbox.deliver(Letter::of(&frame)),
            Kind::Answer => self.take_answer(&frame),
            Kind::Write | Kind::Remove | Kind::Lookup => self.serve_record(from, &frame, bytes),
            Kind::Proxy => self.serve_proxied(from, &frame),
            Kind::Migration => self.node().migrations.mailbox.deliver(Letter::of(&frame)),
            Kind::Command => self.serve_command(from, &frame),
        }
        self.end_frame(frame.kind, begun);
        Ok(1)
    }

    /// Tells the log of a frame that is none.
    fn complain_of(&self, from: Remote, unreadable: Unreadable) -> Unanswerable {
        let whose = match from {
            Remote::Route(address, _) => format!("a frame from {address}"),
            Remote::Incoming(_) => "a frame from another node".to_owned(),
        };
        let text = match unreadable {
            Unreadable::Unknown => format!(
                "{whose} is of no version or kind that this release knows, and its connection is closed; \
                 check that all nodes are of releases that may be mixed"
            ),
            Unreadable::Damaged => format!(
                "{whose} was damaged on its way, and its connection is closed; what it said is sent again; \
                 check the network and the memory of both machines"
            ),
        };
        self.node().host.log().tell(Topic::ClusteringTrouble, &text);
        Unanswerable
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
        let (node, waits) = self.parts();
        if let Some(ticket) = waits.peers.copy_answered(node, key, from, status) {
            waits.copied(ticket);
        }
    }

    /// A change came too late: somebody else serves, and has written since. Whether it was made is for
    /// its client to find out; here, the other version takes its place.
    fn copy_lost(&mut self, key: u64, version: &[u8]) {
        let Some(lost) = self.waits().peers.give_up_copy(key) else { return };
        if !version.is_empty() {
            storage::blocking(|fetched| {
                let mut pledges = Pledges::default();
                let (node, mut turn, _) = self.resume(fetched, &mut pledges);
                node.adopt(&lost, version, &mut turn)
            });
        }
        if let Waiter::Ticket(ticket) = lost.waiter {
            self.waits().copy_lost(ticket);
        }
    }

    fn send_answer(&mut self, to: AnswerTo, body: Vec<u8>) {
        match to {
            AnswerTo::Peer(to, call, protocol) => {
                let (kind, from) = (Kind::Answer, self.node().cluster.me());
                let head = Head { protocol, kind, call, from };
                let frame = head.frame(|out| out.extend_from_slice(&body));
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
        let to = AnswerTo::to(from, frame);
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
        let to = AnswerTo::to(from, frame);
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
        let to = AnswerTo::to(from, frame);
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
                (Some(outcome), Ok(frame)) => {
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
