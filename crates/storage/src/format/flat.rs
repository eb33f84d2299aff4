//! A record on a device.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | checksum of everything behind it up to the padded end, tied to its place |
//! | 4 | 4 | sequence number of its block, low half |
//! | 8 | 2 | magic |
//! | 10 | 1 | version of the form |
//! | 11 | 1 | flags: kind, written by XDR, has a key, compression, encryption, has a place |
//! | 12 | 4 | size in bytes without padding |
//! | 16 | 20 | digest |
//! | 36 | 5 | last-update-time |
//! | 41 | 2 | generation |
//! | 43 | 1 | zero |
//! | 44 | 4 | void-time |
//! | 48 | | payload |
//!
//! The payload is a set name (1 byte of length, then the name) and the body, which may be compressed
//! (4 bytes of original size in front); or all of this encrypted (12 bytes of nonce in front, 16 bytes
//! of tag behind). Behind it stand 5 bytes more if the version's place in the order of versions is not its
//! last-update-time. Zeros pad a record to a multiple of 16 bytes.

use record::{Generation, LastUpdateTime, VoidTime};
use wire::Digest;

use super::{Cursor, Place, UNIT_BYTES, checksum};

/// Bytes in front of the payload.
pub const HEADER_BYTES: usize = 48;
/// Bytes of a place behind the payload.
const PLACED_BYTES: usize = 5;
/// The flag that says that there is one.
const PLACED: u8 = 0x80;

const MAGIC: u16 = 0xB01D;
const VERSION: u8 = 1;
/// Where the part begins that does not depend on the place.
pub(crate) const CONTENT_FROM: usize = 8;
const LAST_UPDATE_TIME_MAX: u64 = (1 << 40) - 1;

/// What a stored record is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Kind {
    /// A live record.
    #[default]
    Record,
    /// The trace of a durable delete.
    Tombstone,
    /// The trace of a plain delete, by which a start knows that older copies are dead. Clients and
    /// statistics don't see it.
    Grave,
}

/// How a payload's body is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Packing {
    /// Not at all.
    #[default]
    Plain,
    /// LZ4 block.
    Lz4,
    /// Snappy, raw.
    Snappy,
    /// Zstandard frame.
    Zstd,
}

impl Packing {
    /// Its number in a record's flags: two bits.
    pub fn number(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Lz4 => 1,
            Self::Snappy => 2,
            Self::Zstd => 3,
        }
    }

    /// The one with this number, of which two bits count.
    pub fn of(number: u8) -> Self {
        match number & 3 {
            0 => Self::Plain,
            1 => Self::Lz4,
            2 => Self::Snappy,
            _ => Self::Zstd,
        }
    }
}

/// What stands in a record's header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The record's digest.
    pub digest: Digest,
    /// When it was last written.
    pub last_update_time: LastUpdateTime,
    /// How often it was written.
    pub generation: Generation,
    /// When it expires.
    pub void_time: VoidTime,
    /// What it is.
    pub kind: Kind,
    /// Whether its last write came from shipping.
    pub xdr_write: bool,
    /// Whether its body holds a user key.
    pub has_key: bool,
    /// How its body is compressed.
    pub packing: Packing,
    /// Whether its payload is encrypted.
    pub encrypted: bool,
    /// What counts in place of its last-update-time where versions are compared: it took the place of one of
    /// a later time.
    pub ordered_at: Option<LastUpdateTime>,
}

impl Header {
    /// A grave, which has no payload.
    pub fn grave(digest: Digest, last_update_time: LastUpdateTime, generation: Generation) -> Self {
        Self {
            digest,
            last_update_time,
            generation,
            void_time: VoidTime::NEVER,
            kind: Kind::Grave,
            xdr_write: false,
            has_key: false,
            packing: Packing::Plain,
            encrypted: false,
            ordered_at: None,
        }
    }

    /// What counts first where versions are compared.
    pub fn order(&self) -> LastUpdateTime {
        self.ordered_at.unwrap_or(self.last_update_time)
    }

    /// Its bytes in front of a payload; checksum and sequence are still missing.
    fn encode(&self, size_bytes: u32) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[8..10].copy_from_slice(&MAGIC.to_le_bytes());
        out[10] = VERSION;
        out[11] = self.flags();
        out[12..16].copy_from_slice(&size_bytes.to_le_bytes());
        out[16..36].copy_from_slice(&self.digest.0);
        out[36..41].copy_from_slice(&encode_time(self.last_update_time));
        out[41..43].copy_from_slice(&self.generation.0.to_le_bytes());
        out[44..48].copy_from_slice(&self.void_time.0.to_le_bytes());
        out
    }

    fn flags(&self) -> u8 {
        let kind = match self.kind {
            Kind::Record => 0,
            Kind::Tombstone => 1,
            Kind::Grave => 2,
        };
        kind | u8::from(self.xdr_write) << 2
            | u8::from(self.has_key) << 3
            | self.packing.number() << 4
            | u8::from(self.encrypted) << 6
            | if self.ordered_at.is_some() { PLACED } else { 0 }
    }

    /// Reads it; its place is still missing, of which it is known whether there is one.
    fn decode(bytes: &[u8; HEADER_BYTES]) -> Option<(Self, u32, bool)> {
        let mut cursor = Cursor(&bytes[CONTENT_FROM..]);
        let (magic, version, flags) = (cursor.u16()?, cursor.u8()?, cursor.u8()?);
        if magic != MAGIC || version != VERSION {
            return None;
        }
        let size_bytes = cursor.u32()?;
        let digest = Digest(cursor.array()?);
        let last_update_time = decode_time(cursor.array()?);
        let generation = Generation(cursor.u16()?);
        if cursor.u8()? != 0 {
            return None;
        }
        let header = Self {
            digest,
            last_update_time,
            generation,
            void_time: VoidTime(cursor.u32()?),
            kind: match flags & 3 {
                0 => Kind::Record,
                1 => Kind::Tombstone,
                2 => Kind::Grave,
                _ => return None,
            },
            xdr_write: flags & 4 != 0,
            has_key: flags & 8 != 0,
            packing: Packing::of(flags >> 4),
            encrypted: flags & 0x40 != 0,
            ordered_at: None,
        };
        Some((header, size_bytes, flags & PLACED != 0))
    }

    /// Reads it with what stands behind the payload of a record of this size; returns the payload, too.
    fn decode_all(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (header, size_bytes, is_placed) = Self::decode(bytes.first_chunk()?)?;
        let payload = bytes.get(HEADER_BYTES..size_bytes as usize)?;
        if !is_placed {
            return Some((header, payload));
        }
        let (payload, place) = payload.split_last_chunk::<PLACED_BYTES>()?;
        Some((Self { ordered_at: Some(decode_time(*place)), ..header }, payload))
    }
}

fn encode_time(time: LastUpdateTime) -> [u8; 5] {
    let [l0, l1, l2, l3, l4, ..] = time.0.min(LAST_UPDATE_TIME_MAX).to_le_bytes();
    [l0, l1, l2, l3, l4]
}

fn decode_time([l0, l1, l2, l3, l4]: [u8; 5]) -> LastUpdateTime {
    LastUpdateTime(u64::from_le_bytes([l0, l1, l2, l3, l4, 0, 0, 0]))
}

/// Size in bytes that a record of this size takes on a device.
pub fn padded_bytes(size_bytes: usize) -> usize {
    size_bytes.next_multiple_of(UNIT_BYTES)
}

/// Begins a record at the end of `out`, which must be empty: its payload is to be appended.
pub fn begin(out: &mut Vec<u8>) {
    debug_assert!(out.is_empty(), "a record is encoded by itself");
    out.resize(HEADER_BYTES, 0);
}

/// Completes the record in `out`, which began with [`begin`] and got its payload, and pads it. It is
/// then to be put in its place by [`settle`].
pub fn finish(out: &mut Vec<u8>, header: &Header) {
    if let Some(place) = header.ordered_at {
        out.extend_from_slice(&encode_time(place));
    }
    let size_bytes = out.len();
    out.resize(padded_bytes(size_bytes), 0);
    out[..HEADER_BYTES].copy_from_slice(&header.encode(size_bytes as u32));
}

/// The checksum of a finished record before it is tied to a place.
pub fn content_checksum(bytes: &[u8]) -> u32 {
    checksum(bytes.get(CONTENT_FROM..).unwrap_or_default())
}

/// Ties a finished record, or one that moves, to its place. `content` is its [`content_checksum`].
pub fn settle(bytes: &mut [u8], content: u32, place: &Place) {
    if let Some(bytes) = bytes.first_chunk_mut::<CONTENT_FROM>() {
        *bytes = front(content, place);
    }
}

/// The first bytes of a record with this [`content_checksum`] at a place; only they depend on it.
pub(crate) fn front(content: u32, place: &Place) -> [u8; CONTENT_FROM] {
    let mut out = [0; CONTENT_FROM];
    out[..4].copy_from_slice(&place.tie(content).to_le_bytes());
    out[4..].copy_from_slice(&(place.sequence as u32).to_le_bytes());
    out
}

/// A record as it was found on a device: its checksum held.
#[derive(Clone, Copy, Debug)]
pub struct Found<'b> {
    /// Its header.
    pub header: Header,
    /// What follows the header, without padding.
    pub payload: &'b [u8],
    /// All of it, padding included.
    pub bytes: &'b [u8],
    /// Its [`content_checksum`].
    pub content: u32,
}

/// Reads the record at the beginning of `bytes`, which were read from `place`. `None` if there is
/// none, or not a whole one, or one that belongs elsewhere.
pub fn read<'b>(bytes: &'b [u8], place: &Place) -> Option<Found<'b>> {
    let front = bytes.first_chunk::<HEADER_BYTES>()?;
    let (_, size_bytes, _) = Header::decode(front)?;
    let size_bytes = size_bytes as usize;
    if size_bytes < HEADER_BYTES {
        return None;
    }
    let bytes = bytes.get(..padded_bytes(size_bytes))?;
    let mut cursor = Cursor(bytes);
    let (expected, sequence) = (cursor.u32()?, cursor.u32()?);
    if sequence != place.sequence as u32 {
        return None;
    }
    let content = content_checksum(bytes);
    if expected != place.tie(content) {
        return None;
    }
    let (header, payload) = Header::decode_all(bytes)?;
    Some(Found { header, payload, bytes, content })
}

/// Header and payload of a record that was just encoded here, which needs no check. `None` if it is
/// none.
pub fn peek(bytes: &[u8]) -> Option<(Header, &[u8])> {
    Header::decode_all(bytes)
}

/// The sequence number (low half) of the record that seems to be at the beginning of `bytes`, without
/// any check but that of its magic.
pub fn sequence_hint(bytes: &[u8]) -> Option<u32> {
    Header::decode(bytes.first_chunk()?)?;
    Cursor(bytes.get(4..)?).u32()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place { device: 7, offset_bytes: 8 << 20, sequence: (3 << 32) + 9 };

    fn header() -> Header {
        Header {
            digest: Digest(std::array::from_fn(|at| at as u8)),
            last_update_time: LastUpdateTime(LAST_UPDATE_TIME_MAX - 3),
            generation: Generation(513),
            void_time: VoidTime(77),
            kind: Kind::Tombstone,
            xdr_write: true,
            has_key: true,
            packing: Packing::Zstd,
            encrypted: true,
            ordered_at: Some(LastUpdateTime(LAST_UPDATE_TIME_MAX - 1)),
        }
    }

    fn stored(header: &Header, payload: &[u8], place: &Place) -> Vec<u8> {
        let mut bytes = Vec::new();
        begin(&mut bytes);
        bytes.extend_from_slice(payload);
        finish(&mut bytes, header);
        let content = content_checksum(&bytes);
        settle(&mut bytes, content, place);
        bytes
    }

    #[test]
    fn records_come_back() {
        for header in [header(), Header::grave(Digest([9; 20]), LastUpdateTime(5), Generation(2))] {
            for payload in [&b""[..], b"x", &[3; 16], &[4; 1000]] {
                let bytes = stored(&header, payload, &PLACE);
                assert_eq!(bytes.len() % UNIT_BYTES, 0);
                let found = read(&bytes, &PLACE).unwrap();
                assert_eq!((found.header, found.payload), (header, payload));
                assert_eq!(sequence_hint(&bytes), Some(9));
            }
        }
    }

    #[test]
    fn a_record_counts_in_its_own_place_only() {
        let bytes = stored(&header(), b"payload", &PLACE);
        let elsewhere = [
            Place { device: 8, ..PLACE },
            Place { offset_bytes: PLACE.offset_bytes + 16, ..PLACE },
            Place { sequence: PLACE.sequence + 1, ..PLACE },
            Place { sequence: PLACE.sequence + (1 << 32), ..PLACE },
        ];
        assert!(elsewhere.iter().all(|place| read(&bytes, place).is_none()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = stored(&header(), b"a payload of some bytes", &PLACE);
        for bit in 0..bytes.len() * 8 {
            let mut bent = bytes.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            assert!(read(&bent, &PLACE).is_none(), "bit {bit}");
        }
        assert!((0..bytes.len()).all(|end| read(&bytes[..end], &PLACE).is_none()));
    }
}
