//! The image of the index: written when the server stops, and now and then while it runs; read by a warm
//! start.
//!
//! A file of chunks, one for each partition that holds anything, then a directory of them, then a tail.
//! Each has a checksum. The bytes are drawn in `docs/formats/image.md`.
//!
//! An image that was written while records came and went is as good as one of a stopped server, but for
//! the blocks that were filled since it began: it says of each block which life of it was full by then.
//! What it says of other blocks does not count; they are read anew (`warm.rs`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use index::{Entry, Location, Marks};
use memmap2::Mmap;
use record::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime};
use wire::{Digest, PartitionId};

use crate::format::{Cursor, checksum};
use crate::records::Records;
use crate::volume::State;

const MAGIC: u64 = u64::from_le_bytes(*b"BOLIDX\0\x02");
/// Bytes of an entry.
const ENTRY_BYTES: usize = 20 + 8 + 5 + 4 + 2 + 2 + 1 + 1;
/// Directory's offset and size, its checksum, magic.
const TAIL_BYTES: usize = 8 + 8 + 4 + 8;
const LAST_UPDATE_TIME_MAX: u64 = (1 << 40) - 1;

/// What an image says of a device when it was begun.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct DeviceState {
    /// The device's id.
    pub device: u64,
    /// Of each block, from the first: the number of the life in which it was full, or 0 if it was not.
    pub full: Vec<u64>,
    /// A greater sequence number than any until then.
    pub next_sequence: u64,
}

/// What is in an image, but for the entries.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Directory {
    pub id: u64,
    /// The last place in the order of versions that was given: see [`crate::order`].
    pub latest_place: LastUpdateTime,
    pub devices: Vec<DeviceState>,
    pub sets: BTreeMap<u16, Box<[u8]>>,
    chunks: Vec<Chunk>,
}

/// Where the entries of a partition are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Chunk {
    offset: u64,
    count: u32,
    checksum: u32,
}

impl Records {
    /// Writes an image of the index, with this id. `set_name` knows the names of sets. Returns its size
    /// in bytes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_image(
        &self,
        path: &Path,
        id: u64,
        set_name: &dyn Fn(SetId) -> Option<Box<[u8]>>,
    ) -> io::Result<u64> {
        let mut directory = Directory { id, devices: self.device_states(), ..Directory::default() };
        let unfinished = path.with_extension("unfinished");
        let file = File::create(&unfinished)?;
        let mut out = BufWriter::with_capacity(1 << 20, &file);
        let mut at = 0;
        let mut bytes = Vec::new();
        for partition in PartitionId::all() {
            bytes.clear();
            self.index.for_each(partition, |digest, entry| {
                let set = entry.meta.set;
                if set != SetId::NONE && !directory.sets.contains_key(&set.0) {
                    directory.sets.insert(set.0, set_name(set).unwrap_or_default());
                }
                encode_entry(digest, entry, &mut bytes);
            });
            if bytes.is_empty() {
                continue;
            }
            let count = (bytes.len() / ENTRY_BYTES) as u32;
            directory.chunks.push(Chunk { offset: at, count, checksum: checksum(&bytes) });
            out.write_all(&bytes)?;
            at += bytes.len() as u64;
        }
        if let Some(log) = self.engine.log() {
            directory.latest_place = log.order.latest();
        }
        let listed = directory.encode();
        out.write_all(&listed)?;
        out.write_all(&at.to_le_bytes())?;
        out.write_all(&(listed.len() as u64).to_le_bytes())?;
        out.write_all(&checksum(&listed).to_le_bytes())?;
        out.write_all(&MAGIC.to_le_bytes())?;
        out.flush()?;
        drop(out);
        file.sync_all()?;
        fs::rename(&unfinished, path)?;
        Ok(at + (listed.len() + TAIL_BYTES) as u64)
    }

    /// Which life of each block is full now.
    fn device_states(&self) -> Vec<DeviceState> {
        let state = |volume: &std::sync::Arc<crate::volume::Volume>| {
            let full = volume.geometry.blocks().map(|block| {
                let sequence = volume.table.sequence(block);
                match volume.table.state(block) {
                    State::Free | State::Filling => 0,
                    _ => sequence,
                }
            });
            let full = full.collect();
            DeviceState { device: volume.id, full, next_sequence: volume.next_sequence() }
        };
        self.volumes().iter().map(state).collect()
    }
}

fn encode_entry(digest: &Digest, entry: &Entry, out: &mut Vec<u8>) {
    let Entry { meta, marks, location } = entry;
    let last_update_time = meta.last_update_time.0.min(LAST_UPDATE_TIME_MAX).to_le_bytes();
    out.extend_from_slice(&digest.0);
    out.extend_from_slice(&location.0.to_le_bytes());
    out.extend_from_slice(&last_update_time[..5]);
    out.extend_from_slice(&meta.void_time.0.to_le_bytes());
    out.extend_from_slice(&meta.generation.0.to_le_bytes());
    out.extend_from_slice(&meta.set.0.to_le_bytes());
    out.push(u8::from(meta.tombstone) | u8::from(meta.xdr_write) << 1);
    out.push(marks.bits());
}

fn decode_entry(bytes: &[u8]) -> Option<(Digest, Entry)> {
    let mut cursor = Cursor(bytes);
    let digest = Digest(cursor.array()?);
    let location = Location(cursor.u64()?);
    let [l0, l1, l2, l3, l4] = cursor.array()?;
    let void_time = VoidTime(cursor.u32()?);
    let generation = Generation(cursor.u16()?);
    let set = SetId(cursor.u16()?);
    let (flags, marks) = (cursor.u8()?, Marks::from_bits(cursor.u8()?));
    let meta = RecordMeta {
        last_update_time: LastUpdateTime(u64::from_le_bytes([l0, l1, l2, l3, l4, 0, 0, 0])),
        void_time,
        generation,
        set,
        tombstone: flags & 1 != 0,
        xdr_write: flags & 2 != 0,
    };
    Some((digest, Entry { meta, marks, location }))
}

impl Directory {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.id.to_le_bytes());
        out.extend_from_slice(&self.latest_place.0.to_le_bytes());
        out.extend_from_slice(&(self.devices.len() as u16).to_le_bytes());
        for device in &self.devices {
            out.extend_from_slice(&device.device.to_le_bytes());
            out.extend_from_slice(&device.next_sequence.to_le_bytes());
            out.extend_from_slice(&(device.full.len() as u32).to_le_bytes());
            device.full.iter().for_each(|life| out.extend_from_slice(&life.to_le_bytes()));
        }
        out.extend_from_slice(&(self.sets.len() as u16).to_le_bytes());
        for (id, name) in &self.sets {
            out.extend_from_slice(&id.to_le_bytes());
            out.push(name.len() as u8);
            out.extend_from_slice(name);
        }
        out.extend_from_slice(&(self.chunks.len() as u16).to_le_bytes());
        for chunk in &self.chunks {
            out.extend_from_slice(&chunk.offset.to_le_bytes());
            out.extend_from_slice(&chunk.count.to_le_bytes());
            out.extend_from_slice(&chunk.checksum.to_le_bytes());
        }
        out
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        let (id, latest_place) = (cursor.u64()?, LastUpdateTime(cursor.u64()?));
        let mut directory = Self { id, latest_place, ..Self::default() };
        for _ in 0..cursor.u16()? {
            let (device, next_sequence) = (cursor.u64()?, cursor.u64()?);
            let count = cursor.u32()? as usize;
            let lives = cursor.take(count.checked_mul(8)?)?;
            let full = lives.as_chunks().0.iter().map(|life| u64::from_le_bytes(*life)).collect();
            directory.devices.push(DeviceState { device, full, next_sequence });
        }
        for _ in 0..cursor.u16()? {
            let (set, size) = (cursor.u16()?, cursor.u8()?);
            directory.sets.insert(set, cursor.take(usize::from(size))?.into());
        }
        for _ in 0..cursor.u16()? {
            let (offset, count, checksum) = (cursor.u64()?, cursor.u32()?, cursor.u32()?);
            directory.chunks.push(Chunk { offset, count, checksum });
        }
        cursor.0.is_empty().then_some(directory)
    }
}

/// An image that stood up to its checksums.
pub(super) struct Image {
    bytes: Mmap,
    pub directory: Directory,
}

impl Image {
    /// Opens an image. Says what is wrong with it, if anything is.
    #[allow(unsafe_code)]
    pub fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("cannot open it: {error}"))?;
        // SAFETY: the file is written under another name and never changed under this one, which
        // belongs to the server alone.
        let bytes =
            unsafe { Mmap::map(&file) }.map_err(|error| format!("cannot map it: {error}"))?;
        let directory = read_directory(&bytes).ok_or("its directory is damaged")?;
        Ok(Self { bytes, directory })
    }

    /// Number of chunks.
    pub fn chunk_count(&self) -> usize {
        self.directory.chunks.len()
    }

    /// Whether a chunk stands up to its checksum.
    pub fn is_sound(&self, chunk: usize) -> bool {
        let bytes = self.chunk(chunk);
        bytes.is_some_and(|bytes| checksum(bytes) == self.directory.chunks[chunk].checksum)
    }

    /// The entries of a chunk.
    pub fn entries(&self, chunk: usize) -> impl Iterator<Item = (Digest, Entry)> {
        let bytes = self.chunk(chunk).unwrap_or_default();
        bytes.chunks_exact(ENTRY_BYTES).filter_map(decode_entry)
    }

    fn chunk(&self, chunk: usize) -> Option<&[u8]> {
        let Chunk { offset, count, .. } = self.directory.chunks.get(chunk)?;
        let from = usize::try_from(*offset).ok()?;
        self.bytes.get(from..from.checked_add(*count as usize * ENTRY_BYTES)?)
    }
}

fn read_directory(bytes: &[u8]) -> Option<Directory> {
    let (before, tail) = bytes.split_at_checked(bytes.len().checked_sub(TAIL_BYTES)?)?;
    let mut cursor = Cursor(tail);
    let from = usize::try_from(cursor.u64()?).ok()?;
    let size = usize::try_from(cursor.u64()?).ok()?;
    let (sum, magic) = (cursor.u32()?, cursor.u64()?);
    let listed = before.get(from..)?;
    let sound = magic == MAGIC && listed.len() == size && checksum(listed) == sum;
    sound.then(|| Directory::decode(listed))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_back() {
        let digest = Digest(std::array::from_fn(|at| at as u8));
        let entry = Entry {
            meta: RecordMeta {
                last_update_time: LastUpdateTime(LAST_UPDATE_TIME_MAX - 5),
                void_time: VoidTime(77),
                generation: Generation(513),
                set: SetId(4000),
                tombstone: true,
                xdr_write: false,
            },
            marks: Marks::from_bits(9),
            location: Location(u64::MAX - 3),
        };
        let mut bytes = Vec::new();
        encode_entry(&digest, &entry, &mut bytes);
        assert_eq!(bytes.len(), ENTRY_BYTES);
        assert_eq!(decode_entry(&bytes), Some((digest, entry)));
    }

    #[test]
    fn directories_come_back_whole_or_not_at_all() {
        let directory = Directory {
            id: 5,
            latest_place: LastUpdateTime(4),
            devices: vec![DeviceState { device: 6, full: vec![0, 7, 8], next_sequence: 9 }],
            sets: BTreeMap::from([(3, b"set".as_slice().into())]),
            chunks: vec![Chunk { offset: 10, count: 11, checksum: 12 }],
        };
        let bytes = directory.encode();
        assert_eq!(Directory::decode(&bytes), Some(directory));
        assert!((0..bytes.len()).all(|end| Directory::decode(&bytes[..end]).is_none()));
    }
}
