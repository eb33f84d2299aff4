//! The node on the event loops.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use cluster::fabric::Channel;
use node::{Answer, FrameStep, Node, Unfinished, peers};
use storage::{Reader, Signal};

use crate::net::{
    Frame, LinkId, LinkStep, LinkTiming, Peer, PeerVerdict, Post, Progress, Remote, Route, Service,
    Stream, Ticket, Verdict, Worker,
};

/// Serves a node.
pub struct NodeService {
    node: Arc<Node>,
    /// That of each loop.
    signals: Vec<Signal>,
}

impl NodeService {
    /// Serves a node on this many loops.
    ///
    /// # Errors
    /// When the system has no descriptor left.
    pub fn new(node: Arc<Node>, loops: usize) -> io::Result<Self> {
        let signals = (0..loops).map(|_| Signal::new()).collect::<io::Result<_>>()?;
        Ok(Self { node, signals })
    }
}

impl Service for NodeService {
    type Worker = NodeWorker;

    fn worker(&self, index: usize) -> NodeWorker {
        let (node, signal) = (Arc::clone(&self.node), self.signals[index].clone());
        let reader = Reader::new(signal.clone());
        NodeWorker(node::Worker::new(node, index, reader, signal))
    }
}

/// What becomes of a connection with this answer.
fn verdict_of(answer: Answer) -> Verdict<NodeWorker> {
    match answer {
        Answer::Whole { work } => Verdict::Worked(work),
        Answer::Partial(rest) => match rest.ticket() {
            Some(ticket) => Verdict::Parked(rest, ticket),
            None => Verdict::Stream(rest),
        },
    }
}

/// A link as the node knows it.
fn of_node(remote: Remote) -> peers::Remote {
    match remote {
        Remote::Route(Route { address, channel }) => {
            peers::Remote::Route(address, Channel::of(channel).unwrap_or(Channel::Record))
        }
        Remote::Incoming(LinkId(number)) => peers::Remote::Incoming(number),
    }
}

/// A link as the event loop knows it.
fn of_net(remote: peers::Remote) -> Remote {
    match remote {
        peers::Remote::Route(address, channel) => {
            Remote::Route(Route { address, channel: channel as u8 })
        }
        peers::Remote::Incoming(number) => Remote::Incoming(LinkId(number)),
    }
}

/// Answers for a node on one event loop.
pub struct NodeWorker(node::Worker);

impl Worker for NodeWorker {
    fn on_wakeup(&mut self) {
        self.0.wake();
    }

    fn wake_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.0.wake_fd())
    }

    fn on_wake_fd(&mut self, ready: &mut Vec<Ticket>) {
        self.0.reap(ready);
    }

    fn wake_after(&self) -> Option<Duration> {
        self.0.wake_after()
    }

    fn before_wait(&mut self) {
        self.0.flush();
    }

    fn on_peer_frame(&mut self, from: Remote, frame: &[u8]) -> PeerVerdict {
        match self.0.peer_frame(of_node(from), frame) {
            Ok(work) => PeerVerdict::Worked(work),
            Err(node::Unanswerable) => PeerVerdict::Close,
        }
    }

    fn on_peer_opened(&mut self, route: Route) {
        self.0.peer_opened(of_node(Remote::Route(route)));
    }

    fn on_peer_lost(&mut self, remote: Remote) {
        self.0.peer_lost(of_node(remote));
    }

    fn times_links(&self) -> bool {
        self.0.times_links()
    }

    fn on_link_timed(&mut self, LinkTiming { start, step, took }: LinkTiming) {
        let step = match step {
            LinkStep::Queued => FrameStep::SendInit,
            LinkStep::Written => FrameStep::SendFragment,
            LinkStep::ReadInPart => FrameStep::RecvFragment,
        };
        self.0.link_timed(&start, step, took);
    }

    fn send_peers(&mut self, post: &mut Post<'_>) {
        self.0.send_peers(|to, frame| {
            post.send(of_net(to), |out| out.extend_from_slice(frame)).is_ok()
        });
    }

    fn on_frame(&mut self, peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        match self.0.answer(frame.kind(), frame.body(), peer.address, out) {
            Ok(answer) => verdict_of(answer),
            Err(node::Unanswerable) => Verdict::Close,
        }
    }

    fn on_line(&mut self, peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict<Self> {
        verdict_of(self.0.answer_line(line, peer.address, out))
    }
}

impl Stream<NodeWorker> for Unfinished {
    fn advance(&mut self, worker: &mut NodeWorker, out: &mut Vec<u8>) -> Progress {
        match Unfinished::advance(self, &mut worker.0, out) {
            node::Progress::More => Progress::More,
            node::Progress::Over => Progress::Over,
            node::Progress::Waits(ticket) => Progress::Waits(ticket),
        }
    }

    fn send_timeout(&self) -> Option<Duration> {
        match Unfinished::send_timeout_ms(self) {
            0 => None,
            time_ms => Some(Duration::from_millis(time_ms.into())),
        }
    }

    fn delayed(&mut self) {
        Unfinished::delayed(self);
    }

    fn buffered_bytes(&self) -> usize {
        Unfinished::buffered_bytes(self)
    }
}
