//! Addresses: what to listen on, what to tell clients, and the identity that an interface gives.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use anyhow::Context;
use config::ClientService;

/// Where the service port listens.
///
/// # Errors
/// An address that is no IP address, no interface and no name that resolves.
pub fn listen_addresses(service: &ClientService) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(port) = service.port else { return Ok(Vec::new()) };
    let mut addresses = resolve_all(&service.addresses, port)?;
    if addresses.is_empty() {
        addresses.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
    }
    let everywhere = addresses.iter().any(|address| address.ip().is_unspecified());
    let loopback = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    if !everywhere && !service.disable_localhost && !addresses.contains(&loopback) {
        addresses.push(loopback);
    }
    Ok(addresses)
}

/// Resolves configured addresses: IP addresses, `any`, `local`, interface and host names.
///
/// # Errors
/// As [`listen_addresses`].
pub fn resolve_all(names: &[String], port: u16) -> anyhow::Result<Vec<SocketAddr>> {
    let mut addresses = Vec::new();
    for name in names {
        for ip in resolve(name)? {
            let address = SocketAddr::new(ip, port);
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
    Ok(addresses)
}

fn resolve(name: &str) -> anyhow::Result<Vec<IpAddr>> {
    if let Ok(ip) = name.parse::<IpAddr>() {
        return Ok(vec![ip]);
    }
    match name {
        "any" => return Ok(vec![Ipv4Addr::UNSPECIFIED.into()]),
        "local" => return Ok(vec![Ipv4Addr::LOCALHOST.into()]),
        _ => {}
    }
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let of_interface: Vec<IpAddr> =
        interfaces.iter().filter(|i| i.name == name).map(if_addrs::Interface::ip).collect();
    if !of_interface.is_empty() {
        return Ok(of_interface);
    }
    let resolved = (name, 0)
        .to_socket_addrs()
        .with_context(|| format!("'{name}' is no address, no network interface and no host"))?;
    Ok(resolved.map(|address| address.ip()).collect())
}

/// The addresses that clients are told, each with its port.
///
/// Unless configured, those of the interfaces that are listened on, but never loopback: a client that
/// finds no address keeps the one it came through.
pub fn advertised_addresses(
    service: &ClientService,
    listening: &[SocketAddr],
    ipv6: bool,
) -> Vec<String> {
    let Some(port) = service.access_port.or(service.port) else { return Vec::new() };
    if !service.access_addresses.is_empty() {
        let names = service.access_addresses.iter();
        return names.map(|name| with_port(name, port)).collect();
    }
    let mut ips: Vec<IpAddr> = Vec::new();
    for address in listening {
        match address.ip() {
            ip if ip.is_unspecified() => ips.extend(interface_addresses()),
            ip => ips.push(ip),
        }
    }
    ips.retain(|ip| !ip.is_loopback() && (ipv6 || ip.is_ipv4()));
    ips.dedup();
    ips.iter().map(|ip| SocketAddr::new(*ip, port).to_string()).collect()
}

/// Where a port for other nodes listens; nothing without a port.
///
/// # Errors
/// As [`listen_addresses`].
pub fn peer_addresses(names: &[String], port: Option<u16>) -> anyhow::Result<Vec<SocketAddr>> {
    let Some(port) = port else { return Ok(Vec::new()) };
    let mut addresses = resolve_all(names, port)?;
    if addresses.is_empty() {
        addresses.push(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
    }
    Ok(addresses)
}

/// Where other nodes are told to reach such a port: every interface in place of "any", and loopback
/// only where there is nothing else.
pub fn advertised_peer_addresses(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for address in listening {
        if !address.ip().is_unspecified() {
            addresses.push(*address);
            continue;
        }
        let interfaces = interface_addresses().into_iter().filter(IpAddr::is_ipv4);
        let before = addresses.len();
        addresses.extend(interfaces.map(|ip| SocketAddr::new(ip, address.port())));
        if addresses.len() == before {
            addresses.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), address.port()));
        }
    }
    addresses.dedup();
    addresses
}

fn with_port(name: &str, port: u16) -> String {
    match name.parse::<Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]:{port}"),
        Err(_) => format!("{name}:{port}"),
    }
}

fn interface_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let usable = interfaces.into_iter().filter(|interface| match interface.ip() {
        IpAddr::V4(ip) => !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
    });
    usable.map(|interface| interface.ip()).collect()
}

/// Largest packet, in bytes, of the interface that has one of these addresses; of any if none is
/// given.
pub fn packet_size_bytes(addresses: &[String]) -> u32 {
    const ETHERNET_BYTES: u32 = 1500;
    let wanted: Vec<IpAddr> =
        addresses.iter().flat_map(|name| resolve(name).ok()).flatten().collect();
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    let of_interfaces = interfaces.iter().filter(|interface| {
        wanted.is_empty() || wanted.iter().any(|ip| *ip == interface.ip() || ip.is_unspecified())
    });
    let sizes = of_interfaces.filter_map(|interface| {
        let text = fs::read_to_string(format!("/sys/class/net/{}/mtu", interface.name)).ok()?;
        text.trim().parse().ok()
    });
    sizes.min().unwrap_or(ETHERNET_BYTES)
}

/// Node id from the hardware address of an interface (by name, or the first suitable one) and the
/// fabric port: the port above the six bytes of the address.
///
/// # Errors
/// When the interface named has no hardware address.
pub fn node_id(interface: Option<&str>, fabric_port: u16) -> anyhow::Result<u64> {
    let hardware = match interface {
        Some(name) => hardware_address(name)
            .with_context(|| format!("interface '{name}' of node-id-interface has no address"))?,
        None => first_hardware_address().unwrap_or_else(|| u64::from(std::process::id())),
    };
    Ok(u64::from(fabric_port) << 48 | hardware)
}

fn first_hardware_address() -> Option<u64> {
    let mut names: Vec<String> = fs::read_dir("/sys/class/net")
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names.iter().find_map(|name| hardware_address(name))
}

/// Hardware address of an interface, unless it is zero as loopback's is.
fn hardware_address(interface: &str) -> Option<u64> {
    if interface.contains('/') {
        return None;
    }
    let text = fs::read_to_string(format!("/sys/class/net/{interface}/address")).ok()?;
    parse_hardware_address(text.trim())
}

fn parse_hardware_address(text: &str) -> Option<u64> {
    let bytes: Vec<u64> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).map(u64::from))
        .collect::<Result<_, _>>()
        .ok()?;
    let address = bytes.iter().fold(0, |sum, byte| sum << 8 | byte);
    (bytes.len() == 6 && address != 0).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(addresses: &[&str]) -> ClientService {
        ClientService {
            port: Some(3000),
            addresses: addresses.iter().map(|name| (*name).to_owned()).collect(),
            ..ClientService::default()
        }
    }

    fn listens(service: &ClientService) -> Vec<String> {
        listen_addresses(service).unwrap().iter().map(SocketAddr::to_string).collect()
    }

    #[test]
    fn loopback_is_added_to_particular_addresses() {
        assert_eq!(listens(&service(&[])), ["0.0.0.0:3000"]);
        assert_eq!(listens(&service(&["any"])), ["0.0.0.0:3000"]);
        assert_eq!(listens(&service(&["local"])), ["127.0.0.1:3000"]);
        assert_eq!(listens(&service(&["10.1.2.3"])), ["10.1.2.3:3000", "127.0.0.1:3000"]);
        let alone = ClientService { disable_localhost: true, ..service(&["10.1.2.3"]) };
        assert_eq!(listens(&alone), ["10.1.2.3:3000"]);
        assert!(listen_addresses(&service(&["no such host."])).is_err());
    }

    #[test]
    fn clients_are_told_what_is_configured() {
        let service = ClientService {
            access_addresses: vec!["db.example".into(), "fd00::1".into()],
            access_port: Some(4000),
            ..service(&["any"])
        };
        assert_eq!(
            advertised_addresses(&service, &[], true),
            ["db.example:4000", "[fd00::1]:4000"]
        );
    }

    #[test]
    fn loopback_is_not_told() {
        let service = service(&["local"]);
        let listening = listen_addresses(&service).unwrap();
        assert!(advertised_addresses(&service, &listening, true).is_empty());
    }

    #[test]
    fn packets_are_as_large_as_the_interface_takes() {
        assert!(packet_size_bytes(&["127.0.0.1".into()]) >= 1500);
        assert_eq!(packet_size_bytes(&["203.0.113.9".into()]), 1500, "no such interface");
    }

    #[test]
    fn hardware_addresses_become_numbers() {
        assert_eq!(parse_hardware_address("02:42:ac:11:00:02"), Some(0x0242_ac11_0002));
        for bad in ["00:00:00:00:00:00", "", "02:42", "zz:42:ac:11:00:02"] {
            assert_eq!(parse_hardware_address(bad), None, "{bad}");
        }
        assert_eq!(node_id(None, 3001).unwrap() >> 48, 0xBB9);
    }
}
