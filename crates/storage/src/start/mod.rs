//! The start of a namespace that has devices: whose they are, and what is on them.
//!
//! [`Opening::of`] reads the headers and refuses devices that do not belong together;
//! [`Opening::load`] brings the index back, from an image of it (`warm.rs`, `image.rs`) or from the
//! records themselves (`cold.rs`).

mod cold;
mod error;
mod image;
mod warm;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use record::{RecordMeta, SetId};

pub use error::OpenError;

use crate::cipher::{Cipher, Encryption, KeyError};
use crate::codec::Codec;
use crate::device::Device;
use crate::engine::Engine;
use crate::format::Geometry;
use crate::format::header::{DeviceHeader, Memory};
use crate::headers::{Headers, Region, blank_blocks, read_region, write_header};
use crate::log::{Log, VOLUMES_MAX};
use crate::order::Order;
use crate::records::Records;
use crate::tuning::{Tuning, TuningValues};
use crate::volume::Volume;

/// Where a namespace with devices keeps bodies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bodies {
    /// On the devices alone.
    OnDevices,
    /// In memory as well.
    InMemory,
}

/// What a namespace's devices are opened with.
#[derive(Debug)]
pub struct Setup {
    /// The namespace's name.
    pub namespace: String,
    /// Where bodies are.
    pub bodies: Bodies,
    /// The devices, in the order of the configuration.
    pub devices: Vec<Arc<dyn Device>>,
    /// Size of a block in bytes: [`crate::format::BLOCK_BYTES`], smaller in tests.
    pub block_bytes: u32,
    /// Settings that change at run time.
    pub tuning: TuningValues,
    /// Forgets what the devices hold.
    pub cold_start_empty: bool,
    /// Where the image of the index is, for a warm start. `None`: no warm start.
    pub image: Option<PathBuf>,
    /// Threads that a start uses; 0: the calling one alone, which reads in order.
    pub threads: usize,
    /// How records are encrypted, if they are.
    pub encryption: Option<Encryption>,
    /// Random numbers, for ids.
    pub random: fn() -> u64,
}

/// What a start asks of whoever knows the namespace.
pub struct Rules<'r> {
    /// The number of the set with this name, which comes into being if there is none.
    pub set_id: &'r (dyn Fn(&[u8]) -> Option<SetId> + Sync),
    /// Whether a record is gone though it is on a device.
    pub fate: &'r (dyn Fn(&RecordMeta) -> Fate + Sync),
}

/// What becomes of a record that a start finds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is there.
    Lives,
    /// Its void-time is over, or it was evicted.
    Expired,
    /// It was last written before a truncation.
    Truncated {
        /// Whether older copies are truncated for certain, too: a record may have been in another set.
        with_older: bool,
    },
}

/// How a start brought the index back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Way {
    /// There was nothing to bring back.
    #[default]
    Fresh,
    /// From an image of it.
    Warm {
        /// Blocks that were filled since it was made, and read again.
        rescanned_blocks: u64,
    },
    /// From the records on the devices.
    Cold,
}

/// What a start found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Report {
    /// How.
    pub way: Way,
    /// Why it was not a warm start, if there was an image.
    pub image_refused: Option<String>,
    /// Live records.
    pub records: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Records that had expired, or were evicted.
    pub expired: u64,
    /// Records that were truncated.
    pub truncated: u64,
    /// Versions of records that a later one had replaced.
    pub superseded: u64,
    /// Records that are in no set that could be made.
    pub homeless: u64,
    /// Blocks that were read.
    pub blocks: u64,
    /// Blocks that were being filled when the server ended.
    pub open_blocks: u64,
    /// Blocks whose last write was torn then.
    pub torn_blocks: u64,
    /// Damaged stretches: nothing in them can be read.
    pub damaged: u64,
    /// Bytes read.
    pub bytes: u64,
}

/// How far a start is: for a line in the log now and then.
#[derive(Debug, Default)]
pub struct Progress {
    blocks_done: AtomicU64,
    blocks_total: AtomicU64,
}

impl Progress {
    /// Share of the blocks that are done, in percent.
    pub fn pct(&self) -> u64 {
        let total = self.blocks_total.load(Ordering::Relaxed).max(1);
        self.blocks_done.load(Ordering::Relaxed) * 100 / total
    }
}

/// A namespace whose devices are known to be its own, before its records are loaded.
#[derive(Debug)]
pub struct Opening {
    setup: Setup,
    headers: Headers,
    geometries: Vec<Geometry>,
    is_fresh: bool,
    damaged_headers: u64,
    cipher: Option<Cipher>,
    /// How far loading is.
    pub progress: Arc<Progress>,
}

impl Opening {
    /// Reads the headers of the devices.
    ///
    /// # Errors
    /// An [`OpenError`], which says what to do.
    pub fn of(setup: Setup) -> Result<Self, OpenError> {
        if setup.devices.is_empty() || setup.devices.len() > VOLUMES_MAX {
            return Err(OpenError::TooMany(setup.devices.len()));
        }
        let geometries = setup.devices.iter().map(|device| {
            Geometry::of(device.size_bytes(), setup.block_bytes)
                .ok_or_else(|| OpenError::TooSmall { device: device.name().to_owned() })
        });
        let geometries = geometries.collect::<Result<Vec<_>, _>>()?;
        let mut opening = Self {
            setup,
            headers: Headers::default(),
            geometries,
            is_fresh: false,
            damaged_headers: 0,
            cipher: None,
            progress: Arc::default(),
        };
        opening.read_headers()?;
        opening.open_cipher()?;
        Ok(opening)
    }

    fn read_headers(&mut self) -> Result<(), OpenError> {
        if self.setup.cold_start_empty {
            return self.make_fresh();
        }
        let regions = self.setup.devices.iter().map(|device| {
            read_region(&**device, self.setup.block_bytes)
                .map_err(|error| OpenError::io(&**device, error))
        });
        let regions = regions.collect::<Result<Vec<_>, _>>()?;
        if regions.iter().all(|region| matches!(region, Region::Blank)) {
            return self.make_fresh();
        }
        self.accept(regions)
    }

    /// Finds the data key, or makes one; wraps it anew if the wrapping key has changed.
    fn open_cipher(&mut self) -> Result<(), OpenError> {
        let Some((_, first)) = self.headers.devices.first() else { return Ok(()) };
        let Some(encryption) = &self.setup.encryption else {
            return if first.wrapped_key.is_empty() {
                Ok(())
            } else {
                Err(KeyError::Missing.into())
            };
        };
        let (device_set, opens) = (first.device_set, first.opens + 1);
        let (wrapped, is_new) = match first.wrapped_key.as_slice() {
            [] => (Cipher::make_key(encryption, device_set)?, true),
            wrapped => (wrapped.to_vec(), false),
        };
        let (cipher, rewrapped) = Cipher::open(encryption, &wrapped, device_set, opens)?;
        self.cipher = Some(cipher);
        if let Some(wrapped) = rewrapped.or_else(|| is_new.then_some(wrapped)) {
            let changed = self.headers.change(|header| header.wrapped_key.clone_from(&wrapped));
            changed.map_err(OpenError::Header)?;
        }
        Ok(())
    }

    /// What the namespace remembers, to be put into force before records are loaded.
    pub fn memory(&self) -> Memory {
        self.headers.memory()
    }

    /// Writes headers for devices that hold nothing yet, or nothing of interest.
    fn make_fresh(&mut self) -> Result<(), OpenError> {
        self.is_fresh = true;
        let device_set = (self.setup.random)();
        let count = self.setup.devices.len() as u16;
        for (number, device) in self.setup.devices.iter().enumerate() {
            let geometry = self.geometries[number];
            let mut header = DeviceHeader {
                device: (self.setup.random)(),
                device_set,
                place: (number as u16, count),
                block_bytes: geometry.block_bytes,
                block_count: geometry.block_count,
                namespace: self.setup.namespace.clone(),
                ..DeviceHeader::default()
            };
            let made = blank_blocks(&**device, &geometry)
                .and_then(|()| write_header(&**device, &mut header))
                .and_then(|()| write_header(&**device, &mut header));
            made.map_err(|error| OpenError::io(&**device, error))?;
            self.headers.devices.push((Arc::clone(device), header));
        }
        Ok(())
    }

    /// Takes devices over that belong to this namespace and to each other.
    fn accept(&mut self, regions: Vec<Region>) -> Result<(), OpenError> {
        let mut headers = Vec::new();
        for (device, region) in self.setup.devices.iter().zip(regions) {
            let name = device.name().to_owned();
            match region {
                Region::Blank => headers.push((name, None)),
                Region::Foreign => return Err(OpenError::Foreign { device: name }),
                Region::Ours { header, other_is_sound } => {
                    self.damaged_headers += u64::from(!other_is_sound);
                    headers.push((name, Some(*header)));
                }
            }
        }
        error::check_set(&self.setup.namespace, &headers)?;
        for (number, (name, header)) in headers.into_iter().enumerate() {
            let Some(header) = header else { continue };
            let geometry = &mut self.geometries[number];
            if geometry.block_count < header.block_count {
                return Err(OpenError::Shrunk { device: name });
            }
            let device = Arc::clone(&self.setup.devices[number]);
            self.headers.devices.push((device, header));
        }
        Ok(())
    }

    /// Brings the records back.
    ///
    /// # Errors
    /// An [`OpenError`] when a device cannot be read or written. Damage is no error: see [`Report`].
    pub fn load(mut self, rules: &Rules<'_>) -> Result<(Records, Report), OpenError> {
        let tuning = Arc::new(Tuning::new(self.setup.tuning));
        let volumes = self.headers.devices.iter().zip(&self.geometries).enumerate();
        let volumes = volumes.map(|(number, ((device, header), geometry))| {
            let identity = (header.device, *geometry);
            Arc::new(Volume::new(number as u16, Arc::clone(device), identity, Arc::clone(&tuning)))
        });
        let volumes = volumes.collect();
        let codec = Codec::new(Arc::clone(&tuning), self.cipher.take());
        let log = Log { volumes, tuning, codec, order: Order::default() };
        let engine = match self.setup.bodies {
            Bodies::OnDevices => Engine::Device(log),
            Bodies::InMemory => Engine::Backed(log),
        };
        let headers = std::mem::take(&mut self.headers);
        let records = Records::new(engine, headers);
        let mut report = Report { damaged: self.damaged_headers, ..Report::default() };
        if !self.is_fresh {
            self.load_into(&records, rules, &mut report)?;
        }
        if let Some(log) = records.engine.log() {
            log.order.forget_found();
        }
        records.volumes().iter().for_each(|volume| volume.reconsider_all());
        let counts = records.total_counts();
        (report.records, report.tombstones) = (counts.objects(), counts.tombstones);
        let opened = records.headers.lock().change(|header| {
            header.opens += 1;
            header.clean = false;
            header.image = 0;
        });
        opened.map_err(OpenError::Header)?;
        Ok((records, report))
    }

    fn load_into(
        &self,
        records: &Records,
        rules: &Rules<'_>,
        report: &mut Report,
    ) -> Result<(), OpenError> {
        let knows_image =
            records.headers.lock().devices.iter().all(|(_, header)| header.image != 0);
        if let Some(path) = &self.setup.image
            && knows_image
            && self.setup.bodies == Bodies::OnDevices
            && warm::load(records, path, &self.setup, rules, &self.progress, report)?
        {
            return Ok(());
        }
        cold::load(records, &self.setup, rules, &self.progress, report)
    }
}

/// Lets threads do pieces of a work, each with tools of its own, until one fails. Returns the tools.
fn share_out<P: Sync, T: Send>(
    pieces: &[P],
    threads: usize,
    tools: impl Fn() -> T + Sync,
    work: impl Fn(&mut T, &P) -> Result<(), OpenError> + Sync,
) -> Result<Vec<T>, OpenError> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let worker = || {
        let mut tools = tools();
        while !failed.load(Ordering::Relaxed)
            && let Some(piece) = pieces.get(next.fetch_add(1, Ordering::Relaxed))
        {
            work(&mut tools, piece).inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        }
        Ok(tools)
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.max(1)).map(|_| scope.spawn(worker)).collect();
        let mine = worker();
        let others = others.into_iter().map(|other| match other.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(mine).chain(others).collect()
    })
}
