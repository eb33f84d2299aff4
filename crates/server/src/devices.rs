//! The devices of namespaces: opened before the server starts, tended while it runs, closed at its end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use config::{Config, DevicePath, EngineKind, Namespace as NamespaceConfig, StorageEngine};
use engine::Namespace;
use engine::devices::{DevicePlan, NamespaceOpening};
use parking_lot::Mutex;
use storage::device::{Device, FileDevice, MappedDevice, OpenOptions, Shadowed};
use storage::format::BLOCK_BYTES;
use storage::{CipherKind, Encryption, Report, Secret, Way};

use crate::host::now;

/// Writes a line to the log, in the context of a storage engine.
macro_rules! log {
    ($level:ident, $kind:expr, $($text:tt)+) => {
        match $kind {
            EngineKind::Memory => tracing::$level!(target: "drv-mem", $($text)+),
            EngineKind::Device => tracing::$level!(target: "drv_ssd", $($text)+),
            EngineKind::Pmem => tracing::$level!(target: "drv_pmem", $($text)+),
        }
    };
}

/// How often a long start says how far it is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);
/// An image of the index is saved while the server runs when this share of a device's blocks, in
/// percent, was written since the last one, and at least so many blocks.
const CHECKPOINT_PCT: u64 = 25;
const CHECKPOINT_BLOCKS_MIN: u64 = 256;

/// Opens the namespaces of a configuration, with what their devices hold; after a `cold_start` without
/// help of images.
///
/// # Errors
/// What keeps a device from being used, as sentences for the operator.
pub fn open_namespaces(
    config: &Config,
    loops: usize,
    cold_start: bool,
) -> anyhow::Result<Vec<Arc<Namespace>>> {
    let open = |namespace| {
        let image = image_path(config, namespace).filter(|_| !cold_start);
        let opened = open(namespace, image, loops).map(Arc::new);
        opened.with_context(|| format!("namespace {}", namespace.name.as_str()))
    };
    config.namespaces.iter().map(open).collect()
}

fn open(of: &NamespaceConfig, image: Option<PathBuf>, loops: usize) -> anyhow::Result<Namespace> {
    if !of.storage_engine.has_backing() {
        return Ok(Namespace::new(of.clone(), loops));
    }
    let name = of.name.as_str();
    let engine = &of.storage_engine;
    let plan = DevicePlan {
        devices: open_devices(engine)?,
        image,
        block_bytes: BLOCK_BYTES,
        encryption: encryption(engine)?,
        threads: thread::available_parallelism().map_or(1, usize::from),
        random: || fastrand::u64(1..),
    };
    let begun = Instant::now();
    let opening = NamespaceOpening::begin(of.clone(), loops, plan)?;
    let progress = opening.progress();
    let done = AtomicBool::new(false);
    let now = now().seconds();
    let (namespace, report) = thread::scope(|scope| {
        let teller = scope.spawn(|| {
            while !wait(&done, PROGRESS_PERIOD) {
                log!(info, engine.kind, "{{{name}}} loaded {} % of the blocks", progress.pct());
            }
        });
        let loaded = opening.finish(now);
        done.store(true, Ordering::Relaxed);
        teller.thread().unpark();
        loaded
    })?;
    log_start(&namespace, &report, begun.elapsed());
    make_room(&namespace, engine)?;
    Ok(namespace)
}

/// Sees to it that as much is free as `defrag-startup-minimum` asks for.
fn make_room(namespace: &Namespace, engine: &StorageEngine) -> anyhow::Result<()> {
    let minimum_pct = u64::from(engine.defrag_startup_minimum_pct);
    if namespace.data_avail_pct() >= minimum_pct {
        return Ok(());
    }
    log!(
        info,
        engine.kind,
        "{{{}}} avail-pct {} is below defrag-startup-minimum {minimum_pct}: makes room first",
        namespace.name,
        namespace.data_avail_pct()
    );
    if namespace.make_room(minimum_pct) {
        return Ok(());
    }
    // What was moved is as good where it is now.
    let avail_pct = namespace.data_avail_pct();
    namespace.close_devices(None)?;
    bail!(
        "only {avail_pct} % of the blocks are free after defragmentation, and defrag-startup-minimum \
         asks for {minimum_pct} %: lower it, raise defrag-lwm-pct, or add a device"
    )
}

/// Waits until something is done, not longer than `time`; says whether it is. Whoever does it unparks the
/// thread.
fn wait(done: &AtomicBool, time: Duration) -> bool {
    let until = Instant::now() + time;
    while !done.load(Ordering::Relaxed) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        thread::park_timeout(left);
    }
    true
}

fn open_devices(engine: &StorageEngine) -> anyhow::Result<Vec<Arc<dyn Device>>> {
    engine.backing().map(|path| open_device(engine, path)).collect()
}

fn open_device(engine: &StorageEngine, path: &DevicePath) -> anyhow::Result<Arc<dyn Device>> {
    let primary = open_one(engine, &path.path)?;
    let Some(shadow) = &path.shadow else { return Ok(primary) };
    let shadow = open_one(engine, shadow)?;
    let shadowed = Shadowed::new(Arc::clone(&primary), Arc::clone(&shadow)).with_context(|| {
        format!(
            "{} is smaller than {}: a shadow needs the same size",
            shadow.name(),
            primary.name()
        )
    })?;
    let restored = shadowed
        .restore()
        .with_context(|| format!("cannot restore {} from its shadow", path.path))?;
    if restored {
        log!(info, engine.kind, "{} was blank and is restored from its shadow", path.path);
    }
    Ok(Arc::new(shadowed))
}

fn open_one(engine: &StorageEngine, path: &str) -> anyhow::Result<Arc<dyn Device>> {
    let filesize_bytes = (!engine.files.is_empty()).then_some(engine.filesize_bytes);
    if engine.kind == EngineKind::Pmem {
        return Ok(Arc::new(MappedDevice::open(Path::new(path), filesize_bytes)?));
    }
    let direct = filesize_bytes.is_none() || engine.direct_files;
    let options = OpenOptions {
        direct,
        synchronous: direct && !engine.disable_odsync,
        page_cache_reads: engine.read_page_cache,
        filesize_bytes,
    };
    let opened = FileDevice::open(Path::new(path), &options)?;
    opened.notes.iter().for_each(|note| log!(warn, engine.kind, "{note}"));
    Ok(Arc::new(opened.device))
}

fn encryption(engine: &StorageEngine) -> anyhow::Result<Option<Encryption>> {
    let Some(path) = &engine.encryption_key_file else { return Ok(None) };
    let kind = match engine.encryption {
        config::Encryption::Aes128 => CipherKind::Aes128,
        config::Encryption::Aes256 => CipherKind::Aes256,
    };
    let old_key = engine.encryption_old_key_file.as_deref().map(read_key).transpose()?;
    Ok(Some(Encryption { kind, key: read_key(path)?, old_key }))
}

fn read_key(path: &str) -> anyhow::Result<Secret> {
    let content = fs::read(path).with_context(|| format!("cannot read key file {path}"))?;
    Secret::new(content).with_context(|| format!("key file {path}"))
}

/// Where the image of a namespace's index is kept.
fn image_path(config: &Config, of: &NamespaceConfig) -> Option<PathBuf> {
    let is_on_devices = of.storage_engine.kind != EngineKind::Memory;
    let directory = Path::new(&config.service.work_directory).join("index");
    is_on_devices.then(|| directory.join(format!("{}.image", of.name.as_str())))
}

fn log_start(namespace: &Namespace, report: &Report, took: Duration) {
    let (name, kind) = (&namespace.name, kind_of(namespace));
    let way = match report.way {
        Way::Fresh => "fresh start".to_owned(),
        Way::Warm { rescanned_blocks: 0 } => "warm start".to_owned(),
        Way::Warm { rescanned_blocks } => {
            format!("warm start, {rescanned_blocks} blocks read again")
        }
        Way::Cold => "cold start".to_owned(),
    };
    if let Some(why) = &report.image_refused {
        log!(warn, kind, "{{{name}}} the image of the index is of no use: {why}");
    }
    log!(
        info,
        kind,
        "{{{name}}} {way}: objects {} tombstones {} expired {} truncated {} superseded {} blocks {} \
         bytes {} took-ms {}",
        report.records,
        report.tombstones,
        report.expired,
        report.truncated,
        report.superseded,
        report.blocks,
        report.bytes,
        took.as_millis()
    );
    if report.open_blocks + report.torn_blocks != 0 {
        log!(
            info,
            kind,
            "{{{name}}} the server was not stopped in order: {} blocks were being filled, of which {} \
             end in a torn write",
            report.open_blocks + report.torn_blocks,
            report.torn_blocks
        );
    }
    if report.damaged + report.homeless != 0 {
        log!(
            error,
            kind,
            "{{{name}}} {} stretches are damaged and {} records are of sets that cannot be made; they \
             are not served: restore them from a replica or a backup, and see bolide-inspect",
            report.damaged,
            report.homeless
        );
    }
    log_incidents(namespace);
}

fn kind_of(namespace: &Namespace) -> EngineKind {
    namespace.config().storage_engine.kind
}

/// Says what went wrong with devices since the last time.
pub fn log_incidents(namespace: &Namespace) {
    for incident in namespace.incidents() {
        log!(error, kind_of(namespace), "{{{}}} {incident}", namespace.name);
    }
}

/// The threads that tend the devices of namespaces: for each device one that writes and one that
/// defragments, for each namespace one that removes old traces and saves images of the index.
pub struct DeviceThreads {
    stop: Arc<AtomicBool>,
    namespaces: Vec<(Arc<Namespace>, Option<PathBuf>)>,
    threads: Vec<JoinHandle<()>>,
}

impl DeviceThreads {
    /// Starts to tend devices.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(config: &Config, namespaces: &[Arc<Namespace>]) -> io::Result<Self> {
        let mut threads =
            Self { stop: Arc::default(), namespaces: Vec::new(), threads: Vec::new() };
        for (namespace, of) in namespaces.iter().zip(&config.namespaces) {
            if !namespace.has_devices() {
                continue;
            }
            let image = image_path(config, of);
            threads.tend(namespace, image.clone())?;
            threads.namespaces.push((Arc::clone(namespace), image));
        }
        Ok(threads)
    }

    fn tend(&mut self, namespace: &Arc<Namespace>, image: Option<PathBuf>) -> io::Result<()> {
        for device in 0..namespace.device_count() {
            let of = Arc::clone(namespace);
            self.spawn("drv-write", move || of.run_flusher(device))?;
            let of = Arc::clone(namespace);
            self.spawn("drv-defrag", move || of.run_mover(device))?;
        }
        let (of, stop) = (Arc::clone(namespace), Arc::clone(&self.stop));
        self.spawn("drv-tomb", move || keep_house(&of, image, &stop))
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(thread::Builder::new().name(name.into()).spawn(run)?);
        Ok(())
    }

    /// Ends the threads, writes everything and closes the devices. Nothing may be written after. Says
    /// whether all of it succeeded.
    pub fn close(mut self) -> bool {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.iter().for_each(|thread| thread.thread().unpark());
        self.namespaces.iter().for_each(|(namespace, _)| namespace.stop_devices());
        for thread in self.threads.drain(..) {
            // One that panicked was logged when it did.
            let _ = thread.join();
        }
        let mut all_well = true;
        for (namespace, image) in &self.namespaces {
            let image = image.clone().map(|path| (path, fastrand::u64(1..)));
            if let Some((path, _)) = &image {
                make_directory_of(path, kind_of(namespace));
            }
            if let Err(error) = namespace.close_devices(image) {
                all_well = false;
                log!(
                    error,
                    kind_of(namespace),
                    "{{{}}} cannot close the devices in order: {error}; what was written last may be \
                     missing after a restart",
                    namespace.name
                );
            }
            log_incidents(namespace);
        }
        all_well
    }
}

fn make_directory_of(path: &Path, kind: EngineKind) {
    if let Some(directory) = path.parent()
        && let Err(error) = fs::create_dir_all(directory)
    {
        log!(warn, kind, "cannot make directory {}: {error}", directory.display());
    }
}

/// Removes traces of deletes in the rhythm of the tomb raider, and saves images of the index.
fn keep_house(namespace: &Namespace, image: Option<PathBuf>, stop: &AtomicBool) {
    let mut last_raid = Instant::now();
    let mut saved_at = writes(namespace);
    while !wait(stop, Duration::from_secs(1)) {
        log_incidents(namespace);
        let period = namespace.config().tomb_raider_period_seconds;
        let is_due = period != 0 && last_raid.elapsed() >= Duration::from_secs(period.into());
        if is_due && raid(namespace) {
            last_raid = Instant::now();
        }
        if let Some(path) = &image
            && writes(namespace) - saved_at >= checkpoint_after(namespace)
        {
            saved_at = writes(namespace);
            checkpoint(namespace, path);
        }
    }
}

/// Held during a raid by namespaces with `serialize-tomb-raider`.
static RAIDING: Mutex<()> = Mutex::new(());

/// Removes traces of deletes, unless `serialize-tomb-raider` has it wait for another namespace.
fn raid(namespace: &Namespace) -> bool {
    let is_serialized = namespace.config().storage_engine.serialize_tomb_raider;
    let turn = is_serialized.then(|| RAIDING.try_lock());
    if matches!(turn, Some(None)) {
        return false;
    }
    let removed = namespace.raid();
    log!(info, kind_of(namespace), "{{{}}} tomb raid: removed {removed} traces", namespace.name);
    true
}

/// Blocks written so far.
fn writes(namespace: &Namespace) -> u64 {
    namespace.device_stats().iter().map(|device| device.writes + device.defrag_writes).sum()
}

fn checkpoint_after(namespace: &Namespace) -> u64 {
    let blocks = namespace.data_total_bytes() / u64::from(BLOCK_BYTES);
    (blocks * CHECKPOINT_PCT / 100).max(CHECKPOINT_BLOCKS_MIN)
}

fn checkpoint(namespace: &Namespace, path: &Path) {
    let kind = kind_of(namespace);
    make_directory_of(path, kind);
    let begun = Instant::now();
    match namespace.checkpoint((path.to_owned(), fastrand::u64(1..))) {
        Ok(bytes) => log!(
            info,
            kind,
            "{{{}}} saved an image of the index: bytes {bytes} took-ms {}",
            namespace.name,
            begun.elapsed().as_millis()
        ),
        Err(error) => log!(
            warn,
            kind,
            "{{{}}} cannot save an image of the index: {error}; the next start may take longer",
            namespace.name
        ),
    }
}

#[cfg(test)]
mod tests;
