//! Writing blocks to the device, piece by piece, and knowing how far that is.

#![allow(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use parking_lot::MutexGuard;

use super::append::{Filling, Stream};
use super::{Buffer, Front, Incident, State, Volume, VolumeCounters};
use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::pledge::{Pledge, Settled};

/// What is to be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Extent {
    /// Full blocks, and pieces of `flush-size`.
    Ripe,
    /// Everything.
    All,
}

/// A piece of a block on its way to the device.
struct Piece {
    block: u32,
    stream: Stream,
    buffer: Arc<Buffer>,
    from: usize,
    to: usize,
    /// A copy of the last sector, if records may still be appended in it.
    tail: Option<AlignedBuf>,
    /// Bytes in it that were not written before.
    fresh_bytes: usize,
    /// Whether the block is wholly written with it.
    is_last: bool,
    in_pieces: bool,
}

impl Volume {
    /// Writes what is to be written, and frees blocks that may be. Says whether there was anything.
    pub fn flush(&self, extent: Extent) -> bool {
        let writing = self.writer.lock();
        let begun_at = self.front.lock().appended;
        let (mut extent, mut any) = (extent, false);
        while !self.has_failed()
            && let Some(piece) = self.take(extent)
        {
            if let Err(error) = self.write(&piece) {
                self.fail(error);
                break;
            }
            self.written(&piece);
            any = true;
            // Whoever appends while this is written would keep it from ever being over.
            if self.durable.load(Ordering::Acquire) >= begun_at {
                extent = Extent::Ripe;
            }
            self.free_emptied();
        }
        any |= self.free_emptied();
        drop(writing);
        any
    }

    /// Ends all blocks that are being filled and writes everything: nothing is to be appended after.
    pub fn close(&self) -> io::Result<()> {
        {
            let mut front = self.front.lock();
            self.seal(&mut front, Stream::Writes);
            self.seal(&mut front, Stream::Moves);
        }
        while self.flush(Extent::All) {}
        if self.has_failed() {
            return Err(io::Error::other("an earlier write failed"));
        }
        self.device.sync()
    }

    /// Waits until something is to be written, and says how much of it; not longer than `flush-max-ms`.
    pub fn await_work(&self, last_flush: Instant) -> Extent {
        let mut front = self.front.lock();
        let until = last_flush + self.flush_wait();
        let mut extent = Extent::Ripe;
        while !(front.stopping || self.is_any_ripe(&front)) {
            if self.to_write.wait_until(&mut front, until).timed_out() {
                if self.tuning.flush_max_ms() != 0 || self.unneeded_wait(&front) {
                    extent = Extent::All;
                }
                break;
            }
        }
        let at_once = self.tuning.commits() || self.awaits_emptied(&front);
        if at_once || Instant::now() >= until { Extent::All } else { extent }
    }

    /// What [`Self::await_work`] says, so long after everything was written; `None` where it would wait.
    pub fn due(&self, since_last: Duration) -> Option<Extent> {
        if self.has_failed() {
            return None;
        }
        let front = self.front.lock();
        let is_late = since_last >= self.flush_wait();
        if !self.is_any_ripe(&front) {
            let is_worth = self.has_unwritten(&front) || self.unneeded_wait(&front);
            return (is_late && is_worth).then_some(Extent::All);
        }
        let at_once = self.tuning.commits() || self.awaits_emptied(&front);
        Some(if at_once || is_late { Extent::All } else { Extent::Ripe })
    }

    /// How long it may take until everything is written.
    fn flush_wait(&self) -> Duration {
        match self.tuning.flush_max_ms() {
            0 => Duration::from_secs(60),
            millis => Duration::from_millis(millis),
        }
    }

    /// Whether something is to be written before that.
    fn is_any_ripe(&self, front: &Front) -> bool {
        !front.full.is_empty()
            || (self.tuning.commits() && self.has_unwritten(front))
            || front.filling.iter().flatten().any(|filling| self.is_ripe(filling))
            || self.may_free(front)
            || self.awaits_emptied(front)
    }

    /// Whether writers wait for blocks that are free once what replaced their records is written.
    fn awaits_emptied(&self, front: &Front) -> bool {
        !self.has_failed() && self.pace.is_slow() && !front.emptied.is_empty()
    }

    /// Blocks that wait to be free, or pledges, are worth a write even where `flush-max-ms` is off.
    fn unneeded_wait(&self, front: &Front) -> bool {
        !front.emptied.is_empty() || self.awaited.load(Ordering::Acquire)
    }

    fn may_free(&self, front: &Front) -> bool {
        let durable = self.durable.load(Ordering::Acquire);
        !self.has_failed() && front.emptied.front().is_some_and(|(after, _)| *after <= durable)
    }

    fn has_unwritten(&self, front: &Front) -> bool {
        !self.has_failed() && front.filling.iter().flatten().any(|of| of.first_unwritten.is_some())
    }

    fn is_ripe(&self, filling: &Filling) -> bool {
        filling.at - filling.from() >= self.tuning.flush_size_bytes()
    }

    /// Wakes whoever waits in [`Self::await_work`] or [`Self::await_move`], for the last time.
    pub fn stop(&self) {
        let mut front = self.front.lock();
        front.stopping = true;
        self.set_pace(&mut front);
        drop(front);
        self.to_write.notify_all();
        self.to_move.notify_all();
    }

    /// Whether [`Self::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.front.lock().stopping
    }

    /// Waits for [`Self::stop`].
    pub fn await_stop(&self) {
        let mut front = self.front.lock();
        while !front.stopping {
            self.to_write.wait(&mut front);
        }
    }

    /// Waits until records are to be moved, not longer than `time`.
    pub fn await_move(&self, queue_min: usize, time: Duration) {
        let mut front = self.front.lock();
        let is_urgent = front.stopping || self.awaits_moves(&mut front);
        if front.to_move.len() < queue_min.max(1) && !is_urgent {
            self.to_move.wait_for(&mut front, time);
        }
    }

    /// How far a pledge is.
    pub fn settled(&self, pledge: &Pledge) -> Settled {
        let kept = || {
            let is_written = self.durable.load(Ordering::Acquire) >= pledge.number
                || !self.tuning.commits() && !self.is_pressed();
            is_written && !(pledge.takes_space && self.holds_writers())
        };
        if kept() {
            return Settled::Kept;
        }
        if self.has_failed() {
            return Settled::Failed;
        }
        // Whoever raises the flag looks once more, so that no wake-up is lost.
        self.awaited.store(true, Ordering::SeqCst);
        if kept() { Settled::Kept } else { Settled::Waiting }
    }

    /// Whether so much waits to be written that writers have to slow down.
    pub fn is_pressed(&self) -> bool {
        let unwritten = self.unwritten_bytes.load(Ordering::Relaxed);
        unwritten > self.tuning.max_write_cache_bytes() / 2
    }

    /// Takes the next piece.
    fn take(&self, extent: Extent) -> Option<Piece> {
        let mut front = self.front.lock();
        let flush_size = self.tuning.flush_size_bytes();
        if let Some(filling) = front.full.front_mut() {
            let (from, end) = (filling.from(), filling.at.next_multiple_of(ALIGN_BYTES));
            let to = end.min(from + flush_size);
            let first = filling.first_unwritten;
            let is_last = to == end;
            let taken = if is_last { filling.at } else { to };
            let piece = piece(filling, (from, to), taken, is_last);
            front.in_flight = first;
            if is_last {
                front.full.pop_front();
            }
            return Some(piece);
        }
        let commits = self.tuning.commits();
        let waits = |filling: &&Filling| match extent {
            Extent::All => filling.first_unwritten.is_some(),
            Extent::Ripe => self.is_ripe(filling) || commits && filling.first_unwritten.is_some(),
        };
        // The oldest goes first: the other may never end while somebody appends.
        let oldest = front.filling.iter().flatten().filter(waits);
        let index = oldest.min_by_key(|filling| filling.first_unwritten)?.stream as usize;
        let Front { filling, in_flight, .. } = &mut *front;
        let filling = filling[index].as_mut()?;
        *in_flight = filling.first_unwritten;
        let from = filling.from();
        filling.in_pieces = true;
        if extent == Extent::Ripe && !commits {
            let to = from + flush_size;
            if to == filling.at {
                // Nothing is left for a piece that takes the rest.
                filling.first_unwritten = None;
            }
            return Some(piece(filling, (from, to), to, false));
        }
        filling.first_unwritten = None;
        let to = filling.at.next_multiple_of(ALIGN_BYTES);
        let taken = filling.at;
        let mut piece = piece(filling, (from, to), taken, false);
        piece.tail = Some(copy_of_tail(&filling.buffer, from, filling.at));
        Some(piece)
    }

    fn write(&self, piece: &Piece) -> io::Result<()> {
        let base = self.geometry.offset_bytes(piece.block);
        let tail_at = piece.tail.as_ref().map_or(piece.to, |tail| piece.to - tail.len());
        if tail_at > piece.from {
            // SAFETY: the flusher has taken these bytes, and what was taken does not change.
            let bytes = unsafe { piece.buffer.read(piece.from, tail_at - piece.from) };
            self.device.write_at(bytes, base + piece.from as u64)?;
        }
        if let Some(tail) = &piece.tail {
            self.device.write_at(tail, base + tail_at as u64)?;
        }
        if self.tuning.commits() && !self.device.is_synchronous() {
            self.device.sync()?;
        }
        Ok(())
    }

    fn written(&self, piece: &Piece) {
        self.count_written(piece);
        let mut front = self.front.lock();
        front.in_flight = None;
        self.publish(&front);
        drop(front);
        if piece.is_last {
            let keep = self.tuning.post_write_cache_bytes() / u64::from(self.geometry.block_bytes);
            let worth_keeping = piece.stream == Stream::Writes;
            self.cache.written(piece.block, worth_keeping, keep as usize);
        }
        self.tell();
    }

    /// Says up to which write everything is written.
    fn publish(&self, front: &MutexGuard<'_, Front>) {
        let parts = front.full.iter().chain(front.filling.iter().flatten());
        let unwritten = parts.filter_map(|part| part.first_unwritten).chain(front.in_flight).min();
        let durable = unwritten.map_or(front.appended, |first| first - 1);
        self.durable.fetch_max(durable, Ordering::AcqRel);
    }

    fn count_written(&self, piece: &Piece) {
        let counters = &self.counters;
        let bytes = (piece.to - piece.from) as u64;
        counters.written_bytes.fetch_add(bytes, Ordering::Relaxed);
        self.unwritten_bytes.fetch_sub(piece.fresh_bytes as u64, Ordering::Relaxed);
        let counter = match (piece.stream, piece.is_last) {
            (Stream::Writes, true) => &counters.writes,
            (Stream::Moves, true) => &counters.defrag_writes,
            (Stream::Writes, false) if piece.in_pieces => &counters.partial_writes,
            (Stream::Moves, false) if piece.in_pieces => &counters.defrag_partial_writes,
            _ => return,
        };
        VolumeCounters::raise(counter);
    }

    /// Tells those who wait for pledges that there is news.
    pub(super) fn tell(&self) {
        if self.awaited.swap(false, Ordering::SeqCst) {
            self.signals.read().iter().for_each(super::Signal::raise);
        }
    }

    /// Takes the device out of service: what failed once is never tried again as if it had worked.
    pub(super) fn fail(&self, error: io::Error) {
        self.failed.store(true, Ordering::Release);
        let device = self.device.name().to_owned();
        self.incidents.report(Incident::WriteFailed { device, error });
        self.awaited.store(true, Ordering::SeqCst);
        self.tell();
    }

    /// Whether a block is in use: it holds records, or remains of them.
    pub fn is_in_use(&self, block: u32) -> bool {
        self.table.state(block) != State::Free
    }
}

/// Cuts a piece off a block, whose bytes up to `taken` are then the flusher's.
fn piece(filling: &mut Filling, (from, to): (usize, usize), taken: usize, is_last: bool) -> Piece {
    // The header of a block was never counted as unwritten.
    let header = if filling.taken == 0 { crate::format::block::HEADER_BYTES } else { 0 };
    let fresh_bytes = (taken - filling.taken).saturating_sub(header);
    filling.taken = taken;
    Piece {
        block: filling.block,
        stream: filling.stream,
        buffer: Arc::clone(&filling.buffer),
        from,
        to,
        tail: None,
        fresh_bytes,
        is_last,
        in_pieces: filling.in_pieces,
    }
}

/// Pieces up to this size in bytes are copied whole, so that they take one call to the device.
const COPIED_WHOLE_BYTES_MAX: usize = 64 * 1024;

/// The end of the piece from `from` to `at`, padded with zeros: at least the sector in which records
/// may still be appended while it is written.
fn copy_of_tail(buffer: &Buffer, from: usize, at: usize) -> AlignedBuf {
    debug_assert!(from < at, "a piece is not empty");
    let last_sector = at.saturating_sub(1) / ALIGN_BYTES * ALIGN_BYTES;
    let from = if at - from <= COPIED_WHOLE_BYTES_MAX { from } else { last_sector };
    let mut tail = AlignedBuf::zeroed(at - from);
    // SAFETY: the front lock is held, under which these bytes were written.
    tail[..at - from].copy_from_slice(unsafe { buffer.read(from, at - from) });
    tail
}

#[cfg(test)]
mod tests {
    use record::{Generation, LastUpdateTime};
    use wire::Digest;

    use super::*;
    use crate::device::Device;
    use crate::device::ram::RamDevice;
    use crate::format::{Geometry, block, flat};
    use crate::tuning::{Tuning, TuningValues};
    use crate::volume::Urgency;

    const BLOCK_BYTES: u32 = 16 * 1024;

    fn volume(tuning: TuningValues) -> (Arc<RamDevice>, Volume) {
        let size_bytes = u64::from(BLOCK_BYTES) * 33;
        let device = Arc::new(RamDevice::new("ram", size_bytes as usize, true));
        let geometry = Geometry::of(size_bytes, BLOCK_BYTES).unwrap();
        let tuning = Arc::new(Tuning::new(tuning));
        (Arc::clone(&device), Volume::new(0, device, (1, geometry), tuning))
    }

    /// Appends a record that takes so many bytes.
    fn append(volume: &Volume, size_bytes: usize) -> u64 {
        let mut record = vec![7; size_bytes];
        record[..flat::HEADER_BYTES].fill(0);
        let header = flat::Header::grave(Digest([1; 20]), LastUpdateTime(5), Generation(1));
        flat::finish(&mut record, &header);
        let summed = (&record[..], flat::content_checksum(&record));
        let appended = volume.append(Stream::Writes, Urgency::Ordinary, summed);
        appended.unwrap().offset_bytes
    }

    /// Once the zeros of an empty piece took the place of what was written before it.
    #[test]
    fn a_record_may_end_where_a_piece_does() {
        let values = TuningValues { flush_size_bytes: 4096, ..TuningValues::default() };
        let (device, volume) = volume(values);
        let at = append(&volume, ALIGN_BYTES - block::HEADER_BYTES);
        assert!(volume.flush(Extent::Ripe));
        assert!(!volume.flush(Extent::All), "all is written");
        let mut page = AlignedBuf::zeroed(ALIGN_BYTES);
        device.read_at(&mut page, at - block::HEADER_BYTES as u64).unwrap();
        assert!(flat::read(&page[block::HEADER_BYTES..], &volume.place(at)).is_some());
    }

    #[test]
    fn a_host_without_threads_learns_when_to_write() {
        let millis = Duration::from_millis;
        let values = TuningValues { flush_max_ms: 100, ..TuningValues::default() };
        let (_, volume) = volume(values);
        assert_eq!(volume.due(millis(500)), None, "there is nothing to write");
        append(&volume, 64);
        assert_eq!(volume.due(millis(99)), None);
        assert_eq!(volume.due(millis(100)), Some(Extent::All));
        volume.flush(Extent::All);
        assert_eq!(volume.due(millis(500)), None);
        while volume.free_blocks() == 31 {
            append(&volume, 4096);
        }
        assert_eq!(volume.due(millis(1)), Some(Extent::Ripe), "a block is full");
        assert_eq!(volume.due(millis(100)), Some(Extent::All));
    }

    /// The end mark is written before anybody may say that the block is free.
    #[test]
    fn a_block_is_not_free_before_it_has_ended() {
        let (_, volume) = volume(TuningValues::default());
        append(&volume, 8192);
        volume.flush(Extent::All);
        volume.release(1, 8192);
        append(&volume, 8192);
        assert!(!volume.free_emptied(), "the mark is not written");
        assert!(volume.flush(Extent::Ripe));
        assert_eq!(volume.table.state(1), State::Free);
    }
}
