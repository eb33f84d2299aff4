//! A namespace: its records, sets, settings and statistics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use config::{EngineKind, Namespace as NamespaceConfig, StorageEngine};
use record::size::{flat_size_bytes, occupied_size_bytes};
use record::{Body, LastUpdateTime, Medium, RecordMeta, Scene, SetId, StoredRecord, VoidTime};
use storage::{
    Counts, Fetch, Fetched, Miss, Pledges, Records, SetIndexState, Settled, Signal, Size, Stored,
    WriteGuard,
};
use wire::{Digest, PartitionId, ResultCode};

use crate::bell::Bell;
use crate::compression::CompressionStat;
use crate::copies::Written;
use crate::counters::{Bank, Stripe};
use crate::drops::Drops;
use crate::eviction::ThresholdKeeper;
use crate::latencies::Latencies;
use crate::sets::{Set, Sets};
use crate::settings::NamespaceSettings;
use crate::sindex::Sindexes;
use crate::size_histograms::SizeHistograms;
use crate::stats::NamespaceCounter;

/// What a thread brings along to work on a namespace.
#[derive(Debug)]
pub struct Turn<'t> {
    /// The time of this turn; read once for all requests of a wake-up.
    pub now: LastUpdateTime,
    /// The thread's stripe of counters.
    pub stripe: Stripe,
    /// Scratch space for a record body.
    pub scratch: &'t mut Vec<u8>,
    /// What has been read from devices for the request; nothing when it is run for the first time.
    pub fetched: &'t Fetched,
    /// Gets what devices still have to do before the request may be answered.
    pub pledges: &'t mut Pledges,
    /// Gets what becomes of the record: what other nodes have to hear of.
    pub written: Written,
}

/// A namespace.
#[derive(Debug)]
pub struct Namespace {
    /// Its name.
    pub name: Box<str>,
    /// Its sets.
    pub sets: Sets,
    /// Its secondary indexes.
    pub sindexes: Sindexes,
    /// Event counters.
    pub counters: Bank<NamespaceCounter>,
    /// Latency histograms.
    pub latencies: Latencies,
    /// Values that rise and fall.
    pub gauges: Gauges,
    /// How well replies compress.
    pub compression: CompressionStat,
    /// How well frames of queries compress.
    pub query_compression: CompressionStat,
    /// Wakes whoever supervises the namespace.
    pub bell: Bell,
    /// Hears first which records eviction is to take.
    pub threshold_keeper: ThresholdKeeper,
    /// Records that were removed not long ago, where other nodes have copies.
    pub drops: Drops,
    pub(crate) records: Records,
    pub(crate) medium: Medium,
    pub(crate) size_histograms: ArcSwap<SizeHistograms>,
    pub(crate) settings: NamespaceSettings,
    config: ArcSwap<NamespaceConfig>,
    number: AtomicUsize,
}

/// Values of a namespace that rise and fall.
#[derive(Debug, Default)]
pub struct Gauges {
    /// Size of all records by the original's arithmetic, in bytes.
    pub data_used_bytes: AtomicI64,
    /// Whether writes are refused for want of space.
    pub stop_writes: AtomicBool,
    /// Whether an eviction threshold is exceeded.
    pub hwm_breached: AtomicBool,
    /// Records last written before this moment (ms since 2010) are gone; 0: none.
    pub truncate_lut: AtomicU64,
    /// Whether truncated records are still being removed.
    pub truncating: AtomicBool,
    /// Records last written before this moment (ms since 2010) were removed by truncations, also by
    /// those that were taken back since; 0: none.
    pub removed_before: AtomicU64,
    /// Records that never expire, as of the last supervisor cycle.
    pub non_expirable_objects: AtomicU64,
    /// Time to live in seconds below which the last cycle evicted.
    pub evict_ttl_seconds: AtomicI64,
    /// Records with a void-time before this one are evicted; 0: none.
    pub evict_void_time: AtomicU32,
    /// Length of the last supervisor cycle in seconds.
    pub nsup_cycle_seconds: AtomicU64,
    /// Share of records that the last cycle removed, in hundredths of a percent.
    pub nsup_cycle_deleted_pct_hundredths: AtomicU64,
    /// Share of the bodies that were in memory when they were asked for, of those of the ticker's last
    /// interval, in hundredths of a percent.
    pub cache_read_pct_hundredths: AtomicU64,
}

/// A record as [`Namespace::inspect`] shows it.
#[derive(Clone, Copy, Debug)]
pub struct Inspected<'s> {
    /// Its metadata.
    pub meta: RecordMeta,
    /// Its body; an empty one if it is damaged.
    pub body: Body<'s>,
    /// What it occupies, in bytes.
    pub size_bytes: usize,
}

/// How much a record weighs in the statistics of its set and namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Weight {
    pub set: SetId,
    pub tombstone: bool,
    pub size_bytes: usize,
}

/// A record as it was found under its lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub meta: RecordMeta,
    pub weight: Weight,
    /// Whether it is known, without looking at its body, that there is no user key in it.
    pub is_keyless: bool,
}

impl Weight {
    /// Weight of a record with this metadata that occupies so much.
    pub fn new(meta: &RecordMeta, size_bytes: usize) -> Self {
        Self { set: meta.set, tombstone: meta.tombstone, size_bytes }
    }
}

impl Namespace {
    /// An empty namespace in memory with these settings, for this many event loops. One with devices is
    /// opened: see [`crate::devices`].
    pub fn new(config: NamespaceConfig, loops: usize) -> Self {
        let namespace = Self {
            name: config.name.as_str().into(),
            sets: Sets::default(),
            sindexes: Sindexes::default(),
            counters: Bank::new(loops),
            latencies: Latencies::new(loops),
            gauges: Gauges::default(),
            compression: CompressionStat::default(),
            query_compression: CompressionStat::default(),
            bell: Bell::default(),
            threshold_keeper: ThresholdKeeper::default(),
            drops: Drops::default(),
            records: Records::in_memory(),
            medium: medium_of(&config.storage_engine),
            size_histograms: ArcSwap::default(),
            settings: NamespaceSettings::default(),
            config: ArcSwap::default(),
            number: AtomicUsize::new(0),
        };
        namespace.configure(config);
        namespace
    }

    /// Its number: its place among the namespaces of its node.
    #[inline]
    pub fn number(&self) -> usize {
        self.number.load(Ordering::Relaxed)
    }

    /// Gives it its number.
    pub fn set_number(&self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
    }

    /// The settings now in force.
    pub fn config(&self) -> arc_swap::Guard<Arc<NamespaceConfig>> {
        self.config.load()
    }

    /// Puts settings into force. Sets that are named in them come into being.
    pub fn configure(&self, config: NamespaceConfig) {
        for set_config in &config.sets {
            let created = self.sets.create(set_config.name.as_bytes(), set_config.clone());
            if let Ok(set) = created {
                set.configure(set_config.clone());
            }
        }
        self.settings.update(&config);
        self.tune(&config.storage_engine);
        self.latencies.configure(&config);
        self.config.store(Arc::new(config));
        self.bell.ring();
    }

    /// Begins to load these records into the processor's cache, for requests about them that follow
    /// at once. Worth it for several, up to a few dozen.
    pub fn prefetch(&self, digests: &[Digest]) {
        self.records.prefetch(digests);
    }

    /// What has to be read before a request about this record can use its body; `None` if nothing.
    pub fn fetch_for(&self, digest: &Digest, fetched: &Fetched) -> Option<Fetch> {
        self.records.fetch_for(digest, fetched)
    }

    /// How far the pledges are that requests left.
    pub fn settled(&self, pledges: &Pledges) -> Settled {
        self.records.settled(pledges)
    }

    /// Has a signal raised whenever pledges may have settled.
    pub fn subscribe(&self, signal: &Signal) {
        self.records.subscribe(signal);
    }

    /// Records and tombstones.
    pub fn record_count(&self) -> u64 {
        self.records.total_counts().entries
    }

    /// Live records.
    pub fn object_count(&self) -> u64 {
        self.records.total_counts().objects()
    }

    /// Tombstones.
    pub fn tombstone_count(&self) -> u64 {
        self.records.total_counts().tombstones
    }

    /// Live records and tombstones of a partition.
    pub fn partition_counts(&self, partition: PartitionId) -> Counts {
        self.records.counts(partition)
    }

    /// Memory of the primary index in bytes.
    pub fn index_used_bytes(&self) -> u64 {
        self.records.index_used_bytes()
    }

    /// Space for records, in bytes.
    pub fn data_total_bytes(&self) -> u64 {
        self.space().map_or_else(|| self.settings.data_size_bytes(), |space| space.total_bytes)
    }

    /// What all records take, in bytes: on devices what it is there, in memory by the original's
    /// arithmetic.
    pub fn data_used_bytes(&self) -> u64 {
        let counted = || self.gauges.data_used_bytes.load(Ordering::Relaxed);
        self.space().map_or_else(|| counted().try_into().unwrap_or(0), |space| space.used_bytes)
    }

    /// Share of the space for records that is in use, in whole percent.
    pub fn data_used_pct(&self) -> u64 {
        match self.data_total_bytes() {
            0 => 0,
            total => self.data_used_bytes() * 100 / total,
        }
    }

    /// Share of the space that can be written to, in whole percent: on devices that of their free
    /// write blocks.
    pub fn data_avail_pct(&self) -> u64 {
        let unused = || 100u64.saturating_sub(self.data_used_pct());
        self.space().map_or_else(unused, |space| space.avail_pct)
    }

    /// Memory of the set indexes in bytes.
    pub fn set_index_used_bytes(&self) -> u64 {
        self.records.set_index_used_bytes()
    }

    /// Whether the index of a set is still being filled.
    pub fn is_set_index_populating(&self, set: &Set) -> bool {
        self.records.set_index_state(set.id) == SetIndexState::Populating
    }

    /// Lets `look` see a record, live or not, under its read lock; `None` if there is none. Waits for
    /// the device if the record is on one.
    pub fn inspect<T>(&self, digest: &Digest, look: impl FnOnce(&Inspected<'_>) -> T) -> Option<T> {
        let mut fetched = Fetched::default();
        loop {
            let mut guard = self.records.read(digest);
            let stored = guard.find()?;
            let size_bytes = self.weight_of(&stored).size_bytes;
            let fetch = match guard.body(&fetched) {
                Err(Miss::Elsewhere(fetch)) => fetch,
                Ok(body) => return Some(look(&Inspected { meta: stored.meta, body, size_bytes })),
                Err(Miss::Damaged) => {
                    let body = Body::new(&[]);
                    return Some(look(&Inspected { meta: stored.meta, body, size_bytes }));
                }
            };
            drop(guard);
            fetched.clear();
            fetched.add(fetch.read_now());
        }
    }

    /// Histograms over the records as of the supervisor's last pass.
    pub fn size_histograms(&self) -> Arc<SizeHistograms> {
        self.size_histograms.load_full()
    }

    /// What a request's expressions see of a record with this metadata, stored or not.
    pub(crate) fn scene<'s>(
        &self,
        digest: &'s Digest,
        set: Option<&'s Set>,
        now: LastUpdateTime,
        meta: RecordMeta,
        size_bytes: usize,
        stored: StoredRecord<'s>,
    ) -> Scene<'s> {
        let set_name = set.map_or(&[][..], |set| &set.name);
        Scene { digest, set_name, now, medium: self.medium, meta, size_bytes, stored }
    }

    /// Weight of a stored record.
    pub(crate) fn weight_of(&self, stored: &Stored) -> Weight {
        let set = self.sets.by_id(stored.meta.set);
        Weight::new(&stored.meta, Self::size_bytes_of(stored, set))
    }

    /// What a stored record of this set occupies, in bytes.
    pub(crate) fn size_bytes_of(stored: &Stored, set: Option<&Set>) -> usize {
        match stored.size {
            Size::Content(size_bytes) => {
                let set_name_bytes = set.map_or(0, |set| set.name.len());
                let void_time = stored.meta.void_time;
                occupied_size_bytes(flat_size_bytes(size_bytes, set_name_bytes, void_time))
            }
            Size::OnDevice(size_bytes) => size_bytes,
        }
    }

    /// What is known of a stored record without its body.
    pub(crate) fn found(&self, stored: Stored) -> Found {
        let is_keyless = stored.has_key == Some(false);
        Found { meta: stored.meta, weight: self.weight_of(&stored), is_keyless }
    }

    /// Weight of the record that was just stored under a guard, if only its device knows what it takes
    /// there.
    pub(crate) fn weight_stored(&self, guard: &mut WriteGuard<'_>) -> Option<Weight> {
        match self.medium {
            Medium::Device => guard.find().map(|stored| self.weight_of(&stored)),
            Medium::Memory | Medium::PersistedMemory => None,
        }
    }

    /// Size by the original's arithmetic of a record with this metadata and content.
    pub(crate) fn flat_size_bytes(&self, meta: &RecordMeta, content_size_bytes: usize) -> usize {
        let set_name_bytes = self.sets.by_id(meta.set).map_or(0, |set| set.name.len());
        flat_size_bytes(content_size_bytes, set_name_bytes, meta.void_time)
    }

    /// Keeps the statistics in step with a record that changed from `old` to `new`.
    pub(crate) fn account(&self, old: Option<Weight>, new: Option<Weight>) {
        let size = |weight: Option<Weight>| weight.map_or(0, |weight| weight.size_bytes as i64);
        let delta = size(new) - size(old);
        if delta != 0 {
            self.gauges.data_used_bytes.fetch_add(delta, Ordering::Relaxed);
        }
        match (old, new) {
            (Some(old), Some(new)) if old == new => {}
            _ => {
                self.account_set(old, -1);
                self.account_set(new, 1);
            }
        }
    }

    fn account_set(&self, weight: Option<Weight>, sign: i64) {
        let Some(weight) = weight else { return };
        let Some(set) = self.sets.by_id(weight.set) else { return };
        // Unsigned sums wrap: what is added is taken away again, in whatever order.
        let add = |sum: &AtomicU64, amount: i64| {
            sum.fetch_add(amount.wrapping_mul(sign) as u64, Ordering::Relaxed);
        };
        add(if weight.tombstone { &set.tombstones } else { &set.objects }, 1);
        add(&set.data_used_bytes, weight.size_bytes as i64);
    }

    /// Refuses what would not fit the space for records any more.
    pub(crate) fn check_space(&self, delta_bytes: i64) -> Result<(), ResultCode> {
        if delta_bytes <= 0 || self.medium != Medium::Memory {
            // Devices know by themselves whether they have room.
            return Ok(());
        }
        let total = self.settings.data_size_bytes() as i64;
        let used = self.gauges.data_used_bytes.load(Ordering::Relaxed);
        let fits = total == 0 || used.saturating_add(delta_bytes) <= total;
        if fits { Ok(()) } else { Err(ResultCode::OUT_OF_SPACE) }
    }
}

/// Where a storage engine keeps records.
fn medium_of(engine: &StorageEngine) -> Medium {
    match engine.kind {
        EngineKind::Memory if engine.devices.is_empty() && engine.files.is_empty() => {
            Medium::Memory
        }
        EngineKind::Memory => Medium::PersistedMemory,
        EngineKind::Device | EngineKind::Pmem => Medium::Device,
    }
}

/// What a reply tells of a record's metadata.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Seen {
    pub generation: u32,
    pub void_time: u32,
}

impl From<&RecordMeta> for Seen {
    fn from(meta: &RecordMeta) -> Self {
        let VoidTime(void_time) = meta.void_time;
        Self { generation: u32::from(meta.generation.0), void_time }
    }
}
