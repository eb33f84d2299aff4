//! A link's turn: read, and let the worker handle whole frames. What it has to say to them leaves with
//! everything else at the end of the wake-up.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use super::link::{Link, Remote, Route};
use super::links::Links;
use super::post::Post;
use super::protocol::{Protocol, Request};
use super::timing::{CallTime, LinkTiming};
use super::turn::{Budget, Clerk, Desk, Next};
use super::{PeerVerdict, Worker};

impl<W: Worker> Desk<W> {
    /// Gives a link its turn, which is bounded as those of connections are.
    #[inline]
    pub(super) fn serve_link(&mut self, link: &mut Link, unsent_max: usize) -> Next {
        let mut budget = self.budget();
        // Whatever the error says, the link is broken, and the worker is told so.
        let next = self.link_turn(link, unsent_max, &mut budget).unwrap_or(Next::Close);
        self.count_panics();
        next
    }

    fn link_turn(
        &mut self,
        link: &mut Link,
        unsent_max: usize,
        budget: &mut Budget,
    ) -> io::Result<Next> {
        if link.is_choked(unsent_max) {
            return Ok(Next::Wait);
        }
        if link.suspended && self.clerk.resume_link(link, budget).is_none() {
            return Ok(Next::Close);
        }
        let is_timed = self.times_links();
        while !link.suspended {
            let Some(socket) = link.open_socket().filter(|socket| socket.readable) else { break };
            let began = is_timed.then(Instant::now);
            let Some(count) = socket.receive(&mut self.scratch)? else { break };
            let call = began.map(|began| CallTime { began, ended: Instant::now() });
            let fresh = self.scratch.get(..count).unwrap_or_default();
            if fresh.is_empty() {
                return Ok(Next::Close);
            }
            link.received_at = self.clerk.now;
            self.count(|counters| counters.link_bytes_received.add(count as u64));
            if self.clerk.take_in_frames(link, fresh, budget).is_none() {
                return Ok(Next::Close);
            }
            if let Some(call) = call.filter(|_| !link.suspended) {
                self.tell_timings(link.receive_time.read(count, link.held.bytes(), call));
            }
            if count == self.scratch.len() {
                // Others wait.
                break;
            }
        }
        Ok(if link.has_input() { Next::Again } else { Next::Wait })
    }

    /// Whether the worker wants to know how long links take.
    #[inline]
    pub(super) fn times_links(&self) -> bool {
        self.clerk.worker.times_links()
    }

    /// Tells the worker how long they took.
    #[inline]
    pub(super) fn tell_timings(&mut self, timings: impl IntoIterator<Item = LinkTiming>) {
        for timing in timings {
            self.tell_worker(|worker| worker.on_link_timed(timing));
        }
    }

    /// Tells the worker which links are connected now.
    pub(super) fn tell_opened(&mut self, opened: Vec<Route>) {
        for route in opened {
            self.tell_worker(|worker| worker.on_peer_opened(route));
        }
    }

    /// Tells the worker which links it has lost.
    pub(super) fn tell_lost(&mut self, lost: Vec<Remote>) {
        for remote in lost {
            self.tell_worker(|worker| worker.on_peer_lost(remote));
        }
    }

    /// Lets the worker hand over what is to go to other nodes.
    pub(super) fn collect_post(&mut self, links: &mut Links) {
        let now = self.now();
        self.tell_worker(|worker| worker.send_peers(&mut Post::new(links, now)));
    }
}

/// Each of these gives `None` when the link is over: its stream cannot be read any further, or the
/// worker does not want to.
impl<W: Worker> Clerk<W> {
    /// Has all whole frames in `fresh` handled, in place but for one that began in an earlier read, and
    /// has the link keep the rest.
    #[inline]
    fn take_in_frames(&mut self, link: &mut Link, fresh: &[u8], budget: &mut Budget) -> Option<()> {
        let mut fresh = fresh;
        while !link.held.is_empty() && !fresh.is_empty() && !link.suspended {
            let (count, _) = Protocol::Peer.belonging(link.held.bytes(), fresh);
            let (belonging, rest) = fresh.split_at_checked(count).unwrap_or((fresh, &[]));
            link.held.append(belonging);
            fresh = rest;
            self.resume_link(link, budget)?;
        }
        let handled = if link.suspended { 0 } else { self.handle(link, fresh, budget)? };
        if handled < fresh.len() {
            link.held.append(fresh.get(handled..).unwrap_or_default());
        }
        Some(())
    }

    /// Has what whole frames there are in the bytes that the link holds handled.
    fn resume_link(&mut self, link: &mut Link, budget: &mut Budget) -> Option<()> {
        link.suspended = false;
        let held = std::mem::take(&mut link.held);
        let handled = self.handle(link, held.bytes(), budget)?;
        link.held = held.without_first(handled);
        Some(())
    }

    /// Has the whole frames at the beginning of `data` handled as far as the budget goes, and says how
    /// many bytes they take up.
    #[inline]
    fn handle(&mut self, link: &mut Link, data: &[u8], budget: &mut Budget) -> Option<usize> {
        let mut at = 0;
        while let Some(rest) = data.get(at..).filter(|rest| !rest.is_empty()) {
            match Protocol::Peer.split(rest) {
                Ok(Some(_)) if budget.is_spent() => {
                    link.suspended = true;
                    break;
                }
                Ok(Some((Request::Peer(frame), size))) => {
                    at += size;
                    budget.charge(1);
                    match self.call_worker_for_link(link, frame) {
                        PeerVerdict::Continue => {}
                        PeerVerdict::Worked(work) => budget.charge(work.saturating_sub(1)),
                        PeerVerdict::Close => return None,
                    }
                }
                Ok(_) => break,
                Err(malformed) => {
                    self.warn_malformed(link.address, malformed);
                    return None;
                }
            }
        }
        Some(at)
    }

    /// Lets the worker handle a frame. If it panics, the link is over.
    #[inline]
    fn call_worker_for_link(&mut self, link: &Link, frame: &[u8]) -> PeerVerdict {
        let handle = AssertUnwindSafe(|| self.worker.on_peer_frame(link.remote, frame));
        catch_unwind(handle).unwrap_or_else(|panic| {
            self.report_panic(Some(link.address), &*panic);
            PeerVerdict::Close
        })
    }
}
