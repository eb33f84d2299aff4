//! What the node listens on, as configured.

use super::call::{Call, Pairs, Refusal, put, put_joined};
use config::HeartbeatMode;

/// An address and a port in one; IPv6 addresses are put into brackets.
pub(crate) fn with_port(address: &str, port: u16) -> String {
    if address.contains(':') { format!("[{address}]:{port}") } else { format!("{address}:{port}") }
}

/// Where heartbeats of peers are expected.
pub(super) fn mesh(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    heartbeat(call, out, HeartbeatMode::Mesh)
}

/// The multicast groups of heartbeats.
pub(super) fn multicast(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    heartbeat(call, out, HeartbeatMode::Multicast)
}

fn heartbeat(call: &Call<'_>, out: &mut Vec<u8>, asked: HeartbeatMode) -> Result<(), Refusal> {
    let config = call.node.config();
    let heartbeat = &config.network.heartbeat;
    let mode = heartbeat.mode.unwrap_or_default();
    if mode != asked {
        // The original names the mode that was asked for, not the one in force.
        return Err(Refusal::parameter(match asked {
            HeartbeatMode::Mesh => "heartbeat is in mesh mode",
            HeartbeatMode::Multicast => "heartbeat is in multicast mode",
        }));
    }
    let addresses = match mode {
        HeartbeatMode::Mesh => listening(&heartbeat.addresses, heartbeat.port),
        HeartbeatMode::Multicast => heartbeat.multicast_groups.clone(),
    };
    let Some(port) = heartbeat.port else { return Ok(()) };
    put_joined(out, b',', &addresses, |out, address| put(out, with_port(address, port)));
    Ok(())
}

/// All ports with their addresses.
pub(super) fn endpoints(call: &Call<'_>, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let config = call.node.config();
    let network = &config.network;
    let mut pairs = Pairs::new(out, b';');
    put_service(call, &mut pairs);
    let heartbeat = &network.heartbeat;
    put_port(&mut pairs, "heartbeat.", &heartbeat.addresses, heartbeat.port);
    put_port(&mut pairs, "heartbeat.tls-", &heartbeat.tls_addresses, heartbeat.tls_port);
    if heartbeat.mode == Some(HeartbeatMode::Multicast) {
        pairs.put("heartbeat.multicast-groups", list(&heartbeat.multicast_groups));
    }
    let fabric = &network.fabric;
    put_port(&mut pairs, "fabric.", &fabric.addresses, fabric.port);
    put_port(&mut pairs, "fabric.tls-", &fabric.tls_addresses, fabric.tls_port);
    put_port(&mut pairs, "info.", &network.info.addresses, network.info.port);
    Ok(())
}

fn put_service(call: &Call<'_>, pairs: &mut Pairs<'_>) {
    let config = call.node.config();
    let service = &config.network.service;
    let access: Vec<String> = match service.access_addresses.is_empty() {
        true => call.node.host.service_addresses().iter().map(|address| host(address)).collect(),
        false => service.access_addresses.clone(),
    };
    let access_port = service.access_port.or(service.port);
    let tls_access_port = service.tls_access_port.or(service.tls_port);
    let or = |own: &Vec<String>, other: &[String]| match own.is_empty() {
        true => list(other),
        false => list(own),
    };
    put_port(pairs, "service.", &service.addresses, service.port);
    pairs.put("service.access-port", number(access_port));
    pairs.put("service.access-addresses", list(&access));
    let port = service.alternate_access_port.or(access_port);
    pairs.put("service.alternate-access-port", number(port));
    let alternate = &service.alternate_access_addresses;
    pairs.put("service.alternate-access-addresses", list(alternate));
    put_port(pairs, "service.tls-", &service.tls_addresses, service.tls_port);
    pairs.put("service.tls-access-port", number(tls_access_port));
    pairs.put("service.tls-access-addresses", or(&service.tls_access_addresses, &access));
    let port = service.tls_alternate_access_port.or(tls_access_port);
    pairs.put("service.tls-alternate-access-port", number(port));
    let tls_alternate = or(&service.tls_alternate_access_addresses, alternate);
    pairs.put("service.tls-alternate-access-addresses", tls_alternate);
}

fn put_port(pairs: &mut Pairs<'_>, prefix: &str, addresses: &[String], port: Option<u16>) {
    pairs.put(format_args!("{prefix}port"), number(port));
    pairs.put(format_args!("{prefix}addresses"), list(&listening(addresses, port)));
}

/// The addresses of a port that is open; `any` is every IPv4 address.
fn listening(addresses: &[String], port: Option<u16>) -> Vec<String> {
    const EVERY: &str = "0.0.0.0";
    match (port, addresses) {
        (None, _) => Vec::new(),
        (Some(_), []) => vec![EVERY.into()],
        (Some(_), given) => {
            let named = |address: &String| match address.as_str() {
                "any" => EVERY.into(),
                _ => address.clone(),
            };
            given.iter().map(named).collect()
        }
    }
}

fn number(port: Option<u16>) -> u16 {
    port.unwrap_or_default()
}

fn list(addresses: &[String]) -> String {
    if addresses.is_empty() { "null".into() } else { addresses.join(",") }
}

/// An address without its port and brackets.
fn host(address: &str) -> String {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_start_matches('[').trim_end_matches(']').to_owned()
}
