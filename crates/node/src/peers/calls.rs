//! Questions to other nodes, and their answers.

use std::collections::HashMap;
use std::net::SocketAddr;

use cluster::NodeId;
use cluster::fabric::{Channel, Head, Kind};
use storage::Ticket;

use super::{Copies, Remote};
use crate::clustering::{Clustering, State};

/// Who waits for an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Asker {
    /// A request with this ticket.
    Claim(Ticket),
    /// A change, by its number in [`Copies`].
    Copy(u64),
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Question<'q> {
    pub cluster: &'q Clustering,
    pub to: NodeId,
    pub kind: Kind,
}

/// What another node answered: the body of its answer, or `None` if it may never.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct PeerAnswer {
    pub from: NodeId,
    pub body: Option<Vec<u8>>,
}

/// What a loop has under way at other nodes.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    last_call: u64,
    /// Questions that are not answered.
    open: HashMap<u64, Open>,
    /// How many of them are requests of clients, and how many look for records.
    proxies: usize,
    lookups: usize,
    /// Frames that are to be sent.
    pub outbox: Vec<(Remote, Vec<u8>)>,
    /// Changes that other nodes have to confirm.
    pub copies: Copies,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    asker: Asker,
    to: NodeId,
    route: (SocketAddr, Channel),
    kind: Kind,
}

impl Peers {
    /// Asks something; `write` appends the question. False if it is not known where the node is: there will
    /// be no answer.
    pub fn ask(
        &mut self,
        asker: Asker,
        Question { cluster, to, kind }: Question<'_>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> bool {
        let channel = kind.channel();
        let Some((address, protocol)) = cluster.look().route(to, channel) else { return false };
        self.last_call += 1;
        let head = Head { protocol, kind, call: self.last_call, from: cluster.me() };
        let frame = head.frame(write);
        self.open.insert(self.last_call, Open { asker, to, route: (address, channel), kind });
        match kind {
            Kind::Proxy => self.proxies += 1,
            Kind::Lookup => self.lookups += 1,
            _ => {}
        }
        self.outbox.push((Remote::Route(address, channel), frame));
        true
    }

    /// Who waits for the answer to a call, if anybody still does.
    pub fn take(&mut self, call: u64) -> Option<(Asker, NodeId)> {
        let open = self.open.remove(&call)?;
        self.forget(&open);
        Some((open.asker, open.to))
    }

    /// A question is not open any more.
    fn forget(&mut self, open: &Open) {
        match open.kind {
            Kind::Proxy => self.proxies = self.proxies.saturating_sub(1),
            Kind::Lookup => self.lookups = self.lookups.saturating_sub(1),
            _ => {}
        }
    }

    /// Changes and look-ups under way, and requests that were passed on.
    pub fn under_way(&self) -> (usize, usize) {
        (self.copies.count() + self.lookups, self.proxies)
    }

    /// Takes out the calls that will not be answered because a connection is lost.
    pub fn lose(&mut self, address: SocketAddr, channel: Channel) -> Vec<(Asker, NodeId)> {
        self.take_where(|open| open.route == (address, channel))
    }

    /// Takes out the calls to nodes that are not in the view.
    pub fn depart(&mut self, cluster: &State) -> Vec<(Asker, NodeId)> {
        self.take_where(|open| !cluster.members.contains(&open.to))
    }

    fn take_where(&mut self, which: impl Fn(&Open) -> bool) -> Vec<(Asker, NodeId)> {
        let mut lost: Vec<_> = self.open.extract_if(|_, open| which(open)).collect();
        // In the order in which they were asked, whatever the map's.
        lost.sort_unstable_by_key(|(call, _)| *call);
        lost.iter().for_each(|(_, open)| self.forget(open));
        lost.into_iter().map(|(_, open)| (open.asker, open.to)).collect()
    }
}
