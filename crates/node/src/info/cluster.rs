//! The cluster: who is in it, and what an operator has it do.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use config::HeartbeatMode;
use wire::ResultCode;

use super::call::{Call, Refusal, put, put_joined};

/// Most bytes of a number of nodes.
const SIZE_BYTES_MAX: usize = 3;
/// Most bytes of `true` or `false`.
pub(super) const FLAG_BYTES_MAX: usize = 5;
/// Most bytes of a host name.
const HOST_BYTES_MAX: usize = 1023;
/// Most bytes of a port.
const PORT_BYTES_MAX: usize = 6;
/// Most bytes of a list of peers.
const HOST_LIST_BYTES_MAX: usize = 2999;

/// The cluster key, if the cluster is as the parameters say and no partition is moving.
pub(super) fn stable(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let state = call.node.cluster.state();
    if let Some(size) = call.optional("size", SIZE_BYTES_MAX)? {
        let size: Option<usize> = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
        let size = size.ok_or_else(|| Refusal::parameter("bad size"))?;
        if size != state.members.len() {
            let code = ResultCode::CLUSTER_KEY_MISMATCH;
            return Err(Refusal::new(code, "cluster not specified size"));
        }
    }
    let ignores_migrations =
        call.flag("ignore-migrations", FLAG_BYTES_MAX, "bad ignore migrations")?.unwrap_or(false);
    let namespace = call.optional_namespace()?;
    let is_moving = || match namespace {
        Some(namespace) => call.node.is_migrating(namespace),
        None => call.node.namespaces.iter().any(|namespace| call.node.is_migrating(namespace)),
    };
    if !state.is_balanced || !ignores_migrations && is_moving() {
        return Err(Refusal::new(ResultCode::CLUSTER_KEY_MISMATCH, "unstable cluster"));
    }
    put(out, format_args!("{:X}", state.cluster_key));
    Ok(())
}

/// The succession list: the nodes of the cluster, the principal first.
pub(super) fn succession(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b',', &call.node.cluster.state().members, put);
    Ok(())
}

/// Forms the cluster anew, and balances partitions. Only the principal does.
pub(super) fn recluster(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match call.node.recluster() {
        true => put(out, "ok"),
        false => put(out, "ignored-by-non-principal"),
    }
    Ok(())
}

/// Has what this node holds be taken over by others, once the cluster is formed anew.
pub(super) fn quiesce(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    set_quiesced(call, true)?;
    put(out, "ok");
    Ok(())
}

/// Takes that back, likewise.
pub(super) fn quiesce_undo(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    set_quiesced(call, false)?;
    put(out, "ok");
    Ok(())
}

fn set_quiesced(call: &Call<'_>, is_quiesced: bool) -> Result<(), Refusal> {
    if call.node.config().service.stay_quiesced {
        return Err(Refusal::new(ResultCode::FORBIDDEN, "permanently quiesced"));
    }
    call.node.cluster.is_quiesced.store(is_quiesced, Ordering::Relaxed);
    Ok(())
}

/// Tells the node of a peer.
pub(super) fn tip(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let host = call.required("host", HOST_BYTES_MAX)?;
    let port = call.required("port", PORT_BYTES_MAX)?;
    let port = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok());
    let port = port.ok_or_else(|| Refusal::parameter("'port' must be an integer"))?;
    call.flag("tls", FLAG_BYTES_MAX, "'tls' must be either 'true' or 'false'")?;
    if call.node.config().network.heartbeat.mode == Some(HeartbeatMode::Multicast) {
        return Err(Refusal::parameter("heartbeat is in multicast mode"));
    }
    let host = String::from_utf8_lossy(host);
    let Some(address) = call.node.host.resolve(&host, port) else {
        return Err(Refusal::parameter(format!(
            "'{host}' is no address and no host that is known"
        )));
    };
    call.node.tip(address);
    put(out, "ok");
    Ok(())
}

/// Makes the node forget peers that it was told of, and silent ones.
pub(super) fn tip_clear(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let list = call.required("host-port-list", HOST_LIST_BYTES_MAX)?;
    if list == b"all" {
        call.node.clear_tips(None);
        put(out, "ok");
        return Ok(());
    }
    let peers: Vec<_> =
        list.split(|byte| *byte == b',').filter(|peer| is_host_port(peer)).collect();
    let addresses: Vec<_> = peers.iter().filter_map(|peer| resolve(call, peer)).collect();
    let found = call.node.clear_tips(Some(addresses));
    let missing = peers.len().saturating_sub(found);
    if found > 0 && missing == 0 {
        put(out, "ok");
        return Ok(());
    }
    Err(Refusal::new(ResultCode::UNKNOWN, format!("{found} cleared, {missing} not found")))
}

fn resolve(call: &Call<'_>, peer: &[u8]) -> Option<SocketAddr> {
    let peer = std::str::from_utf8(peer).ok()?;
    let (host, port) = peer.rsplit_once(':')?;
    call.node.host.resolve(host, port.parse().ok()?)
}

fn is_host_port(peer: &[u8]) -> bool {
    let colon = peer.iter().rposition(|byte| *byte == b':');
    let Some((host, port)) = colon.and_then(|colon| peer.split_at_checked(colon)) else {
        return false;
    };
    let port = std::str::from_utf8(port).ok().and_then(|port| port.strip_prefix(':'));
    !host.is_empty() && port.is_some_and(|port| port.parse::<u16>().is_ok())
}
