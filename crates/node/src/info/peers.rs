//! Where clients find this node and its peers. A node alone has none.

use super::call::{Call, Refusal, put, put_joined};
use super::endpoints::with_port;

/// How often the peers have changed.
const PEERS_GENERATION: u64 = 0;
/// The port of addresses that name none.
const DEFAULT_PORT: u16 = 3000;

pub(super) fn generation(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, PEERS_GENERATION);
    Ok(())
}

/// Generation, default port, and a list of peers.
pub(super) fn peers(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    put(out, format_args!("{PEERS_GENERATION},{DEFAULT_PORT},[]"));
    Ok(())
}

/// All peers that there ever were, in the same form.
pub(super) fn alumni(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    peers(call, out)
}

/// An empty list: of peers in the older form, or of addresses with TLS.
pub(super) fn none(_: &Call<'_>, _: &mut Vec<u8>) -> Result<(), Refusal> {
    Ok(())
}

pub(super) fn reset_alumni(_: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
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
