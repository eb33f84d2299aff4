//! Secondary indexes: which records have which values in a bin, or as an expression (`reference`: storage-and-index.md,
//! section 10).
//!
//! Every change of a record is carried over to the indexes that cover it under the record's lock, as the
//! difference between the numbers that it had and those that it has ([`change`]); so an index is never
//! stale, and what a query finds in it is there. An index that is made is filled in the background
//! ([`build`]), partition by partition, beside those writes.

mod build;
mod cardinality;
mod change;
mod definition;
mod hash;
mod predicate;
mod query;
mod source;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use record::{RecordMeta, SetId};
use storage::{SecondaryIndex, SecondaryPool};
use wire::ResultCode;
use wire::digest::PARTITIONS;

pub(crate) use self::build::Filling;
pub(crate) use self::change::OldKeys;
pub use self::definition::{Definition, IndexType, KeyType};
pub use self::predicate::Predicate;
pub use self::query::{Candidate, SindexScan, Where};
pub use self::source::Source;
use crate::namespace::Namespace;

/// Most indexes of a namespace.
pub const SINDEXES_MAX: usize = 256;

/// Threads that fill an index, unless a setting says otherwise.
const BUILDER_THREADS: u32 = 4;

/// The secondary indexes of a namespace.
pub struct Sindexes {
    list: ArcSwap<Vec<Arc<Sindex>>>,
    /// How many there are: read whenever a record changes, and nearly always 0.
    count: AtomicU32,
    /// Held by whoever changes the list.
    changes: Mutex<()>,
    pool: Arc<SecondaryPool>,
    builder_threads: AtomicU32,
}

/// A secondary index.
pub struct Sindex {
    name: ArcSwap<Box<[u8]>>,
    /// What it holds.
    pub definition: Definition,
    /// Its place in the namespace's list, of [`SINDEXES_MAX`].
    slot: usize,
    /// The set whose records it holds; none for all.
    set: SetId,
    index: SecondaryIndex,
    is_dropped: AtomicBool,
    /// Held by whoever fills it, so that partitions are filled in order.
    filling: Mutex<()>,
    /// When filling it began, in ms since 2010; 0: not yet.
    begun_ms: AtomicU64,
    load_seconds: AtomicU64,
    entries_per_bval: AtomicU64,
    entries_per_record: AtomicU64,
}

/// Why an index cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SindexRefusal {
    /// There is one of this name with another definition.
    NameTaken,
    /// There are [`SINDEXES_MAX`] already.
    TooMany,
    /// Its set cannot be made.
    Set(ResultCode),
}

impl std::error::Error for SindexRefusal {}

impl fmt::Display for SindexRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken => f.write_str("another secondary index has this name"),
            Self::TooMany => write!(f, "there are {SINDEXES_MAX} secondary indexes already"),
            Self::Set(_) => f.write_str("the set of a secondary index cannot be made"),
        }
    }
}

/// Statistics of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SindexStats {
    /// Entries.
    pub entries: u64,
    /// Memory in bytes.
    pub used_bytes: u64,
    /// Estimated entries of one value.
    pub entries_per_bval: u64,
    /// Estimated entries of one record.
    pub entries_per_record: u64,
    /// How much of it is filled, in percent; 100 once queries can use it.
    pub load_pct: u64,
    /// How long filling it took, in seconds.
    pub load_seconds: u64,
}

impl Default for Sindexes {
    fn default() -> Self {
        Self {
            list: ArcSwap::default(),
            count: AtomicU32::new(0),
            changes: Mutex::default(),
            pool: Arc::default(),
            builder_threads: AtomicU32::new(BUILDER_THREADS),
        }
    }
}

impl Sindexes {
    /// Whether there are none. Whoever changes a record asks under its lock: an index that is made
    /// meanwhile comes by to fetch the record.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// All of them, in the order of their slots: a new one takes the first that is free.
    pub fn all(&self) -> Arc<Vec<Arc<Sindex>>> {
        self.list.load_full()
    }

    /// The one with this name.
    pub fn by_name(&self, name: &[u8]) -> Option<Arc<Sindex>> {
        self.list.load().iter().find(|sindex| sindex.is_named(name)).cloned()
    }

    /// The where clause of a query about a set, with the index that it has to use. One of the whole
    /// namespace also serves for a set, and one that the query names for any.
    ///
    /// # Errors
    /// `SINDEX_NOT_FOUND` when there is none, `SINDEX_NOT_READABLE` while it is being filled.
    pub fn find(&self, set: Option<&[u8]>, predicate: Predicate) -> Result<Where, ResultCode> {
        let list = self.list.load();
        let of_set = |set: Option<&[u8]>| {
            list.iter().find(|sindex| {
                let definition = &sindex.definition;
                (predicate.names_index() || definition.set.as_deref() == set)
                    && predicate.suits(&sindex.name(), definition)
            })
        };
        let found = of_set(set).or_else(|| of_set(None)).ok_or(ResultCode::SINDEX_NOT_FOUND)?;
        if found.is_readable() {
            Ok(Where { predicate, sindex: Arc::clone(found) })
        } else {
            Err(ResultCode::SINDEX_NOT_READABLE)
        }
    }

    /// Memory of all of them in bytes.
    pub fn used_bytes(&self) -> u64 {
        self.list.load().iter().map(|sindex| sindex.index.used_bytes()).sum()
    }

    /// How many threads fill an index at most.
    pub fn builder_threads(&self) -> u32 {
        self.builder_threads.load(Ordering::Relaxed)
    }

    /// Sets how many threads fill an index at most.
    pub fn set_builder_threads(&self, threads: u32) {
        self.builder_threads.store(threads.max(1), Ordering::Relaxed);
    }

    /// Gives memory back that lies free between entries.
    pub(crate) fn compact(&self) {
        let list = self.list.load();
        if !list.is_empty() {
            self.pool.compact(list.iter().map(|sindex| &sindex.index));
        }
    }

    /// Replaces the list; the caller holds the lock for changes.
    fn replace(&self, list: Vec<Arc<Sindex>>) {
        let count = list.len() as u32;
        // Never zero while there is one in the list, so that a record's writer sees one in time.
        self.count.fetch_max(count, Ordering::SeqCst);
        self.list.store(Arc::new(list));
        self.count.store(count, Ordering::SeqCst);
    }
}

impl Sindex {
    /// Its name.
    pub fn name(&self) -> Arc<Box<[u8]>> {
        self.name.load_full()
    }

    fn is_named(&self, name: &[u8]) -> bool {
        ***self.name.load() == *name
    }

    /// Whether queries can use it.
    pub fn is_readable(&self) -> bool {
        self.index.is_populated()
    }

    /// Whether it was dropped: a query that uses it finds nothing more in it.
    pub fn is_dropped(&self) -> bool {
        self.is_dropped.load(Ordering::Acquire)
    }

    /// Its statistics.
    pub fn stats(&self) -> SindexStats {
        let value = |of: &AtomicU64| of.load(Ordering::Relaxed);
        SindexStats {
            entries: self.index.entry_count(),
            used_bytes: self.index.used_bytes(),
            entries_per_bval: value(&self.entries_per_bval),
            entries_per_record: value(&self.entries_per_record),
            load_pct: (self.index.populated_partitions() * 100 / PARTITIONS) as u64,
            load_seconds: value(&self.load_seconds),
        }
    }

    /// Whether a record with this metadata belongs in it, if it has a value for it.
    pub(crate) fn covers(&self, meta: &RecordMeta) -> bool {
        !meta.tombstone && (self.set == SetId::NONE || self.set == meta.set)
    }

    fn close(&self) {
        self.is_dropped.store(true, Ordering::Release);
        self.index.close();
    }
}

impl Namespace {
    /// Makes a secondary index, or gives the one with this definition this name. It is filled by the
    /// supervisor, or at once where there is nothing to fill it with.
    ///
    /// # Errors
    /// A [`SindexRefusal`].
    pub fn create_sindex(&self, name: &[u8], definition: Definition) -> Result<(), SindexRefusal> {
        let changes = self.sindexes.changes.lock();
        let list = self.sindexes.all();
        let named = list.iter().find(|sindex| sindex.is_named(name));
        if named.is_some_and(|sindex| sindex.definition != definition) {
            return Err(SindexRefusal::NameTaken);
        }
        if let Some(same) = list.iter().find(|sindex| sindex.definition == definition) {
            same.name.store(Arc::new(name.into()));
            return Ok(());
        }
        if list.len() >= SINDEXES_MAX {
            return Err(SindexRefusal::TooMany);
        }
        let set = definition.set.as_deref().map(|set| self.sets.get_or_create(set));
        let set = set.transpose().map_err(SindexRefusal::Set)?;
        if let Some(set) = set {
            set.sindexes.fetch_add(1, Ordering::Relaxed);
        }
        let order = definition.key_type.order();
        let slot = list.iter().zip(0..).take_while(|(sindex, at)| sindex.slot == *at).count();
        let sindex = Arc::new(Sindex {
            name: ArcSwap::from_pointee(name.into()),
            definition,
            slot,
            set: set.map_or(SetId::NONE, |set| set.id),
            index: SecondaryIndex::new(order, Arc::clone(&self.sindexes.pool)),
            is_dropped: AtomicBool::new(false),
            filling: Mutex::default(),
            begun_ms: AtomicU64::new(0),
            load_seconds: AtomicU64::new(0),
            entries_per_bval: AtomicU64::new(0),
            entries_per_record: AtomicU64::new(0),
        });
        let mut list = Vec::clone(&list);
        list.insert(slot, Arc::clone(&sindex));
        // The supervisor fills what is left, and not before.
        let filling = sindex.filling.lock();
        self.sindexes.replace(list);
        self.fill_if_small(&sindex);
        drop((filling, changes));
        self.bell.ring();
        Ok(())
    }

    /// Drops the secondary index with this name; false if there is none.
    pub fn drop_sindex(&self, name: &[u8]) -> bool {
        self.drop_sindex_if(|sindex| sindex.is_named(name))
    }

    /// Makes, renames or drops the secondary index with a definition, as metadata say: they come from all
    /// nodes and hold at once, so what else has the name goes its own way.
    ///
    /// # Errors
    /// A [`SindexRefusal`], but for [`SindexRefusal::NameTaken`].
    pub fn apply_sindex(
        &self,
        definition: Definition,
        name: Option<&[u8]>,
    ) -> Result<(), SindexRefusal> {
        let Some(name) = name else {
            self.drop_sindex_if(|sindex| sindex.definition == definition);
            return Ok(());
        };
        self.drop_sindex_if(|sindex| sindex.is_named(name) && sindex.definition != definition);
        self.create_sindex(name, definition)
    }

    fn drop_sindex_if(&self, goes: impl Fn(&Sindex) -> bool) -> bool {
        let _changes = self.sindexes.changes.lock();
        let list = self.sindexes.all();
        let Some(at) = list.iter().position(|sindex| goes(sindex)) else { return false };
        let mut list = Vec::clone(&list);
        let dropped = list.remove(at);
        self.sindexes.replace(list);
        dropped.close();
        if let Some(set) = self.sets.by_id(dropped.set) {
            set.sindexes.fetch_sub(1, Ordering::Relaxed);
        }
        true
    }
}

impl fmt::Debug for Sindex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sindex").field("definition", &self.definition).finish_non_exhaustive()
    }
}

impl fmt::Debug for Sindexes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.list.load().iter()).finish()
    }
}
