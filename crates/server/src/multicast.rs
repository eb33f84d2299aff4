//! Nodes that find each other by multicast: each says at intervals where it is reached, and hears where others
//! are.
//!
//! That is all that multicast is for here. What goes on between nodes that have found each other is the
//! same as with seeds.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::Context;
use config::Heartbeat;
use socket2::{Domain, Protocol, Socket, Type};

/// What every message begins with; the number is that of its layout.
const MAGIC: &str = "bolide-node 1";

/// Most bytes of a message: it has to fit one packet anywhere.
const MESSAGE_BYTES_MAX: usize = 1_200;

/// Nodes that were not heard for so long are not sought any more.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Most addresses that are remembered: what is sent to a group may be sent by anybody.
const HEARD_MAX: usize = 1_024;

/// A member of the groups of a configuration.
pub struct Multicast {
    socket: UdpSocket,
    groups: Vec<SocketAddr>,
    message: Vec<u8>,
    cluster_name: String,
    interval: Duration,
    heard: BTreeMap<SocketAddr, Instant>,
}

impl Multicast {
    /// Joins the groups. Others are told these addresses.
    ///
    /// # Errors
    /// When a group cannot be joined.
    pub fn join(
        heartbeat: &Heartbeat,
        cluster_name: &str,
        addresses: &[SocketAddr],
    ) -> anyhow::Result<Self> {
        let port = heartbeat.port.unwrap_or_default();
        let groups = heartbeat.multicast_groups.iter().map(|group| {
            let ip: IpAddr = group.parse().with_context(|| {
                format!("multicast-group {group} is no address; name one like 239.1.99.2")
            })?;
            Ok(SocketAddr::new(ip, port))
        });
        let groups = groups.collect::<anyhow::Result<Vec<_>>>()?;
        let is_v4 = groups.iter().all(SocketAddr::is_ipv4);
        let socket = open(is_v4, port, heartbeat.multicast_ttl).context("cannot use multicast")?;
        for group in &groups {
            join(&socket, group.ip(), &heartbeat.addresses).with_context(|| {
                format!(
                    "cannot join multicast-group {}: check that an interface has multicast and a route \
                     for it",
                    group.ip()
                )
            })?;
        }
        Ok(Self {
            socket: socket.into(),
            groups,
            message: encode(cluster_name, addresses),
            cluster_name: cluster_name.to_owned(),
            interval: Duration::from_millis(heartbeat.interval_ms.into()),
            heard: BTreeMap::new(),
        })
    }

    /// Says where this node is, then listens for an interval. Returns where others are, if that has
    /// changed.
    pub fn turn(&mut self) -> Option<Vec<SocketAddr>> {
        for group in &self.groups {
            // The next one may get through.
            let _ = self.socket.send_to(&self.message, group);
        }
        let until = Instant::now() + self.interval;
        let mut is_news = false;
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let wait = left.max(Duration::from_millis(1));
            if self.socket.set_read_timeout(Some(wait)).is_err() {
                break;
            }
            let mut buffer = [0; MESSAGE_BYTES_MAX];
            let Ok(size) = self.socket.recv(&mut buffer) else { continue };
            let message = buffer.get(..size).unwrap_or_default();
            for address in decode(message, &self.cluster_name) {
                is_news |= self.hear(address);
            }
        }
        let before = self.heard.len();
        self.heard.retain(|_, at| at.elapsed() < FORGOTTEN_AFTER);
        is_news |= self.heard.len() < before;
        is_news.then(|| self.heard.keys().copied().collect())
    }

    /// Says whether an address is new.
    fn hear(&mut self, address: SocketAddr) -> bool {
        let is_known = self.heard.contains_key(&address);
        if !is_known && self.heard.len() >= HEARD_MAX {
            return false;
        }
        self.heard.insert(address, Instant::now());
        !is_known
    }
}

fn open(is_v4: bool, port: u16, ttl: u32) -> io::Result<Socket> {
    let (domain, any): (_, IpAddr) = match is_v4 {
        true => (Domain::IPV4, Ipv4Addr::UNSPECIFIED.into()),
        false => (Domain::IPV6, Ipv6Addr::UNSPECIFIED.into()),
    };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    // Several nodes of a machine are in the same groups.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.bind(&SocketAddr::new(any, port).into())?;
    if ttl > 0 && is_v4 {
        socket.set_multicast_ttl_v4(ttl)?;
    }
    Ok(socket)
}

/// Joins a group on the interfaces with these addresses, or on the one that the system chooses.
fn join(socket: &Socket, group: IpAddr, addresses: &[String]) -> io::Result<()> {
    let IpAddr::V4(group) = group else {
        let IpAddr::V6(group) = group else { return Ok(()) };
        return socket.join_multicast_v6(&group, 0);
    };
    let interfaces = addresses.iter().filter_map(|address| address.parse::<Ipv4Addr>().ok());
    let interfaces: Vec<_> = interfaces.filter(|ip| !ip.is_unspecified()).collect();
    if interfaces.is_empty() {
        return socket.join_multicast_v4(&group, &Ipv4Addr::UNSPECIFIED);
    }
    for interface in interfaces {
        socket.join_multicast_v4(&group, &interface)?;
        socket.set_multicast_if_v4(&interface)?;
    }
    Ok(())
}

/// A message: a line that names the protocol, the name of the cluster, and a line for each address.
fn encode(cluster_name: &str, addresses: &[SocketAddr]) -> Vec<u8> {
    let mut message = format!("{MAGIC}\n{cluster_name}\n");
    for address in addresses {
        let line = format!("{address}\n");
        if message.len() + line.len() <= MESSAGE_BYTES_MAX {
            message.push_str(&line);
        }
    }
    message.into_bytes()
}

/// The addresses in a message of this cluster; none in any other.
fn decode(message: &[u8], cluster_name: &str) -> Vec<SocketAddr> {
    let Ok(text) = std::str::from_utf8(message) else { return Vec::new() };
    let mut lines = text.lines();
    if lines.next() != Some(MAGIC) || lines.next() != Some(cluster_name) {
        return Vec::new();
    }
    lines.filter_map(|line| line.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_are_written() {
        let addresses: Vec<SocketAddr> =
            vec!["10.0.0.1:3002".parse().unwrap(), "[fd00::1]:3002".parse().unwrap()];
        let message = encode("mine", &addresses);
        assert_eq!(decode(&message, "mine"), addresses);
        assert_eq!(decode(&message, "other"), []);
        for nonsense in [&b""[..], b"\xff\xfe", b"bolide-node 2\nmine\n10.0.0.1:1\n"] {
            assert_eq!(decode(nonsense, "mine"), []);
        }
        let many = vec![addresses[1]; 1000];
        assert!(encode("mine", &many).len() <= MESSAGE_BYTES_MAX);
    }
}
