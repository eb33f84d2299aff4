//! Checks of `network { }`.

use super::{Conflict, Findings};
use crate::tree::network::{Heartbeat, HeartbeatMode, Network};

/// What the original insists on finding in a file.
pub(super) fn missing(network: &Network) -> Vec<Conflict> {
    let mut conflicts = Vec::new();
    let (service, heartbeat, fabric) = (&network.service, &network.heartbeat, &network.fabric);
    let ports = [
        ("service", service.port.or(service.tls_port), "3000"),
        ("heartbeat", heartbeat.port.or(heartbeat.tls_port), "3002"),
        ("fabric", fabric.port.or(fabric.tls_port), "3001"),
    ];
    for (context, port, usual) in ports {
        let mut found = Findings::of(format!("network.{context}"));
        found.note(port.is_none(), "", "it has no port", format!("add port, usually {usual}"));
        conflicts.append(&mut found.conflicts);
    }
    let mut found = Findings::of("network.heartbeat");
    found.note(heartbeat.mode.is_none(), "", "it has no mode", "add mode mesh or mode multicast");
    conflicts.append(&mut found.conflicts);
    conflicts
}

pub(super) fn conflicts(network: &Network) -> Vec<Conflict> {
    let mut conflicts = tls(network);
    conflicts.extend(heartbeat(&network.heartbeat));

    let clients = &network.service.tls_authenticate_client;
    let mut found = Findings::of("network.service");
    found.note(
        clients.len() > 1 && clients.iter().any(|name| name == "any" || name == "false"),
        "tls-authenticate-client",
        "tls-authenticate-client mixes any or false with names",
        "give any, or false, or names",
    );
    conflicts.append(&mut found.conflicts);

    let (threads, pools) =
        (network.fabric.channel_rw_recv_threads, network.fabric.channel_rw_recv_pools);
    let mut found = Findings::of("network.fabric");
    found.note(
        pools == 0 || !threads.is_multiple_of(pools),
        "channel-rw-recv-threads",
        format!("{threads} channel-rw-recv-threads cannot be shared by {pools} pools"),
        "make it a multiple of channel-rw-recv-pools",
    );
    conflicts.append(&mut found.conflicts);
    conflicts
}

/// Every TLS port needs a TLS context.
fn tls(network: &Network) -> Vec<Conflict> {
    let (service, heartbeat, fabric) = (&network.service, &network.heartbeat, &network.fabric);
    let users = [
        ("service", service.tls_port, &service.tls_name),
        ("heartbeat", heartbeat.tls_port, &heartbeat.tls_name),
        ("fabric", fabric.tls_port, &fabric.tls_name),
    ];
    let mut conflicts = Vec::new();
    for (context, port, name) in users {
        let mut found = Findings::of(format!("network.{context}"));
        found.note(
            port.is_some() && name.is_none(),
            "tls-port",
            "tls-port is given, but no certificate for it",
            "add tls-name with the name of a tls context",
        );
        if let Some(name) = name {
            found.note(
                !network.tls.iter().any(|tls| tls.name == *name),
                "tls-name",
                format!("there is no tls context '{name}'"),
                format!("add 'tls {name} {{ ... }}' to network, or correct the name"),
            );
        }
        conflicts.append(&mut found.conflicts);
    }
    conflicts
}

fn heartbeat(heartbeat: &Heartbeat) -> Vec<Conflict> {
    let mut found = Findings::of("network.heartbeat");
    match heartbeat.mode {
        Some(HeartbeatMode::Mesh) => {
            found.note(
                !heartbeat.multicast_groups.is_empty(),
                "multicast-group",
                "mode mesh has no multicast groups",
                "remove multicast-group, or set mode multicast",
            );
        }
        Some(HeartbeatMode::Multicast) => {
            found.note(
                heartbeat.multicast_groups.is_empty(),
                "mode",
                "mode multicast needs a group to speak in",
                "add multicast-group",
            );
            found.note(
                !heartbeat.mesh_seeds.is_empty(),
                "mesh-seed-address-port",
                "mode multicast has no seeds",
                "remove mesh-seed-address-port, or set mode mesh",
            );
            found.note(
                heartbeat.tls_port.is_some() || !heartbeat.tls_mesh_seeds.is_empty(),
                "tls-port",
                "mode multicast cannot use TLS",
                "remove the TLS settings, or set mode mesh",
            );
        }
        None => {}
    }
    let interval_ms = u64::from(heartbeat.interval_ms);
    let limit_ms = interval_ms.saturating_mul(u64::from(heartbeat.timeout_intervals)) / 3;
    found.note(
        u64::from(heartbeat.connect_timeout_ms) > limit_ms,
        "connect-timeout-ms",
        format!(
            "connect-timeout-ms {} is more than a third of interval times timeout, {limit_ms}",
            heartbeat.connect_timeout_ms
        ),
        "lower it, or raise interval or timeout",
    );
    found.conflicts
}
