//! A device in memory that fails on purpose, for tests and simulations.
//!
//! What is written but not synced lies in a queue. A crash keeps what was synced, and of the queue any
//! part in any order: each write wholly, not at all, or torn between two sectors of 512 bytes, some of
//! which arrive and some not. After a crash, and after the failures that are asked for, every call fails.

use std::fmt;
use std::io;

use parking_lot::Mutex;

use super::Device;

/// The unit in which a medium writes wholly or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// See the module.
pub struct RamDevice {
    name: String,
    synchronous: bool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What lasts.
    synced: Vec<u8>,
    /// What a read sees.
    seen: Vec<u8>,
    /// What was written and does not last yet.
    queue: Vec<(usize, Vec<u8>)>,
    calls: Calls,
    faults: Faults,
    crashed: bool,
}

/// How often a device was called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Calls {
    /// Reads.
    pub reads: u64,
    /// Writes, and syncs.
    pub writes: u64,
}

/// What is to go wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Faults {
    /// The machine goes down during this write or sync, counted from 1.
    pub crash_at_write: Option<u64>,
    /// Writes and syncs fail from this one on, counted from 1.
    pub fail_writes_from: Option<u64>,
    /// This many reads fail.
    pub failing_reads: u64,
    /// Writes beyond this offset in bytes find no space.
    pub full_beyond: Option<u64>,
}

impl RamDevice {
    /// A device of zeros. If it is synchronous, what is written lasts at once.
    pub fn new(name: &str, size_bytes: usize, synchronous: bool) -> Self {
        // Not copied, so that what is never written takes no memory.
        Self::with(name, [vec![0; size_bytes], vec![0; size_bytes]], synchronous)
    }

    /// A device that holds these bytes.
    pub fn with_content(name: &str, content: Vec<u8>, synchronous: bool) -> Self {
        Self::with(name, [content.clone(), content], synchronous)
    }

    fn with(name: &str, [synced, seen]: [Vec<u8>; 2], synchronous: bool) -> Self {
        let state = State { synced, seen, ..State::default() };
        Self { name: name.to_owned(), synchronous, state: Mutex::new(state) }
    }

    /// Has something go wrong.
    pub fn set_faults(&self, faults: Faults) {
        self.state.lock().faults = faults;
    }

    /// How often it was called.
    pub fn calls(&self) -> Calls {
        self.state.lock().calls
    }

    /// Whether it went down.
    pub fn has_crashed(&self) -> bool {
        self.state.lock().crashed
    }

    /// Changes what it holds behind everybody's back: rot.
    pub fn corrupt(&self, change: impl Fn(&mut [u8])) {
        let mut state = self.state.lock();
        change(&mut state.synced);
        change(&mut state.seen);
    }

    /// What it holds for whoever reads it, as if it had been switched off in order.
    pub fn content(&self) -> Vec<u8> {
        self.state.lock().seen.clone()
    }

    /// What it holds after a loss of power now. `random` gives numbers below its argument.
    pub fn content_after_crash(&self, random: &mut dyn FnMut(usize) -> usize) -> Vec<u8> {
        let state = self.state.lock();
        let mut content = state.synced.clone();
        let mut queue: Vec<_> = state.queue.iter().collect();
        while !queue.is_empty() {
            let (offset, bytes) = queue.swap_remove(random(queue.len()));
            let fate = random(4);
            for (at, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                let arrives = match fate {
                    0 => false,
                    1 | 2 => true,
                    _ => random(2) == 0,
                };
                if arrives {
                    let from = offset + at * SECTOR_BYTES;
                    content[from..from + sector.len()].copy_from_slice(sector);
                }
            }
        }
        content
    }
}

impl State {
    /// Counts a write or sync, and lets it go wrong.
    fn begin_write(&mut self) -> io::Result<()> {
        self.check_up()?;
        self.calls.writes += 1;
        if self.faults.crash_at_write == Some(self.calls.writes) {
            self.crashed = true;
        }
        if self.faults.fail_writes_from.is_some_and(|from| self.calls.writes >= from) {
            return Err(io::Error::other("this write fails on purpose"));
        }
        Ok(())
    }

    fn check_up(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the machine is down")) } else { Ok(()) }
    }
}

impl Device for RamDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.state.lock().seen.len() as u64
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.check_up()?;
        state.calls.reads += 1;
        if state.faults.failing_reads > 0 {
            state.faults.failing_reads -= 1;
            return Err(io::Error::other("this read fails on purpose"));
        }
        let from = offset_bytes as usize;
        let Some(source) = state.seen.get(from..from + bytes.len()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        bytes.copy_from_slice(source);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_write()?;
        let from = offset_bytes as usize;
        if state.faults.full_beyond.is_some_and(|limit| offset_bytes + bytes.len() as u64 > limit) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let Some(target) = state.seen.get_mut(from..from + bytes.len()) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        target.copy_from_slice(bytes);
        if self.synchronous && !state.crashed {
            state.synced[from..from + bytes.len()].copy_from_slice(bytes);
        } else {
            state.queue.push((from, bytes.to_vec()));
        }
        state.check_up()
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        state.begin_write()?;
        state.check_up()?;
        for (from, bytes) in std::mem::take(&mut state.queue) {
            state.synced[from..from + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn is_synchronous(&self) -> bool {
        self.synchronous
    }
}

impl fmt::Debug for RamDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RamDevice").field("name", &self.name).finish_non_exhaustive()
    }
}
