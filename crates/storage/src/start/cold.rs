//! A cold start: all blocks are read, and of each record the latest version gets into the index.
//!
//! Blocks are shared out among threads. Records of one digest may come in any order; the sprig's lock
//! keeps them apart, and the version that is in the index always is the latest seen so far.

use std::sync::atomic::Ordering;

use index::{Entry, Location, Marks};
use parking_lot::Mutex;
use record::body::BodyWriter;
use record::{LastUpdateTime, RecordMeta, SetId};
use wire::PartitionId;

use super::{Fate, OpenError, Progress, Report, Rules, Setup, Way, share_out};
use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::codec::Scratch;
use crate::engine::Engine;
use crate::format::block::{self, End, Head, Image, Item};
use crate::format::flat::{self, Found, Kind};
use crate::log::{DeviceLocation, is_later, meta_of};
use crate::memory::Heap;
use crate::records::Records;
use crate::volume::Volume;

/// Sequence numbers are below this one unless a device has taken tens of petabytes.
const SEQUENCE_ABOVE: u64 = 1 << 32;

/// A block in use that is to be read: it, and the number of its life if its header says so.
pub(super) type InUse<'v> = (&'v Volume, u32, Option<u64>);

/// Threads that read blocks, for each that a start may use: some wait for the device while the others
/// work.
const READERS_PER_THREAD: usize = 2;

/// Whether all copies of each record are seen, or only those in some blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sight {
    /// All.
    Whole,
    /// Some.
    Partial,
}

/// Reads all blocks of all volumes.
pub(super) fn load(
    records: &Records,
    setup: &Setup,
    rules: &Rules<'_>,
    progress: &Progress,
    report: &mut Report,
) -> Result<(), OpenError> {
    let blocks = survey(records, setup, |_, _, _| false, report)?;
    read_blocks(records, setup, rules, (&blocks, Sight::Whole), progress, report)?;
    report.way = Way::Cold;
    // Where nothing was damaged, all copies have been seen: a grave without older ones has no use.
    if report.damaged == 0 {
        records.drop_graves(|entry| entry.marks.contains(Marks::SOLE));
    }
    Ok(())
}

/// Reads the headers of all blocks. Those in use whose records are known are adopted; returns those
/// that are to be read.
pub(super) fn survey<'v>(
    records: &'v Records,
    setup: &Setup,
    is_known: impl Fn(&Volume, u32, u64) -> bool + Sync,
    report: &mut Report,
) -> Result<Vec<InUse<'v>>, OpenError> {
    let blocks = records.volumes().iter();
    let blocks: Vec<(&Volume, u32)> = blocks
        .flat_map(|volume| volume.geometry.blocks().map(move |block| (&**volume, block)))
        .collect();
    let to_read = Mutex::new(Vec::new());
    let look = |sector: &mut AlignedBuf, (volume, block): (&'v Volume, u32)| {
        let offset_bytes = volume.geometry.offset_bytes(block);
        let read = volume.device.read_at(sector, offset_bytes);
        read.map_err(|error| OpenError::io(&*volume.device, error))?;
        let life = match block::head(sector, volume.id, block, offset_bytes) {
            Head::Blank => return Ok(()),
            Head::Free { sequence } => {
                volume.note_sequence(sequence);
                return Ok(());
            }
            Head::InUse { sequence } => {
                volume.adopt(block, sequence);
                if is_known(volume, block, sequence) {
                    return Ok(());
                }
                Some(sequence)
            }
            Head::Damaged => {
                volume.report_damage(format!("the header of block {block}"));
                None
            }
        };
        to_read.lock().push((volume, block, life));
        Ok(())
    };
    let sectors = || AlignedBuf::zeroed(ALIGN_BYTES);
    share_out(&blocks, setup.threads, sectors, |sector, block| look(sector, *block))?;
    let to_read = to_read.into_inner();
    report.damaged += to_read.iter().filter(|(_, _, life)| life.is_none()).count() as u64;
    Ok(to_read)
}

/// Reads the records of blocks.
pub(super) fn read_blocks(
    records: &Records,
    setup: &Setup,
    rules: &Rules<'_>,
    (blocks, sight): (&[InUse<'_>], Sight),
    progress: &Progress,
    report: &mut Report,
) -> Result<(), OpenError> {
    progress.blocks_total.store(blocks.len() as u64, Ordering::Relaxed);
    let reader = || BlockReader::new(records, rules, sight, setup.block_bytes);
    let read = |reader: &mut BlockReader<'_>, (volume, block, life): &InUse<'_>| {
        progress.blocks_done.fetch_add(1, Ordering::Relaxed);
        reader.read(volume, *block, *life)
    };
    for reader in share_out(blocks, setup.threads * READERS_PER_THREAD, reader, read)? {
        report.add(&reader.report);
    }
    Ok(())
}

impl Report {
    fn add(&mut self, other: &Self) {
        for (sum, part) in [
            (&mut self.expired, other.expired),
            (&mut self.truncated, other.truncated),
            (&mut self.superseded, other.superseded),
            (&mut self.homeless, other.homeless),
            (&mut self.blocks, other.blocks),
            (&mut self.open_blocks, other.open_blocks),
            (&mut self.torn_blocks, other.torn_blocks),
            (&mut self.damaged, other.damaged),
            (&mut self.bytes, other.bytes),
        ] {
            *sum += part;
        }
    }
}

impl Records {
    /// Removes graves that `goes` names; returns how many.
    pub(crate) fn drop_graves(&self, goes: impl Fn(&Entry) -> bool) -> u64 {
        let sweep = |partition| {
            let swept = self.index.sweep(partition, |_, entry| {
                if !entry.is_grave() || !goes(entry) {
                    return index::Verdict::Keep;
                }
                self.release(entry);
                index::Verdict::Remove
            });
            swept.removed
        };
        let with_graves =
            PartitionId::all().filter(|partition| self.counts(*partition).graves != 0);
        with_graves.map(sweep).sum()
    }
}

/// Reads one block after the other.
struct BlockReader<'r> {
    records: &'r Records,
    rules: &'r Rules<'r>,
    sight: Sight,
    bytes: AlignedBuf,
    scratch: Scratch,
    report: Report,
}

impl<'r> BlockReader<'r> {
    fn new(records: &'r Records, rules: &'r Rules<'r>, sight: Sight, block_bytes: u32) -> Self {
        let bytes = AlignedBuf::zeroed(block_bytes as usize);
        Self {
            records,
            rules,
            sight,
            bytes,
            scratch: Scratch::default(),
            report: Report::default(),
        }
    }

    fn read(&mut self, volume: &Volume, block: u32, life: Option<u64>) -> Result<(), OpenError> {
        let offset_bytes = volume.geometry.offset_bytes(block);
        let read = volume.device.read_at(&mut self.bytes, offset_bytes);
        read.map_err(|error| OpenError::io(&*volume.device, error))?;
        self.report.blocks += 1;
        self.report.bytes += self.bytes.len() as u64;
        let bytes = &self.bytes;
        let recover = || block::recover_sequence(bytes, volume.id, offset_bytes, SEQUENCE_ABOVE);
        let Some(sequence) = life.or_else(recover) else { return Ok(()) };
        volume.adopt(block, sequence);
        self.walk(volume, block, sequence)
    }

    fn walk(&mut self, volume: &Volume, block: u32, sequence: u64) -> Result<(), OpenError> {
        let offset_bytes = volume.geometry.offset_bytes(block);
        let bytes = std::mem::replace(&mut self.bytes, AlignedBuf::zeroed(0));
        let image = Image { bytes: &bytes, device: volume.id, offset_bytes, sequence };
        let mut result = Ok(());
        let mut holes = Vec::new();
        let (end, _) = image.walk(|item| match item {
            Item::Record { at, found } => {
                if result.is_ok() {
                    result = self.found(volume, offset_bytes + at as u64, &found);
                }
            }
            Item::Damage { at, size_bytes } => holes.push((at, size_bytes)),
        });
        self.bytes = bytes;
        self.ended(volume, block, end, &holes);
        result
    }

    /// A block that was being filled when the server ended may have a hole where a write did not
    /// arrive, which is no damage.
    fn ended(&mut self, volume: &Volume, block: u32, end: End, holes: &[(usize, usize)]) {
        match end {
            End::Sealed => {
                for (at, size_bytes) in holes {
                    self.report.damaged += 1;
                    volume.report_damage(format!("block {block}, {size_bytes} bytes at {at},"));
                }
                return;
            }
            End::Open if holes.is_empty() => self.report.open_blocks += 1,
            End::Open | End::Torn => self.report.torn_blocks += 1,
        }
        volume.queue_to_move(block);
    }

    /// Lets a version of a record take its place, if it is the latest so far.
    fn found(
        &mut self,
        volume: &Volume,
        offset_bytes: u64,
        found: &Found<'_>,
    ) -> Result<(), OpenError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let result = self.found_in(volume, offset_bytes, found, &mut scratch);
        self.scratch = scratch;
        result
    }

    fn found_in(
        &mut self,
        volume: &Volume,
        offset_bytes: u64,
        found: &Found<'_>,
        scratch: &mut Scratch,
    ) -> Result<(), OpenError> {
        let mut size_bytes = found.bytes.len();
        let unpacked = self.unpack(volume, offset_bytes, found, scratch);
        let Some((meta, body)) = unpacked else { return Ok(()) };
        let kind = found.header.kind;
        let fate = if kind == Kind::Grave { Fate::Lives } else { (self.rules.fate)(&meta) };
        match fate {
            Fate::Lives => {}
            Fate::Expired => self.report.expired += 1,
            Fate::Truncated { .. } => self.report.truncated += 1,
        }
        if fate == (Fate::Truncated { with_older: true }) {
            return Ok(());
        }
        let is_grave = kind == Kind::Grave || fate != Fate::Lives;
        if is_grave {
            size_bytes = flat::padded_bytes(flat::HEADER_BYTES);
        }
        let location = DeviceLocation::new(volume.number, offset_bytes, size_bytes);
        let (has_key, sight) = (found.header.has_key, self.sight);
        let ordered_at = found.header.ordered_at;
        let version = Version { meta, ordered_at, is_grave, has_key, location, sight };
        let replaced = self.records.adopt(&found.header.digest, &version, body);
        match replaced.map_err(|_| OpenError::OutOfMemory)? {
            Adopted::First => {}
            Adopted::Replaced | Adopted::Superseded => self.report.superseded += 1,
        }
        Ok(())
    }

    /// Metadata and body of a record. `None`, and counted, if they cannot be known.
    fn unpack<'f>(
        &mut self,
        volume: &Volume,
        offset_bytes: u64,
        found: &'f Found<'_>,
        scratch: &'f mut Scratch,
    ) -> Option<(RecordMeta, &'f [u8])> {
        let mut meta = meta_of(&found.header);
        if found.header.kind == Kind::Grave {
            return Some((meta, &[]));
        }
        let codec = &self.records.engine.log()?.codec;
        let Ok(parts) = codec.decode(&found.header, found.payload, scratch) else {
            self.report.damaged += 1;
            volume.report_damage(format!("the packed record at byte {offset_bytes}"));
            return None;
        };
        if !parts.set_name.is_empty() {
            let Some(set) = (self.rules.set_id)(parts.set_name) else {
                self.report.homeless += 1;
                return None;
            };
            meta.set = set;
        }
        Some((meta, parts.body))
    }
}

/// A version of a record that was found on a device.
pub(super) struct Version {
    pub meta: RecordMeta,
    /// What counts in place of its last-update-time.
    pub ordered_at: Option<LastUpdateTime>,
    pub is_grave: bool,
    pub has_key: bool,
    pub location: DeviceLocation,
    pub sight: Sight,
}

/// What became of a version.
pub(super) enum Adopted {
    /// It is the first of its digest.
    First,
    /// It took the place of an earlier one.
    Replaced,
    /// There is a later one.
    Superseded,
}

impl Records {
    /// Lets a version take its place in the index, unless there is a later one. Returns `Err` when
    /// memory is short.
    pub(super) fn adopt(
        &self,
        digest: &wire::Digest,
        version: &Version,
        body: &[u8],
    ) -> Result<Adopted, index::OutOfMemory> {
        let Some(order) = self.engine.log().map(|log| &log.order) else {
            return Ok(Adopted::Superseded);
        };
        let mut guard = self.index.write(digest);
        let old = guard.find();
        let placed = RecordMeta {
            last_update_time: version.ordered_at.unwrap_or(version.meta.last_update_time),
            ..version.meta
        };
        if let Some(old) = &old
            && !is_later(&placed, &order.placed(digest, &old.meta))
        {
            let marks = old.marks.with(Marks::SOLE, false);
            guard.replace(Some(old), &Entry { marks, ..*old })?;
            return Ok(Adopted::Superseded);
        }
        let set = if version.is_grave { SetId::NONE } else { version.meta.set };
        let marks = Marks::default()
            .with(Marks::GRAVE, version.is_grave)
            .with(Marks::SOLE, old.is_none() && version.sight == Sight::Whole)
            .with(Marks::HAS_KEY, version.has_key);
        let location = self.house(version, body).ok_or(index::OutOfMemory)?;
        let meta = RecordMeta { set, ..version.meta };
        guard.replace(old.as_ref(), &Entry { meta, marks, location })?;
        order.found(digest, version.ordered_at);
        if let Some(log) = self.engine.log() {
            let block = log.volume(version.location);
            block.count_live(version.location);
        }
        match old {
            None => Ok(Adopted::First),
            Some(old) => {
                self.release(&old);
                Ok(Adopted::Replaced)
            }
        }
    }

    /// Where the index is to say that a version is.
    fn house(&self, version: &Version, body: &[u8]) -> Option<Location> {
        let Engine::Backed(_) = self.engine else { return Some(Location(version.location.0)) };
        let mut empty = Vec::new();
        let body = if version.is_grave {
            BodyWriter::new(&mut empty, None).finish();
            &empty
        } else {
            body
        };
        self.keep_beside(body, version.location, Heap::BACKED)
    }
}
