//! What nodes say to each other.
//!
//! Structs by derive: a field that a release does not know is skipped, and so is a message whose body it does not
//! know. Every message says who sent it, from which life, of which cluster, and the versions that the sender speaks.

use std::net::{IpAddr, SocketAddr};

use prost::Message as _;

use crate::balance::fnv1a;
use crate::{NodeId, Protocols};

/// A longer message is not looked at, so that what decoding allocates is bounded.
pub(super) const BYTES_MAX: usize = 1 << 20;

/// More addresses of one node are not looked at.
const ADDRESSES_MAX: usize = 16;

/// The outermost message.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Envelope {
    /// Who sent it.
    #[prost(fixed64, tag = "1")]
    pub node: u64,
    /// From which life.
    #[prost(uint64, tag = "2")]
    pub incarnation: u64,
    /// [`cluster_hash`] of the sender's cluster name.
    #[prost(fixed64, tag = "3")]
    pub cluster: u64,
    /// [`Protocols`] that the sender speaks.
    #[prost(uint32, tag = "4")]
    pub versions: u32,
    #[prost(oneof = "Body", tags = "5, 6, 7, 8, 9, 10, 11, 12, 13")]
    pub body: Option<Body>,
}

/// What is said.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Body {
    #[prost(message, tag = "5")]
    Pulse(Pulse),
    #[prost(message, tag = "6")]
    Hello(Hello),
    #[prost(message, tag = "7")]
    HelloBack(Hello),
    #[prost(message, tag = "8")]
    Refused(Refused),
    /// A frame of the gossip's own.
    #[prost(bytes, tag = "9")]
    Gossip(Vec<u8>),
    #[prost(message, tag = "10")]
    Propose(Propose),
    #[prost(message, tag = "11")]
    Accepted(Ballot),
    #[prost(message, tag = "12")]
    Declined(Declined),
    #[prost(message, tag = "13")]
    Commit(Commit),
}

/// Sent to every known node each interval: first-hand evidence that the sender lives.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Pulse {
    /// Counts up within a life, so that a late pulse is no fresh evidence.
    #[prost(uint64, tag = "1")]
    pub sequence: u64,
    /// The sender's clock, in milliseconds since 1970-01-01 UTC.
    #[prost(uint64, tag = "2")]
    pub wall_ms: u64,
    /// Key of the sender's view; 0 without one.
    #[prost(uint64, tag = "3")]
    pub key: u64,
    /// Members of that view, or 0 if the sender sees it broken: then it may be taken into another.
    #[prost(uint32, tag = "4")]
    pub held_members: u32,
    /// Hash of the list of nodes with whom the sender would be in a view.
    #[prost(fixed64, tag = "5")]
    pub list_hash: u64,
    /// Hash of the sender's card.
    #[prost(fixed64, tag = "6")]
    pub card_hash: u64,
    /// Highest number of a proposal that the sender knows of.
    #[prost(uint64, tag = "7")]
    pub ballot: u64,
    /// [`WANTS_DETAILS`] and the like.
    #[prost(uint32, tag = "8")]
    pub wants: u32,
    /// What changes rarely: there on changes, and when asked for.
    #[prost(message, optional, tag = "9")]
    pub details: Option<Details>,
    #[prost(bytes, optional, tag = "10")]
    pub card: Option<Vec<u8>>,
}

/// The sender knows too little of the receiver: the next pulse is to have [`Details`].
pub(super) const WANTS_DETAILS: u32 = 1;
/// The next pulse is to have the card.
pub(super) const WANTS_CARD: u32 = 2;

/// The long part of a [`Pulse`].
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Details {
    /// Nodes with whom the sender would be in a view, ascending.
    #[prost(fixed64, repeated, tag = "1")]
    pub list: Vec<u64>,
    /// Where the sender is reached.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub addresses: Vec<Vec<u8>>,
}

/// Who is there? Sent to addresses whose node is not known, and answered with the same.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Hello {
    /// The address that was dialed, which the answer repeats.
    #[prost(bytes = "vec", tag = "1")]
    pub dialed: Vec<u8>,
    /// Where the sender is reached.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub addresses: Vec<Vec<u8>>,
    #[prost(string, tag = "3")]
    pub cluster_name: String,
}

/// The receiver cannot be let in.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Refused {
    /// One of [`REFUSED_CLUSTER`] and the like.
    #[prost(uint32, tag = "1")]
    pub reason: u32,
    /// The sender's cluster.
    #[prost(string, tag = "2")]
    pub cluster_name: String,
    /// Life of the other node with the receiver's id.
    #[prost(uint64, tag = "3")]
    pub other_incarnation: u64,
    /// Where that one is reached.
    #[prost(bytes = "vec", tag = "4")]
    pub other_address: Vec<u8>,
    /// Life of the receiver that is refused.
    #[prost(uint64, tag = "5")]
    pub incarnation: u64,
}

/// It is of another cluster.
pub(super) const REFUSED_CLUSTER: u32 = 1;
/// Another node has its id.
pub(super) const REFUSED_DUPLICATE: u32 = 2;
/// No version is common.
pub(super) const REFUSED_VERSION: u32 = 3;

/// By what proposals are told apart: the later one has the higher number, then the higher node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, prost::Message)]
pub(super) struct Ballot {
    #[prost(uint64, tag = "1")]
    pub number: u64,
    #[prost(fixed64, tag = "2")]
    pub proposer: u64,
}

/// A view that its highest member would have.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Propose {
    #[prost(message, required, tag = "1")]
    pub ballot: Ballot,
    /// Descending; the first is the sender.
    #[prost(fixed64, repeated, tag = "2")]
    pub members: Vec<u64>,
    /// The life of each.
    #[prost(uint64, repeated, tag = "3")]
    pub lives: Vec<u64>,
}

/// Why a proposal is not accepted.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Declined {
    #[prost(message, required, tag = "1")]
    pub ballot: Ballot,
    /// The highest number that the sender has seen, which the next proposal has to exceed.
    #[prost(uint64, tag = "2")]
    pub number: u64,
    /// Whether the number was the only reason.
    #[prost(bool, tag = "3")]
    pub is_stale: bool,
}

/// All have accepted: this is the view.
#[derive(Clone, Copy, PartialEq, prost::Message)]
pub(super) struct Commit {
    #[prost(message, required, tag = "1")]
    pub ballot: Ballot,
    #[prost(uint64, tag = "2")]
    pub key: u64,
}

/// By what messages of other clusters are told.
pub(super) fn cluster_hash(name: &str) -> u64 {
    fnv1a(name.as_bytes())
}

/// A hash of a list of nodes.
pub(super) fn list_hash(list: &[NodeId]) -> u64 {
    let bytes: Vec<u8> = list.iter().flat_map(|node| node.0.to_be_bytes()).collect();
    fnv1a(&bytes)
}

/// A message as bytes.
pub(super) fn encode(
    node: NodeId,
    incarnation: u64,
    cluster: u64,
    protocols: Protocols,
    body: Body,
) -> Vec<u8> {
    let versions = protocols.packed();
    Envelope { node: node.0, incarnation, cluster, versions, body: Some(body) }.encode_to_vec()
}

/// Reads a message; `None` for what is none.
pub(super) fn decode(bytes: &[u8]) -> Option<Envelope> {
    if bytes.len() > BYTES_MAX {
        return None;
    }
    Envelope::decode(bytes).ok().filter(|envelope| envelope.node != 0)
}

/// An address as 6 or 18 bytes: IP address, then port.
pub(super) fn address_bytes(address: &SocketAddr) -> Vec<u8> {
    let mut bytes = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    bytes.extend_from_slice(&address.port().to_be_bytes());
    bytes
}

/// Reads what [`address_bytes`] wrote.
pub(super) fn address_of(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_last_chunk::<2>()?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(*port)))
}

/// Reads a list of addresses, leaving out those that are none.
pub(super) fn addresses_of(list: &[Vec<u8>]) -> Vec<SocketAddr> {
    list.iter().filter_map(|bytes| address_of(bytes)).take(ADDRESSES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive() {
        for text in ["10.1.2.3:3002", "[fe80::1]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(address_of(&address_bytes(&address)), Some(address));
        }
        assert_eq!(address_of(b""), None);
        assert_eq!(address_of(b"12345"), None);
    }

    #[test]
    fn what_a_release_does_not_know_is_skipped() {
        // Field 900, a length-delimited one, behind the known ones.
        let body = Body::Accepted(Ballot { number: 7, proposer: 9 });
        let mut bytes = encode(NodeId(5), 1, 2, Protocols::ALL, body.clone());
        bytes.extend_from_slice(&[0xa2, 0x38, 3, 1, 2, 3]);
        assert_eq!(decode(&bytes).unwrap().body, Some(body));
        assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
        assert_eq!(decode(b""), None, "0 is no node");
    }
}
