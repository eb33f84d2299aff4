//! Reads that the host carries out when it likes.

use std::cell::RefCell;
use std::mem;
use std::rc::Rc;

use super::{Signal, Ticket};
use crate::fetch::{Fetch, FetchDone};

/// Where a [`super::Reader`] leaves what is to be read, and finds what was. Clones are the same desk.
#[derive(Clone, Debug)]
pub struct Desk {
    papers: Rc<RefCell<Papers>>,
    signal: Signal,
}

#[derive(Debug, Default)]
struct Papers {
    wanted: Vec<(Ticket, Fetch)>,
    done: Vec<(Ticket, FetchDone)>,
}

impl Desk {
    /// An empty desk, which raises the signal when something was read.
    pub fn new(signal: Signal) -> Self {
        Self { papers: Rc::default(), signal }
    }

    /// Takes what is to be read, in the order in which it was asked for.
    pub fn take(&self) -> Vec<(Ticket, Fetch)> {
        mem::take(&mut self.papers.borrow_mut().wanted)
    }

    /// Puts down the outcome of a read.
    pub fn put(&self, ticket: Ticket, done: FetchDone) {
        self.papers.borrow_mut().done.push((ticket, done));
        self.signal.raise();
    }

    pub(super) fn submit(&self, fetch: &Fetch, ticket: Ticket) {
        self.papers.borrow_mut().wanted.push((ticket, fetch.clone()));
    }

    pub(super) fn reap(&self, mut collect: impl FnMut(Ticket, FetchDone)) {
        let done = mem::take(&mut self.papers.borrow_mut().done);
        done.into_iter().for_each(|(ticket, done)| collect(ticket, done));
    }
}
