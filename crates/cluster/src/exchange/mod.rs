//! What the nodes of a view tell each other before they balance: each sends all others what it has of
//! every partition, and how its namespaces are configured (`reference`: cluster.md, section 4).
//!
//! A state machine without I/O. Every member sends its [`Offer`] to every other until that one has
//! acknowledged it. Who has those of all members tells the principal; when all have, the principal says so, and
//! every member goes on with the same offers. Messages may be lost, come twice or late: each names its
//! view, and what is of another view is ignored. A new view begins everything anew.

mod codec;
mod offer;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

pub use offer::{NamespaceOffer, Offer};

use crate::NodeId;
use codec::{Kind, Message};

/// The first time to wait for an answer before something is sent again.
const RETRY_MIN: Duration = Duration::from_millis(75);

/// The longest.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// What the members of a view have told each other.
pub type Offers = BTreeMap<NodeId, Arc<Offer>>;

/// What an exchange wants done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Send this to a member. It may get lost.
    Send {
        /// To whom.
        to: NodeId,
        /// What.
        message: Vec<u8>,
    },
    /// All members of the view have the offers of all.
    Complete(Offers),
}

/// See the module.
#[derive(Debug)]
pub struct Exchange {
    me: NodeId,
    current: Option<Current>,
    retry_min: Duration,
}

/// The exchange of a view.
#[derive(Debug)]
struct Current {
    key: u64,
    /// Descending.
    members: Vec<NodeId>,
    offers: Offers,
    /// Own offer as it is sent.
    own: Vec<u8>,
    /// Members that have it.
    delivered: BTreeSet<NodeId>,
    /// At the principal: members that have everything.
    ready: BTreeSet<NodeId>,
    is_complete: bool,
    retry_at: Duration,
    retry: Duration,
}

impl Exchange {
    /// Nothing to exchange yet. Heartbeats come at this interval.
    pub fn new(me: NodeId, interval: Duration) -> Self {
        Self { me, current: None, retry_min: RETRY_MIN.max(interval / 2) }
    }

    /// Whether an exchange is under way.
    pub fn is_under_way(&self) -> bool {
        self.current.as_ref().is_some_and(|current| !current.is_complete)
    }

    /// The members whose offers are missing.
    pub fn missing(&self) -> Vec<NodeId> {
        let Some(current) = &self.current else { return Vec::new() };
        let is_missing = |node: &&NodeId| !current.offers.contains_key(node);
        current.members.iter().filter(is_missing).copied().collect()
    }

    /// Begins the exchange of a view; `members` are descending, this node is one of them.
    pub fn begin(
        &mut self,
        now: Duration,
        key: u64,
        members: &[NodeId],
        offer: Offer,
        out: &mut Vec<Output>,
    ) {
        let own = codec::encode(&Message { key, kind: Kind::Offer(offer.clone()) });
        let mut current = Current {
            key,
            members: members.to_vec(),
            offers: Offers::from([(self.me, Arc::new(offer))]),
            own,
            delivered: BTreeSet::from([self.me]),
            ready: BTreeSet::new(),
            is_complete: false,
            retry_at: now + self.retry_min,
            retry: self.retry_min,
        };
        current.send_again(self.me, out);
        current.advance(self.me, out);
        self.current = Some(current);
    }

    /// Forgets the view.
    pub fn stop(&mut self) {
        self.current = None;
    }

    /// When [`Self::tick`] has something to do.
    pub fn next_deadline(&self) -> Option<Duration> {
        self.current.as_ref().filter(|of| !of.is_settled(self.me)).map(|of| of.retry_at)
    }

    /// Sends again what was not answered in time.
    pub fn tick(&mut self, now: Duration, out: &mut Vec<Output>) {
        let (me, is_due) = (self.me, self.next_deadline().is_some_and(|at| at <= now));
        let Some(current) = self.current.as_mut().filter(|_| is_due) else { return };
        current.retry = (current.retry * 2).min(RETRY_MAX);
        current.retry_at = now + current.retry;
        current.send_again(me, out);
    }

    /// Takes in a message of a member. What is none, or of another view, is ignored.
    pub fn receive(&mut self, from: NodeId, message: &[u8], out: &mut Vec<Output>) {
        let Some(message) = codec::decode(message) else { return };
        let Some(current) = &mut self.current else { return };
        if message.key != current.key || !current.members.contains(&from) || from == self.me {
            return;
        }
        match message.kind {
            Kind::Offer(offer) => {
                current.offers.entry(from).or_insert_with(|| Arc::new(offer));
                out.push(current.send(from, Kind::Delivered));
            }
            Kind::Delivered => {
                current.delivered.insert(from);
            }
            Kind::Ready if current.principal() == Some(self.me) => {
                current.ready.insert(from);
                if current.is_complete {
                    // It did not hear of that.
                    out.push(current.send(from, Kind::Complete));
                }
            }
            Kind::Complete if current.principal() == Some(from) => {
                current.complete(out);
                return;
            }
            Kind::Ready | Kind::Complete => return,
        }
        current.advance(self.me, out);
    }
}

impl Current {
    fn principal(&self) -> Option<NodeId> {
        self.members.first().copied()
    }

    fn has_all(&self) -> bool {
        self.offers.len() == self.members.len()
    }

    /// Whether nothing is left to be sent again.
    fn is_settled(&self, me: NodeId) -> bool {
        let is_heard = self.delivered.len() == self.members.len();
        let has_told = self.principal() != Some(me) || self.ready.len() == self.members.len();
        self.is_complete && is_heard && has_told
    }

    fn send(&self, to: NodeId, kind: Kind) -> Output {
        Output::Send { to, message: codec::encode(&Message { key: self.key, kind }) }
    }

    fn send_again(&self, me: NodeId, out: &mut Vec<Output>) {
        let missing = self.members.iter().filter(|node| !self.delivered.contains(node));
        out.extend(missing.map(|to| Output::Send { to: *to, message: self.own.clone() }));
        if self.has_all()
            && !self.is_complete
            && let Some(principal) = self.principal().filter(|principal| *principal != me)
        {
            out.push(self.send(principal, Kind::Ready));
        }
        if self.is_complete && self.principal() == Some(me) {
            let unsure = self.members.iter().filter(|node| !self.ready.contains(node));
            out.extend(unsure.map(|to| self.send(*to, Kind::Complete)));
        }
    }

    /// Does what has become possible.
    fn advance(&mut self, me: NodeId, out: &mut Vec<Output>) {
        if !self.has_all() || self.is_complete {
            return;
        }
        if self.principal() != Some(me) {
            if let Some(principal) = self.principal() {
                out.push(self.send(principal, Kind::Ready));
            }
            return;
        }
        self.ready.insert(me);
        if self.ready.len() < self.members.len() {
            return;
        }
        let others = self.members.iter().filter(|node| **node != me);
        out.extend(others.map(|to| self.send(*to, Kind::Complete)));
        self.complete(out);
    }

    /// Goes on with the offers. The principal says so only when all members have them.
    fn complete(&mut self, out: &mut Vec<Output>) {
        if self.has_all() && !self.is_complete {
            self.is_complete = true;
            out.push(Output::Complete(self.offers.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
