//! Where clients find this node and its peers.

use super::call::{Call, Refusal, c_number, put, put_joined};
use super::endpoints::with_port;
use crate::clustering::{Card, Listed};

/// The port of addresses that name none.
const DEFAULT_PORT: u16 = 3000;
/// Most bytes of a generation.
const GENERATION_BYTES_MAX: usize = 20;

pub(super) fn generation(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, call.node.cluster.state().directory.generation);
    Ok(())
}

/// Generation, default port, and a list of peers, or of those that changed after a generation.
pub(super) fn standard(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    peers(call, out, |card| &card.service, false)
}

/// The same with the addresses for clients outside.
pub(super) fn alternate(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    peers(call, out, |card| &card.alternate, false)
}

/// The same with TLS, which no node has yet.
pub(super) fn with_tls(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    peers(call, out, |_| &[], false)
}

/// All peers that there ever were, in the same form.
pub(super) fn alumni(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    peers(call, out, |card| &card.service, true)
}

fn peers(
    call: &Call<'_>,
    out: &mut Vec<u8>,
    addresses: impl Fn(&Card) -> &[String],
    with_departed: bool,
) -> Result<(), Refusal> {
    let since = call.optional("generation", GENERATION_BYTES_MAX)?.and_then(c_number);
    let state = call.node.cluster.state();
    put(out, format_args!("{},{DEFAULT_PORT},[", state.directory.generation));
    let is_shown = |peer: &Listed| match since {
        Some(since) => peer.changed > since,
        None => (peer.is_present || with_departed) && !addresses(&peer.card).is_empty(),
    };
    let shown = state.directory.peers.iter().filter(|(_, peer)| is_shown(peer));
    put_joined(out, b',', shown, |out, (node, peer)| {
        if since.is_some() && !peer.is_present {
            return put(out, format_args!("[{node},,]"));
        }
        put(out, format_args!("[{node},,["));
        put_joined(out, b',', addresses(&peer.card), |out, address| put(out, short(address)));
        put(out, "]]");
    });
    put(out, "]");
    Ok(())
}

/// An address without the port that clients assume.
fn short(address: &str) -> &str {
    address.strip_suffix(":3000").unwrap_or(address)
}

/// Peers in the older form, which has no IPv6.
pub(super) fn services(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_services(call, out, |card| &card.service, false);
    Ok(())
}

pub(super) fn services_alternate(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_services(call, out, |card| &card.alternate, false);
    Ok(())
}

pub(super) fn services_alumni(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_services(call, out, |card| &card.service, true);
    Ok(())
}

fn put_services(
    call: &Call<'_>,
    out: &mut Vec<u8>,
    addresses: impl Fn(&Card) -> &[String],
    with_departed: bool,
) {
    let state = call.node.cluster.state();
    let listed = state.directory.peers.values().filter(|peer| peer.is_present || with_departed);
    let addresses = listed.flat_map(|peer| addresses(&peer.card));
    let v4 = addresses.filter(|address| !address.starts_with('['));
    put_joined(out, b';', v4, put);
}

/// An empty list of addresses with TLS.
pub(super) fn none(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Ok(())
}

/// Forgets peers that are gone.
pub(super) fn reset_alumni(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    call.node.cluster.forget_departed();
    put(out, "ok");
    Ok(())
}

/// Own addresses in the older form, which has no IPv6.
pub(super) fn service(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let addresses = call.node.host.service_addresses();
    let v4 = addresses.iter().filter(|address| !address.starts_with('['));
    put_joined(out, b';', v4, put);
    Ok(())
}

pub(super) fn service_standard(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put_joined(out, b',', call.node.host.service_addresses(), put);
    Ok(())
}

/// Own addresses as clients outside see them; there are none unless configured.
pub(super) fn service_alternate(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let config = call.node.config();
    let service = &config.network.service;
    let port = service.alternate_access_port.or(service.access_port).or(service.port);
    let Some(port) = port else { return Ok(()) };
    put_joined(out, b',', &service.alternate_access_addresses, |out, address| {
        put(out, with_port(address, port));
    });
    Ok(())
}
