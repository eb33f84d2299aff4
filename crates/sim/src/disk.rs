//! A disk of a machine. It outlives processes, and the bytes on it outlive the machine's going down as far as
//! a real one's do.
//!
//! # What it may do
//!
//! A disk is a run of bytes. A write is seen by every read after it. Whether it *lasts* is another matter:
//!
//! - On a *synchronous* disk (opened with `O_DSYNC`, as block devices are by default) a write lasts once it
//!   has returned. On any other it lies in a cache until the next sync.
//! - A process that ends takes nothing along: what it has written is in the system's hands. Of the write that
//!   it was in the middle of, a prefix of whole sectors has arrived, maybe none of them.
//! - When the power goes, what lasts is there afterwards. Each write in the cache, and the one that was
//!   under way, comes by itself and in any order: it has arrived wholly, or not at all, or it is *torn*: some
//!   of its sectors hold what was written, the others what was there before.
//! - A lost disk comes back as one of the same size full of zeros.
//! - Reads and writes may fail for a time, with an error that is told. Of a write that fails any part may
//!   have arrived.
//!
//! # What it does not do
//!
//! - A sector of 512 bytes is written wholly or not at all.
//! - What lasts does not change by itself: no rot, no misdirected and no phantom writes. The tests of the
//!   storage crate have those.
//! - A sync that returned tells the truth.
//!
//! How long a read or write takes is the world's matter: see `world/upkeep.rs`.

use std::fmt;
use std::io;

use parking_lot::Mutex;
use storage::device::Device;

/// The unit in which a medium writes wholly or not at all, in bytes.
const SECTOR_BYTES: usize = 512;

/// See the module.
pub struct Disk {
    name: String,
    is_synchronous: bool,
    state: Mutex<State>,
}

struct State {
    /// What a read sees.
    seen: Vec<u8>,
    /// What the loss of power cannot take.
    lasting: Vec<u8>,
    /// What was written and does not last yet, in order.
    cached: Vec<(usize, Vec<u8>)>,
    trouble: Trouble,
    failures: Failures,
}

/// How often a disk has failed those who used it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Failures {
    /// Reads.
    pub reads: u64,
    /// Writes, and syncs.
    pub writes: u64,
}

/// What is wrong with a disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Reads fail.
    Reads,
    /// Writes and syncs fail.
    Writes,
    /// Whoever uses it ends during a write, before which so many others succeed.
    EndsAfter {
        /// How many.
        writes: u32,
        /// How many sectors of the last one arrive at most; `None`: whatever the loss of power leaves.
        sectors: Option<usize>,
    },
    /// Whoever used it is no more.
    Ended,
}

impl Disk {
    /// A disk of zeros.
    pub fn new(name: String, size_bytes: usize, is_synchronous: bool) -> Self {
        let state = State {
            seen: vec![0; size_bytes],
            lasting: vec![0; size_bytes],
            cached: Vec::new(),
            trouble: Trouble::None,
            failures: Failures::default(),
        };
        Self { name, is_synchronous, state: Mutex::new(state) }
    }

    /// Gives it trouble, or ends that.
    pub fn set_trouble(&self, trouble: Trouble) {
        self.state.lock().trouble = trouble;
    }

    /// How often it has failed.
    pub fn failures(&self) -> Failures {
        self.state.lock().failures
    }

    /// Takes from it what did not last. Returns how many writes that were.
    pub fn lose_power(&self, random: &mut fastrand::Rng) -> usize {
        let mut state = self.state.lock();
        let mut cached = std::mem::take(&mut state.cached);
        let count = cached.len();
        random.shuffle(&mut cached);
        for (from, bytes) in cached {
            let fate = random.u32(..4);
            for (number, sector) in bytes.chunks(SECTOR_BYTES).enumerate() {
                let arrives = match fate {
                    0 => false,
                    1 | 2 => true,
                    _ => random.bool(),
                };
                if arrives {
                    let at = from + number * SECTOR_BYTES;
                    state.lasting[at..at + sector.len()].copy_from_slice(sector);
                }
            }
        }
        state.seen = state.lasting.clone();
        count
    }

    /// Puts an empty one in its place.
    pub fn blank(&self) {
        let mut state = self.state.lock();
        state.cached.clear();
        state.seen.fill(0);
        state.lasting.fill(0);
    }
}

impl State {
    fn range_of(&self, offset_bytes: u64, size_bytes: usize) -> io::Result<std::ops::Range<usize>> {
        let from = offset_bytes as usize;
        let range = from..from + size_bytes;
        if range.end > self.seen.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(range)
    }

    fn put(&mut self, from: usize, bytes: &[u8], lasts: bool) {
        self.seen[from..from + bytes.len()].copy_from_slice(bytes);
        match lasts {
            true => self.lasting[from..from + bytes.len()].copy_from_slice(bytes),
            false => self.cached.push((from, bytes.to_vec())),
        }
    }
}

impl Device for Disk {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.state.lock().seen.len() as u64
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.trouble {
            Trouble::Ended => return Err(io::Error::other("nobody is left to read")),
            Trouble::Reads => {
                state.failures.reads += 1;
                return Err(io::Error::other("the disk does not give this"));
            }
            Trouble::None | Trouble::Writes | Trouble::EndsAfter { .. } => {}
        }
        let range = state.range_of(offset_bytes, bytes.len())?;
        bytes.copy_from_slice(&state.seen[range]);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        let mut state = self.state.lock();
        let from = state.range_of(offset_bytes, bytes.len())?.start;
        match state.trouble {
            Trouble::None | Trouble::Reads => state.put(from, bytes, self.is_synchronous),
            Trouble::Writes => {
                state.failures.writes += 1;
                // Of what failed, a part may be there.
                state.put(from, &bytes[..SECTOR_BYTES.min(bytes.len())], false);
                return Err(io::Error::other("the disk does not take this"));
            }
            Trouble::EndsAfter { writes: 0, sectors } => {
                let arrives = sectors.map_or(bytes.len(), |count| count * SECTOR_BYTES);
                state.put(from, &bytes[..arrives.min(bytes.len())], false);
                state.trouble = Trouble::Ended;
            }
            Trouble::EndsAfter { writes, sectors } => {
                state.put(from, bytes, self.is_synchronous);
                state.trouble = Trouble::EndsAfter { writes: writes - 1, sectors };
            }
            Trouble::Ended => {}
        }
        match state.trouble {
            Trouble::Ended => Err(io::Error::other("nobody is left to write")),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.lock();
        match state.trouble {
            Trouble::Writes => {
                state.failures.writes += 1;
                return Err(io::Error::other("the disk does not sync"));
            }
            Trouble::Ended => return Err(io::Error::other("nobody is left to sync")),
            Trouble::None | Trouble::Reads | Trouble::EndsAfter { .. } => {}
        }
        for (from, bytes) in std::mem::take(&mut state.cached) {
            state.lasting[from..from + bytes.len()].copy_from_slice(&bytes);
        }
        Ok(())
    }

    fn is_synchronous(&self) -> bool {
        self.is_synchronous
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: usize = 4096;

    fn read(disk: &Disk, page: usize) -> Vec<u8> {
        let mut bytes = vec![0; PAGE];
        disk.read_at(&mut bytes, (page * PAGE) as u64).unwrap();
        bytes
    }

    #[test]
    fn what_was_synced_lasts() {
        let mut random = fastrand::Rng::with_seed(1);
        for is_synchronous in [false, true] {
            let disk = Disk::new("disk".into(), 4 * PAGE, is_synchronous);
            disk.write_at(&[1; PAGE], 0).unwrap();
            disk.sync().unwrap();
            disk.write_at(&[2; 2 * PAGE], PAGE as u64).unwrap();
            assert_eq!(read(&disk, 2), [2; PAGE], "all see it");
            assert_eq!(disk.lose_power(&mut random), usize::from(!is_synchronous));
            assert_eq!(read(&disk, 0), [1; PAGE]);
            if is_synchronous {
                assert_eq!(read(&disk, 1), [2; PAGE]);
            }
            let sectors = read(&disk, 1);
            let mut sectors = sectors.chunks(SECTOR_BYTES);
            assert!(sectors.all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            disk.blank();
            assert_eq!(read(&disk, 0), [0; PAGE]);
        }
    }

    #[test]
    fn the_last_write_of_a_process_arrives_in_part() {
        let disk = Disk::new("disk".into(), 4 * PAGE, true);
        disk.set_trouble(Trouble::EndsAfter { writes: 1, sectors: Some(1) });
        disk.write_at(&[1; PAGE], 0).unwrap();
        assert!(disk.write_at(&[2; PAGE], 0).is_err());
        assert!(disk.write_at(&[3; PAGE], 0).is_err() && disk.sync().is_err());
        disk.set_trouble(Trouble::None);
        let bytes = read(&disk, 0);
        assert_eq!(bytes[..SECTOR_BYTES], [2; SECTOR_BYTES]);
        assert_eq!(bytes[SECTOR_BYTES..], [1; PAGE - SECTOR_BYTES]);
    }

    #[test]
    fn what_fails_for_a_time_works_again() {
        let disk = Disk::new("disk".into(), 4 * PAGE, true);
        disk.write_at(&[1; PAGE], 0).unwrap();
        disk.set_trouble(Trouble::Reads);
        assert!(disk.read_at(&mut [0; PAGE], 0).is_err());
        disk.write_at(&[2; PAGE], 0).unwrap();
        disk.set_trouble(Trouble::Writes);
        assert_eq!(read(&disk, 0), [2; PAGE]);
        assert!(disk.write_at(&[3; PAGE], PAGE as u64).is_err() && disk.sync().is_err());
        disk.set_trouble(Trouble::None);
        disk.write_at(&[4; PAGE], PAGE as u64).unwrap();
        assert_eq!(read(&disk, 1), [4; PAGE]);
        assert_eq!(disk.failures(), Failures { reads: 1, writes: 2 });
    }
}
