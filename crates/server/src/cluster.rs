//! The threads that mind the node's part in a cluster.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use config::{HeartbeatMode, HostPort};
use engine::bell::Bell;
use node::Node;

use crate::multicast::Multicast;

/// How often the names of seeds are looked up: hosts may move.
const SEEDS_PERIOD: Duration = Duration::from_secs(60);

/// How soon they are looked up again while some are not known.
const SEEDS_RETRY: Duration = Duration::from_secs(2);

/// The threads; they end when this is dropped.
pub struct ClusterThreads {
    node: Arc<Node>,
    stop: Arc<AtomicBool>,
    seeds: Arc<Bell>,
    threads: Vec<JoinHandle<()>>,
}

impl ClusterThreads {
    /// Starts to take part in a cluster.
    ///
    /// # Errors
    /// When the system refuses a thread, or multicast.
    pub fn start(node: &Arc<Node>) -> anyhow::Result<Self> {
        let mut threads = Self {
            node: Arc::clone(node),
            stop: Arc::default(),
            seeds: Arc::default(),
            threads: Vec::new(),
        };
        threads.spawn("cluster", |node| node.cluster.wait(node.conduct()))?;
        threads.spawn("migrate", |node| node.wait_for_migration(node.migrate()))?;
        threads.spawn("smd", |node| node.wait_for_metadata(node.spread_metadata()))?;
        let config = node.config();
        if config.network.heartbeat.mode == Some(HeartbeatMode::Multicast) {
            let name = config.service.cluster_name.as_deref().unwrap_or_default();
            let addresses = node.host.control_addresses();
            let mut multicast = Multicast::join(&config.network.heartbeat, name, &addresses)?;
            threads.spawn("multicast", move |node| {
                if let Some(heard) = multicast.turn() {
                    node.set_seeds(heard);
                }
            })?;
        }
        let seeds = node.config().network.heartbeat.mesh_seeds.clone();
        if !seeds.is_empty() {
            // Looking up a name may take long, and nothing else may wait for that.
            let bell = Arc::clone(&threads.seeds);
            threads.spawn("seeds", move |node| bell.wait(look_up(node, &seeds)))?;
        }
        Ok(threads)
    }

    /// Starts a thread that does this again and again.
    fn spawn(
        &mut self,
        name: &str,
        mut turn: impl FnMut(&Node) + Send + 'static,
    ) -> io::Result<()> {
        let (node, stop) = (Arc::clone(&self.node), Arc::clone(&self.stop));
        let thread = thread::Builder::new().name(name.into()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                turn(&node);
            }
        })?;
        self.threads.push(thread);
        Ok(())
    }
}

/// Tells the node where its seeds are. Returns how long to wait before that is done again.
fn look_up(node: &Node, seeds: &[HostPort]) -> Duration {
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut all = true;
    for seed in seeds {
        match (seed.host.as_str(), seed.port).to_socket_addrs() {
            Ok(found) => addresses.extend(found),
            Err(error) => {
                all = false;
                tracing::warn!(
                    target: "hb",
                    "mesh-seed-address-port {seed}: {error}; check the name, or the name service"
                );
            }
        }
    }
    node.set_seeds(addresses);
    if all { SEEDS_PERIOD } else { SEEDS_RETRY }
}

impl Drop for ClusterThreads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.node.cluster.wake();
        self.node.wake_migration();
        self.node.wake_metadata();
        self.seeds.ring();
        for thread in self.threads.drain(..) {
            // A thread that panicked was logged when it did.
            let _ = thread.join();
        }
    }
}
