//! The cluster: so far always this node alone.

use wire::ResultCode;

use super::call::{Call, Refusal, put};

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
    if let Some(size) = call.optional("size", SIZE_BYTES_MAX)? {
        let size: Option<u32> = std::str::from_utf8(size).ok().and_then(|size| size.parse().ok());
        match size {
            None => return Err(Refusal::parameter("bad size")),
            Some(1) => {}
            Some(_) => {
                let code = ResultCode::CLUSTER_KEY_MISMATCH;
                return Err(Refusal::new(code, "cluster not specified size"));
            }
        }
    }
    call.flag("ignore-migrations", FLAG_BYTES_MAX, "bad ignore migrations")?;
    call.optional_namespace()?;
    put(out, format_args!("{:X}", call.node.view.lock().cluster_key));
    Ok(())
}

/// The succession list: the nodes of the cluster, the principal first.
pub(super) fn succession(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, format_args!("{:X}", call.node.id()));
    Ok(())
}

/// Forms the cluster anew, and balances partitions.
pub(super) fn recluster(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let host = &call.node.host;
    call.node.view.lock().reform(host.random(), host.monotonic());
    put(out, "ok");
    Ok(())
}

/// Tells the node of a peer.
pub(super) fn tip(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    call.required("host", HOST_BYTES_MAX)?;
    let port = call.required("port", PORT_BYTES_MAX)?;
    if !std::str::from_utf8(port).is_ok_and(|port| port.parse::<u16>().is_ok()) {
        return Err(Refusal::parameter("'port' must be an integer"));
    }
    call.flag("tls", FLAG_BYTES_MAX, "'tls' must be either 'true' or 'false'")?;
    Err(Refusal::later("no peers in this release"))
}

/// Makes the node forget peers that it was told of. It never was.
pub(super) fn tip_clear(call: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    let list = call.required("host-port-list", HOST_LIST_BYTES_MAX)?;
    let peers = list.split(|byte| *byte == b',').filter(|peer| is_host_port(peer)).count();
    Err(Refusal::new(ResultCode::UNKNOWN, format!("0 cleared, {peers} not found")))
}

fn is_host_port(peer: &[u8]) -> bool {
    let colon = peer.iter().rposition(|byte| *byte == b':');
    let Some((host, port)) = colon.and_then(|colon| peer.split_at_checked(colon)) else {
        return false;
    };
    let port = std::str::from_utf8(port).ok().and_then(|port| port.strip_prefix(':'));
    !host.is_empty() && port.is_some_and(|port| port.parse::<u16>().is_ok())
}
