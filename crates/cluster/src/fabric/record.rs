//! Frames about single records.

use ::record::{Body, Generation, LastUpdateTime, RecordMeta, VoidTime};
use wire::Digest;

/// Of the flags of a version: the trace of a durable delete.
const TOMBSTONE: u8 = 1;
/// Written by shipping.
const XDR_WRITE: u8 = 2;

/// A record as it is now, for a replica. Also what a migration moves and a look-up finds, without the parts
/// that these need not name.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The view of whoever sends it.
    pub cluster_key: u64,
    /// Name of the namespace.
    pub namespace: &'a [u8],
    /// Which record.
    pub digest: Digest,
    /// Whether it is from somebody who served before and does not any more: it counts only if what the
    /// receiver has is the version before it.
    pub is_late: bool,
    /// The record.
    pub transfer: Transfer<'a>,
}

/// A record on its way.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// Its metadata; the set is named apart.
    pub meta: RecordMeta,
    /// Name of its set; empty outside sets.
    pub set_name: &'a [u8],
    /// Its stored body.
    pub bytes: &'a [u8],
}

/// A record is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Removal<'a> {
    /// The view of whoever sends it.
    pub cluster_key: u64,
    /// Name of the namespace.
    pub namespace: &'a [u8],
    /// Which record.
    pub digest: Digest,
    /// No version of this time or before counts any more.
    pub at: LastUpdateTime,
}

/// What does the other node have of this record?
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lookup<'a> {
    /// The view of whoever asks.
    pub cluster_key: u64,
    /// Name of the namespace.
    pub namespace: &'a [u8],
    /// Which record.
    pub digest: Digest,
    /// What whoever asks has: last-update-time and generation. The same is not sent.
    pub known: Option<(LastUpdateTime, Generation)>,
}

/// Reads bytes one part after the other.
pub(super) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (part, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*part)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A name of at most 255 bytes, after its length.
    pub fn name(&mut self) -> Option<&'a [u8]> {
        let [length] = self.array()?;
        let (name, rest) = self.0.split_at_checked(length.into())?;
        self.0 = rest;
        Some(name)
    }

    pub fn digest(&mut self) -> Option<Digest> {
        self.array().map(Digest)
    }

    pub fn take(&mut self, size: usize) -> Option<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(part)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

pub(super) fn put_name(out: &mut Vec<u8>, name: &[u8]) {
    // Names of namespaces and sets are shorter; a longer one would not be one.
    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    out.push(length);
    out.extend_from_slice(name.get(..length.into()).unwrap_or(name));
}

impl<'a> Transfer<'a> {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let meta = &self.meta;
        out.extend_from_slice(&meta.last_update_time.0.to_le_bytes());
        out.extend_from_slice(&meta.void_time.0.to_le_bytes());
        out.extend_from_slice(&meta.generation.0.to_le_bytes());
        let flag = |is: bool, flag: u8| if is { flag } else { 0 };
        out.push(flag(meta.tombstone, TOMBSTONE) | flag(meta.xdr_write, XDR_WRITE));
        put_name(out, self.set_name);
        out.extend_from_slice(self.bytes);
    }

    /// Reads one that takes all bytes, and its body; `None` if it is none that could be stored.
    pub fn decode(bytes: &'a [u8]) -> Option<(Self, Body<'a>)> {
        let mut reader = Reader(bytes);
        let last_update_time = LastUpdateTime(reader.u64()?);
        let void_time = VoidTime(reader.array().map(u32::from_le_bytes)?);
        let generation = Generation(reader.array().map(u16::from_le_bytes)?);
        let [flags] = reader.array()?;
        let meta = RecordMeta {
            last_update_time,
            void_time,
            generation,
            tombstone: flags & TOMBSTONE != 0,
            xdr_write: flags & XDR_WRITE != 0,
            ..RecordMeta::default()
        };
        let set_name = reader.name()?;
        let body = Body::checked(reader.0)?;
        Some((Self { meta, set_name, bytes: reader.0 }, body))
    }
}

impl<'a> Change<'a> {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cluster_key.to_le_bytes());
        put_name(out, self.namespace);
        out.extend_from_slice(&self.digest.0);
        out.push(self.is_late.into());
        self.transfer.encode(out);
    }

    /// Reads one, and the record's body.
    pub fn decode(bytes: &'a [u8]) -> Option<(Self, Body<'a>)> {
        let mut reader = Reader(bytes);
        let (cluster_key, namespace) = (reader.u64()?, reader.name()?);
        let (digest, [is_late]) = (reader.digest()?, reader.array()?);
        let (transfer, body) = Transfer::decode(reader.0)?;
        let is_late = is_late != 0;
        Some((Self { cluster_key, namespace, digest, is_late, transfer }, body))
    }
}

impl<'a> Removal<'a> {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cluster_key.to_le_bytes());
        put_name(out, self.namespace);
        out.extend_from_slice(&self.digest.0);
        out.extend_from_slice(&self.at.0.to_le_bytes());
    }

    /// Reads one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (cluster_key, namespace) = (reader.u64()?, reader.name()?);
        let (digest, at) = (reader.digest()?, LastUpdateTime(reader.u64()?));
        reader.end()?;
        Some(Self { cluster_key, namespace, digest, at })
    }
}

impl<'a> Lookup<'a> {
    /// Appends it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.cluster_key.to_le_bytes());
        put_name(out, self.namespace);
        out.extend_from_slice(&self.digest.0);
        // No record has a generation of 0.
        let (time, generation) = self.known.unwrap_or_default();
        out.extend_from_slice(&time.0.to_le_bytes());
        out.extend_from_slice(&generation.0.to_le_bytes());
    }

    /// Reads one.
    pub fn decode(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (cluster_key, namespace) = (reader.u64()?, reader.name()?);
        let (digest, time) = (reader.digest()?, LastUpdateTime(reader.u64()?));
        let generation = Generation(reader.array().map(u16::from_le_bytes)?);
        reader.end()?;
        let known = (generation != Generation(0)).then_some((time, generation));
        Some(Self { cluster_key, namespace, digest, known })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ::record::body::BodyWriter;

    fn body() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, Some(b"\x03key"));
        writer.bin(b"a", wire::ParticleType::STRING, b"value");
        writer.finish();
        bytes
    }

    #[test]
    fn a_change_is_read_as_it_is_written() {
        let (stored, mut bytes) = (body(), Vec::new());
        let meta = RecordMeta {
            last_update_time: LastUpdateTime(123_456_789_012),
            void_time: VoidTime(7),
            generation: Generation(65_535),
            tombstone: false,
            xdr_write: true,
            ..RecordMeta::default()
        };
        let transfer = Transfer { meta, set_name: b"set", bytes: &stored };
        let digest = Digest([9; Digest::SIZE]);
        let change =
            Change { cluster_key: 0xabc, namespace: b"test", digest, is_late: true, transfer };
        change.encode(&mut bytes);
        let (read, body) = Change::decode(&bytes).unwrap();
        assert_eq!((read.cluster_key, read.namespace, read.digest), (0xabc, &b"test"[..], digest));
        assert!(read.is_late);
        assert_eq!((read.transfer.meta, read.transfer.set_name), (meta, &b"set"[..]));
        assert_eq!((read.transfer.bytes, body.key()), (&stored[..], Some(&b"\x03key"[..])));
        for end in 0..bytes.len() {
            assert!(Change::decode(&bytes[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn removals_and_look_ups_are_read_as_they_are_written() {
        let (digest, at, mut bytes) = (Digest([3; 20]), LastUpdateTime(77), Vec::new());
        let removal = Removal { cluster_key: 1, namespace: b"bar", digest, at };
        removal.encode(&mut bytes);
        assert_eq!(Removal::decode(&bytes), Some(removal));
        assert_eq!(Removal::decode(&bytes[1..]), None);
        for known in [None, Some((at, Generation(4)))] {
            let lookup = Lookup { cluster_key: 1, namespace: b"bar", digest, known };
            bytes.clear();
            lookup.encode(&mut bytes);
            assert_eq!(Lookup::decode(&bytes), Some(lookup));
            bytes.push(0);
            assert_eq!(Lookup::decode(&bytes), None);
        }
    }
}
