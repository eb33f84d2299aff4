//! The node on the event loops.

use std::sync::Arc;

use node::Node;

use crate::net::{Frame, Peer, Service, Verdict, Worker};

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

    fn on_frame(&mut self, peer: &Peer, frame: Frame<'_>, out: &mut Vec<u8>) -> Verdict {
        match self.0.answer(frame.kind(), frame.body(), peer.address, out) {
            Ok(()) => Verdict::Continue,
            Err(node::Unanswerable) => Verdict::Close,
        }
    }

    fn on_line(&mut self, peer: &Peer, line: &[u8], out: &mut Vec<u8>) -> Verdict {
        self.0.answer_line(line, peer.address, out);
        Verdict::Continue
    }
}
