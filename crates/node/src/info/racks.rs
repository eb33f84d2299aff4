//! Racks and rosters, and what makes sense only in a cluster of several nodes.

use std::collections::BTreeMap;

use cluster::NodeId;
use engine::Namespace;

use super::call::{Call, Refusal, put, put_joined};

/// The rack of this node in each namespace.
pub(super) fn ids(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b';', &call.node.namespaces, |out, namespace| {
        put(out, format_args!("{}:{}", namespace.name, namespace.config().rack_id));
    });
    Ok(())
}

/// The nodes of each rack of each namespace.
pub(super) fn racks(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    each_namespace(call, out, |out, nodes| {
        let mut racks: BTreeMap<u32, Vec<NodeId>> = BTreeMap::new();
        for (node, rack) in nodes {
            racks.entry(*rack).or_default().push(*node);
        }
        put_joined(out, b':', &racks, |out, (rack, nodes)| {
            put(out, format_args!("rack_{rack}="));
            put_joined(out, b',', nodes, put);
        });
    })
}

/// The roster of each namespace. Without strong consistency a namespace has none, but it sees
/// nodes.
pub(super) fn roster(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    each_namespace(call, out, |out, nodes| {
        put(out, "roster=null:pending_roster=null:observed_nodes=");
        put_joined(out, b',', nodes, |out, (node, rack)| match rack {
            0 => put(out, node),
            rack => put(out, format_args!("{node}@{rack}")),
        });
    })
}

/// What `each` appends for the nodes of a namespace and their racks, in the namespace asked for or in
/// all of them.
fn each_namespace(
    call: &Call<'_>,
    out: &mut Vec<u8>,
    each: impl Fn(&mut Vec<u8>, &[(NodeId, u32)]),
) -> Result<(), Refusal> {
    if let Some(namespace) = call.optional_namespace()? {
        each(out, &nodes_of(call, namespace));
        return Ok(());
    }
    put_joined(out, b';', &call.node.namespaces, |out, namespace| {
        put(out, format_args!("ns={}:", namespace.name));
        each(out, &nodes_of(call, namespace));
    });
    Ok(())
}

/// The nodes that have a namespace, descending, and their racks in it, as far as they were told of. This
/// node's is that of its settings.
fn nodes_of(call: &Call<'_>, namespace: &Namespace) -> Vec<(NodeId, u32)> {
    let (state, me) = (call.node.cluster.state(), call.node.cluster.me());
    let others = state.offers.iter().rev().filter(|(node, _)| **node != me);
    let others =
        others.filter_map(|(node, offer)| Some((*node, offer.namespace(&namespace.name)?.rack.0)));
    let mut nodes: Vec<_> = others.collect();
    nodes.push((me, namespace.config().rack_id));
    nodes.sort_unstable_by_key(|(node, _)| std::cmp::Reverse(*node));
    nodes
}

pub(super) fn with_clusters(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Err(Refusal::later("clusters of several nodes come in a later release"))
}

pub(super) fn with_shipping(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Err(Refusal::later("shipping to other clusters comes in a later release"))
}
