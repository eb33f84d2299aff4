//! Info commands that change what the nodes of a cluster have in common.
//!
//! The principal carries them out, so a node that is none hands them on. The answer to a command waits until
//! all members have what it changed. Commands of one request are carried out one after the other.

use std::collections::VecDeque;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::{Kind, Status};
use parking_lot::Mutex;
use storage::Ticket;
use wire::info::append_answer;
use wire::proto::close_frame;
use wire::{ProtoHeader, ProtoType, ResultCode};

use super::call::Refusal;
use super::{answer_command, as_c_string, module_of, put};
use crate::metadata::Module;
use crate::node::Node;
use crate::peers::Question;
use crate::unfinished::Progress;
use crate::waits::{Claim, Waits};
use crate::worker::Worker;

/// How long the members of a cluster have to take a change over: one behind others, on a slow disk.
const TIME: Duration = Duration::from_secs(10);

/// How often it is looked whether they have.
const PAUSE: Duration = Duration::from_millis(2);

/// Info commands that are not all answered.
pub struct Administration {
    claim: Claim,
    from: SocketAddr,
    lines: VecDeque<Vec<u8>>,
    form: Form,
    /// Answers so far.
    answers: Vec<u8>,
    stage: Stage,
}

/// What an answer looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Form {
    /// A frame with a line for each command.
    Frame,
    /// The value alone, and a newline.
    Line,
    /// The value alone, for another node, which has the frame.
    Peer,
}

/// How far the command at hand is.
#[derive(Debug)]
enum Stage {
    /// It is not carried out yet.
    Next,
    /// Another node carries it out, until this moment at most.
    Asked(Duration),
    /// The thread for that carries it out, and leaves the answer here.
    CarriedOut(Module, Arc<Mutex<Option<Vec<u8>>>>),
    /// It was, with this answer, and members have until this moment to take it over.
    Spreads(Module, Vec<u8>, Duration),
}

impl Administration {
    /// The commands of a request.
    pub(crate) fn new(
        lines: impl IntoIterator<Item = Vec<u8>>,
        from: SocketAddr,
        is_line: bool,
        waits: &Waits,
    ) -> Self {
        let form = if is_line { Form::Line } else { Form::Frame };
        let (lines, answers, stage) = (lines.into_iter().collect(), Vec::new(), Stage::Next);
        Self { claim: waits.claim(), from, lines, form, answers, stage }
    }

    /// A command that another node was given.
    pub(crate) fn for_peer(line: &[u8], waits: &Waits) -> Self {
        let from = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let command = Self::new([line.to_vec()], from, true, waits);
        Self { form: Form::Peer, ..command }
    }

    /// Goes on, and appends the answer once it is whole.
    pub(crate) fn advance(&mut self, worker: &mut Worker, out: &mut Vec<u8>) -> Progress {
        let Some(outcome) = self.claim.outcome() else {
            return Progress::Waits(self.claim.ticket());
        };
        let node = Arc::clone(worker.node());
        let now = node.host.monotonic();
        let mut answered = outcome.answers.into_iter().next();
        while let Some(line) = self.lines.front().cloned() {
            let value = match std::mem::replace(&mut self.stage, Stage::Next) {
                Stage::Next => match self.begin(&node, &line, worker.waits(), now) {
                    Some(value) => value,
                    None => return Progress::Waits(self.claim.ticket()),
                },
                Stage::Asked(until) => {
                    let body = answered.take().and_then(|answer| answer.body);
                    match body.as_deref().and_then(Status::split) {
                        Some((Status::Done, value)) => value.to_vec(),
                        _ if now >= until => timed_out(),
                        // That node is gone, and it may have done nothing.
                        _ => {
                            worker.waits().sleep(&self.claim, now + 50 * PAUSE);
                            return Progress::Waits(self.claim.ticket());
                        }
                    }
                }
                Stage::CarriedOut(module, slot) => {
                    // Without an answer, the thread that had it is gone.
                    let value = slot.lock().take().unwrap_or_else(timed_out);
                    self.stage = Stage::Spreads(module, value, now + TIME);
                    continue;
                }
                Stage::Spreads(module, value, until) => {
                    if !node.is_spread(module) && now < until {
                        self.stage = Stage::Spreads(module, value, until);
                        worker.waits().sleep(&self.claim, now + PAUSE);
                        return Progress::Waits(self.claim.ticket());
                    }
                    if node.is_spread(module) { value } else { timed_out() }
                }
            };
            self.lines.pop_front();
            self.append(&line, &value);
        }
        self.finish(out);
        Progress::Over
    }

    /// Carries a command out, or has the principal do so. `None` if there is something to wait for.
    fn begin(
        &mut self,
        node: &Node,
        line: &[u8],
        waits: &mut Waits,
        now: Duration,
    ) -> Option<Vec<u8>> {
        let command = as_c_string(line);
        let module = module_of(&command);
        let state = node.cluster.state();
        let principal = state.principal().filter(|_| module.is_some());
        if let Some(principal) = principal.filter(|principal| *principal != node.cluster.me()) {
            self.ask(node, principal, line, waits, now);
            return None;
        }
        let Some(module) = module else {
            let mut value = Vec::new();
            answer_command(node, &command, self.from, &mut value);
            return Some(value);
        };
        let (line, from, caller) = (line.to_vec(), self.from, waits.call(&self.claim));
        let slot = Arc::new(Mutex::new(None));
        self.stage = Stage::CarriedOut(module, Arc::clone(&slot));
        node.change_metadata(Box::new(move |node| {
            let mut value = Vec::new();
            answer_command(node, &as_c_string(&line), from, &mut value);
            *slot.lock() = Some(value);
            caller.answered();
        }));
        None
    }

    fn ask(&mut self, node: &Node, to: NodeId, line: &[u8], waits: &mut Waits, now: Duration) {
        let question = Question { cluster: &node.cluster, to, kind: Kind::Command };
        if waits.ask(&self.claim, question, |out| out.extend_from_slice(line)) {
            waits.limit(&self.claim, now + TIME);
            self.stage = Stage::Asked(now + TIME);
        } else {
            waits.sleep(&self.claim, now + 50 * PAUSE);
        }
    }

    fn append(&mut self, line: &[u8], value: &[u8]) {
        match self.form {
            Form::Frame => append_answer(&mut self.answers, line, value),
            Form::Line | Form::Peer => self.answers.extend_from_slice(value),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let start = out.len();
        if self.form == Form::Frame {
            out.extend_from_slice(&[0; ProtoHeader::SIZE]);
        }
        out.append(&mut self.answers);
        match self.form {
            Form::Frame => close_frame(out, start, ProtoType::Info),
            Form::Line => out.push(b'\n'),
            Form::Peer => {}
        }
    }

    pub(crate) fn ticket(&self) -> Ticket {
        self.claim.ticket()
    }

    pub(crate) fn buffered_bytes(&self) -> usize {
        self.answers.len() + self.lines.iter().map(Vec::len).sum::<usize>()
    }
}

/// The answer to a change that not all members have taken over in time. They will.
fn timed_out() -> Vec<u8> {
    let mut value = Vec::new();
    put(&mut value, Refusal::new(ResultCode::TIMEOUT, "timeout"));
    value
}

impl fmt::Debug for Administration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Administration").field("stage", &self.stage).finish_non_exhaustive()
    }
}
