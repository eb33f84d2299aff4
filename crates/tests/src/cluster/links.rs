//! Networks of the system's own, one a node, joined by a bridge. A link is cut by telling one side a wrong
//! hardware address of the other: what it sends goes nowhere, silently, and the other direction stays whole.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use anyhow::{Context, Result, ensure};

use crate::announce;

/// A hardware address that nobody has.
const NOBODY: &str = "02:00:00:00:00:01";
/// The device of a node within its network.
const DEVICE: &str = "eth0";
/// The bridge's own number among the addresses.
const HOST: u8 = 254;

/// See the module. Everything is taken down when this goes.
pub struct Links {
    /// Distinguishes the networks of several clusters.
    name: String,
    subnet: [u8; 3],
    nodes: usize,
}

impl Links {
    /// Whether the system lets this process make networks; says why not.
    pub fn are_possible() -> bool {
        static ANSWER: OnceLock<bool> = OnceLock::new();
        *ANSWER.get_or_init(|| match Self::probe() {
            Ok(()) => true,
            Err(error) => {
                announce(format_args!("SKIPPED: tests that cut links: {error:#}"));
                false
            }
        })
    }

    fn probe() -> Result<()> {
        sweep();
        let mut links = Self::new()?;
        links.join(0)
    }

    /// # Errors
    /// When the system refuses.
    pub(super) fn new() -> Result<Self> {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let process = std::process::id();
        // Names of devices have at most 15 letters, and ids of processes 7.
        let links = Self {
            name: format!("bt{process}x{number}"),
            subnet: [10, 200 + (process % 50) as u8, (process / 50) as u8 ^ number],
            nodes: 0,
        };
        ip(&format!("link add {} type bridge", links.name))?;
        ip(&format!("address add {}/24 dev {}", links.address_of(HOST), links.name))?;
        ip(&format!("link set {} up", links.name))?;
        Ok(links)
    }

    /// Makes a network for the node at a place.
    pub(super) fn join(&mut self, place: usize) -> Result<()> {
        let (name, inner) = (self.end(place), self.network(place));
        let address = self.address(place);
        ip(&format!("netns add {inner}"))?;
        self.nodes = self.nodes.max(place + 1);
        ip(&format!("link add {name} type veth peer name {DEVICE} netns {inner}"))?;
        ip(&format!("link set {name} master {} up", self.name))?;
        ip(&format!("-n {inner} address add {address}/24 dev {DEVICE}"))?;
        ip(&format!("-n {inner} link set {DEVICE} up"))?;
        ip(&format!("-n {inner} link set lo up"))
    }

    /// The command that runs another within the network of a node.
    pub(super) fn within(&self, place: usize) -> Vec<String> {
        ["ip", "netns", "exec", &self.network(place)].map(str::to_owned).to_vec()
    }

    /// The address of the node at a place.
    pub(super) fn address(&self, place: usize) -> IpAddr {
        self.address_of(place as u8 + 1)
    }

    fn address_of(&self, number: u8) -> IpAddr {
        let [a, b, c] = self.subnet;
        Ipv4Addr::new(a, b, c, number).into()
    }

    /// Loses all that one node sends to another.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn cut(&self, from: usize, to: usize) -> Result<()> {
        let (network, to) = (self.network(from), self.address(to));
        ip(&format!("-n {network} neigh replace {to} lladdr {NOBODY} dev {DEVICE} nud permanent"))
    }

    /// Ends that.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heal(&self, from: usize, to: usize) -> Result<()> {
        let (network, to) = (self.network(from), self.address(to));
        ip(&format!("-n {network} neigh del {to} dev {DEVICE}"))
    }

    fn network(&self, place: usize) -> String {
        format!("{}n{place}", self.name)
    }

    fn end(&self, place: usize) -> String {
        format!("{}n{place}", self.name)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        // With a network its device goes, and with that the other end.
        for place in 0..self.nodes {
            let _ = ip(&format!("netns del {}", self.network(place)));
        }
        let _ = ip(&format!("link del {}", self.name));
    }
}

/// Takes down what test processes have left that were killed.
fn sweep() {
    let is_left = |name: &str| {
        let process = name.strip_prefix("bt").and_then(|rest| rest.split('x').next());
        let process = process.and_then(|process| process.parse::<u32>().ok());
        process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists())
    };
    for (folder, remove) in [("/run/netns", "netns del"), ("/sys/class/net", "link del")] {
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            if is_left(&name) {
                // Another test process may do the same.
                let _ = ip(&format!("{remove} {name}"));
            }
        }
    }
}

fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("running ip")?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {}", complaint.trim());
    Ok(())
}
