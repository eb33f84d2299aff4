//! The store of all modules.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};

use super::file::{self, Committed, Contents};
use super::merge::{How, change, merge};
use super::spread::hash_of_all;
use super::{Acceptor, Item, Module, Occasion, Reason, SetError, Spread, Unreadable};
use crate::clustering::Clustering;
use crate::host::{Host, MetadataFiles};

/// Keys of a module, deleted ones too. Each change writes all of them.
const KEYS_MAX: usize = 1 << 16;

/// The system metadata of a node.
///
/// Nobody waits for a change to become durable but those that change the same module.
pub struct Store {
    host: Arc<dyn Host>,
    cluster: Arc<Clustering>,
    spread: Arc<Spread>,
    slots: [Slot; Module::ALL.len()],
}

/// One module.
#[derive(Default)]
struct Slot {
    /// Held during a change, until all acceptors have acted on it: they see changes in their order.
    changing: Mutex<()>,
    contents: RwLock<Contents>,
    /// Of its items. Whoever waits for other nodes to have the same looks at it often.
    hash: AtomicU64,
    acceptors: RwLock<Vec<Arc<dyn Acceptor>>>,
}

impl Store {
    /// An empty one.
    pub(crate) fn new(host: Arc<dyn Host>, cluster: Arc<Clustering>, spread: Arc<Spread>) -> Self {
        Self { host, cluster, spread, slots: Default::default() }
    }

    fn slot(&self, module: Module) -> &Slot {
        &self.slots[module as usize]
    }

    /// Has an acceptor act on the items of a module, after those that do so already. For the time
    /// before [`Self::restore`].
    pub fn register(&self, module: Module, acceptor: Arc<dyn Acceptor>) {
        self.slot(module).acceptors.write().push(acceptor);
    }

    /// Takes over what an earlier run kept; acceptors do not hear of it yet.
    ///
    /// # Errors
    /// When there is something that cannot be read. Nobody should go on then: what is there would be
    /// overwritten.
    pub(crate) fn load(&self) -> Result<(), Unreadable> {
        for (slot, module) in self.slots.iter().zip(Module::ALL) {
            if let Some(contents) = read(self.host.metadata(), module)? {
                slot.replace(contents);
            }
        }
        Ok(())
    }

    /// Shows acceptors what is there at the start.
    pub(crate) fn announce(&self) {
        for module in Module::ALL {
            let slot = self.slot(module);
            let _changing = slot.changing.lock();
            for item in &self.items(module) {
                if let Err(error) = slot.show(item, Occasion::Start) {
                    let key = String::from_utf8_lossy(&item.key);
                    self.complain(&format!("{} of {key}: {error}", module.contents()));
                }
            }
        }
    }

    /// Has the log tell of what nobody waits for.
    pub(crate) fn complain(&self, text: &str) {
        self.host.log().message(&format!("system metadata: {text}"));
    }

    /// The item of a key, also of one that was deleted.
    pub fn get(&self, module: Module, key: &[u8]) -> Option<Item> {
        let contents = self.slot(module).contents.read();
        contents.items.iter().find(|item| *item.key == *key).cloned()
    }

    /// All items of a module, also deleted ones, in the order in which their keys came.
    pub fn items(&self, module: Module) -> Vec<Item> {
        self.slot(module).contents.read().items.clone()
    }

    /// The same where the same items are, in whatever order.
    pub(super) fn hash(&self, module: Module) -> u64 {
        self.slot(module).hash.load(Ordering::Relaxed)
    }

    /// The last change of a module.
    pub fn committed(&self, module: Module) -> Committed {
        self.slot(module).contents.read().committed
    }

    /// Sets a key, or deletes it (`None`), by the rule of the module. Says whether that was a change;
    /// it is durable then, and acceptors have acted on it.
    ///
    /// # Errors
    /// A [`SetError`].
    pub fn set(&self, module: Module, key: &[u8], value: Option<&[u8]>) -> Result<bool, SetError> {
        self.set_how(module, key, value, How::ByRule)
    }

    /// The same whatever the present value is, also for a number smaller than that.
    ///
    /// # Errors
    /// A [`SetError`].
    pub fn replace(
        &self,
        module: Module,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<bool, SetError> {
        self.set_how(module, key, value, How::Anyway)
    }

    /// Sets or deletes a key that `decide` finds by what is there, or refuses to. Nobody changes the
    /// module meanwhile.
    ///
    /// # Errors
    /// What `decide` returns, or a [`SetError`].
    pub fn set_with<E: From<SetError>>(
        &self,
        module: Module,
        decide: impl FnOnce(&[Item]) -> Result<(Vec<u8>, Option<Vec<u8>>), E>,
    ) -> Result<bool, E> {
        let _changing = self.slot(module).changing.lock();
        let (key, value) = decide(&self.items(module))?;
        Ok(self.change(module, &key, value.as_deref(), How::ByRule)?)
    }

    fn set_how(
        &self,
        module: Module,
        key: &[u8],
        value: Option<&[u8]>,
        how: How,
    ) -> Result<bool, SetError> {
        let _changing = self.slot(module).changing.lock();
        self.change(module, key, value, how)
    }

    /// Changes a key. The caller holds `changing`.
    fn change(
        &self,
        module: Module,
        key: &[u8],
        value: Option<&[u8]>,
        how: How,
    ) -> Result<bool, SetError> {
        let mut contents = self.slot(module).contents.read().clone();
        let place = contents.items.iter().position(|item| *item.key == *key);
        let old = place.and_then(|place| contents.items.get(place));
        let Some(item) = change(module, old, (key, value), how, self.host.now()) else {
            return Ok(false);
        };
        let count = contents.items.len();
        match contents.items.get_mut(place.unwrap_or(count)) {
            Some(old) => *old = item.clone(),
            None if count >= KEYS_MAX => return Err(SetError::Full),
            None => contents.items.push(item.clone()),
        }
        let news = [item];
        let committed = self.commit(module, contents, &news);
        // One that is kept and not in force here may be so elsewhere.
        if matches!(committed, Ok(()) | Err(SetError::NotInForce(_))) {
            self.spread.changed(module, &news);
        }
        committed?;
        Ok(true)
    }

    /// Takes over the items of another node that count more than our own; returns how many did.
    ///
    /// # Errors
    /// A [`SetError`].
    pub fn merge(&self, module: Module, theirs: &[Item]) -> Result<usize, SetError> {
        let slot = self.slot(module);
        let _changing = slot.changing.lock();
        let ours = slot.contents.read().clone();
        let items = merge(module, &ours.items, theirs);
        let known = ours.items.iter().map(Some).chain(std::iter::repeat(None));
        let news = items.iter().zip(known).filter(|(item, known)| Some(*item) != *known);
        let news: Vec<Item> = news.map(|(item, _)| item.clone()).collect();
        if !news.is_empty() {
            self.commit(module, Contents { items, ..ours }, &news)?;
        }
        Ok(news.len())
    }

    /// Makes contents durable, has them hold, and tells acceptors what is new. The caller holds
    /// `changing`.
    fn commit(
        &self,
        module: Module,
        mut contents: Contents,
        news: &[Item],
    ) -> Result<(), SetError> {
        contents.committed = Committed {
            cluster_key: self.cluster.state().cluster_key,
            tid: contents.committed.tid.saturating_add(1),
        };
        if let Some(objection) = news.iter().find_map(|item| module.objection(item)) {
            return Err(SetError::Invalid(objection));
        }
        let files = self.host.metadata();
        files
            .save(module.name(), &file::encode(&contents))
            .map_err(|error| SetError::NotKept { place: files.place(module.name()), error })?;
        let slot = self.slot(module);
        slot.replace(contents);
        // All acceptors hear of all items, whatever the others say.
        let shown: Vec<_> = news.iter().map(|item| slot.show(item, Occasion::Change)).collect();
        shown.into_iter().collect::<Result<(), _>>().map_err(SetError::NotInForce)
    }
}

/// What a module's file says; `None` if there is none.
fn read(files: &dyn MetadataFiles, module: Module) -> Result<Option<Contents>, Unreadable> {
    let unreadable = |reason| Unreadable { module, place: files.place(module.name()), reason };
    let loaded = files.load(module.name()).map_err(|error| unreadable(Reason::Io(error)))?;
    let contents = loaded.map(|bytes| file::decode(module, &bytes)).transpose();
    contents.map_err(|corrupt| unreadable(Reason::Corrupt(corrupt)))
}

/// Whether a node can start with these files.
///
/// # Errors
/// About the first file that cannot be read.
pub fn verify(files: &dyn MetadataFiles) -> Result<(), Unreadable> {
    Module::ALL.into_iter().try_for_each(|module| read(files, module).map(|_| ()))
}

impl Slot {
    fn replace(&self, contents: Contents) {
        let mut present = self.contents.write();
        self.hash.store(hash_of_all(&contents.items), Ordering::Relaxed);
        *present = contents;
    }

    fn show(&self, item: &Item, occasion: Occasion) -> std::io::Result<()> {
        let acceptors = self.acceptors.read().clone();
        let shown: Vec<_> =
            acceptors.iter().map(|acceptor| acceptor.accept(item, occasion)).collect();
        shown.into_iter().collect()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let modules = Module::ALL.map(|module| (module.name(), self.items(module)));
        f.debug_map().entries(modules).finish()
    }
}
