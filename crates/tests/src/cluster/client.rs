//! A client that follows partition maps: it asks each node for its map from time to time and sends every
//! request to the master of its partition.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Columns, Map};
use crate::raw::{Connection, Draft, Message};

/// How long a node may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// The time that requests allow the server.
const TOTAL_TIMEOUT_MS: u32 = 1000;

const OP_READ: u8 = 1;
const OP_WRITE: u8 = 2;
const OP_ADD: u8 = 5;
const INTEGER: u8 = 1;

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Failure {
    /// The map names no master.
    NoMaster,
    /// There was no connection, or it broke, or nothing came back in time.
    Link,
    /// The server said so.
    Code(u8),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMaster => f.write_str("no master"),
            Self::Link => f.write_str("link"),
            Self::Code(code) => write!(f, "code {code}"),
        }
    }
}

/// Where everything is, as clients learn it.
#[derive(Clone, Debug, Default)]
pub(super) struct Atlas {
    /// Nodes that were ever heard of; the map names them by their places.
    nodes: Vec<SocketAddr>,
    /// Those that answered last.
    answering: BTreeSet<SocketAddr>,
    map: Map,
}

impl Atlas {
    /// Asks the nodes at these addresses, and those that they name.
    pub fn of(seeds: &[SocketAddr]) -> Self {
        Self { nodes: seeds.to_vec(), ..Self::default() }.renewed()
    }

    /// Asks all nodes again.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let Self { mut nodes, mut map, .. } = self.clone();
        let mut answering = BTreeSet::new();
        let mut next = 0;
        while let Some(address) = nodes.get(next).copied() {
            if let Ok((peers, columns)) = ask(address) {
                answering.insert(address);
                columns.iter().for_each(|columns| map.learn(next, columns));
                nodes.extend(
                    peers.into_iter().filter(|peer| !nodes.contains(peer)).collect::<Vec<_>>(),
                );
            }
            next += 1;
        }
        Self { nodes, answering, map }
    }

    fn master(&self, digest: &[u8; 20]) -> Option<SocketAddr> {
        let partition = usize::from(u16::from_le_bytes([digest[0], digest[1]]) & 0x0FFF);
        Some(self.nodes[self.map.node(0, partition)?])
    }
}

/// The peers of a node, and its map if it has one.
fn ask(address: SocketAddr) -> Result<(Vec<SocketAddr>, Option<Columns>)> {
    let mut connection = Connection::open_at(address, PATIENCE)?;
    let answer = connection.info("partition-generation\npeers-clear-std\nreplicas\n")?;
    let value = |name: &str| {
        let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value).context("no answer")
    };
    // `…,[[<id>,,[<address>]],…]`
    let words = value("peers-clear-std")?.split(['[', ']', ',']);
    let peers = words.filter_map(|word| word.parse().ok()).collect();
    // A client leaves a node alone that has no map yet.
    let columns = match value("partition-generation")? {
        "-1" => None,
        _ => Some(Columns::read(value("replicas")?, "test")?),
    };
    Ok((peers, columns))
}

/// One connection to each node that it needs.
pub struct Client {
    atlas: Arc<Atlas>,
    connections: BTreeMap<SocketAddr, Connection>,
}

impl Client {
    /// A client that has learned where everything is.
    pub fn new(seeds: &[SocketAddr]) -> Self {
        Self::with(Arc::new(Atlas::of(seeds)))
    }

    pub(super) fn with(atlas: Arc<Atlas>) -> Self {
        Self { atlas, connections: BTreeMap::new() }
    }

    /// Goes by another map from now on.
    pub(super) fn follow(&mut self, atlas: Arc<Atlas>) {
        // What was open to a node that is gone is no good when it comes back.
        self.connections.retain(|address, _| atlas.answering.contains(address));
        self.atlas = atlas;
    }

    /// Adds 1 to bin `n` of a record, and sets bin `v`.
    ///
    /// # Errors
    /// When it was not acknowledged.
    pub fn write(&mut self, digest: &[u8; 20], v: i64) -> Result<(), Failure> {
        written(&self.send(digest, write_draft(digest, v))?)
    }

    /// The same by way of this node.
    ///
    /// # Errors
    /// When it was not acknowledged.
    pub fn write_through(
        &mut self,
        address: SocketAddr,
        digest: &[u8; 20],
        v: i64,
    ) -> Result<(), Failure> {
        written(&self.send_to(address, write_draft(digest, v))?)
    }

    /// Bins `n` and `v` of a record; zeros if there is none.
    ///
    /// # Errors
    /// When there was no answer.
    pub fn read(&mut self, digest: &[u8; 20]) -> Result<(i64, i64), Failure> {
        let draft = read_draft(digest);
        values(&self.send(digest, draft)?)
    }

    fn send(&mut self, digest: &[u8; 20], draft: Draft) -> Result<Message, Failure> {
        let address = self.atlas.master(digest).ok_or(Failure::NoMaster)?;
        self.send_to(address, draft)
    }

    /// Reads a record by way of this node.
    ///
    /// # Errors
    /// When there was no answer.
    pub fn read_through(
        &mut self,
        address: SocketAddr,
        digest: &[u8; 20],
    ) -> Result<(i64, i64), Failure> {
        values(&self.send_to(address, read_draft(digest))?)
    }

    fn send_to(&mut self, address: SocketAddr, mut draft: Draft) -> Result<Message, Failure> {
        draft.transaction_ttl_ms = TOTAL_TIMEOUT_MS;
        let mut connection = match self.connections.remove(&address) {
            Some(connection) => connection,
            None => Connection::open_at(address, PATIENCE).map_err(|_| Failure::Link)?,
        };
        let reply = connection.ask(&draft.frame()).map_err(|_| Failure::Link)?;
        self.connections.insert(address, connection);
        Ok(reply)
    }
}

fn write_draft(digest: &[u8; 20], v: i64) -> Draft {
    Draft::write_to(digest).op(OP_ADD, INTEGER, b"n", &1_i64.to_be_bytes()).op(
        OP_WRITE,
        INTEGER,
        b"v",
        &v.to_be_bytes(),
    )
}

fn written(reply: &Message) -> Result<(), Failure> {
    if reply.result == 0 { Ok(()) } else { Err(Failure::Code(reply.result)) }
}

fn read_draft(digest: &[u8; 20]) -> Draft {
    Draft::read_from(digest).op(OP_READ, 0, b"n", b"").op(OP_READ, 0, b"v", b"")
}

fn values(reply: &Message) -> Result<(i64, i64), Failure> {
    const NOT_FOUND: u8 = 2;
    let bin = |name: &[u8]| {
        let op = reply.ops.iter().find(|op| op.name == name)?;
        Some(i64::from_be_bytes(op.value[..].try_into().ok()?))
    };
    match reply.result {
        0 => Ok((bin(b"n").unwrap_or_default(), bin(b"v").unwrap_or_default())),
        NOT_FOUND => Ok((0, 0)),
        code => Err(Failure::Code(code)),
    }
}
