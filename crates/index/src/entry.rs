//! What the primary index keeps of a record, and how it packs it into 39 bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | digest bytes 2-5, big-endian: the prefix by which a sprig is searched |
//! | 14 | digest bytes 6-19 |
//! | 4 | void-time (30 bits), tombstone, written by XDR |
//! | 5 | last-update-time (40 bits) |
//! | 2 | generation |
//! | 2 | set (12 bits), marks (4 bits) |
//! | 8 | location |
//!
//! Digest bytes 0 and 1 follow from the sprig. Numbers are little-endian.

use record::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime};
use wire::digest::PARTITIONS;
use wire::{Digest, PartitionId};

use crate::search::{Key, Keyed};

/// Where a record is stored: a number that only the storage engine understands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Location(pub u64);

/// Four bits that the storage engine keeps with a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Marks(u8);

impl Marks {
    /// It is no record but the trace of a removed one, which older copies on a device make necessary.
    /// It is counted by itself, and in no set index.
    pub const GRAVE: Self = Self(1);
    /// No older copy of it is on a device.
    pub const SOLE: Self = Self(2);
    /// Its body holds a user key.
    pub const HAS_KEY: Self = Self(4);
    /// It goes unless an older copy of it turns up.
    pub const CANDIDATE: Self = Self(8);

    /// Whether all of these are among them.
    pub fn contains(self, marks: Self) -> bool {
        self.0 & marks.0 == marks.0
    }

    /// These too, or without them.
    #[must_use]
    pub fn with(self, marks: Self, wanted: bool) -> Self {
        if wanted { Self(self.0 | marks.0) } else { Self(self.0 & !marks.0) }
    }

    /// As four bits.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The lower four bits.
    pub fn from_bits(bits: u8) -> Self {
        Self(bits & 0xF)
    }
}

/// What the index knows of a record beside its digest.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Entry {
    /// Times, generation, set and flags. Void-times beyond 30 bits and last-update-times beyond 40
    /// are kept as the largest that fit.
    pub meta: RecordMeta,
    /// What the storage engine notes beside.
    pub marks: Marks,
    /// Where the storage engine keeps the record.
    pub location: Location,
}

impl Entry {
    /// Whether it is no record any more.
    pub fn is_grave(&self) -> bool {
        self.marks.contains(Marks::GRAVE)
    }

    /// Whether it is a record that clients may see: neither tombstone nor grave.
    pub(crate) fn is_live(&self) -> bool {
        !self.meta.tombstone && !self.is_grave()
    }
}

/// Sprigs of a partition: a record's is the high half of digest byte 1.
pub const SPRIGS_PER_PARTITION: usize = 16;

/// Sprigs of a namespace.
pub const SPRIGS: usize = PARTITIONS * SPRIGS_PER_PARTITION;

/// A sprig of the namespace. In one partition, ascending sprigs hold ascending digests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SprigId(usize);

impl SprigId {
    pub(crate) fn of(digest: &Digest) -> Self {
        Self::new(digest.partition(), usize::from(digest.0[1] >> 4))
    }

    /// Sprig `number` of a partition, which must be below [`SPRIGS_PER_PARTITION`].
    pub(crate) fn new(partition: PartitionId, number: usize) -> Self {
        Self(partition.index() * SPRIGS_PER_PARTITION + number % SPRIGS_PER_PARTITION)
    }

    /// All sprigs of a partition, ascending.
    pub(crate) fn all(partition: PartitionId) -> impl DoubleEndedIterator<Item = Self> {
        (0..SPRIGS_PER_PARTITION).map(move |number| Self::new(partition, number))
    }

    /// Its number in the namespace: below [`SPRIGS`].
    pub(crate) fn index(self) -> usize {
        self.0
    }

    /// Its number in the partition: below [`SPRIGS_PER_PARTITION`].
    pub(crate) fn number(self) -> usize {
        self.0 % SPRIGS_PER_PARTITION
    }

    pub(crate) fn partition(self) -> PartitionId {
        let number = (self.0 / SPRIGS_PER_PARTITION) as u16;
        PartitionId::new(number).expect("a sprig is made of a partition")
    }

    /// The highest digest that could be in it.
    pub(crate) fn last_digest(self) -> Digest {
        self.digest(&RecordKey { prefix: u32::MAX, rest: [u8::MAX; 14] })
    }

    /// The digest with this key in this sprig.
    pub(crate) fn digest(self, key: &RecordKey) -> Digest {
        let partition = self.0 / SPRIGS_PER_PARTITION;
        let mut bytes = [0; Digest::SIZE];
        bytes[0] = partition as u8;
        bytes[1] = (partition >> 8) as u8 | (self.number() as u8) << 4;
        bytes[2..6].copy_from_slice(&key.prefix.to_be_bytes());
        bytes[6..].copy_from_slice(&key.rest);
        Digest(bytes)
    }
}

/// The part of a digest that distinguishes records of a sprig. Orders as digests do.
pub(crate) type RecordKey = Key<[u8; 14]>;

impl RecordKey {
    /// The lowest key of a sprig.
    pub(crate) const MIN: Self = Self { prefix: 0, rest: [0; 14] };

    pub(crate) fn of(digest: &Digest) -> Self {
        let [_, _, p0, p1, p2, p3, rest @ ..] = digest.0;
        Self { prefix: u32::from_be_bytes([p0, p1, p2, p3]), rest }
    }
}

/// An entry as a sprig stores it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct PackedEntry {
    rest: [u8; 14],
    void_time_and_flags: [u8; 4],
    last_update_time: [u8; 5],
    generation: [u8; 2],
    set: [u8; 2],
    location: [u8; 8],
}

const _: () = assert!(size_of::<PackedEntry>() == 35 && align_of::<PackedEntry>() == 1);

const VOID_TIME_MAX: u32 = (1 << 30) - 1;
const TOMBSTONE: u32 = 1 << 30;
const XDR_WRITE: u32 = 1 << 31;
const LAST_UPDATE_TIME_MAX: u64 = (1 << 40) - 1;
/// Bits of a set's number; the marks are above them.
const SET_BITS: u32 = 12;

impl PackedEntry {
    pub(crate) fn new(key: &RecordKey, entry: &Entry) -> Self {
        let Entry { meta, marks, location } = entry;
        debug_assert!(meta.set.0 <= SetId::MAX, "sets are numbered within 12 bits");
        let mut packed_void_time = meta.void_time.0.min(VOID_TIME_MAX);
        packed_void_time |= if meta.tombstone { TOMBSTONE } else { 0 };
        packed_void_time |= if meta.xdr_write { XDR_WRITE } else { 0 };
        let last_update_time = meta.last_update_time.0.min(LAST_UPDATE_TIME_MAX).to_le_bytes();
        let [l0, l1, l2, l3, l4, ..] = last_update_time;
        Self {
            rest: key.rest,
            void_time_and_flags: packed_void_time.to_le_bytes(),
            last_update_time: [l0, l1, l2, l3, l4],
            generation: meta.generation.0.to_le_bytes(),
            set: (meta.set.0 & SetId::MAX | u16::from(marks.bits()) << SET_BITS).to_le_bytes(),
            location: location.0.to_le_bytes(),
        }
    }

    pub(crate) fn unpack(&self) -> Entry {
        let void_time_and_flags = u32::from_le_bytes(self.void_time_and_flags);
        let [l0, l1, l2, l3, l4] = self.last_update_time;
        Entry {
            meta: RecordMeta {
                last_update_time: LastUpdateTime(u64::from_le_bytes([l0, l1, l2, l3, l4, 0, 0, 0])),
                void_time: VoidTime(void_time_and_flags & VOID_TIME_MAX),
                generation: Generation(u16::from_le_bytes(self.generation)),
                set: SetId(u16::from_le_bytes(self.set) & SetId::MAX),
                tombstone: void_time_and_flags & TOMBSTONE != 0,
                xdr_write: void_time_and_flags & XDR_WRITE != 0,
            },
            marks: Marks::from_bits((u16::from_le_bytes(self.set) >> SET_BITS) as u8),
            location: Location(u64::from_le_bytes(self.location)),
        }
    }
}

impl Keyed for PackedEntry {
    type Rest = [u8; 14];

    fn rest(&self) -> [u8; 14] {
        self.rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full_entry() -> Entry {
        Entry {
            meta: RecordMeta {
                last_update_time: LastUpdateTime(LAST_UPDATE_TIME_MAX - 5),
                void_time: VoidTime(VOID_TIME_MAX - 7),
                generation: Generation(65_535),
                set: SetId(SetId::MAX),
                tombstone: true,
                xdr_write: true,
            },
            marks: Marks::from_bits(0xF),
            location: Location(u64::MAX - 9),
        }
    }

    #[test]
    fn entries_survive_packing() {
        let flags = [(false, false), (true, false), (false, true), (true, true)];
        for (tombstone, xdr_write) in flags {
            let mut entry = full_entry();
            (entry.meta.tombstone, entry.meta.xdr_write) = (tombstone, xdr_write);
            assert_eq!(PackedEntry::new(&RecordKey::MIN, &entry).unpack(), entry);
        }
        let empty = Entry::default();
        assert_eq!(PackedEntry::new(&RecordKey::MIN, &empty).unpack(), empty);
    }

    #[test]
    fn times_too_large_are_kept_as_the_largest() {
        let mut entry = full_entry();
        entry.meta.void_time = VoidTime(u32::MAX);
        entry.meta.last_update_time = LastUpdateTime(u64::MAX);
        let kept = PackedEntry::new(&RecordKey::MIN, &entry).unpack().meta;
        assert_eq!(kept.void_time, VoidTime(VOID_TIME_MAX));
        assert_eq!(kept.last_update_time, LastUpdateTime(LAST_UPDATE_TIME_MAX));
        assert!(kept.tombstone && kept.xdr_write && kept.generation == Generation(65_535));
    }

    #[test]
    fn digests_survive_sprig_and_key() {
        let mut random = fastrand::Rng::with_seed(4);
        for _ in 0..10_000 {
            let digest = Digest(std::array::from_fn(|_| random.u8(..)));
            let sprig = SprigId::of(&digest);
            assert!(sprig.index() < SPRIGS);
            assert_eq!(sprig.digest(&RecordKey::of(&digest)), digest);
        }
    }

    #[test]
    fn sprigs_and_keys_order_as_digests() {
        let mut random = fastrand::Rng::with_seed(5);
        for _ in 0..10_000 {
            let mut pair: [Digest; 2] =
                std::array::from_fn(|_| Digest(std::array::from_fn(|_| random.u8(..2) * 255)));
            for digest in &mut pair {
                digest.0[0] = 7;
                digest.0[1] = digest.0[1] & 0xF0 | 3;
            }
            let place = pair.map(|digest| (SprigId::of(&digest).index(), RecordKey::of(&digest)));
            assert_eq!(place[0].cmp(&place[1]), pair[0].cmp(&pair[1]));
        }
    }
}
