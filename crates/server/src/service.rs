//! The node on the event loops.

use std::sync::Arc;

use node::batch::Batch;
use node::{Answer, Node};

use crate::net::{Frame, Peer, Progress, Service, Stream, Verdict, Worker};

/// Serves a node.
pub struct NodeService(pub Arc<Node>);

impl Service for NodeService {
    type Worker = NodeWorker;

    fn worker(&self, index: usize) -> NodeWorker {
        NodeWorker(node::Worker::new(Arc::clone(&self.0), index))
    }
}

/// Answers for a node on one event loop.
pub struct NodeWorker(node::Worker);

impl Worker for NodeWorker {
    fn on_wakeup(&mut self) {
        self.0.wake();
    }

    fn on_frame(&mut self, peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict<Self> {
        match self.0.answer(frame.kind(), frame.body(), peer.address, out) {
            Ok(Answer::Whole { work }) => Verdict::Worked(work),
            Ok(Answer::Partial(batch)) => Verdict::Stream(batch),
            Err(node::Unanswerable) => Verdict::Close,
        }
    }

    fn on_line(&mut self, peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict<Self> {
        self.0.answer_line(line, peer.address, out);
        Verdict::Continue
    }
}

impl Stream<NodeWorker> for Batch {
    fn advance(&mut self, worker: &mut NodeWorker, out: &mut Vec<u8>) -> Progress {
        match Batch::advance(self, &mut worker.0, out) {
            node::Progress::More => Progress::More,
            node::Progress::Over => Progress::Over,
        }
    }

    fn delayed(&mut self) {
        Batch::delayed(self);
    }

    fn buffered_bytes(&self) -> usize {
        Batch::buffered_bytes(self)
    }
}
