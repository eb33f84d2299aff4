//! Settings of the engines that change at run time.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

use crate::format::flat::Packing;

/// Settings of a namespace's storage, as numbers that every write may look at. Each is read by itself.
#[derive(Debug)]
pub struct Tuning {
    commit_to_device: AtomicBool,
    flush_size_bytes: AtomicU32,
    flush_max_ms: AtomicU64,
    max_write_cache_bytes: AtomicU64,
    post_write_cache_bytes: AtomicU64,
    defrag_lwm_pct: AtomicU32,
    defrag_queue_min: AtomicU32,
    defrag_sleep_micros: AtomicU32,
    tomb_raider_sleep_micros: AtomicU32,
    /// Method, level and acceleration, a byte each and the rest.
    compression: AtomicU64,
}

/// Values for [`Tuning`]: those of the configuration, whose names they bear.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "docs/configuration.md has them")]
pub struct TuningValues {
    pub commit_to_device: bool,
    pub flush_size_bytes: u32,
    pub flush_max_ms: u64,
    pub max_write_cache_bytes: u64,
    pub post_write_cache_bytes: u64,
    pub defrag_lwm_pct: u32,
    pub defrag_queue_min: u32,
    pub defrag_sleep_micros: u32,
    pub tomb_raider_sleep_micros: u32,
    pub compression: Packing,
    pub compression_level: u32,
    pub compression_acceleration: u32,
    pub read_page_cache: bool,
}

impl Default for TuningValues {
    fn default() -> Self {
        Self {
            commit_to_device: false,
            flush_size_bytes: 1 << 20,
            flush_max_ms: 1_000,
            max_write_cache_bytes: 64 << 20,
            post_write_cache_bytes: 256 << 20,
            defrag_lwm_pct: 50,
            defrag_queue_min: 0,
            defrag_sleep_micros: 1_000,
            tomb_raider_sleep_micros: 1_000,
            compression: Packing::Plain,
            compression_level: 0,
            compression_acceleration: 0,
            read_page_cache: false,
        }
    }
}

impl Tuning {
    /// Settings with these values.
    pub fn new(values: TuningValues) -> Self {
        let tuning = Self {
            commit_to_device: AtomicBool::new(values.commit_to_device),
            flush_size_bytes: AtomicU32::default(),
            flush_max_ms: AtomicU64::default(),
            max_write_cache_bytes: AtomicU64::default(),
            post_write_cache_bytes: AtomicU64::default(),
            defrag_lwm_pct: AtomicU32::default(),
            defrag_queue_min: AtomicU32::default(),
            defrag_sleep_micros: AtomicU32::default(),
            tomb_raider_sleep_micros: AtomicU32::default(),
            compression: AtomicU64::default(),
        };
        tuning.update(values);
        tuning
    }

    /// Takes over new values.
    pub fn update(&self, values: TuningValues) {
        self.commit_to_device.store(values.commit_to_device, Relaxed);
        self.flush_size_bytes.store(values.flush_size_bytes, Relaxed);
        self.flush_max_ms.store(values.flush_max_ms, Relaxed);
        self.max_write_cache_bytes.store(values.max_write_cache_bytes, Relaxed);
        self.post_write_cache_bytes.store(values.post_write_cache_bytes, Relaxed);
        self.defrag_lwm_pct.store(values.defrag_lwm_pct, Relaxed);
        self.defrag_queue_min.store(values.defrag_queue_min, Relaxed);
        self.defrag_sleep_micros.store(values.defrag_sleep_micros, Relaxed);
        self.tomb_raider_sleep_micros.store(values.tomb_raider_sleep_micros, Relaxed);
        let packed = u64::from(values.compression.number())
            | u64::from(values.compression_level as u8) << 8
            | u64::from(values.compression_acceleration) << 16;
        self.compression.store(packed, Relaxed);
    }

    /// How bodies are compressed: method, level and acceleration.
    pub(crate) fn compression(&self) -> (Packing, u32, u32) {
        let packed = self.compression.load(Relaxed);
        (Packing::of(packed as u8), (packed >> 8) as u32 & 0xFF, (packed >> 16) as u32)
    }

    pub(crate) fn commits(&self) -> bool {
        self.commit_to_device.load(Relaxed)
    }

    pub(crate) fn flush_size_bytes(&self) -> usize {
        self.flush_size_bytes.load(Relaxed) as usize
    }

    pub(crate) fn flush_max_ms(&self) -> u64 {
        self.flush_max_ms.load(Relaxed)
    }

    pub(crate) fn max_write_cache_bytes(&self) -> u64 {
        self.max_write_cache_bytes.load(Relaxed)
    }

    pub(crate) fn post_write_cache_bytes(&self) -> u64 {
        self.post_write_cache_bytes.load(Relaxed)
    }

    pub(crate) fn defrag_lwm_pct(&self) -> u32 {
        self.defrag_lwm_pct.load(Relaxed)
    }

    pub(crate) fn defrag_queue_min(&self) -> usize {
        self.defrag_queue_min.load(Relaxed) as usize
    }

    pub(crate) fn defrag_sleep_micros(&self) -> u64 {
        self.defrag_sleep_micros.load(Relaxed).into()
    }

    pub(crate) fn tomb_raider_sleep_micros(&self) -> u64 {
        self.tomb_raider_sleep_micros.load(Relaxed).into()
    }
}
