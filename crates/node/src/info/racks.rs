//! Racks and rosters, and what makes sense only in a cluster of several nodes.

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
    let node = call.node.id();
    each_namespace(call, out, |out, rack| put(out, format_args!("rack_{rack}={node:X}")))
}

/// The roster of each namespace. Without strong consistency a namespace has none, but it sees
/// nodes.
pub(super) fn roster(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let node = call.node.id();
    each_namespace(call, out, |out, rack| {
        put(out, format_args!("roster=null:pending_roster=null:observed_nodes={node:X}"));
        if rack != 0 {
            put(out, format_args!("@{rack}"));
        }
    })
}

/// What `each` appends for the rack of this node, in the namespace asked for or in all of them.
fn each_namespace(
    call: &Call<'_>,
    out: &mut Vec<u8>,
    each: impl Fn(&mut Vec<u8>, u32),
) -> Result<(), Refusal> {
    if let Some(namespace) = call.optional_namespace()? {
        each(out, namespace.config().rack_id);
        return Ok(());
    }
    put_joined(out, b';', &call.node.namespaces, |out, namespace| {
        put(out, format_args!("ns={}:", namespace.name));
        each(out, namespace.config().rack_id);
    });
    Ok(())
}

pub(super) fn with_clusters(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Err(Refusal::later("clusters of several nodes come in a later release"))
}

pub(super) fn with_shipping(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Err(Refusal::later("shipping to other clusters comes in a later release"))
}
