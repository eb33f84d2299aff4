//! A volume: one device as a log of records.
//!
//! Records are appended to the block that is being filled, in memory; a flusher writes it to the device
//! piece by piece. A record that is replaced or removed leaves dead bytes behind; a block whose live
//! bytes fall below a threshold is emptied by moving them, and is then filled anew.
//!
//! What a volume does by itself it does in steps that its host's threads ask for, or a test: writing
//! ([`Volume::flush`]) here, moving records in `crate::defrag`, which needs the index for that.
//!
//! Where to look: what is appended where in `append.rs`, writing and how far it is in `flush.rs`, what
//! becomes of dead bytes in `release.rs`, who may take free blocks while they are few in `space.rs`.
//!
//! **Locks.** Sprig, then front; writer, then front. Nobody takes a sprig's lock while holding one of these.

mod append;
mod buffer;
mod cache;
mod flush;
mod incident;
mod release;
mod space;
mod table;
mod unreadable;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Condvar, Mutex, RwLock};

pub(crate) use append::{Appended, Stream, Urgency};
pub(crate) use buffer::Buffer;
pub(crate) use cache::Cache;
pub(crate) use flush::Extent;
pub use incident::Incident;
pub(crate) use incident::Incidents;
pub(crate) use table::{State, Table};

use crate::device::Device;
use crate::format::{Geometry, Place};
use crate::reader::Signal;
use crate::tuning::Tuning;
use space::{Pace, RESERVED_BLOCKS};
use unreadable::Unreadable;

/// One device of a namespace, as a log.
pub(crate) struct Volume {
    /// Its place among the devices of the namespace.
    pub number: u16,
    pub device: Arc<dyn Device>,
    /// The device's id.
    pub id: u64,
    pub geometry: Geometry,
    pub table: Table,
    pub cache: Cache,
    pub counters: VolumeCounters,
    pub incidents: Incidents,
    tuning: Arc<Tuning>,
    front: Mutex<Front>,
    /// Wakes the flusher.
    to_write: Condvar,
    /// Wakes whoever moves records.
    to_move: Condvar,
    /// Held while the device is written, so that one piece follows the other.
    writer: Mutex<()>,
    /// The last write up to which everything has been written.
    durable: AtomicU64,
    /// Bytes appended and not yet written.
    unwritten_bytes: AtomicU64,
    pace: Pace,
    /// Whether a write failed: nothing is written any more.
    failed: AtomicBool,
    /// Whether somebody waits for a pledge.
    awaited: AtomicBool,
    signals: RwLock<Vec<Signal>>,
}

/// What is shared by all who append, and by the flusher.
#[derive(Debug)]
struct Front {
    /// The blocks being filled, one for each [`Stream`].
    filling: [Option<append::Filling>; 2],
    /// Full blocks that are not wholly written.
    full: VecDeque<append::Filling>,
    /// The first write of the piece that is being written.
    in_flight: Option<u64>,
    free: BTreeSet<u32>,
    /// A free block that writers fill next, whoever else needs one: see `space.rs`.
    spare: Option<u32>,
    /// Blocks without live records, and the write after which they may be free.
    emptied: VecDeque<(u64, u32)>,
    /// Blocks whose live records are to be moved.
    to_move: VecDeque<u32>,
    /// How many blocks have their records moved at the moment.
    moving: usize,
    unreadable: Unreadable,
    prospect: space::Prospect,
    /// Whether somebody has heard that free blocks run short.
    told_short: bool,
    next_sequence: u64,
    /// Writes so far.
    appended: u64,
    stopping: bool,
}

/// What a volume has done, for statistics.
#[derive(Debug, Default)]
pub(crate) struct VolumeCounters {
    /// Bytes of live records.
    pub used_bytes: AtomicU64,
    pub read_errors: AtomicU64,
    /// Bodies that were in memory, and bodies that were read.
    pub cache_reads: AtomicU64,
    pub device_reads: AtomicU64,
    /// Records or blocks that did not stand up to their checksum.
    pub damaged: AtomicU64,
    /// Blocks written wholly, and pieces of blocks written before they were full.
    pub writes: AtomicU64,
    pub partial_writes: AtomicU64,
    /// The same for moved records.
    pub defrag_writes: AtomicU64,
    pub defrag_partial_writes: AtomicU64,
    /// Blocks whose records were moved.
    pub defrag_reads: AtomicU64,
    /// All bytes written to the device.
    pub written_bytes: AtomicU64,
}

impl VolumeCounters {
    pub fn raise(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Volume {
    /// A volume without records on a device that was divided so. `next_sequence` is greater than that
    /// of any block on it. All blocks are free until somebody says otherwise: see [`Self::adopt`].
    pub fn new(
        number: u16,
        device: Arc<dyn Device>,
        (id, geometry): (u64, Geometry),
        tuning: Arc<Tuning>,
    ) -> Self {
        let front = Front {
            filling: [None, None],
            full: VecDeque::new(),
            in_flight: None,
            free: geometry.blocks().collect(),
            spare: None,
            emptied: VecDeque::new(),
            to_move: VecDeque::new(),
            moving: 0,
            unreadable: Unreadable::default(),
            prospect: space::Prospect::Unknown,
            told_short: false,
            next_sequence: 1,
            appended: 0,
            stopping: false,
        };
        Self {
            number,
            device,
            id,
            geometry,
            table: Table::new(&geometry),
            cache: Cache::new(&geometry),
            counters: VolumeCounters::default(),
            incidents: Incidents::default(),
            tuning,
            front: Mutex::new(front),
            to_write: Condvar::new(),
            to_move: Condvar::new(),
            writer: Mutex::new(()),
            durable: AtomicU64::new(0),
            unwritten_bytes: AtomicU64::new(0),
            pace: Pace::default(),
            failed: AtomicBool::new(false),
            awaited: AtomicBool::new(false),
            signals: RwLock::default(),
        }
    }

    /// Takes over a block that a start found in use, in its present life. Its records are counted by
    /// [`Table::add_live`]; [`Self::reconsider_all`] says that all of them are.
    pub fn adopt(&self, block: u32, sequence: u64) {
        let mut front = self.front.lock();
        front.free.remove(&block);
        front.next_sequence = front.next_sequence.max(sequence + 1);
        self.table.set_sequence(block, sequence);
        // What is in it was not counted: it may be full.
        self.table.set_end(block, self.geometry.block_bytes);
        self.table.set_state(block, State::Loading);
    }

    /// Notes the sequence number of a block that a start found free.
    pub fn note_sequence(&self, sequence: u64) {
        let mut front = self.front.lock();
        front.next_sequence = front.next_sequence.max(sequence + 1);
    }

    /// A greater sequence number than any so far.
    pub fn next_sequence(&self) -> u64 {
        self.front.lock().next_sequence
    }

    /// What a checksum at this offset is tied to.
    pub fn place(&self, offset_bytes: u64) -> Place {
        let sequence = self.table.sequence(self.geometry.block_of(offset_bytes));
        Place { device: self.id, offset_bytes, sequence }
    }

    /// Whether a write failed, so that it takes no more.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// Has a signal raised whenever pledges may have settled.
    pub fn subscribe(&self, signal: Signal) {
        self.signals.write().push(signal);
    }

    /// Blocks that can be filled.
    pub fn free_blocks(&self) -> usize {
        let front = self.front.lock();
        front.free.len() + usize::from(front.spare.is_some())
    }

    /// Share of the blocks that records can still be written to, in percent.
    pub fn avail_pct(&self) -> u64 {
        let free = self.free_blocks().saturating_sub(RESERVED_BLOCKS);
        free as u64 * 100 / u64::from(self.geometry.block_count)
    }

    /// Blocks that wait to be written, and to have their records moved.
    pub fn queues(&self) -> (usize, usize) {
        let front = self.front.lock();
        (front.full.len(), front.to_move.len())
    }
}

impl fmt::Debug for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volume").field("device", &self.device.name()).finish_non_exhaustive()
    }
}
