//! A namespace's records on devices in memory, beside a model that is too simple to be wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use record::body::BodyWriter;
use record::{Generation, LastUpdateTime, RecordMeta, SecondsSince2010, SetId, VoidTime};
use wire::{Digest, PartitionId};

use crate::device::Device;
use crate::device::ram::RamDevice;
use crate::format::header::Memory;
use crate::{
    Bodies, Encryption, Fate, Fetched, ImagePlan, Miss, Opening, Pledges, Records, Refusal, Report,
    Rules, Setup, TuningValues, Verdict, Way,
};

pub const BLOCK_BYTES: u32 = 16 * 1024;
pub const BLOCKS: usize = 32;

/// Which engine a test runs on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Memory,
    Backed,
    Device,
}

/// A version of a record, as the model knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Version {
    pub payload: Vec<u8>,
    pub void_time: u32,
    pub set: u16,
}

pub struct World {
    pub kind: Kind,
    pub devices: Vec<Arc<RamDevice>>,
    pub records: Records,
    pub report: Report,
    pub model: BTreeMap<u16, Version>,
    pub memory: Memory,
    pub now: u64,
    options: Options,
    image: PathBuf,
}

/// What a namespace is opened with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub tuning: TuningValues,
    pub encryption: Option<Encryption>,
    pub cold_start_empty: bool,
}

/// A path for an image that no other test uses: in memory, if the system offers that, since images are
/// synced and tests save thousands of them.
fn image_path() -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let in_memory = PathBuf::from("/dev/shm");
    let directory = if in_memory.is_dir() { in_memory } else { std::env::temp_dir() };
    directory.join(format!("bolide-storage-{}-{number}.image", std::process::id()))
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.image);
    }
}

pub fn tuning() -> TuningValues {
    TuningValues {
        flush_size_bytes: 4096,
        post_write_cache_bytes: u64::from(BLOCK_BYTES),
        tomb_raider_sleep_micros: 0,
        ..TuningValues::default()
    }
}

pub fn options() -> Options {
    Options { tuning: tuning(), ..Options::default() }
}

pub fn digest(key: u16) -> Digest {
    let mut bytes = [0x5A; Digest::SIZE];
    bytes[..2].copy_from_slice(&key.to_le_bytes());
    bytes[8..10].copy_from_slice(&key.to_le_bytes());
    bytes[18..].copy_from_slice(&key.to_le_bytes());
    Digest(bytes)
}

fn set_name(set: u16) -> Vec<u8> {
    if set == 0 { Vec::new() } else { format!("set{set}").into_bytes() }
}

pub fn body(payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    BodyWriter::new(&mut bytes, Some(payload)).finish();
    bytes
}

/// Opens what is on these devices.
pub fn open(
    kind: Kind,
    devices: &[Arc<RamDevice>],
    options: (&Options, &Path),
    now: u64,
) -> Result<(Records, Report, Memory), crate::OpenError> {
    let devices: Vec<_> =
        devices.iter().map(|device| Arc::clone(device) as Arc<dyn Device>).collect();
    open_on(kind, &devices, options, now)
}

/// Opens what is on devices of any kind.
pub fn open_on(
    kind: Kind,
    devices: &[Arc<dyn Device>],
    (options, image): (&Options, &Path),
    now: u64,
) -> Result<(Records, Report, Memory), crate::OpenError> {
    let bodies = match kind {
        Kind::Memory => return Ok((Records::in_memory(), Report::default(), Memory::default())),
        Kind::Backed => Bodies::InMemory,
        Kind::Device => Bodies::OnDevices,
    };
    static IDS: Mutex<u64> = Mutex::new(1);
    let setup = Setup {
        namespace: "test".into(),
        bodies,
        devices: devices.to_vec(),
        block_bytes: BLOCK_BYTES,
        tuning: options.tuning,
        cold_start_empty: options.cold_start_empty,
        image: Some(image.to_owned()),
        threads: 2,
        encryption: options.encryption.clone(),
        random: || {
            *IDS.lock() += 1;
            *IDS.lock()
        },
    };
    let opening = Opening::of(setup)?;
    let memory = opening.memory();
    let fate = |meta: &RecordMeta| {
        if is_truncated(&memory, meta) {
            Fate::Truncated { with_older: false }
        } else if meta.void_time.is_expired(SecondsSince2010((now / 1000) as u32)) {
            Fate::Expired
        } else {
            Fate::Lives
        }
    };
    let set_id = |name: &[u8]| {
        let number = std::str::from_utf8(name).ok()?.strip_prefix("set")?;
        Some(SetId(number.parse().ok()?))
    };
    let (records, report) = opening.load(&Rules { set_id: &set_id, fate: &fate })?;
    Ok((records, report, memory))
}

fn is_truncated(memory: &Memory, meta: &RecordMeta) -> bool {
    let of_set = memory
        .set_truncate_luts
        .iter()
        .any(|(name, lut)| **name == *set_name(meta.set.0) && meta.last_update_time.0 < *lut);
    of_set || meta.last_update_time.0 < memory.truncate_lut
}

impl World {
    pub fn new(kind: Kind, device_count: usize, synchronous: bool) -> Self {
        let devices = (0..device_count).map(|number| {
            let size_bytes = BLOCK_BYTES as usize * (BLOCKS + 1);
            Arc::new(RamDevice::new(&format!("ram{number}"), size_bytes, synchronous))
        });
        Self::on(kind, devices.collect(), options())
    }

    pub fn on(kind: Kind, devices: Vec<Arc<RamDevice>>, options: Options) -> Self {
        let now = 1_000_000;
        let image = image_path();
        let (records, report, memory) = open(kind, &devices, (&options, &image), now).unwrap();
        Self { kind, devices, records, report, model: BTreeMap::new(), memory, now, options, image }
    }

    pub fn write(&mut self, key: u16, version: Version) -> Result<(), Refusal> {
        self.write_pledged(key, version).map(|_| ())
    }

    /// Writes a record; returns what its answer has to wait for.
    pub fn write_pledged(&mut self, key: u16, version: Version) -> Result<Pledges, Refusal> {
        self.now += 1;
        let digest = digest(key);
        let mut guard = self.records.write(&digest);
        let old = guard.find().map(|stored| stored.meta);
        let meta = RecordMeta {
            last_update_time: LastUpdateTime(self.now)
                .max(old.unwrap_or_default().last_update_time),
            void_time: VoidTime(version.void_time),
            generation: old.map_or(Generation(1), |old| old.generation.next()),
            set: SetId(version.set),
            ..RecordMeta::default()
        };
        let name = set_name(version.set);
        let mut pledges = Pledges::default();
        guard.store(meta, &name, &body(&version.payload), &mut pledges)?;
        drop(guard);
        self.model.insert(key, version);
        Ok(pledges)
    }

    pub fn remove(&mut self, key: u16) -> Result<(), Refusal> {
        self.now += 1;
        let now = LastUpdateTime(self.now);
        let removed = self.records.write(&digest(key)).remove(now, &mut Pledges::default())?;
        assert_eq!(removed, self.model.remove(&key).is_some());
        Ok(())
    }

    /// Time passes, and what has expired is removed.
    pub fn expire(&mut self, by_ms: u64) {
        self.now += by_ms;
        let now = SecondsSince2010((self.now / 1000) as u32);
        for partition in with_records(&self.records) {
            let _ = self.records.sweep(partition, |_, stored| {
                let expired = stored.meta.void_time.is_expired(now);
                if expired { Verdict::Expired } else { Verdict::Keep }
            });
        }
        self.model.retain(|_, version| !VoidTime(version.void_time).is_expired(now));
    }

    /// Truncates a set.
    pub fn truncate(&mut self, set: u16) -> std::io::Result<()> {
        self.now += 1;
        let lut = self.now;
        self.memory.set_truncate_luts.retain(|(name, _)| **name != *set_name(set));
        self.memory.set_truncate_luts.push((set_name(set).into(), lut));
        let remembered = self.records.remember(&self.memory);
        self.model.retain(|_, version| version.set != set);
        remembered?;
        let memory = &self.memory;
        for partition in with_records(&self.records) {
            let _ = self.records.sweep(partition, |_, stored| {
                let gone = is_truncated(memory, &stored.meta);
                if gone { Verdict::Truncated { with_older: false } } else { Verdict::Keep }
            });
        }
        Ok(())
    }

    /// Moves records of sparse blocks until none is left.
    pub fn move_all(&self) {
        for device in 0..self.records.device_count() {
            for _ in 0..BLOCKS {
                if self.records.move_block(device) != crate::Moved::Block {
                    break;
                }
            }
        }
    }

    pub fn read(&self, key: u16) -> Result<Option<Version>, Miss> {
        read(&self.records, key)
    }

    /// Compares every record with the model.
    pub fn check(&self) {
        check(&self.records, &self.model);
    }

    /// Ends in order, and starts again.
    pub fn restart(self) -> Self {
        self.records.close(Some(self.image_plan(7))).unwrap();
        let contents = self.devices.iter().map(|device| device.content()).collect();
        let restarted = self.start_with(contents);
        if restarted.kind == Kind::Device {
            assert_eq!(restarted.report.way, Way::Warm { rescanned_blocks: 0 });
        }
        restarted
    }

    fn image_plan(&self, id: u64) -> ImagePlan<'_> {
        let set_name = &|set: SetId| Some(set_name(set.0).into());
        ImagePlan { path: &self.image, id, set_name }
    }

    /// Saves an image of the index.
    pub fn checkpoint(&self, id: u64) -> bool {
        self.records.checkpoint(self.image_plan(id)).is_ok()
    }

    /// Loses power, and starts again.
    pub fn crash(self, random: &mut fastrand::Rng) -> Self {
        let mut below = |limit: usize| random.usize(..limit);
        let contents = self.devices.iter().map(|device| device.content_after_crash(&mut below));
        let contents = contents.collect();
        self.start_with(contents)
    }

    fn start_with(mut self, contents: Vec<Vec<u8>>) -> Self {
        let devices: Vec<_> = self
            .devices
            .iter()
            .zip(contents)
            .map(|(old, content)| {
                Arc::new(RamDevice::with_content(old.name(), content, old.is_synchronous()))
            })
            .collect();
        (self.records, self.report, self.memory) =
            open(self.kind, &devices, (&self.options, &self.image), self.now).unwrap();
        self.devices = devices;
        // A start removes what has expired by then.
        let now = SecondsSince2010((self.now / 1000) as u32);
        self.model.retain(|_, version| !VoidTime(version.void_time).is_expired(now));
        self
    }
}

/// Reads a record, from the device if it has to be.
pub fn read(records: &Records, key: u16) -> Result<Option<Version>, Miss> {
    let mut fetched = Fetched::default();
    loop {
        let mut guard = records.read(&digest(key));
        let Some(stored) = guard.find() else { return Ok(None) };
        match guard.body(&fetched) {
            Ok(body) => {
                let payload = body.key().expect("tests store a key").to_vec();
                let (VoidTime(void_time), SetId(set)) = (stored.meta.void_time, stored.meta.set);
                return Ok(Some(Version { payload, void_time, set }));
            }
            Err(Miss::Elsewhere(fetch)) => {
                drop(guard);
                fetched.add(fetch.read_now());
            }
            Err(Miss::Damaged) => return Err(Miss::Damaged),
        }
    }
}

/// The partitions that hold anything: few of thousands.
fn with_records(records: &Records) -> impl Iterator<Item = PartitionId> {
    PartitionId::all().filter(|partition| records.counts(*partition).entries != 0)
}

pub fn check(records: &Records, model: &BTreeMap<u16, Version>) {
    let mut count = 0;
    for partition in with_records(records) {
        records.for_each(partition, |_, _| count += 1);
    }
    assert_eq!(count, model.len(), "records are enumerated");
    assert_eq!(records.total_counts().entries as usize, model.len(), "records are counted");
    for (key, version) in model {
        let found = read(records, *key).expect("sound").expect("there");
        assert_eq!(found, *version, "key {key}");
    }
}

pub fn version(random: &mut fastrand::Rng, now: u64) -> Version {
    let size = match random.u8(..8) {
        0 => random.usize(..3000),
        1 => 0,
        _ => random.usize(..120),
    };
    let ttl = random.u32(1..40);
    Version {
        payload: (0..size).map(|_| random.u8(..)).collect(),
        void_time: if random.u8(..4) == 0 { (now / 1000) as u32 + ttl } else { 0 },
        set: random.u16(..4),
    }
}
