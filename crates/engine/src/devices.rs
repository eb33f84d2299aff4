//! A namespace and its devices: its start from them, what it has to remember on them, their upkeep.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use config::{Compression, EngineKind, Namespace as NamespaceConfig, StorageEngine};
use record::{RecordMeta, SecondsSince2010, SetId, VoidTime};
use storage::device::Device;
use storage::format::flat::Packing;
use storage::format::header::Memory;
use storage::{
    Bodies, DeviceStats, Encryption, Fate, ImagePlan, Incident, Moved, OpenError, Opening,
    Progress, Report, Rules, Setup, Space, TuningValues,
};
use wire::PartitionId;

use crate::namespace::Namespace;
use crate::sets::Set;

/// What a namespace with devices is opened with, beside its settings.
#[derive(Debug)]
pub struct DevicePlan {
    /// Its devices, in the order of the configuration.
    pub devices: Vec<Arc<dyn Device>>,
    /// Where the image of its index is kept for a warm start.
    pub image: Option<PathBuf>,
    /// Size of a write block in bytes: [`storage::format::BLOCK_BYTES`], smaller in tests and simulations.
    pub block_bytes: u32,
    /// How its records are encrypted.
    pub encryption: Option<Encryption>,
    /// Threads that a start uses; 0: the calling one alone, which reads in order.
    pub threads: usize,
    /// Random numbers, for ids.
    pub random: fn() -> u64,
}

/// A namespace whose devices are known to be its own, before its records are loaded.
#[derive(Debug)]
pub struct NamespaceOpening {
    namespace: Namespace,
    opening: Opening,
}

impl NamespaceOpening {
    /// Reads the headers of a namespace's devices.
    ///
    /// # Errors
    /// An [`OpenError`], which says what to do.
    pub fn begin(
        config: NamespaceConfig,
        loops: usize,
        plan: DevicePlan,
    ) -> Result<Self, OpenError> {
        let engine = &config.storage_engine;
        let bodies = match engine.kind {
            EngineKind::Memory => Bodies::InMemory,
            EngineKind::Device | EngineKind::Pmem => Bodies::OnDevices,
        };
        let opening = Opening::of(Setup {
            namespace: config.name.as_str().to_owned(),
            bodies,
            devices: plan.devices,
            block_bytes: plan.block_bytes,
            tuning: tuning(engine),
            cold_start_empty: engine.cold_start_empty,
            image: plan.image,
            threads: plan.threads,
            encryption: plan.encryption,
            random: plan.random,
        })?;
        Ok(Self { namespace: Namespace::new(config, loops), opening })
    }

    /// How far loading is.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.opening.progress)
    }

    /// Brings the records back. Those that have expired by now, were evicted or truncated don't come.
    ///
    /// # Errors
    /// An [`OpenError`].
    pub fn finish(self, now: SecondsSince2010) -> Result<(Namespace, Report), OpenError> {
        let Self { mut namespace, opening } = self;
        namespace.recall(&opening.memory());
        let rules = Rules {
            set_id: &|name| namespace.sets.get_or_create(name).ok().map(|set| set.id),
            fate: &|meta| namespace.fate(meta, now),
        };
        let (records, report) = opening.load(&rules)?;
        namespace.records = records;
        namespace.recount();
        Ok((namespace, report))
    }
}

/// The settings of the storage engine that change at run time.
fn tuning(engine: &StorageEngine) -> TuningValues {
    TuningValues {
        commit_to_device: engine.commit_to_device || engine.kind == EngineKind::Pmem,
        flush_size_bytes: engine.flush_size_bytes,
        flush_max_ms: engine.flush_max_ms,
        max_write_cache_bytes: engine.max_write_cache_bytes,
        post_write_cache_bytes: match engine.kind {
            EngineKind::Device => engine.post_write_cache_bytes,
            EngineKind::Memory | EngineKind::Pmem => 0,
        },
        defrag_lwm_pct: engine.defrag_lwm_pct,
        defrag_queue_min: engine.defrag_queue_min,
        defrag_sleep_micros: engine.defrag_sleep_micros,
        tomb_raider_sleep_micros: engine.tomb_raider_sleep_micros,
        compression: match engine.compression {
            Compression::None => Packing::Plain,
            Compression::Lz4 => Packing::Lz4,
            Compression::Snappy => Packing::Snappy,
            Compression::Zstd => Packing::Zstd,
        },
        compression_level: engine.compression_level,
        compression_acceleration: engine.compression_acceleration,
        read_page_cache: engine.read_page_cache,
    }
}

impl Namespace {
    /// Puts into force what the namespace remembers from before its start, which removes what is truncated.
    fn recall(&self, memory: &Memory) {
        let recall = |lut: u64, truncate_lut: &AtomicU64, removed_before: &AtomicU64| {
            truncate_lut.store(lut, Ordering::Relaxed);
            removed_before.store(lut, Ordering::Relaxed);
        };
        let gauges = &self.gauges;
        gauges.evict_void_time.store(memory.evict_void_time, Ordering::Relaxed);
        recall(memory.truncate_lut, &gauges.truncate_lut, &gauges.removed_before);
        for (name, lut) in &memory.set_truncate_luts {
            if let Ok(set) = self.sets.get_or_create(name) {
                recall(*lut, &set.truncate_lut, &set.removed_before);
            }
        }
    }

    /// What a start makes of a record that it finds.
    fn fate(&self, meta: &RecordMeta, now: SecondsSince2010) -> Fate {
        let set = self.sets.by_id(meta.set);
        let truncated_before = self.gauges.truncate_lut.load(Ordering::Relaxed);
        if meta.last_update_time.0 < truncated_before {
            return Fate::Truncated { with_older: true };
        }
        if set.is_some_and(|set| set.is_truncated(meta.last_update_time)) {
            return Fate::Truncated { with_older: false };
        }
        let evict_before = VoidTime(self.gauges.evict_void_time.load(Ordering::Relaxed));
        let is_evicted = meta.void_time < evict_before && self.is_evictable(meta);
        if is_evicted || meta.void_time.is_expired(now) { Fate::Expired } else { Fate::Lives }
    }

    /// Counts the records that a start found.
    fn recount(&self) {
        let threads =
            std::thread::available_parallelism().map_or(1, |threads| threads.get() as u32);
        self.share_out(threads, PartitionId::all(), |partition| {
            self.records.for_each(partition, |_, stored| {
                self.account(None, Some(self.weight_of(&stored)));
            });
        });
    }

    /// Keeps on the devices what the namespace must remember through restarts.
    ///
    /// # Errors
    /// When a device cannot be written.
    pub(crate) fn remember(&self) -> io::Result<()> {
        if !self.has_devices() {
            return Ok(());
        }
        let latest = |lut: &AtomicU64, removed_before: &AtomicU64| {
            lut.load(Ordering::SeqCst).max(removed_before.load(Ordering::SeqCst))
        };
        let truncated = |set: &Set| {
            let lut = latest(&set.truncate_lut, &set.removed_before);
            (lut != 0).then(|| (set.name.clone(), lut))
        };
        let gauges = &self.gauges;
        self.records.remember(&Memory {
            evict_void_time: gauges.evict_void_time.load(Ordering::Relaxed),
            truncate_lut: latest(&gauges.truncate_lut, &gauges.removed_before),
            set_truncate_luts: self.sets.iter().filter_map(truncated).collect(),
        })
    }

    /// Whether records are on devices, at least as well.
    pub fn has_devices(&self) -> bool {
        self.records.device_count() != 0
    }

    /// Number of its devices.
    pub fn device_count(&self) -> usize {
        self.records.device_count()
    }

    /// Space on its devices; `None` without any.
    pub fn space(&self) -> Option<Space> {
        self.records.space()
    }

    /// How its devices are.
    pub fn device_stats(&self) -> Vec<DeviceStats> {
        self.records.device_stats()
    }

    /// What an operator should hear of its devices and has not yet.
    pub fn incidents(&self) -> Vec<Incident> {
        self.records.incidents()
    }

    /// Bodies that were in memory when they were asked for, and bodies that were read, since the start.
    pub fn body_reads(&self) -> (u64, u64) {
        self.records.body_reads()
    }

    /// Size of compressed records in relation to what they were; 1 as long as there are none.
    pub fn storage_compression_ratio(&self) -> f64 {
        self.records.compression_ratio()
    }

    /// Writes to a device what is to be written, until [`Self::stop_devices`]: for a thread.
    pub fn run_flusher(&self, device: usize) {
        self.records.run_flusher(device);
    }

    /// Defragments a device until [`Self::stop_devices`]: for a thread.
    pub fn run_mover(&self, device: usize) {
        self.records.run_mover(device);
    }

    /// Whether something is to be written to a device, so long after [`Self::flush_due`] has written
    /// everything: for a host that has no thread for [`Self::run_flusher`].
    pub fn is_flush_due(&self, device: usize, since_last: Duration) -> bool {
        self.records.is_flush_due(device, since_last)
    }

    /// Writes what is to be written to a device, and says whether that was everything: see
    /// [`Self::is_flush_due`].
    pub fn flush_due(&self, device: usize, since_last: Duration) -> bool {
        self.records.flush_due(device, since_last)
    }

    /// Moves the records of one block of a device together with others, if one waits for that: for a host
    /// that has no thread for [`Self::run_mover`].
    pub fn move_block(&self, device: usize) -> Moved {
        self.records.move_block(device)
    }

    /// Moves records together until so many blocks of each device are free, in percent, or there is
    /// nothing more to gain; says whether they are. For a start: nobody else works on the devices.
    pub fn make_room(&self, avail_pct: u64) -> bool {
        self.records.flush();
        while self.data_avail_pct() < avail_pct {
            let moves = (0..self.device_count()).map(|device| self.records.move_block(device));
            // All devices take part.
            let moved = moves.filter(|moved| *moved == Moved::Block).count();
            self.records.flush();
            if moved == 0 {
                break;
            }
        }
        self.data_avail_pct() >= avail_pct
    }

    /// Ends the threads of the devices.
    pub fn stop_devices(&self) {
        self.records.stop();
    }

    /// Writes everything that was acknowledged.
    pub fn flush_devices(&self) {
        self.records.flush();
    }

    /// Removes the traces of deletes that no older copies make necessary any more; returns how many.
    /// Reads all devices.
    pub fn raid(&self) -> u64 {
        self.records.raid()
    }

    /// Closes the devices in order, and saves an image of the index for a warm start.
    ///
    /// # Errors
    /// When a device or the image could not be written.
    pub fn close_devices(&self, image: Option<(PathBuf, u64)>) -> io::Result<()> {
        let set_name = |set: SetId| self.sets.by_id(set).map(|set| set.name.clone());
        let plan =
            image.as_ref().map(|(path, id)| ImagePlan { path, id: *id, set_name: &set_name });
        self.records.close(plan)
    }

    /// Saves an image of the index while it is in use: see [`storage::Records::checkpoint`].
    ///
    /// # Errors
    /// When a device or the image could not be written.
    pub fn checkpoint(&self, (path, id): (PathBuf, u64)) -> io::Result<u64> {
        let set_name = |set: SetId| self.sets.by_id(set).map(|set| set.name.clone());
        self.records.checkpoint(ImagePlan { path: &path, id, set_name: &set_name })
    }

    /// Takes over settings of the storage engine.
    pub(crate) fn tune(&self, engine: &StorageEngine) {
        self.records.tune(tuning(engine));
    }

    /// Sets the void-time before which records are evicted, in seconds since 2010; 0 for none.
    ///
    /// # Errors
    /// When a device cannot keep it.
    pub fn set_evict_void_time(&self, void_time: u32) -> io::Result<()> {
        self.gauges.evict_void_time.store(void_time, Ordering::Relaxed);
        self.remember()
    }
}
