//! How the nodes of a cluster are configured.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

use crate::harness::{GOLDEN_CONFIGURATION, Release};

/// Ports below those that the system hands out by itself. Each node has an address of its own, so that all
/// use the same.
const SERVICE_PORT: u16 = 23000;
const FABRIC_PORT: u16 = 23001;
const HEARTBEAT_PORT: u16 = 23002;

/// Nodes whose addresses every node is told.
const SEEDS: usize = 3;

/// What all nodes of a cluster have in common.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The name of the cluster.
    pub name: String,
    /// Time between heartbeats, in ms.
    pub interval_ms: u32,
    /// Heartbeats that may be missed.
    pub timeout_intervals: u32,
    /// The namespaces; `@FOLDER@` stands for the node's folder, `@RACK@` for its rack.
    pub namespaces: String,
    /// Whether nodes are in networks of their own, so that links can be cut.
    pub is_isolated: bool,
    /// The server that a node is started from, also when it is restarted. Nodes that run go on as they are.
    pub release: Release,
}

impl Plan {
    /// Namespace `test` in memory with this replication factor, and a heartbeat that notices failures
    /// after a second.
    pub fn in_memory(replication_factor: u32) -> Self {
        Self {
            name: "bolide-tests".into(),
            interval_ms: 100,
            timeout_intervals: 10,
            namespaces: namespace("test", replication_factor, ""),
            is_isolated: false,
            release: Release::default(),
        }
    }

    /// The same on a file in each node's folder.
    pub fn on_files(replication_factor: u32) -> Self {
        let namespaces = format!(
            "namespace test {{\n\treplication-factor {replication_factor}\n\
             \tmigrate-sleep 0\n\tstorage-engine device {{\n\t\tfile @FOLDER@/test.dat\n\
             \t\tfilesize 256M\n\t}}\n}}\n"
        );
        Self { namespaces, ..Self::in_memory(replication_factor) }
    }

    /// The namespaces with which the golden transcripts were recorded, with this replication factor.
    pub fn golden(replication_factor: u32) -> Self {
        let begin = GOLDEN_CONFIGURATION.find("namespace test").expect("it has namespaces");
        let factor = format!("replication-factor {replication_factor}");
        let namespaces = GOLDEN_CONFIGURATION[begin..].replace("replication-factor 1", &factor);
        // Nodes are not meant to fail, so a loaded machine has more time.
        Self { namespaces, timeout_intervals: 30, ..Self::in_memory(replication_factor) }
    }

    /// With more settings of namespace `test`.
    #[must_use]
    pub fn with(mut self, setting: &str) -> Self {
        let place = "namespace test {\n";
        self.namespaces = self.namespaces.replace(place, &format!("{place}\t{setting}\n"));
        self
    }

    /// With another namespace in memory.
    #[must_use]
    pub fn and_namespace(mut self, name: &str, replication_factor: u32, setting: &str) -> Self {
        self.namespaces.push_str(&namespace(name, replication_factor, setting));
        self
    }

    /// With nodes whose links can be cut.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.is_isolated = true;
        self
    }

    /// Where the node at this address serves clients.
    pub(super) fn service(address: IpAddr) -> SocketAddr {
        SocketAddr::new(address, SERVICE_PORT)
    }

    /// The configuration of the node at this place, given the addresses that nodes have by their places.
    pub(super) fn configuration(
        &self,
        place: usize,
        id: u64,
        address: impl Fn(usize) -> IpAddr,
    ) -> String {
        let me = address(place);
        let mut seeds = String::new();
        for seed in (0..SEEDS).map(&address) {
            // Writing to a string cannot fail.
            let _ = writeln!(seeds, "\t\tmesh-seed-address-port {seed} {HEARTBEAT_PORT}");
        }
        let Self { name, interval_ms, timeout_intervals, namespaces, .. } = self;
        // The most that the settings before allow.
        let connect_ms = interval_ms * timeout_intervals / 3;
        let namespaces = namespaces.replace("@RACK@", &(place + 1).to_string());
        format!(
            "service {{\n\tproto-fd-max 2000\n\twork-directory @FOLDER@\n\tcluster-name {name}\n\
             \tnode-id {id:x}\n\tservice-threads 2\n\tticker-interval 1\n\tenable-benchmarks-fabric true\n\
             \tenable-health-check true\n}}\n\
             logging {{\n\tfile @FOLDER@/server.log {{\n\t\tcontext any info\n\t}}\n}}\n\
             network {{\n\tservice {{\n\t\taddress {me}\n\t\taccess-address {me}\n\
             \t\tport {SERVICE_PORT}\n\t\tdisable-localhost true\n\t}}\n\
             \theartbeat {{\n\t\tmode mesh\n\t\taddress {me}\n\t\tport {HEARTBEAT_PORT}\n{seeds}\
             \t\tinterval {interval_ms}\n\t\ttimeout {timeout_intervals}\n\t\tconnect-timeout-ms {connect_ms}\n\t}}\n\
             \tfabric {{\n\t\taddress {me}\n\t\tport {FABRIC_PORT}\n\t}}\n}}\n{namespaces}"
        )
    }
}

fn namespace(name: &str, replication_factor: u32, setting: &str) -> String {
    format!(
        "namespace {name} {{\n\treplication-factor {replication_factor}\n\tmigrate-sleep 0\n\
         \t{setting}\n\tstorage-engine memory {{\n\t\tdata-size 512M\n\t}}\n}}\n"
    )
}
