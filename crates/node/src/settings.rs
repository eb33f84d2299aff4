//! The settings in force, and what has to hear of a change.
//!
//! Settings of sets are metadata: a command sets them for all nodes of the cluster, and beyond a restart,
//! whatever the configuration file says. All others are of one node, until it stops.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, Guard};
use config::{Change, Config, SetConfigError};
use engine::Namespace;
use parking_lot::Mutex;

use crate::host::Host;
use crate::metadata::{Acceptor, Item, Occasion, SetSetting};

/// See the module.
pub(crate) struct Settings {
    config: ArcSwap<Config>,
    /// In the order of the configuration.
    namespaces: Box<[Arc<Namespace>]>,
    host: Arc<dyn Host>,
    /// `microsecond-histograms`, at hand for every request.
    histograms_in_micros: AtomicBool,
    /// Held while settings change, so that no change is lost.
    changing: Mutex<()>,
}

impl Settings {
    /// These, for namespaces that were made by them.
    pub fn new(config: Config, namespaces: &[Arc<Namespace>], host: Arc<dyn Host>) -> Self {
        set_builder_threads(namespaces, &config);
        Self {
            histograms_in_micros: AtomicBool::new(config.service.microsecond_histograms),
            config: ArcSwap::from_pointee(config),
            namespaces: namespaces.into(),
            host,
            changing: Mutex::new(()),
        }
    }

    /// What holds now, for a short look.
    pub fn load(&self) -> Guard<Arc<Config>> {
        self.config.load()
    }

    /// The same to keep.
    pub fn current(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// `microsecond-histograms`.
    pub fn histograms_in_micros(&self) -> bool {
        self.histograms_in_micros.load(Ordering::Relaxed)
    }

    /// Changes settings: `change` makes new ones of those in force, or refuses, and `apply` has them take effect
    /// elsewhere. Returns those before too.
    ///
    /// # Errors
    /// Whatever `change` returns; nothing has changed then.
    pub fn change<T, E>(
        &self,
        change: impl FnOnce(&Config) -> Result<(Config, T), E>,
        apply: impl FnOnce(&Config),
    ) -> Result<(Arc<Config>, T), E> {
        let _changing = self.changing.lock();
        let (config, outcome) = change(&self.config.load())?;
        for (namespace, of_namespace) in self.namespaces.iter().zip(&config.namespaces) {
            if **namespace.config() != *of_namespace {
                namespace.configure(of_namespace.clone());
            }
        }
        set_builder_threads(&self.namespaces, &config);
        self.histograms_in_micros.store(config.service.microsecond_histograms, Ordering::Relaxed);
        apply(&config);
        self.host.configured(&config);
        Ok((self.config.swap(Arc::new(config)), outcome))
    }
}

/// Tells namespaces how many threads may fill a secondary index.
fn set_builder_threads(namespaces: &[Arc<Namespace>], config: &Config) {
    for namespace in namespaces {
        namespace.sindexes.set_builder_threads(config.service.sindex_builder_threads);
    }
}

/// Settings of sets.
impl Acceptor for Settings {
    fn accept(&self, item: &Item, occasion: Occasion) -> io::Result<()> {
        // No command takes one back: there is nothing to do for one without value.
        let Some((of, value)) = SetSetting::of_item(item) else { return Ok(()) };
        // Other nodes may have namespaces that this one does not.
        if self.load().namespace(of.namespace).is_none() {
            return Ok(());
        }
        let change = |config: &Config| {
            let applied = config::set_in_set(config, (of.namespace, of.set), (of.name, value))?;
            Ok::<_, SetConfigError>((applied.config, applied.change))
        };
        let changed = self.change(change, |_| {});
        let (_, change) = changed.map_err(|error| {
            io::Error::other(match error {
                SetConfigError::InvalidParameter(why) => why,
                error => error.to_string(),
            })
        })?;
        if change.old != change.new {
            self.host.log().message(&describe(&change, occasion));
        }
        Ok(())
    }
}

fn describe(change: &Change, occasion: Occasion) -> String {
    let Change { name, old, new, .. } = change;
    let namespace = change.namespace.as_deref().unwrap_or_default();
    let set = change.set.as_deref().unwrap_or_default();
    match occasion {
        Occasion::Start => format!(
            "namespace {namespace} set {set}: {name} is {new}, as set-config said, instead of {old}, \
             as the configuration file says"
        ),
        Occasion::Change => {
            format!("namespace {namespace} set {set}: {name} is {new} now on all nodes, was {old}")
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.load().fmt(f)
    }
}
