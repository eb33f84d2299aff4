//! Messages of other nodes for a thread of the host.

use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::{Frame, Kind};
use engine::bell::Bell;
use parking_lot::Mutex;

/// A message of another node.
#[derive(Debug)]
pub(crate) struct Letter {
    pub kind: Kind,
    pub from: NodeId,
    pub body: Vec<u8>,
}

impl Letter {
    /// What a frame says.
    pub fn of(frame: &Frame<'_>) -> Self {
        Self { kind: frame.kind, from: frame.from, body: frame.body.to_vec() }
    }
}

/// Letters that a thread has not seen, and what wakes it.
#[derive(Debug, Default)]
pub(crate) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    bell: Bell,
}

impl Mailbox {
    /// Puts one in.
    pub fn deliver(&self, letter: Letter) {
        self.letters.lock().push(letter);
        self.bell.ring();
    }

    /// Takes out all.
    pub fn take(&self) -> Vec<Letter> {
        std::mem::take(&mut *self.letters.lock())
    }

    /// Waits until there is something to do, or the time is over.
    pub fn wait(&self, at_most: Duration) {
        self.bell.wait(at_most);
    }

    /// Whether there may be since somebody last waited or asked: for hosts without threads.
    pub fn was_woken(&self) -> bool {
        self.bell.was_rung()
    }

    /// Has whoever waits wake up, though no letter came.
    pub fn wake(&self) {
        self.bell.ring();
    }
}
