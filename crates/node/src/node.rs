//! The node: its namespaces, settings and identity.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use config::Config;
use engine::Namespace;
use engine::compression::CompressionStat;
use engine::copies::Written;
use engine::counters::Bank;
use engine::latency::Latency;
use parking_lot::Mutex;
use record::LastUpdateTime;
use wire::Digest;

use crate::clock::HybridClock;
use crate::clustering::Clustering;
use crate::counters::ServiceCounter;
use crate::fabric_latency::FabricLatencies;
use crate::health::Health;
use crate::host::Host;
use crate::metadata::{self, Acceptor, Module, Spread, Store, Unreadable};
use crate::migration::Migrations;
use crate::peers::{Cause, Uncopied};
use crate::query::{Jobs, Queue};
use crate::settings::Settings;
use crate::ticker::Slices;
use crate::traffic::Traffic;
use crate::udf::{Calls, Runner};

/// Longest name of a namespace in bytes.
const NAMESPACE_NAME_BYTES_MAX: usize = 31;

/// A node of a cluster.
pub struct Node {
    /// Its namespaces, in the order of the configuration.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Event counters.
    pub counters: Bank<ServiceCounter>,
    /// The outside world.
    pub host: Arc<dyn Host>,
    /// When it came up, by the wall clock.
    pub started_at: LastUpdateTime,
    /// Its part in a cluster.
    pub cluster: Arc<Clustering>,
    /// The clock by which records are written.
    clock: HybridClock,
    /// What goes on between it and others.
    pub(crate) traffic: Traffic,
    /// How long frames between nodes take, while `enable-benchmarks-fabric` is on.
    pub(crate) fabric_latencies: FabricLatencies,
    /// How peers and devices are.
    pub(crate) health: Health,
    /// Partitions that move.
    pub(crate) migrations: Migrations,
    /// Changes that threads without links have made.
    uncopied: Mutex<Vec<Uncopied>>,
    /// What the nodes of a cluster keep in common beside records.
    pub metadata: Arc<Store>,
    /// Brings them to other nodes.
    pub(crate) spread: Arc<Spread>,
    /// Long queries.
    pub(crate) jobs: Jobs,
    /// Those that change records, between two steps.
    pub(crate) background: Queue,
    /// How long info requests took, while `enable-hist-info` is on.
    pub(crate) info_latency: Latency,
    /// How long batches took.
    pub(crate) batch_latency: Latency,
    /// How well the frames of batches compress.
    pub(crate) batch_compression: CompressionStat,
    /// The last slice of each latency histogram, as `latencies` shows it.
    pub(crate) slices: Mutex<Slices>,
    settings: Arc<Settings>,
    /// Runs functions of UDF modules.
    pub(crate) udf: Arc<Runner>,
    /// Calls of functions that wait for a thread.
    pub(crate) calls: Calls,
    started: Duration,
}

impl Node {
    /// A node with this configuration, whose namespaces are in memory, for this many event loops.
    pub fn new(config: Config, host: Arc<dyn Host>, loops: usize) -> Self {
        let namespaces = config.namespaces.iter();
        let namespaces =
            namespaces.map(|namespace| Arc::new(Namespace::new(namespace.clone(), loops)));
        let namespaces = namespaces.collect();
        Self::with(config, namespaces, host, loops)
    }

    /// A node with this configuration and these namespaces, in its order. Its metadata are empty until
    /// [`Self::restore_metadata`].
    pub fn with(
        config: Config,
        namespaces: Vec<Arc<Namespace>>,
        host: Arc<dyn Host>,
        loops: usize,
    ) -> Self {
        for (number, namespace) in namespaces.iter().enumerate() {
            namespace.set_number(number);
        }
        let cluster = Arc::new(Clustering::new(&config, &namespaces, &*host));
        let spread = Arc::new(Spread::default());
        let store = Store::new(Arc::clone(&host), Arc::clone(&cluster), Arc::clone(&spread));
        let metadata = Arc::new(store);
        metadata::register(&metadata, &namespaces);
        let udf = Arc::new(Runner::new(&config.mod_lua, Arc::clone(&host)));
        metadata.register(Module::Udf, Arc::clone(&udf) as Arc<dyn Acceptor>);
        let has_fabric_latencies = config.service.enable_benchmarks_fabric;
        let settings = Arc::new(Settings::new(config, &namespaces, Arc::clone(&host)));
        metadata.register(Module::SetSettings, Arc::clone(&settings) as Arc<dyn Acceptor>);
        let node = Self {
            clock: HybridClock::default(),
            traffic: Traffic::new(loops),
            fabric_latencies: FabricLatencies::new(loops, has_fabric_latencies),
            health: Health::default(),
            migrations: Migrations::new(namespaces.len()),
            uncopied: Mutex::default(),
            namespaces,
            counters: Bank::new(loops),
            started_at: host.now(),
            cluster,
            metadata,
            spread,
            jobs: Jobs::default(),
            background: Queue::default(),
            info_latency: Latency::new(loops),
            batch_latency: Latency::new(loops),
            batch_compression: CompressionStat::default(),
            slices: Mutex::default(),
            started: host.monotonic(),
            host,
            settings,
            udf,
            calls: Calls::default(),
        };
        // Before others are met: that they arrive is watched, too.
        node.mind_health_setting(&node.config());
        node.begin_clustering();
        node
    }

    /// Leaves it to the first event loop to tell other nodes of a change, if there are others that have to
    /// hear of it. When all have confirmed it, or there are none, `waiter` is told.
    pub(crate) fn copy_from_thread(
        &self,
        namespace: &Arc<Namespace>,
        digest: &Digest,
        written: Written,
        cause: Cause,
    ) {
        let removed_at = match written {
            Written::Nothing => return,
            Written::Stored(_) | Written::Renewed => None,
            Written::Removed(at) => Some(at),
        };
        let partition = self.cluster.table(namespace.number()).get(digest.partition());
        if partition.others().next().is_some() {
            let (namespace, digest) = (Arc::clone(namespace), *digest);
            let uncopied = Uncopied { namespace, digest, removed_at, cause, partition };
            self.uncopied.lock().push(uncopied);
            self.cluster.raise_sender();
        }
    }

    /// Changes that no loop has taken over yet.
    pub(crate) fn uncopied_count(&self) -> usize {
        self.uncopied.lock().len()
    }

    /// Takes over what was left so.
    pub(crate) fn take_uncopied(&self) -> Vec<Uncopied> {
        std::mem::take(&mut self.uncopied.lock())
    }

    /// Takes over the metadata that an earlier run of the node kept, before it serves anybody. Who is to
    /// act on them has registered with [`Self::metadata`] by then.
    ///
    /// # Errors
    /// When some of them cannot be read: a node that went on would overwrite them.
    pub fn restore_metadata(&self) -> Result<(), Unreadable> {
        self.metadata.load()?;
        metadata::recall(&self.metadata, &self.namespaces);
        self.metadata.announce();
        for namespace in &self.namespaces {
            namespace.finish_sindexes(|| self.host.now());
        }
        Ok(())
    }

    /// The namespace with this name; in a message it may be followed by a zero byte.
    pub fn namespace(&self, name: &[u8]) -> Option<&Arc<Namespace>> {
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(name.len());
        let name = name.get(..end).filter(|_| name.len() <= NAMESPACE_NAME_BYTES_MAX)?;
        self.namespaces.iter().find(|namespace| namespace.name.as_bytes() == name)
    }

    /// The settings now in force.
    pub fn config(&self) -> Arc<Config> {
        self.settings.current()
    }

    /// Its id in the cluster: `node-id`, which the host fills in when the file has none.
    pub fn id(&self) -> u64 {
        self.settings.load().service.node_id.unwrap_or_default()
    }

    /// Whether latency histograms count microseconds instead of milliseconds.
    pub fn histograms_in_micros(&self) -> bool {
        self.settings.histograms_in_micros()
    }

    /// Changes settings: `change` makes new ones of those in force, or refuses.
    ///
    /// # Errors
    /// Whatever `change` returns; nothing has changed then.
    pub fn reconfigure<T, E>(
        &self,
        change: impl FnOnce(&Config) -> Result<(Config, T), E>,
    ) -> Result<T, E> {
        let (before, outcome) = self.settings.change(change, |config| {
            self.fabric_latencies.set_on(config.service.enable_benchmarks_fabric);
            self.mind_health_setting(config);
        })?;
        self.mind_membership(&before);
        Ok(outcome)
    }

    /// The time at which records are written now.
    pub(crate) fn record_time(&self) -> LastUpdateTime {
        self.clock.now(self.host.now())
    }

    /// Another node has written a record at this time.
    pub(crate) fn observe_time(&self, time: LastUpdateTime) {
        self.clock.observe(time);
    }

    /// Time since the node came up.
    pub fn uptime(&self) -> Duration {
        self.host.monotonic().saturating_sub(self.started)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("namespaces", &self.namespaces).finish_non_exhaustive()
    }
}
