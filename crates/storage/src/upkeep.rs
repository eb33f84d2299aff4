//! What a namespace's devices need done: writing, defragmentation, a clean end; and how they are.
//!
//! The host gives each device two threads, which run [`Records::run_flusher`] and [`Records::run_mover`]
//! until [`Records::stop`]. Tests and simulations do the same in steps: [`Records::flush`],
//! [`Records::flush_due`], [`Records::move_block`].

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use record::SetId;

use crate::defrag::Moved;
use crate::format::header::Memory;
use crate::records::Records;
use crate::tuning::TuningValues;
use crate::volume::{Extent, Incident, Volume};

/// How long whoever moves records waits when there is nothing to do, or no room.
const MOVER_WAIT: Duration = Duration::from_millis(500);
const BLOCKED_WAIT: Duration = Duration::from_millis(20);

/// How an image of the index is to be saved.
pub struct ImagePlan<'p> {
    /// Where.
    pub path: &'p Path,
    /// A random number by which the devices know it; not 0.
    pub id: u64,
    /// Knows the names of sets.
    pub set_name: &'p dyn Fn(SetId) -> Option<Box<[u8]>>,
}

/// Space on the devices of a namespace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Bytes of all blocks.
    pub total_bytes: u64,
    /// Bytes of live records.
    pub used_bytes: u64,
    /// Share of the blocks that can be written to, in percent, of the device with the least.
    pub avail_pct: u64,
    /// Whether a device has failed and takes no writes.
    pub has_failed: bool,
}

/// How a device is (statistics reference, devices).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[expect(missing_docs, reason = "the statistics reference has them")]
pub struct DeviceStats {
    pub name: String,
    pub used_bytes: u64,
    pub free_wblocks: u64,
    pub read_errors: u64,
    pub write_q: u64,
    pub writes: u64,
    pub partial_writes: u64,
    pub defrag_q: u64,
    pub defrag_reads: u64,
    pub defrag_writes: u64,
    pub defrag_partial_writes: u64,
    /// Bytes written to the device, whatever they were.
    pub written_bytes: u64,
    /// Things on it that did not stand up to their checksum.
    pub damaged: u64,
    /// Whether every write goes to a shadow as well.
    pub has_shadow: bool,
}

impl Records {
    /// Devices of the namespace.
    pub fn device_count(&self) -> usize {
        self.volumes().len()
    }

    /// Writes what is to be written to a device, until [`Self::stop`].
    pub fn run_flusher(&self, device: usize) {
        let Some(volume) = self.volumes().get(device) else { return };
        let mut last_flush = Instant::now();
        while !volume.is_stopping() {
            let extent = volume.await_work(last_flush);
            volume.flush(extent);
            if extent == Extent::All {
                last_flush = Instant::now();
            }
            if volume.has_failed() {
                // Nothing will be written any more.
                volume.await_stop();
            }
        }
    }

    /// Whether [`Self::run_flusher`] would write something now, so long after it has written everything.
    pub fn is_flush_due(&self, device: usize, since_last: Duration) -> bool {
        self.volumes().get(device).is_some_and(|volume| volume.due(since_last).is_some())
    }

    /// A step of [`Self::run_flusher`]; says whether everything was to be written.
    pub fn flush_due(&self, device: usize, since_last: Duration) -> bool {
        let Some(volume) = self.volumes().get(device) else { return false };
        let Some(extent) = volume.due(since_last) else { return false };
        volume.flush(extent);
        extent == Extent::All
    }

    /// Moves records of a device, until [`Self::stop`].
    pub fn run_mover(&self, device: usize) {
        let (Some(log), Some(volume)) = (self.engine.log(), self.volumes().get(device)) else {
            return;
        };
        while !volume.is_stopping() {
            match self.move_block(device) {
                Moved::Block => {
                    thread::sleep(Duration::from_micros(log.tuning.defrag_sleep_micros()));
                }
                Moved::Nothing => volume.await_move(log.tuning.defrag_queue_min(), MOVER_WAIT),
                Moved::Blocked => thread::sleep(BLOCKED_WAIT),
            }
        }
    }

    /// Ends [`Self::run_flusher`] and [`Self::run_mover`] of all devices.
    pub fn stop(&self) {
        self.volumes().iter().for_each(|volume| volume.stop());
    }

    /// Writes everything that was appended so far, on the calling thread.
    pub fn flush(&self) {
        for volume in self.volumes() {
            while volume.flush(Extent::All) {}
        }
    }

    /// Writes everything and notes that the devices were closed in order. Nothing may be written
    /// after, and the threads of the devices must have ended. With `image`, the index is saved for a
    /// warm start: its path, an id for it, and the names of sets.
    ///
    /// # Errors
    /// When a device failed, now or before: what was acknowledged last may be missing on it. When the
    /// image cannot be written, after the devices were closed.
    pub fn close(&self, image: Option<ImagePlan<'_>>) -> io::Result<()> {
        for volume in self.volumes() {
            volume.close()?;
        }
        let saved =
            image.map(|plan| self.save_image(plan.path, plan.id, plan.set_name).map(|_| plan.id));
        let id = saved.as_ref().and_then(|saved| saved.as_ref().ok()).copied().unwrap_or_default();
        self.headers.lock().change(|header| {
            header.clean = true;
            header.image = id;
        })?;
        saved.transpose().map(|_| ())
    }

    /// Saves an image of the index while records come and go: after a crash, only blocks that were filled
    /// since are read. Returns its size in bytes.
    ///
    /// # Errors
    /// When the image or a device cannot be written.
    pub fn checkpoint(&self, plan: ImagePlan<'_>) -> io::Result<u64> {
        // The one before is of no use while this one takes its place.
        self.headers.lock().change(|header| header.image = 0)?;
        let size_bytes = self.save_image(plan.path, plan.id, plan.set_name)?;
        self.headers.lock().change(|header| header.image = plan.id)?;
        Ok(size_bytes)
    }

    /// Keeps what the namespace must remember through restarts.
    ///
    /// # Errors
    /// When a device cannot be written.
    pub fn remember(&self, memory: &Memory) -> io::Result<()> {
        self.headers.lock().change(|header| {
            header.memory = memory.clone();
            header.memory_version += 1;
        })
    }

    /// Takes over settings that changed.
    pub fn tune(&self, values: TuningValues) {
        let Some(log) = self.engine.log() else { return };
        log.tuning.update(values);
        for volume in self.volumes() {
            volume.device.set_page_cache_reads(values.read_page_cache);
            volume.reconsider_all();
        }
    }

    /// What an operator should hear of and has not yet.
    pub fn incidents(&self) -> Vec<Incident> {
        self.volumes().iter().flat_map(|volume| volume.incidents.take()).collect()
    }

    /// Space on the devices; `None` without any.
    pub fn space(&self) -> Option<Space> {
        let log = self.engine.log()?;
        Some(Space {
            total_bytes: log.total_bytes(),
            used_bytes: log.used_bytes(),
            avail_pct: self.volumes().iter().map(|volume| volume.avail_pct()).min()?,
            has_failed: self.volumes().iter().any(|volume| volume.has_failed()),
        })
    }

    /// Size of compressed bodies in relation to what they were; 1 as long as there are none.
    pub fn compression_ratio(&self) -> f64 {
        self.engine.log().map_or(1.0, |log| log.codec.ratio())
    }

    /// How each device is.
    pub fn device_stats(&self) -> Vec<DeviceStats> {
        self.volumes().iter().map(|volume| volume.stats()).collect()
    }

    /// Bodies that were in memory when they were asked for, and bodies that had to be read, since
    /// the start.
    pub fn body_reads(&self) -> (u64, u64) {
        self.volumes().iter().fold((0, 0), |(cached, read), volume| {
            let counters = &volume.counters;
            let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
            (cached + of(&counters.cache_reads), read + of(&counters.device_reads))
        })
    }
}

impl Volume {
    fn stats(&self) -> DeviceStats {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.counters;
        let (write_q, defrag_q) = self.queues();
        DeviceStats {
            name: self.device.name().to_owned(),
            used_bytes: of(&counters.used_bytes),
            free_wblocks: self.free_blocks() as u64,
            read_errors: of(&counters.read_errors),
            write_q: write_q as u64,
            writes: of(&counters.writes),
            partial_writes: of(&counters.partial_writes),
            defrag_q: defrag_q as u64,
            defrag_reads: of(&counters.defrag_reads),
            defrag_writes: of(&counters.defrag_writes),
            defrag_partial_writes: of(&counters.defrag_partial_writes),
            written_bytes: of(&counters.written_bytes),
            damaged: of(&counters.damaged),
            has_shadow: self.device.has_shadow(),
        }
    }
}
