//! What a node knows of the outside world.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use cluster::Protocols;
use record::LastUpdateTime;

/// The outside world, as the node sees it. The server has the real one.
pub trait Host: Send + Sync + 'static {
    /// The wall clock, in ms since 2010.
    fn now(&self) -> LastUpdateTime;

    /// A clock that never goes back, for durations.
    fn monotonic(&self) -> Duration;

    /// A random number: cluster keys are made of it.
    fn random(&self) -> u64 {
        fastrand::u64(..)
    }

    /// Readings of machine and process.
    fn vitals(&self) -> Vitals;

    /// Connections of clients and of other nodes.
    fn connections(&self) -> Connections;

    /// Own addresses to which clients connect, each with its port (`10.0.0.1:3000`). Loopback
    /// addresses are not listed unless configured.
    fn service_addresses(&self) -> Vec<String>;

    /// Where other nodes reach this one with heartbeats and what goes with them; none if it has no port
    /// for that.
    fn control_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Where other nodes reach this one with records.
    fn fabric_addresses(&self) -> Vec<SocketAddr> {
        Vec::new()
    }

    /// Versions of the protocol between nodes that this one may speak: all of this release, unless an operator
    /// holds it to older ones.
    fn protocols(&self) -> Protocols {
        Protocols::ALL
    }

    /// The address of a host by its name; `None` if there is none.
    fn resolve(&self, name: &str, port: u16) -> Option<SocketAddr> {
        let ip = name.parse().ok()?;
        Some(SocketAddr::new(ip, port))
    }

    /// Takes notice of changed settings that matter outside the node: limits of connections.
    fn configured(&self, config: &config::Config);

    /// The log.
    fn log(&self) -> &dyn Log;

    /// Where the system metadata are kept. A host without such a place forgets them with the node.
    fn metadata(&self) -> &dyn MetadataFiles {
        &Nowhere
    }
}

/// A file for each module of the system metadata.
pub trait MetadataFiles: Send + Sync {
    /// Keeps these bytes in place of those that were there. When this returns they last, and whenever
    /// the power goes, either these are there or the former ones.
    ///
    /// # Errors
    /// When that is not sure. Some day these or the former ones may be found.
    fn save(&self, module: &str, bytes: &[u8]) -> io::Result<()>;

    /// What was saved last; `None` if nothing ever was.
    ///
    /// # Errors
    /// When it cannot be read.
    fn load(&self, module: &str) -> io::Result<Option<Vec<u8>>>;

    /// Where they are, for whoever has to look.
    fn place(&self, module: &str) -> String;
}

/// Keeps nothing.
struct Nowhere;

impl MetadataFiles for Nowhere {
    fn save(&self, _: &str, _: &[u8]) -> io::Result<()> {
        Ok(())
    }

    fn load(&self, _: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(None)
    }

    fn place(&self, module: &str) -> String {
        module.to_owned()
    }
}

/// The log, as info commands see it.
pub trait Log: Send + Sync {
    /// The sinks in order: `stderr`, or the path of a file.
    fn sinks(&self) -> Vec<String>;

    /// Levels of a sink's contexts, in the order of [`config::LOG_CONTEXTS`]; `None` if there is no
    /// such sink.
    fn levels(&self, sink: usize) -> Option<Vec<config::LogLevel>>;

    /// Sets the level of a context of a sink (by its place in [`config::LOG_CONTEXTS`]), or of all its
    /// contexts; false if there is no such sink.
    fn set_level(&self, sink: usize, context: Option<usize>, level: config::LogLevel) -> bool;

    /// Writes a line at level INFO.
    fn message(&self, text: &str);

    /// Writes a line about the cluster; `topic` says in which context.
    fn tell(&self, topic: Topic, text: &str) {
        let _ = topic;
        self.message(text);
    }
}

/// What a line about the cluster is about, and whether it is a warning.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Topic {
    /// Nodes that come and go, and views.
    Clustering,
    /// Something about that which an operator should look into.
    ClusteringTrouble,
    /// Balances of partitions.
    Partition,
    /// A namespace that cannot be balanced.
    PartitionTrouble,
    /// A peer or a device that is worse than the others.
    HealthTrouble,
}

/// Connections by their kinds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Connections {
    /// Those of clients, on the service port.
    pub clients: ConnectionCounts,
    /// Those over which nodes tell each other that they are there.
    pub heartbeat: ConnectionCounts,
    /// All others between nodes.
    pub fabric: ConnectionCounts,
    /// Connections of clients that were closed because they were idle.
    pub reaped: u64,
}

/// Connections of a kind since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ConnectionCounts {
    /// Open now.
    pub open: u64,
    /// Opened so far.
    pub opened: u64,
    /// Closed so far.
    pub closed: u64,
}

impl ConnectionCounts {
    /// So many were opened and closed.
    pub fn new(opened: u64, closed: u64) -> Self {
        Self { open: opened.saturating_sub(closed), opened, closed }
    }
}

/// Readings of machine and process at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Vitals {
    /// CPU time of the machine in user mode, in percent of all its cores.
    pub system_user_cpu_pct: u32,
    /// CPU time of the machine in kernel mode, in percent of all its cores.
    pub system_kernel_cpu_pct: u32,
    /// Memory of the machine that is available, in KiB.
    pub system_free_memory_kbytes: u64,
    /// The same in percent.
    pub system_free_memory_pct: u32,
    /// Anonymous transparent huge pages, in KiB.
    pub system_thp_memory_kbytes: u64,
    /// CPU time of the process; 100 is one core.
    pub process_cpu_pct: u32,
    /// Threads of the process.
    pub threads: u32,
    /// Heap handed out, in KiB.
    pub heap_allocated_kbytes: u64,
    /// Heap in active pages, in KiB.
    pub heap_active_kbytes: u64,
    /// Heap mapped, in KiB.
    pub heap_mapped_kbytes: u64,
}
