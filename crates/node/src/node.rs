//! The node: its namespaces, settings and identity.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use config::Config;
use engine::Namespace;
use engine::counters::Bank;
use parking_lot::Mutex;
use record::LastUpdateTime;

use crate::counters::ServiceCounter;
use crate::host::Host;

/// A node of a cluster; so far always one of its own.
pub struct Node {
    /// Its namespaces, in the order of the configuration.
    pub namespaces: Vec<Arc<Namespace>>,
    /// Event counters.
    pub counters: Bank<ServiceCounter>,
    /// The outside world.
    pub host: Arc<dyn Host>,
    /// When it came up, by the wall clock.
    pub started_at: LastUpdateTime,
    config: ArcSwap<Config>,
    /// `microsecond-histograms`, at hand for every request.
    histograms_in_micros: AtomicBool,
    /// Held while settings change, so that no change is lost.
    changing: Mutex<()>,
    started: Duration,
}

impl Node {
    /// A node with this configuration, for this many event loops.
    pub fn new(config: Config, host: Arc<dyn Host>, loops: usize) -> Self {
        let namespaces = config.namespaces.iter();
        Self {
            namespaces: namespaces
                .map(|namespace| Arc::new(Namespace::new(namespace.clone(), loops)))
                .collect(),
            counters: Bank::new(loops),
            started_at: host.now(),
            started: host.monotonic(),
            histograms_in_micros: AtomicBool::new(config.service.microsecond_histograms),
            host,
            config: ArcSwap::from_pointee(config),
            changing: Mutex::new(()),
        }
    }

    /// The namespace with this name.
    pub fn namespace(&self, name: &[u8]) -> Option<&Arc<Namespace>> {
        self.namespaces.iter().find(|namespace| namespace.name.as_bytes() == name)
    }

    /// The settings now in force.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Whether latency histograms count microseconds instead of milliseconds.
    pub fn histograms_in_micros(&self) -> bool {
        self.histograms_in_micros.load(Ordering::Relaxed)
    }

    /// Changes settings: `change` makes new ones of those in force, or refuses.
    ///
    /// # Errors
    /// Whatever `change` returns; nothing has changed then.
    pub fn reconfigure<T, E>(
        &self,
        change: impl FnOnce(&Config) -> Result<(Config, T), E>,
    ) -> Result<T, E> {
        let _changing = self.changing.lock();
        let (config, outcome) = change(&self.config.load())?;
        for (namespace, of_namespace) in self.namespaces.iter().zip(&config.namespaces) {
            if **namespace.config() != *of_namespace {
                namespace.configure(of_namespace.clone());
            }
        }
        self.histograms_in_micros.store(config.service.microsecond_histograms, Ordering::Relaxed);
        self.host.configured(&config);
        self.config.store(Arc::new(config));
        Ok(outcome)
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
