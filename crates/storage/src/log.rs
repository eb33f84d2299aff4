//! The devices of a namespace as one log: which record goes to which, and in what form.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use index::Location;
use record::{Body, LastUpdateTime, RecordMeta, VoidTime};
use wire::Digest;

use crate::aligned::Span;
use crate::codec::Codec;
use crate::fetch::{Fetch, Fetched, Identity, Lookup};
use crate::format::flat::{self, Found, Header, Kind};
use crate::format::{Place, UNIT_BYTES};
use crate::order::Order;
use crate::pledge::{Pledge, Pledges, Settled};
use crate::records::{Miss, Refusal};
use crate::tuning::Tuning;
use crate::volume::{Appended, Buffer, Incident, Stream, Urgency, Volume, VolumeCounters};

/// Where a record is on the devices: 7 bits of volume, 37 of offset and 19 of size less one, both in
/// units of 16 bytes, as in the original.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct DeviceLocation(pub u64);

const SIZE_BITS: u32 = 19;
const OFFSET_BITS: u32 = 37;

/// Most devices of a namespace.
pub(crate) const VOLUMES_MAX: usize = 128;

impl DeviceLocation {
    pub fn new(volume: u16, offset_bytes: u64, size_bytes: usize) -> Self {
        let units = (size_bytes / UNIT_BYTES) as u64 - 1;
        let offset = offset_bytes / UNIT_BYTES as u64;
        Self(u64::from(volume) << (OFFSET_BITS + SIZE_BITS) | offset << SIZE_BITS | units)
    }

    pub fn volume(self) -> usize {
        (self.0 >> (OFFSET_BITS + SIZE_BITS)) as usize
    }

    pub fn offset_bytes(self) -> u64 {
        (self.0 >> SIZE_BITS & ((1 << OFFSET_BITS) - 1)) * UNIT_BYTES as u64
    }

    /// Whether it is at this offset of this volume, whatever its size.
    pub fn is_at(self, volume: &Volume, offset_bytes: u64) -> bool {
        self.volume() == usize::from(volume.number) && self.offset_bytes() == offset_bytes
    }

    pub fn size_bytes(self) -> usize {
        ((self.0 & ((1 << SIZE_BITS) - 1)) as usize + 1) * UNIT_BYTES
    }
}

/// A record to be appended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Draft<'d> {
    pub digest: &'d Digest,
    pub meta: RecordMeta,
    /// What counts in place of its last-update-time on the device: see [`Order`].
    pub ordered_at: Option<LastUpdateTime>,
    pub set_name: &'d [u8],
    pub body: &'d [u8],
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Log {
    pub volumes: Vec<Arc<Volume>>,
    pub tuning: Arc<Tuning>,
    pub codec: Codec,
    pub order: Order,
}

thread_local! {
    /// Where records are put together.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Scratch space kept for the next record, in bytes.
const SCRATCH_BYTES_MAX: usize = 1 << 20;

/// Runs with empty scratch space.
fn with_scratch<T>(run: impl FnOnce(&mut Vec<u8>) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        let result = run(scratch);
        if scratch.capacity() > SCRATCH_BYTES_MAX {
            *scratch = Vec::new();
        }
        result
    })
}

impl Log {
    /// The volume of a record (storage reference, device selection).
    pub fn volume_of(&self, digest: &Digest) -> &Volume {
        let [.., d8, d9, d10, d11, _, _, _, _, _, _, _, _] = digest.0;
        let number = u32::from_le_bytes([d8, d9, d10, d11]) as usize % self.volumes.len().max(1);
        &self.volumes[number]
    }

    pub fn volume(&self, location: DeviceLocation) -> &Volume {
        &self.volumes[location.volume()]
    }

    /// Appends a record, or writes it over the one at `old` if that is still only in memory and of
    /// the same size; then the location stays the same. Otherwise `old` is still to be released.
    pub fn store(
        &self,
        draft: &Draft<'_>,
        old: Option<DeviceLocation>,
        pledges: &mut Pledges,
    ) -> Result<DeviceLocation, Refusal> {
        let volume = self.volume_of(draft.digest);
        with_scratch(|record| {
            self.encode(draft, record);
            let summed = (&record[..], flat::content_checksum(record));
            let in_place = old
                .filter(|old| old.size_bytes() == record.len())
                .and_then(|old| volume.overwrite(old.offset_bytes(), summed));
            let appended = match in_place {
                Some(appended) => appended,
                None => volume.append(Stream::Writes, Urgency::Ordinary, summed)?,
            };
            self.pledge(volume, appended, in_place.is_none(), pledges);
            Ok(DeviceLocation::new(volume.number, appended.offset_bytes, record.len()))
        })
    }

    /// Appends the trace of a removed record.
    pub fn store_grave(
        &self,
        digest: &Digest,
        meta: &RecordMeta,
        pledges: &mut Pledges,
    ) -> Result<DeviceLocation, Refusal> {
        let volume = self.volume_of(digest);
        let (appended, size_bytes) = self.append_grave(volume, Stream::Writes, digest, meta)?;
        self.pledge(volume, appended, false, pledges);
        Ok(DeviceLocation::new(volume.number, appended.offset_bytes, size_bytes))
    }

    /// Appends the trace of a removed record where moved records go.
    pub fn move_grave(
        &self,
        digest: &Digest,
        meta: &RecordMeta,
    ) -> Result<DeviceLocation, Refusal> {
        let volume = self.volume_of(digest);
        let (appended, size_bytes) = self.append_grave(volume, Stream::Moves, digest, meta)?;
        Ok(DeviceLocation::new(volume.number, appended.offset_bytes, size_bytes))
    }

    fn append_grave(
        &self,
        volume: &Volume,
        stream: Stream,
        digest: &Digest,
        meta: &RecordMeta,
    ) -> Result<(Appended, usize), Refusal> {
        with_scratch(|record| {
            flat::begin(record);
            flat::finish(record, &Header::grave(*digest, meta.last_update_time, meta.generation));
            let summed = (&record[..], flat::content_checksum(record));
            let appended = volume.append(stream, Urgency::GainsSpace, summed)?;
            Ok((appended, record.len()))
        })
    }

    /// Appends a record as it was found on the device, where moved records go.
    pub fn move_record(
        &self,
        volume: &Volume,
        found: &Found<'_>,
    ) -> Result<DeviceLocation, Refusal> {
        let summed = (found.bytes, found.content);
        let appended = volume.append(Stream::Moves, Urgency::GainsSpace, summed)?;
        Ok(DeviceLocation::new(volume.number, appended.offset_bytes, found.bytes.len()))
    }

    /// Notes that the record at a location is dead.
    pub fn release(&self, location: DeviceLocation) {
        let volume = self.volume(location);
        let block = volume.geometry.block_of(location.offset_bytes());
        volume.release(block, location.size_bytes() as u32);
    }

    /// Notes that of the record at a location only the header is needed any more.
    pub fn shrink(&self, location: DeviceLocation) -> DeviceLocation {
        let volume = self.volume(location);
        let kept = flat::padded_bytes(flat::HEADER_BYTES);
        let offset_bytes = location.offset_bytes();
        let dead = (location.size_bytes() - kept) as u32;
        volume.release(volume.geometry.block_of(offset_bytes), dead);
        DeviceLocation::new(volume.number, offset_bytes, kept)
    }

    /// Appends a record whose bytes are at hand with other metadata; its payload stays.
    pub fn store_again(
        &self,
        bytes: &[u8],
        meta: &RecordMeta,
        ordered_at: Option<LastUpdateTime>,
        pledges: &mut Pledges,
    ) -> Result<DeviceLocation, Refusal> {
        let (header, payload) = flat::peek(bytes).ok_or(Refusal::Offline)?;
        let header = Header {
            last_update_time: meta.last_update_time,
            generation: meta.generation,
            void_time: meta.void_time,
            xdr_write: meta.xdr_write,
            ordered_at,
            ..header
        };
        let volume = self.volume_of(&header.digest);
        with_scratch(|record| {
            flat::begin(record);
            record.extend_from_slice(payload);
            flat::finish(record, &header);
            let summed = (&record[..], flat::content_checksum(record));
            let appended = volume.append(Stream::Writes, Urgency::Ordinary, summed)?;
            self.pledge(volume, appended, true, pledges);
            Ok(DeviceLocation::new(volume.number, appended.offset_bytes, record.len()))
        })
    }

    fn pledge(
        &self,
        volume: &Volume,
        Appended { number, .. }: Appended,
        took_space: bool,
        pledges: &mut Pledges,
    ) {
        let takes_space = took_space && volume.holds_writers();
        if self.tuning.commits() || volume.is_pressed() || takes_space {
            pledges.add(Pledge { volume: volume.number, number, takes_space });
        }
    }

    /// How far these pledges are.
    pub fn settled(&self, pledges: &Pledges) -> Settled {
        let mut settled = Settled::Kept;
        for pledge in pledges.iter() {
            match self.volumes[usize::from(pledge.volume)].settled(&pledge) {
                Settled::Kept => {}
                Settled::Failed => return Settled::Failed,
                Settled::Waiting => settled = Settled::Waiting,
            }
        }
        settled
    }

    fn encode(&self, draft: &Draft<'_>, out: &mut Vec<u8>) {
        let meta = &draft.meta;
        let mut header = Header {
            digest: *draft.digest,
            last_update_time: meta.last_update_time,
            generation: meta.generation,
            void_time: meta.void_time,
            kind: if meta.tombstone { Kind::Tombstone } else { Kind::Record },
            xdr_write: meta.xdr_write,
            has_key: Body::new(draft.body).key().is_some(),
            packing: flat::Packing::Plain,
            encrypted: false,
            ordered_at: draft.ordered_at,
        };
        flat::begin(out);
        self.codec.encode(&mut header, draft.set_name, draft.body, out);
        flat::finish(out, &header);
    }

    /// Finds the bytes of a record: in memory, in what was fetched, or says what to fetch. The caller
    /// holds the lock of the record's sprig.
    pub fn find<'f>(
        &self,
        location: DeviceLocation,
        digest: &Digest,
        fetched: &'f Fetched,
    ) -> Result<Held<'f>, Miss> {
        let volume = self.volume(location);
        let offset_bytes = location.offset_bytes();
        let block = volume.geometry.block_of(offset_bytes);
        if let Some(buffer) = volume.cache.get(block) {
            VolumeCounters::raise(&volume.counters.cache_reads);
            let at = (offset_bytes - volume.geometry.offset_bytes(block)) as usize;
            return Ok(Held::Block(buffer, at, location.size_bytes()));
        }
        let place = volume.place(offset_bytes);
        let identity = identity(volume, location, &place);
        match fetched.get(identity) {
            Lookup::Missing if volume.device.is_memory() => {
                let mut bytes = vec![0; location.size_bytes()];
                let read = volume.device.read_at(&mut bytes, offset_bytes);
                let sound = read.is_ok() && is_record(&bytes, &place, digest);
                if sound { Ok(Held::Copied(bytes)) } else { Err(volume.damaged_at(offset_bytes)) }
            }
            Lookup::Missing => Err(Miss::Elsewhere(Box::new(fetch(volume, location, identity)))),
            Lookup::Failed(error) => {
                VolumeCounters::raise(&volume.counters.read_errors);
                let (device, error) = (volume.device.name().to_owned(), error.kind().into());
                volume.incidents.report(Incident::ReadFailed { device, error });
                Err(Miss::Damaged)
            }
            Lookup::Read(span, bytes) => {
                VolumeCounters::raise(&volume.counters.device_reads);
                let from = (offset_bytes - span.offset_bytes) as usize;
                match bytes.get(from..from + location.size_bytes()) {
                    Some(bytes) if is_record(bytes, &place, digest) => Ok(Held::Fetched(bytes)),
                    _ => Err(volume.damaged_at(offset_bytes)),
                }
            }
        }
    }

    /// What has to be read before [`Self::find`] finds a record; `None` if nothing.
    pub fn fetch_for(&self, location: DeviceLocation, fetched: &Fetched) -> Option<Fetch> {
        let volume = self.volume(location);
        let block = volume.geometry.block_of(location.offset_bytes());
        if volume.device.is_memory() || volume.cache.get(block).is_some() {
            return None;
        }
        let identity = identity(volume, location, &volume.place(location.offset_bytes()));
        let is_missing = matches!(fetched.get(identity), Lookup::Missing);
        is_missing.then(|| fetch(volume, location, identity))
    }

    /// Bytes of all blocks of all volumes.
    pub fn total_bytes(&self) -> u64 {
        self.volumes.iter().map(|volume| volume.geometry.data_bytes()).sum()
    }

    /// Bytes of live records on all volumes.
    pub fn used_bytes(&self) -> u64 {
        let used = |volume: &Arc<Volume>| volume.counters.used_bytes.load(Ordering::Relaxed);
        self.volumes.iter().map(used).sum()
    }
}

/// What a fetch of the record at a location is known by.
fn identity(volume: &Volume, location: DeviceLocation, place: &Place) -> Identity {
    let location = Location(location.0);
    Identity { volume: volume.id, sequence: place.sequence, location }
}

fn fetch(volume: &Volume, location: DeviceLocation, identity: Identity) -> Fetch {
    Fetch {
        device: Arc::clone(&volume.device),
        span: Span::around(location.offset_bytes(), location.size_bytes()),
        identity,
    }
}

/// Whether the record with this digest is what was read from a place.
fn is_record(bytes: &[u8], place: &Place, digest: &Digest) -> bool {
    flat::read(bytes, place).is_some_and(|found| found.header.digest == *digest)
}

impl Volume {
    /// Counts and reports a record that is not what it should be.
    fn damaged_at(&self, offset_bytes: u64) -> Miss {
        self.report_damage(format!("the record at byte {offset_bytes}"));
        Miss::Damaged
    }

    /// Counts and reports something that did not stand up to its checksum.
    pub fn report_damage(&self, what: String) {
        VolumeCounters::raise(&self.counters.damaged);
        VolumeCounters::raise(&self.counters.read_errors);
        let device = self.device.name().to_owned();
        self.incidents.report(Incident::Damaged { device, what });
    }
}

/// The bytes of a record, and what keeps them.
#[derive(Debug)]
pub(crate) enum Held<'f> {
    /// In the memory of a block: where in it, and how many.
    Block(Arc<Buffer>, usize, usize),
    /// In what was fetched.
    Fetched(&'f [u8]),
    /// In a copy.
    Copied(Vec<u8>),
}

/// The metadata that a record on a device has, but for its set.
pub(crate) fn meta_of(header: &Header) -> RecordMeta {
    RecordMeta {
        last_update_time: header.last_update_time,
        void_time: header.void_time,
        generation: header.generation,
        tombstone: header.kind == Kind::Tombstone,
        xdr_write: header.xdr_write,
        ..RecordMeta::default()
    }
}

/// Whether the first version of a record is later than the second: by last-update-time, then by
/// generation, which wraps, then by void-time, of which never is the latest (storage reference,
/// start-up). The namespace's policy decided when a version was written; among what was written,
/// the last one counts.
pub(crate) fn is_later(first: &RecordMeta, second: &RecordMeta) -> bool {
    let void_time = |meta: &RecordMeta| match meta.void_time {
        VoidTime::NEVER => u64::MAX,
        VoidTime(seconds) => seconds.into(),
    };
    let by_time = first.last_update_time.cmp(&second.last_update_time);
    let by_generation = || first.generation.0.wrapping_sub(second.generation.0) as i16;
    by_time
        .then_with(|| by_generation().cmp(&0))
        .then_with(|| void_time(first).cmp(&void_time(second)))
        .is_gt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::Generation;

    #[test]
    fn locations_keep_their_parts() {
        for (volume, offset, size) in
            [(0, 8 << 20, 16), (127, (2 << 40) - 16, 8 << 20), (3, 12_345 * 16, 4096)]
        {
            let location = DeviceLocation::new(volume, offset, size);
            assert_eq!(location.volume(), usize::from(volume));
            assert_eq!((location.offset_bytes(), location.size_bytes()), (offset, size));
        }
    }

    #[test]
    fn the_later_version_counts() {
        let meta = |time, generation, void_time| RecordMeta {
            last_update_time: LastUpdateTime(time),
            generation: Generation(generation),
            void_time: VoidTime(void_time),
            ..RecordMeta::default()
        };
        let later = [
            (meta(2, 1, 0), meta(1, 9, 0)),
            (meta(1, 2, 0), meta(1, 1, 0)),
            (meta(1, 1, 0), meta(1, 65_535, 0)),
            (meta(1, 1, 0), meta(1, 1, 500)),
            (meta(1, 1, 9), meta(1, 1, 8)),
        ];
        for (first, second) in later {
            assert!(is_later(&first, &second) && !is_later(&second, &first));
            assert!(!is_later(&first, &first));
        }
    }
}
