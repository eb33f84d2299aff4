//! Secondary indexes, truncations and thresholds of eviction: from the store to the namespaces, and from
//! there to the store.
//!
//! Namespaces with devices remember both there, since a start needs them before it reads records. The
//! store is told first, so after a crash it knows more; after a loss of the work directory the devices
//! do. The larger number wins, unless the store knows that it was taken back.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use engine::Namespace;
use engine::sindex::Definition;
use record::LastUpdateTime;

use super::merge::number;
use super::{Acceptor, Item, Module, Occasion, Store};

/// The key of a truncation.
pub(crate) fn truncation_key(namespace: &[u8], set: Option<&[u8]>) -> Vec<u8> {
    match set {
        None => namespace.to_vec(),
        Some(set) => [namespace, b"|", set].concat(),
    }
}

/// Namespace and set of such a key.
fn parts_of(key: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = key.splitn(2, |byte| *byte == b'|');
    (parts.next().unwrap_or_default(), parts.next())
}

/// Has the store and these namespaces hear of each other.
pub(crate) fn register(store: &Arc<Store>, namespaces: &[Arc<Namespace>]) {
    store.register(Module::Truncate, Arc::new(Truncations(namespaces.into())));
    store.register(Module::Evict, Arc::new(Evictions(namespaces.into())));
    store.register(Module::Sindex, Arc::new(Sindexes(namespaces.into())));
    for namespace in namespaces {
        let (store, name) = (Arc::downgrade(store), namespace.name.clone());
        namespace.threshold_keeper.set(move |threshold| keep_threshold(&store, &name, threshold.0));
    }
}

/// Keeps a threshold that the supervisor of a namespace has found, which may be lower than the last.
fn keep_threshold(store: &Weak<Store>, namespace: &str, void_time: u32) -> bool {
    let Some(store) = store.upgrade() else { return false };
    let value = void_time.to_string();
    match store.replace(Module::Evict, namespace.as_bytes(), Some(value.as_bytes())) {
        Ok(is_change) => is_change,
        Err(error) => {
            store.complain(&format!("the eviction threshold of {namespace}: {error}"));
            false
        }
    }
}

/// Tells the store what devices remember and it does not know.
pub(crate) fn recall(store: &Store, namespaces: &[Arc<Namespace>]) {
    for namespace in namespaces {
        let (name, gauges) = (namespace.name.as_bytes(), &namespace.gauges);
        let void_time = gauges.evict_void_time.load(Ordering::Relaxed);
        recall_number(store, Module::Evict, name, u64::from(void_time));
        let lut = gauges.truncate_lut.load(Ordering::Relaxed);
        recall_number(store, Module::Truncate, name, lut);
        for set in namespace.sets.iter() {
            let lut = set.truncate_lut.load(Ordering::Relaxed);
            recall_number(store, Module::Truncate, &truncation_key(name, Some(&set.name)), lut);
        }
    }
}

fn recall_number(store: &Store, module: Module, key: &[u8], number: u64) {
    // A truncation that came after the undo that the store knows of is a new one. Thresholds lie in
    // the future and tell nothing of when they were set.
    let is_covered = |item: &Item| match module {
        Module::Truncate => number <= item.timestamp.0,
        _ => true,
    };
    let is_undone =
        || store.get(module, key).is_some_and(|item| item.value.is_none() && is_covered(&item));
    if number == 0 || is_undone() {
        return;
    }
    if let Err(error) = store.set(module, key, Some(number.to_string().as_bytes())) {
        let key = String::from_utf8_lossy(key);
        store.complain(&format!("what the devices of {key} remember: {error}"));
    }
}

fn named<'n>(namespaces: &'n [Arc<Namespace>], name: &[u8]) -> Option<&'n Arc<Namespace>> {
    namespaces.iter().find(|namespace| namespace.name.as_bytes() == name)
}

fn number_of(item: &Item) -> Option<u64> {
    item.value.as_deref().and_then(number)
}

/// Truncates namespaces and sets.
struct Truncations(Box<[Arc<Namespace>]>);

impl Acceptor for Truncations {
    fn accept(&self, item: &Item, occasion: Occasion) -> io::Result<()> {
        let (namespace, set) = parts_of(&item.key);
        // Other nodes may have namespaces that this one does not.
        let Some(namespace) = named(&self.0, namespace) else { return Ok(()) };
        let time = number_of(item).map(LastUpdateTime);
        match occasion {
            Occasion::Start => namespace.recall_truncation(set, time),
            Occasion::Change => namespace.apply_truncation(set, time),
        }
    }
}

/// Makes and drops secondary indexes.
struct Sindexes(Box<[Arc<Namespace>]>);

impl Acceptor for Sindexes {
    fn accept(&self, item: &Item, _: Occasion) -> io::Result<()> {
        let defined = Definition::of_key(&item.key);
        let Some((namespace, definition)) = defined else { return Ok(()) };
        let Some(namespace) = named(&self.0, namespace) else { return Ok(()) };
        namespace.apply_sindex(definition, item.value.as_deref()).map_err(io::Error::other)
    }
}

/// Tells namespaces what to evict.
struct Evictions(Box<[Arc<Namespace>]>);

impl Acceptor for Evictions {
    fn accept(&self, item: &Item, _: Occasion) -> io::Result<()> {
        let Some(namespace) = named(&self.0, &item.key) else { return Ok(()) };
        let void_time = number_of(item).unwrap_or(0).try_into().unwrap_or(u32::MAX);
        if namespace.gauges.evict_void_time.load(Ordering::Relaxed) == void_time {
            return Ok(());
        }
        namespace.set_evict_void_time(void_time)
    }
}
