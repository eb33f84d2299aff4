//! Where the nodes of a world keep records, and how a node opens its disks: as `server` does.

use std::sync::Arc;

use config::{Compression, DevicePath, EngineKind, Namespace as NamespaceConfig};
use engine::Namespace;
use engine::devices::{DevicePlan, NamespaceOpening};
use record::SecondsSince2010;
use storage::Report;
use storage::device::Device;

use crate::disk::{Disk, Trouble};
use crate::host::Ground;

/// Where records are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// In memory alone.
    Memory,
    /// On disks.
    Disks(Disks),
}

/// The disks of each machine, and how a namespace uses them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Disks {
    /// How many.
    pub count: usize,
    /// Whether bodies are in memory as well.
    pub is_behind_memory: bool,
    /// Whether a write lasts once it has returned.
    pub is_synchronous: bool,
    /// `commit-to-device`.
    pub commits: bool,
    /// Blocks of a disk, so few that they have to be used again and again.
    pub blocks: u32,
    /// Size of a block in bytes.
    pub block_bytes: u32,
    /// `flush-max-ms`.
    pub flush_max_ms: u64,
    /// `flush-size`.
    pub flush_size_bytes: u32,
    /// `defrag-lwm-pct`.
    pub defrag_lwm_pct: u32,
    /// `post-write-cache`, in blocks.
    pub cached_blocks: u32,
    /// `tomb-raider-period`.
    pub raid_seconds: u32,
    /// `compression`.
    pub compression: Compression,
}

impl Disks {
    /// Any.
    pub fn draw(random: &mut fastrand::Rng) -> Self {
        let compression = [Compression::None, Compression::Lz4, Compression::Zstd];
        Self {
            count: random.usize(1..=2),
            is_behind_memory: random.u32(..3) == 0,
            is_synchronous: random.bool(),
            commits: random.bool(),
            blocks: random.u32(20..=40),
            block_bytes: 8192 << random.u32(..=1),
            flush_max_ms: random.u64(20..=1000),
            flush_size_bytes: 4096 << random.u32(..=1),
            defrag_lwm_pct: random.u32(30..=70),
            cached_blocks: [0, 0, 2, 64][random.usize(..4)],
            raid_seconds: random.u32(2..=15),
            compression: compression[random.usize(..3)],
        }
    }

    /// What a machine gets.
    pub fn make(&self, machine: usize) -> Vec<Arc<Disk>> {
        let size_bytes = (self.blocks as usize + 1) * self.block_bytes as usize;
        let make = |number| Disk::new(path(machine, number), size_bytes, self.is_synchronous);
        (0..self.count).map(|number| Arc::new(make(number))).collect()
    }
}

fn path(machine: usize, number: usize) -> String {
    format!("/dev/{machine}-{number}")
}

impl Storage {
    /// The disks, if there are any.
    pub fn disks(&self) -> Option<&Disks> {
        match self {
            Self::Memory => None,
            Self::Disks(disks) => Some(disks),
        }
    }

    /// Whether all that was acknowledged lasts through the loss of power on all machines.
    pub fn commits(&self) -> bool {
        self.disks().is_some_and(|disks| disks.commits)
    }

    /// Configures a namespace on a machine.
    pub fn configure(&self, namespace: &mut NamespaceConfig, machine: usize) {
        let Self::Disks(of) = self else { return };
        namespace.tomb_raider_period_seconds = of.raid_seconds;
        let engine = &mut namespace.storage_engine;
        engine.kind = match of.is_behind_memory {
            true => EngineKind::Memory,
            false => EngineKind::Device,
        };
        let device = |number| DevicePath { path: path(machine, number), shadow: None };
        engine.devices = (0..of.count).map(device).collect();
        engine.commit_to_device = of.commits;
        engine.flush_max_ms = of.flush_max_ms;
        engine.flush_size_bytes = of.flush_size_bytes;
        engine.defrag_lwm_pct = of.defrag_lwm_pct;
        engine.post_write_cache_bytes = u64::from(of.cached_blocks) * u64::from(of.block_bytes);
        engine.tomb_raider_sleep_micros = 0;
        engine.compression = of.compression;
    }

    /// Opens the namespace of a node that starts, with what its disks hold. A seed decides about ids.
    ///
    /// # Errors
    /// When the disks cannot be used.
    pub fn open(
        &self,
        config: &NamespaceConfig,
        loops: usize,
        ground: &Ground,
        now: SecondsSince2010,
        seed: u64,
    ) -> anyhow::Result<(Namespace, Option<Report>)> {
        let Self::Disks(of) = self else {
            return Ok((Namespace::new(config.clone(), loops), None));
        };
        let disks = ground.disks();
        disks.iter().for_each(|disk| disk.set_trouble(Trouble::None));
        // Ids are drawn by a function without a state of its own.
        fastrand::seed(seed);
        let plan = DevicePlan {
            devices: disks.iter().map(|disk| Arc::clone(disk) as Arc<dyn Device>).collect(),
            image: None,
            block_bytes: of.block_bytes,
            encryption: None,
            threads: 0,
            random: || fastrand::u64(1..),
        };
        let opening = NamespaceOpening::begin(config.clone(), loops, plan)?;
        let (namespace, report) = opening.finish(now)?;
        Ok((namespace, Some(report)))
    }
}
