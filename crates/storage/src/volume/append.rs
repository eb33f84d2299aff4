//! Appending records to the block that is being filled.

#![allow(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Buffer, Front, State, Volume};
use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::format::block::Image;
use crate::format::{Place, block, flat};
use crate::records::Refusal;

/// What a block is filled with. Moved records keep to themselves, since they live longer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
    /// Records that clients write.
    Writes = 0,
    /// Records that are moved.
    Moves = 1,
}

/// How much an append may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Urgency {
    /// It may be refused while much waits to be written, and leaves most of the reserve alone.
    Ordinary,
    /// It gains space: it may take the reserve.
    GainsSpace,
}

/// Where a record went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Appended {
    /// Where on the device, in bytes.
    pub offset_bytes: u64,
    /// The number of this write.
    pub number: u64,
}

/// A block that is being filled, or is full and not wholly written.
#[derive(Debug)]
pub(super) struct Filling {
    pub block: u32,
    pub stream: Stream,
    pub buffer: Arc<Buffer>,
    /// Where the next record goes, or where the last one and the end mark end.
    pub at: usize,
    /// Bytes that the flusher has taken: they do not change any more.
    pub taken: usize,
    /// The first write that is not written.
    pub first_unwritten: Option<u64>,
    /// Whether pieces of it were written before it was full.
    pub in_pieces: bool,
}

impl Volume {
    /// Appends a finished record (see [`flat::finish`]) with its checksum, and ties it to its place.
    pub fn append(
        &self,
        stream: Stream,
        urgency: Urgency,
        (record, content): (&[u8], u32),
    ) -> Result<Appended, Refusal> {
        let room = self.geometry.block_bytes as usize - block::HEADER_BYTES - block::END_BYTES;
        if record.len() > room {
            return Err(Refusal::TooBig);
        }
        if self.has_failed() {
            return Err(Refusal::Offline);
        }
        let ordinary = urgency == Urgency::Ordinary;
        let unwritten = self.unwritten_bytes.load(Ordering::Relaxed);
        if ordinary && unwritten > self.tuning.max_write_cache_bytes() {
            return Err(Refusal::Overload);
        }
        let mut front = self.front.lock();
        self.make_room(&mut front, stream, record.len(), urgency)?;
        front.appended += 1;
        let number = front.appended;
        let Some(filling) = &mut front.filling[stream as usize] else { return Err(Refusal::Full) };
        let at = filling.at;
        let offset_bytes = self.geometry.offset_bytes(filling.block) + at as u64;
        let sequence = self.table.sequence(filling.block);
        let place = Place { device: self.id, offset_bytes, sequence };
        // SAFETY: nobody knows of these bytes yet, and the front lock is held.
        unsafe { put(&filling.buffer, at, (record, content), &place) };
        filling.at += record.len();
        filling.first_unwritten.get_or_insert(number);
        let block = filling.block;
        let ripe = filling.at - filling.taken >= self.tuning.flush_size_bytes();
        self.count_in(block, record.len());
        self.unwritten_bytes.fetch_add(record.len() as u64, Ordering::Relaxed);
        if ordinary {
            self.charge(&mut front, record.len());
        }
        if ripe || self.tuning.commits() {
            self.to_write.notify_one();
        }
        Ok(Appended { offset_bytes, number })
    }

    /// Writes a finished record with its checksum over one of the same size that the flusher has not
    /// taken yet. The caller holds the lock of the record's sprig.
    pub fn overwrite(&self, offset_bytes: u64, record: (&[u8], u32)) -> Option<Appended> {
        let block = self.geometry.block_of(offset_bytes);
        if self.table.state(block) != State::Filling {
            return None;
        }
        let mut front = self.front.lock();
        let number = front.appended + 1;
        let filling = front.filling.iter_mut().flatten().find(|filling| filling.block == block)?;
        let at = (offset_bytes - self.geometry.offset_bytes(block)) as usize;
        if at < filling.taken || self.has_failed() {
            return None;
        }
        // SAFETY: readers of this record need the lock of its sprig, which the caller holds
        // exclusively; the flusher has not taken it, and the front lock is held.
        unsafe { put(&filling.buffer, at, record, &self.place(offset_bytes)) };
        filling.first_unwritten.get_or_insert(number);
        front.appended = number;
        if self.tuning.commits() {
            self.to_write.notify_one();
        }
        Some(Appended { offset_bytes, number })
    }

    pub(crate) fn count_in(&self, block: u32, bytes: usize) {
        self.table.add_live(block, bytes as u32);
        self.counters.used_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Sees to it that the block being filled has room for a record.
    fn make_room(
        &self,
        front: &mut Front,
        stream: Stream,
        size_bytes: usize,
        urgency: Urgency,
    ) -> Result<(), Refusal> {
        let limit = self.geometry.block_bytes as usize - block::END_BYTES;
        if let Some(filling) = &front.filling[stream as usize]
            && filling.at + size_bytes <= limit
        {
            return Ok(());
        }
        let block = self.take_free(front, stream, urgency)?;
        self.seal(front, stream);
        if self.worth_pct(front).is_some() {
            self.to_move.notify_one();
        }
        let filling = self.open_block(front, block, stream);
        front.filling[stream as usize] = Some(filling);
        Ok(())
    }

    fn open_block(&self, front: &mut Front, block: u32, stream: Stream) -> Filling {
        let sequence = front.next_sequence;
        front.next_sequence += 1;
        self.table.set_sequence(block, sequence);
        self.table.set_state(block, State::Filling);
        let buffer = self.cache.buffer(self.geometry.block_bytes as usize);
        let header = block::in_use(block, &self.place(self.geometry.offset_bytes(block)));
        // SAFETY: nobody knows of the buffer yet.
        unsafe { buffer.write(0, &header) };
        self.cache.insert(block, Arc::clone(&buffer));
        Filling {
            block,
            stream,
            buffer,
            at: block::HEADER_BYTES,
            taken: 0,
            first_unwritten: None,
            in_pieces: false,
        }
    }

    /// Ends the block that is being filled: it gets its mark and waits to be written.
    pub(super) fn seal(&self, front: &mut Front, stream: Stream) {
        let Some(mut filling) = front.filling[stream as usize].take() else { return };
        let offset_bytes = self.geometry.offset_bytes(filling.block) + filling.at as u64;
        let mark = block::end(&self.place(offset_bytes));
        let at = filling.at;
        filling.at += mark.len();
        let padding = [0; ALIGN_BYTES];
        let padding = &padding[..filling.at.next_multiple_of(ALIGN_BYTES) - filling.at];
        // SAFETY: nobody knows of these bytes yet, and the front lock is held.
        unsafe {
            filling.buffer.write(at, &mark);
            filling.buffer.write(filling.at, padding);
        }
        // The mark is to be written as well, before anybody may say that the block is free: it is a write by
        // itself, since all others may be written.
        front.appended += 1;
        filling.first_unwritten.get_or_insert(front.appended);
        self.unwritten_bytes.fetch_add(mark.len() as u64, Ordering::Relaxed);
        let block = filling.block;
        self.table.set_end(block, filling.at as u32);
        front.full.push_back(filling);
        self.table.set_state(block, State::Full);
        self.reconsider(front, block);
        self.to_write.notify_one();
    }
}

impl Volume {
    /// Shows a copy of a block that is being filled, as far as it is. `None` if it is not any more.
    pub fn with_filling<T>(&self, block: u32, look: impl FnOnce(&Image<'_>) -> T) -> Option<T> {
        let mut bytes = AlignedBuf::zeroed(self.geometry.block_bytes as usize);
        {
            let front = self.front.lock();
            let filling = front.filling.iter().flatten().find(|filling| filling.block == block);
            let filling = filling.filter(|filling| filling.at > 0)?;
            // SAFETY: the front lock is held, under which these bytes were written.
            bytes[..filling.at].copy_from_slice(unsafe { filling.buffer.read(0, filling.at) });
        }
        let offset_bytes = self.geometry.offset_bytes(block);
        let sequence = self.table.sequence(block);
        Some(look(&Image { bytes: &bytes, device: self.id, offset_bytes, sequence }))
    }
}

/// Puts a finished record in its place in a block.
///
/// # Safety
/// As [`Buffer::write`].
unsafe fn put(buffer: &Buffer, at: usize, (record, content): (&[u8], u32), place: &Place) {
    let rest = record.get(flat::CONTENT_FROM..).unwrap_or_default();
    // SAFETY: the caller's promise.
    unsafe {
        buffer.write(at, &flat::front(content, place));
        buffer.write(at + flat::CONTENT_FROM, rest);
    }
}

impl Filling {
    /// Where the piece begins that is to be written next: the last one may have ended amid a sector.
    pub fn from(&self) -> usize {
        self.taken / ALIGN_BYTES * ALIGN_BYTES
    }
}
