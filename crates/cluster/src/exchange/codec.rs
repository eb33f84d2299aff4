//! The messages of an exchange as bytes.
//!
//! Versions of partitions go as a table of the few that differ and, for each partition in turn, runs of
//! (number in the table, partitions in a row).

use prost::{Enumeration, Message as _};

use super::offer::{NamespaceOffer, Offer};
use crate::balance::{Family, PartitionVersion, Versions};
use crate::ids::RackId;

/// A message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Message {
    /// The view that it is of.
    pub key: u64,
    pub kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// What the sender has.
    Offer(Offer),
    /// The sender has got the receiver's offer.
    Delivered,
    /// The sender has the offers of all.
    Ready,
    /// All have them, says the principal.
    Complete,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(uint64, tag = "1")]
    key: u64,
    #[prost(enumeration = "WireKind", tag = "2")]
    kind: i32,
    #[prost(message, repeated, tag = "3")]
    namespaces: Vec<WireNamespace>,
    #[prost(bool, tag = "4")]
    is_quiesced: bool,
    #[prost(uint64, tag = "5")]
    time_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Enumeration)]
#[repr(i32)]
enum WireKind {
    Unknown = 0,
    Offer = 1,
    Delivered = 2,
    Ready = 3,
    Complete = 4,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireNamespace {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(uint32, tag = "2")]
    replication_factor: u32,
    #[prost(uint32, tag = "3")]
    rack: u32,
    #[prost(uint32, optional, tag = "4")]
    active_rack: Option<u32>,
    #[prost(bool, tag = "5")]
    is_uniform: bool,
    #[prost(uint64, repeated, tag = "6")]
    versions: Vec<u64>,
    #[prost(uint32, repeated, tag = "7")]
    runs: Vec<u32>,
}

/// Bits of a version beside the 48 of its cluster key.
const KEY_BITS: u32 = 48;
const FAMILY_BITS: u32 = 4;
const MASTER: u64 = 1 << (KEY_BITS + FAMILY_BITS);
const SUBSET: u64 = MASTER << 1;
const EVADE: u64 = SUBSET << 1;

fn pack(version: &PartitionVersion) -> u64 {
    let flag = |is: bool, bit: u64| if is { bit } else { 0 };
    (version.cluster_key & ((1 << KEY_BITS) - 1))
        | u64::from(version.family.0 & 15) << KEY_BITS
        | flag(version.is_master, MASTER)
        | flag(version.is_subset, SUBSET)
        | flag(version.is_evade, EVADE)
}

fn unpack(bits: u64) -> PartitionVersion {
    PartitionVersion {
        cluster_key: bits & ((1 << KEY_BITS) - 1),
        family: Family((bits >> KEY_BITS) as u8 & 15),
        is_master: bits & MASTER != 0,
        is_subset: bits & SUBSET != 0,
        is_evade: bits & EVADE != 0,
    }
}

pub(super) fn encode(message: &Message) -> Vec<u8> {
    let (kind, offer) = match &message.kind {
        Kind::Offer(offer) => (WireKind::Offer, Some(offer)),
        Kind::Delivered => (WireKind::Delivered, None),
        Kind::Ready => (WireKind::Ready, None),
        Kind::Complete => (WireKind::Complete, None),
    };
    let namespaces = offer.map(|offer| offer.namespaces.iter().map(pack_namespace).collect());
    Wire {
        key: message.key,
        kind: kind.into(),
        namespaces: namespaces.unwrap_or_default(),
        is_quiesced: offer.is_some_and(|offer| offer.is_quiesced),
        time_ms: offer.map_or(0, |offer| offer.time_ms),
    }
    .encode_to_vec()
}

/// `None` if these bytes are no message that this release knows.
pub(super) fn decode(bytes: &[u8]) -> Option<Message> {
    let wire = Wire::decode(bytes).ok()?;
    let kind = match WireKind::try_from(wire.kind).ok()? {
        WireKind::Unknown => return None,
        WireKind::Offer => {
            let namespaces = wire.namespaces.into_iter().map(unpack_namespace);
            let namespaces = namespaces.collect::<Option<_>>()?;
            let (is_quiesced, time_ms) = (wire.is_quiesced, wire.time_ms);
            Kind::Offer(Offer { namespaces, is_quiesced, time_ms })
        }
        WireKind::Delivered => Kind::Delivered,
        WireKind::Ready => Kind::Ready,
        WireKind::Complete => Kind::Complete,
    };
    Some(Message { key: wire.key, kind })
}

fn pack_namespace(offer: &NamespaceOffer) -> WireNamespace {
    WireNamespace {
        name: offer.name.clone(),
        replication_factor: offer.replication_factor,
        rack: offer.rack.0,
        active_rack: offer.active_rack.map(|rack| rack.0),
        is_uniform: offer.is_uniform,
        versions: offer.versions.distinct().iter().map(pack).collect(),
        runs: offer.versions.runs().flat_map(|(number, count)| [number, count]).collect(),
    }
}

fn unpack_namespace(wire: WireNamespace) -> Option<NamespaceOffer> {
    let (runs, rest) = wire.runs.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let distinct = wire.versions.into_iter().map(unpack).collect();
    let versions = Versions::from_runs(distinct, runs.iter().map(|run| (run[0], run[1])))?;
    Some(NamespaceOffer {
        name: wire.name,
        replication_factor: wire.replication_factor,
        rack: RackId(wire.rack),
        active_rack: wire.active_rack.map(RackId),
        is_uniform: wire.is_uniform,
        versions,
    })
}
