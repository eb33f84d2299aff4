//! Defragmentation: live records of sparse blocks are moved together.

#![allow(unsafe_code)]

use std::cell::Cell;

use index::{Entry, Location};
use record::RecordMeta;

use crate::aligned::AlignedBuf;
use crate::engine::Engine;
use crate::format::block::{Image, Item};
use crate::format::flat::Found;
use crate::log::{DeviceLocation, Log};
use crate::memory::Heap;
use crate::records::{Records, Refusal};
use crate::volume::{Incident, Volume, VolumeCounters};

thread_local! {
    /// Where a block is read to: memory that is there already is touched faster than new one.
    static BLOCK: Cell<Option<AlignedBuf>> = const { Cell::new(None) };
}

/// What a step of defragmentation did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moved {
    /// No block waits for it.
    Nothing,
    /// The records of a block were moved.
    Block,
    /// There is no room to move records to, for now.
    Blocked,
}

impl Records {
    /// Moves the live records of one block of a device, if one waits for that.
    pub fn move_block(&self, volume: usize) -> Moved {
        let (Some(log), Some(volume)) = (self.engine.log(), self.volumes().get(volume)) else {
            return Moved::Nothing;
        };
        let Some(block) = volume.next_to_move(log.tuning.defrag_queue_min()) else {
            return Moved::Nothing;
        };
        if volume.table.live_bytes(block) == 0 {
            volume.moved(block);
            return Moved::Block;
        }
        VolumeCounters::raise(&volume.counters.defrag_reads);
        let result = volume.with_image(block, |image| self.move_all(log, volume, block, image));
        match result {
            Some(Ok(())) => volume.moved(block),
            Some(Err(_)) => {
                volume.move_again(block);
                return Moved::Blocked;
            }
            None => volume.set_aside(block),
        }
        Moved::Block
    }

    fn move_all(
        &self,
        log: &Log,
        volume: &Volume,
        block: u32,
        image: &Image<'_>,
    ) -> Result<(), Refusal> {
        let mut result = Ok(());
        image.walk(|item| match item {
            Item::Record { at, found } if result.is_ok() => {
                match self.move_one(log, volume, image.offset_bytes + at as u64, &found) {
                    Ok(true) => {}
                    Ok(false) => volume.gain(found.bytes.len()),
                    Err(refusal) => result = Err(refusal),
                }
            }
            Item::Record { .. } => {}
            Item::Damage { at, size_bytes } => {
                volume.report_damage(format!("block {block}, {size_bytes} bytes at {at},"));
            }
        });
        result
    }

    /// Moves a record if it is still there, and says whether it was.
    fn move_one(
        &self,
        log: &Log,
        volume: &Volume,
        offset_bytes: u64,
        found: &Found<'_>,
    ) -> Result<bool, Refusal> {
        let digest = &found.header.digest;
        let mut guard = self.index.write(digest);
        let Some(entry) = guard.find() else { return Ok(false) };
        // SAFETY: the guard holds the sprig's lock.
        let Some(old) = (unsafe { self.engine.device_location(&entry) }) else { return Ok(false) };
        if !old.is_at(volume, offset_bytes) {
            return Ok(false);
        }
        let new = if entry.is_grave() {
            // What expired where it is may have had a place above its time.
            let last_update_time = entry.meta.last_update_time.max(found.header.order());
            log.move_grave(digest, &RecordMeta { last_update_time, ..entry.meta })?
        } else {
            log.move_record(volume, found)?
        };
        let location = match self.engine {
            Engine::Device(_) => Location(new.0),
            _ => {
                // SAFETY: the guard holds the sprig's lock exclusively.
                unsafe { Heap::set_companion(entry.location, new.0) };
                entry.location
            }
        };
        // The entry is there already, so this takes no memory.
        let moved = guard.replace(Some(&entry), &Entry { location, ..entry });
        debug_assert!(moved.is_ok(), "a present entry is replaced in place");
        log.release(old);
        Ok(true)
    }

    /// Gives up what a record takes. Its entry is being taken out of the index.
    pub(crate) fn release(&self, entry: &Entry) {
        // SAFETY: callers hold the sprig's lock exclusively, and drop the entry.
        unsafe { self.engine.release(entry) };
    }

    /// Keeps a body in memory that is on a device as well.
    pub(crate) fn keep_beside(
        &self,
        body: &[u8],
        place: DeviceLocation,
        heap: Heap,
    ) -> Option<Location> {
        let location = heap.put(body)?;
        // SAFETY: it was just made, and has room in front.
        unsafe { Heap::set_companion(location, place.0) };
        Some(location)
    }
}

impl Volume {
    /// Shows a block to which nothing is appended any more, from memory or as it is on the device.
    /// `None`, and reported, if it cannot be read.
    pub(crate) fn with_image<T>(
        &self,
        block: u32,
        look: impl FnOnce(&Image<'_>) -> T,
    ) -> Option<T> {
        let offset_bytes = self.geometry.offset_bytes(block);
        let size_bytes = self.geometry.block_bytes as usize;
        let sequence = self.table.sequence(block);
        let image = |bytes| Image { bytes, device: self.id, offset_bytes, sequence };
        if let Some(buffer) = self.cache.get(block) {
            // SAFETY: nothing is appended to the block, so nobody writes.
            return Some(look(&image(unsafe { buffer.read(0, size_bytes) })));
        }
        let kept = BLOCK.take().filter(|bytes| bytes.len() == size_bytes);
        let mut bytes = kept.unwrap_or_else(|| AlignedBuf::zeroed(size_bytes));
        match self.device.read_at(&mut bytes, offset_bytes) {
            Ok(()) => {
                let result = look(&image(&bytes));
                BLOCK.set(Some(bytes));
                Some(result)
            }
            Err(error) => {
                VolumeCounters::raise(&self.counters.read_errors);
                let device = self.device.name().to_owned();
                self.incidents.report(Incident::ReadFailed { device, error });
                None
            }
        }
    }

    /// Counts a live record that a start found.
    pub(crate) fn count_live(&self, location: DeviceLocation) {
        self.count_in(self.geometry.block_of(location.offset_bytes()), location.size_bytes());
    }
}
