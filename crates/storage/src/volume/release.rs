//! What becomes of dead bytes: blocks are emptied and filled anew.

use std::sync::atomic::Ordering;

use super::{Front, Incident, State, Volume};
use crate::aligned::AlignedBuf;
use crate::format::block;

/// Share of free blocks above which it is over that they run short: see [`super::space`].
const NOT_SHORT_PCT: u64 = 20;

impl Volume {
    /// Notes that a record of this size in a block is dead.
    pub fn release(&self, block: u32, size_bytes: u32) {
        self.counters.used_bytes.fetch_sub(u64::from(size_bytes), Ordering::Relaxed);
        let live = self.table.sub_live(block, size_bytes);
        let is_full = || match self.table.state(block) {
            State::Full => true,
            // Whether it can be read does not matter any more.
            State::Stuck => live == 0,
            _ => false,
        };
        if self.is_awaited(block) || (live == 0 || self.is_sparse(live)) && is_full() {
            let mut front = self.front.lock();
            self.reconsider(&mut front, block);
        }
    }

    fn is_sparse(&self, live_bytes: u32) -> bool {
        let share = u64::from(live_bytes) * 100 / u64::from(self.geometry.block_bytes);
        share < u64::from(self.tuning.defrag_lwm_pct())
    }

    /// Sends a full block where it belongs by what is alive in it.
    pub(super) fn reconsider(&self, front: &mut Front, block: u32) {
        let (state, live) = (self.table.state(block), self.table.live_bytes(block));
        if state != State::Full && !(state == State::Stuck && live == 0) {
            return;
        }
        if live == 0 {
            self.retire(front, block);
        } else if self.is_sparse(live) {
            self.table.set_state(block, State::Queued);
            front.to_move.push_back(block);
            self.to_move.notify_one();
        } else {
            self.note_prospect(front, block);
        }
    }

    /// Looks at all full blocks again, after a start or when the threshold has changed.
    pub fn reconsider_all(&self) {
        let mut front = self.front.lock();
        for block in self.geometry.blocks() {
            if self.table.state(block) == State::Loading {
                self.table.set_state(block, State::Full);
            }
            self.reconsider(&mut front, block);
        }
    }

    /// Has the records of a block moved, however many they are.
    pub fn queue_to_move(&self, block: u32) {
        let mut front = self.front.lock();
        if matches!(self.table.state(block), State::Full | State::Loading) {
            self.table.set_state(block, State::Queued);
            front.to_move.push_back(block);
            self.to_move.notify_one();
        }
    }

    /// A block has no live records. What replaced them must be written before it is filled anew.
    fn retire(&self, front: &mut Front, block: u32) {
        front.unreadable.forget(block);
        self.table.set_state(block, State::Emptied);
        front.emptied.push_back((front.appended, block));
        self.to_write.notify_one();
    }

    /// The next block whose records are to be moved, if there are at least so many; while free blocks run
    /// short any that waits, and if none does, the one with the least alive in it. Otherwise a device
    /// whose blocks are all fuller than the threshold takes no writes any more, however much is dead.
    pub fn next_to_move(&self, queue_min: usize) -> Option<u32> {
        let worth_pct = {
            let mut front = self.front.lock();
            for block in front.unreadable.take_due() {
                self.table.set_state(block, State::Queued);
                front.to_move.push_back(block);
            }
            let worth_pct = self.worth_pct(&front);
            let enough = if worth_pct.is_some() { 1 } else { queue_min.max(1) };
            if front.to_move.len() >= enough {
                let block = front.to_move.pop_front()?;
                self.begin_move(&mut front, block);
                return Some(block);
            }
            worth_pct?
        };
        self.take_sparsest(worth_pct)
    }

    fn begin_move(&self, front: &mut Front, block: u32) {
        self.table.set_state(block, State::Moving);
        front.moving += 1;
    }

    /// Takes the full block with the least alive in it to have that moved, if it is worth the while.
    fn take_sparsest(&self, worth_pct: u64) -> Option<u32> {
        let found = self.sparsest(worth_pct);
        let mut front = self.front.lock();
        let block = found.filter(|&block| self.is_worth(block, worth_pct))?;
        if !front.told_short {
            front.told_short = true;
            let device = self.device.name().to_owned();
            self.incidents.report(Incident::Short { device });
        }
        self.begin_move(&mut front, block);
        Some(block)
    }

    /// The records of a block are moved as far as they could be.
    pub fn moved(&self, block: u32) {
        let mut front = self.front.lock();
        front.moving -= 1;
        if self.table.live_bytes(block) == 0 {
            self.retire(&mut front, block);
        } else {
            front.unreadable.forget(block);
            self.table.set_state(block, State::Stuck);
        }
        self.set_pace(&mut front);
    }

    /// A block cannot be read now. Its records stay where they are until it is tried again.
    pub fn set_aside(&self, block: u32) {
        let mut front = self.front.lock();
        front.moving -= 1;
        self.table.set_state(block, State::Stuck);
        front.unreadable.note(block);
        if self.table.live_bytes(block) == 0 {
            self.retire(&mut front, block);
        }
        self.set_pace(&mut front);
    }

    /// Moving records was broken off; it is to be tried again.
    pub fn move_again(&self, block: u32) {
        let mut front = self.front.lock();
        front.moving -= 1;
        self.table.set_state(block, State::Queued);
        front.to_move.push_back(block);
    }

    /// Frees blocks whose successors are written. Says whether there were any; `false` also when the
    /// device failed.
    pub(super) fn free_emptied(&self) -> bool {
        let durable = self.durable.load(Ordering::Acquire);
        let ready: Vec<u32> = {
            let mut front = self.front.lock();
            let count = front.emptied.iter().take_while(|(after, _)| *after <= durable).count();
            front.emptied.drain(..count).map(|(_, block)| block).collect()
        };
        if ready.is_empty() || self.has_failed() {
            return false;
        }
        if let Err(error) = self.write_free_headers(&ready) {
            self.fail(error);
            return false;
        }
        let mut front = self.front.lock();
        for block in ready {
            self.cache.remove(block);
            self.table.set_state(block, State::Free);
            front.free.insert(block);
        }
        self.set_pace(&mut front);
        let free = front.free.len() as u64 * 100;
        front.told_short &= free < u64::from(self.geometry.block_count) * NOT_SHORT_PCT;
        true
    }

    /// Says on the device that blocks hold nothing: their records must not come back.
    fn write_free_headers(&self, blocks: &[u32]) -> std::io::Result<()> {
        if !self.device.is_synchronous() {
            // What replaced the records must last before they go.
            self.device.sync()?;
        }
        for &block in blocks {
            let offset_bytes = self.geometry.offset_bytes(block);
            let header = block::free(block, &self.place(offset_bytes));
            let mut sector = AlignedBuf::zeroed(header.len());
            sector[..header.len()].copy_from_slice(&header);
            self.device.write_at(&sector, offset_bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::device::ram::RamDevice;
    use crate::format::Geometry;
    use crate::tuning::{Tuning, TuningValues};
    use crate::volume::Extent;

    /// The first record of a block may be superseded before the second one is counted.
    #[test]
    fn a_block_is_not_empty_before_it_was_read() {
        const BLOCK_BYTES: usize = 16 * 1024;
        let device = Arc::new(RamDevice::new("ram", BLOCK_BYTES * 33, true));
        let geometry = Geometry::of(BLOCK_BYTES as u64 * 33, BLOCK_BYTES as u32).unwrap();
        let tuning = Arc::new(Tuning::new(TuningValues::default()));
        let volume = Volume::new(0, device, (1, geometry), tuning);
        let size_bytes = BLOCK_BYTES * 3 / 4;
        for block in [1, 2] {
            volume.adopt(block, 9);
            volume.count_in(block, 64);
            volume.release(block, 64);
        }
        volume.count_in(1, size_bytes);
        volume.reconsider_all();
        volume.flush(Extent::All);
        assert_eq!(volume.table.state(1), State::Full);
        assert_eq!(volume.table.state(2), State::Free, "this one is empty");
        assert_eq!(volume.free_blocks(), 31);
    }
    /// Less than `defrag-queue-min` waits: that is no reason to be awake.
    #[test]
    fn who_moves_blocks_sleeps_while_too_few_wait() {
        const PAUSE: Duration = Duration::from_millis(20);
        let device = Arc::new(RamDevice::new("ram", 16 * 1024 * 33, true));
        let geometry = Geometry::of(16 * 1024 * 33, 16 * 1024).unwrap();
        let tuning = Arc::new(Tuning::new(TuningValues::default()));
        let volume = Volume::new(0, device, (1, geometry), tuning);
        volume.adopt(1, 9);
        volume.count_in(1, 64);
        volume.reconsider_all();
        let waits = |queue_min| {
            let begun = Instant::now();
            volume.await_move(queue_min, PAUSE);
            begun.elapsed() >= PAUSE
        };
        assert!(waits(2));
        assert!(!waits(1));
        assert_eq!(volume.next_to_move(2), None);
        assert_eq!(volume.next_to_move(1), Some(1));
    }
}
