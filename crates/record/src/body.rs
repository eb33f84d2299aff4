//! The stored body of a record: user key and bins.
//!
//! | offset | size | meaning |
//! |---|---|---|
//! | 0 | 3 | size of the whole body in bytes |
//! | 3 | 3 | size of key and bins by the original's arithmetic (23 bits, see [`crate::size`]); top bit: guides follow the bins |
//! | 6 | 2 | number of bins (15 bits); top bit: a user key follows |
//! | 8 | 4 + n | only with a key: its size, then particle type and value |
//! | .. | .. | the bins, each exactly as an operation of a reply |
//! | .. | 6 + n | only with guides, for each bin that has one: its number (2 bytes) and the guide's size, little-endian, then the guide |
//! | end | 4 | only with guides: size of all of them, little-endian |
//!
//! Numbers are little-endian. Because bins are stored as the reply needs them, reading all bins is
//! one copy; because the other size is stored too, statistics are kept without walking the bins. A
//! guide is what is kept beside a large map to find the way in it ([`value::cdt::guide`]). Metadata
//! (digest, generation, times, set) is in the primary index and is added when a record leaves the
//! node's memory.

use value::cdt::{Guide, Stored};
use wire::reply::{OP_HEADER_BYTES, append_op};
use wire::{OpCode, ParticleType};

use crate::size;

/// Bins a record holds at most.
pub const BINS_MAX: usize = 32_767;

const HEADER_BYTES: usize = 8;
const KEY_SIZE_BYTES: usize = 4;
const GUIDES_SIZE_BYTES: usize = 4;
const HAS_KEY: u16 = 0x8000;
/// Largest size that the header can hold: far above `max-record-size`, which is at most 8 MiB.
const SIZE_BYTES_MAX: usize = (1 << 24) - 1;
/// Largest size by the original's arithmetic that the header can hold. A stored record is smaller.
const CONTENT_SIZE_BYTES_MAX: usize = (1 << 23) - 1;
/// Beside the size by the original's arithmetic: guides follow the bins.
const HAS_GUIDES: u32 = 1 << 23;

/// View of a stored body.
///
/// A body is only ever read from where this crate's [`BodyWriter`] put it, so its parts fit; a body
/// that does not parse (which only a damaged medium can yield) shows as one without key and bins.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    bin_count: u16,
    content_size_bytes: u32,
    key: Option<&'a [u8]>,
    bins: &'a [u8],
    guides: &'a [u8],
}

impl<'a> Body<'a> {
    /// Size in bytes of the body that starts with these four bytes.
    pub fn size_bytes(start: [u8; 4]) -> usize {
        let [s0, s1, s2, _] = start;
        u32::from_le_bytes([s0, s1, s2, 0]) as usize
    }

    /// [`Self::content_size_bytes`] of a whole body, without a look at its other parts.
    pub fn content_size_bytes_of(bytes: &[u8]) -> usize {
        match bytes.first_chunk::<HEADER_BYTES>() {
            Some([_, _, _, c0, c1, c2, _, _]) => {
                (u32::from_le_bytes([*c0, *c1, *c2, 0]) & !HAS_GUIDES) as usize
            }
            None => 0,
        }
    }

    /// Looks at a whole body.
    pub fn new(bytes: &'a [u8]) -> Self {
        let empty = Self { bin_count: 0, content_size_bytes: 0, key: None, bins: &[], guides: &[] };
        Self::parse(bytes).unwrap_or(empty)
    }

    /// Looks at what another node sent as a whole body; `None` if it is none that could be stored.
    pub fn checked(bytes: &'a [u8]) -> Option<Self> {
        let size = bytes.first_chunk().map(|start| Self::size_bytes(*start));
        let body = Self::parse(bytes).filter(|_| size == Some(bytes.len()))?;
        let mut bins = body.bins();
        let count = bins.by_ref().count();
        let fits = bins.rest.is_empty() && bins.guides.is_empty() && count == body.bin_count.into();
        fits.then_some(body)
    }

    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [.., c0, c1, c2, n0, n1] = *header;
        let count = u16::from_le_bytes([n0, n1]);
        let mut key = None;
        if count & HAS_KEY != 0 {
            let (size, after) = rest.split_first_chunk::<KEY_SIZE_BYTES>()?;
            let (stored, bins) = after.split_at_checked(u32::from_le_bytes(*size) as usize)?;
            key = Some(stored);
            rest = bins;
        }
        let content = u32::from_le_bytes([c0, c1, c2, 0]);
        let mut guides = &rest[rest.len()..];
        if content & HAS_GUIDES != 0 {
            let (before, size) = rest.split_last_chunk::<GUIDES_SIZE_BYTES>()?;
            let bins_size = before.len().checked_sub(u32::from_le_bytes(*size) as usize)?;
            (rest, guides) = before.split_at_checked(bins_size)?;
        }
        let content_size_bytes = content & !HAS_GUIDES;
        Some(Self { bin_count: count & !HAS_KEY, content_size_bytes, key, bins: rest, guides })
    }

    /// Size of key and bins by the original's arithmetic, in bytes: see [`crate::size`].
    pub fn content_size_bytes(&self) -> usize {
        self.content_size_bytes as usize
    }

    /// The user key, if one is stored: particle type, then the value.
    pub fn key(&self) -> Option<&'a [u8]> {
        self.key
    }

    /// Number of bins.
    pub fn bin_count(&self) -> u16 {
        self.bin_count
    }

    /// Whether a guide is kept beside any bin.
    pub fn has_guides(&self) -> bool {
        !self.guides.is_empty()
    }

    /// All bins as operations of a reply.
    pub fn reply_ops(&self) -> &'a [u8] {
        self.bins
    }

    /// The bins, in order.
    pub fn bins(&self) -> Bins<'a> {
        Bins { rest: self.bins, number: 0, guides: self.guides }
    }

    /// The bin with this name.
    pub fn bin(&self, name: &[u8]) -> Option<StoredBin<'a>> {
        self.bins().find(|bin| bin.name == name)
    }
}

/// A bin of a stored body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StoredBin<'a> {
    /// Its name, 0 to 15 bytes.
    pub name: &'a [u8],
    /// Type of its value.
    pub particle_type: ParticleType,
    /// Its value, as replies carry it.
    pub value: &'a [u8],
    /// The whole bin as an operation of a reply.
    pub reply_op: &'a [u8],
    /// What is kept beside the value, if anything.
    pub guide: &'a [u8],
}

impl<'a> StoredBin<'a> {
    /// The value as operations on lists and maps take it.
    pub fn stored(self) -> Stored<'a> {
        let guide = Guide::new(self.guide);
        Stored { particle_type: self.particle_type, value: self.value, guide }
    }
}

/// Iterator over the bins of a body.
#[derive(Clone, Copy, Debug)]
pub struct Bins<'a> {
    rest: &'a [u8],
    number: u16,
    guides: &'a [u8],
}

impl<'a> Bins<'a> {
    /// The guide of the bin with the next number, if it has one.
    fn next_guide(&mut self) -> Option<&'a [u8]> {
        let ([n0, n1, s0, s1, s2, s3], after) = self.guides.split_first_chunk()?;
        if u16::from_le_bytes([*n0, *n1]) != self.number {
            return None;
        }
        let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]) as usize;
        let (guide, guides) = after.split_at_checked(size)?;
        self.guides = guides;
        Some(guide)
    }
}

impl<'a> Iterator for Bins<'a> {
    type Item = StoredBin<'a>;

    fn next(&mut self) -> Option<StoredBin<'a>> {
        let header = self.rest.first_chunk::<OP_HEADER_BYTES>()?;
        let [s0, s1, s2, s3, _code, particle_type, _flags, name_size] = *header;
        let end = u32::from_be_bytes([s0, s1, s2, s3]) as usize + 4;
        let (reply_op, rest) = self.rest.split_at_checked(end)?;
        let (name, value) =
            reply_op.get(OP_HEADER_BYTES..)?.split_at_checked(usize::from(name_size))?;
        self.rest = rest;
        let guide = self.next_guide().unwrap_or_default();
        self.number = self.number.wrapping_add(1);
        Some(StoredBin { name, particle_type: ParticleType(particle_type), value, reply_op, guide })
    }
}

/// A body that was written and not yet stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NewBody {
    /// Number of its bins.
    pub bin_count: u16,
    /// Size of its key and bins by the original's arithmetic, in bytes: see [`crate::size`]. If a
    /// record of this size exceeds `max-record-size` it must not be stored.
    pub content_size_bytes: usize,
}

/// Writes a body into a buffer, replacing what was there.
#[derive(Debug)]
pub struct BodyWriter<'a> {
    out: &'a mut Vec<u8>,
    count: u16,
    content_size_bytes: usize,
    guides: Vec<u8>,
}

impl<'a> BodyWriter<'a> {
    /// Starts a body with this user key.
    pub fn new(out: &'a mut Vec<u8>, key: Option<&[u8]>) -> Self {
        out.clear();
        out.extend_from_slice(&[0; HEADER_BYTES]);
        let mut writer = Self { out, count: 0, content_size_bytes: 0, guides: Vec::new() };
        if let Some(key) = key {
            writer.count = HAS_KEY;
            writer.content_size_bytes = size::key_size_bytes(key);
            writer.out.extend_from_slice(&(key.len() as u32).to_le_bytes());
            writer.out.extend_from_slice(key);
        }
        writer
    }

    /// Adds a bin.
    pub fn bin(&mut self, name: &[u8], particle_type: ParticleType, value: &[u8]) {
        append_op(self.out, OpCode::READ, particle_type, name, value);
        self.content_size_bytes += size::bin_size_bytes(name, particle_type, value);
        self.count += 1;
    }

    /// Adds bins as another body stores them: so many, of this size by the original's arithmetic.
    pub(crate) fn stored_bins(&mut self, bins: &[u8], count: u16, size_bytes: usize) {
        self.out.extend_from_slice(bins);
        self.content_size_bytes += size_bytes;
        self.count += count;
    }

    /// Adds a bin beside whose value a guide is kept, unless it is empty.
    pub fn guided_bin(
        &mut self,
        name: &[u8],
        particle_type: ParticleType,
        value: &[u8],
        guide: &[u8],
    ) {
        if !guide.is_empty() {
            self.guides.extend_from_slice(&(self.count & !HAS_KEY).to_le_bytes());
            self.guides.extend_from_slice(&(guide.len() as u32).to_le_bytes());
            self.guides.extend_from_slice(guide);
        }
        self.bin(name, particle_type, value);
    }

    /// Completes the body.
    pub fn finish(self) -> NewBody {
        let bin_count = self.count & !HAS_KEY;
        let content = self.content_size_bytes + size::bin_count_size_bytes(bin_count);
        let mut flags = 0;
        if !self.guides.is_empty() {
            flags = HAS_GUIDES;
            self.out.extend_from_slice(&self.guides);
            self.out.extend_from_slice(&(self.guides.len() as u32).to_le_bytes());
        }
        let [s0, s1, s2, _] = (self.out.len().min(SIZE_BYTES_MAX) as u32).to_le_bytes();
        let content_field = content.min(CONTENT_SIZE_BYTES_MAX) as u32 | flags;
        let [c0, c1, c2, _] = content_field.to_le_bytes();
        let [n0, n1] = self.count.to_le_bytes();
        self.out[..HEADER_BYTES].copy_from_slice(&[s0, s1, s2, c0, c1, c2, n0, n1]);
        NewBody { bin_count, content_size_bytes: content }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(key: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = vec![0xFF; 3];
        let mut writer = BodyWriter::new(&mut bytes, key);
        writer.bin(b"a", ParticleType::STRING, b"text");
        writer.bin(b"", ParticleType::BLOB, b"");
        writer.finish();
        bytes
    }

    #[test]
    fn bins_and_key_are_found() {
        for key in [None, Some(&b"\x03user"[..])] {
            let bytes = sample(key);
            assert_eq!(Body::size_bytes(*bytes.first_chunk().unwrap()), bytes.len());
            let body = Body::new(&bytes);
            assert_eq!(body.key(), key);
            assert_eq!(body.bin_count(), 2);
            let names: Vec<_> = body.bins().map(|bin| (bin.name, bin.value)).collect();
            assert_eq!(names, [(&b"a"[..], &b"text"[..]), (b"", b"")]);
            assert_eq!(body.bin(b"a").unwrap().particle_type, ParticleType::STRING);
            assert_eq!(body.bin(b"b"), None);
        }
    }

    #[test]
    fn the_other_size_is_at_hand() {
        for key in [None, Some(&b"\x03user"[..])] {
            let mut bytes = Vec::new();
            let mut writer = BodyWriter::new(&mut bytes, key);
            writer.bin(b"n", ParticleType::INTEGER, &300u64.to_be_bytes());
            writer.bin(b"text", ParticleType::STRING, &[b'x'; 70_000]);
            let content = writer.finish().content_size_bytes;
            let mut copy = Vec::new();
            let mut writer = BodyWriter::new(&mut copy, key);
            for bin in Body::new(&bytes).bins() {
                writer.bin(bin.name, bin.particle_type, bin.value);
            }
            assert_eq!(writer.finish().content_size_bytes, content);
            assert_eq!(copy, bytes);
            // 1 for the number of bins; names 1 + 1 and 1 + 4; values 4 and 5 + 70,000.
            let key_size_bytes = key.map_or(0, |_| 1 + 5);
            assert_eq!(content, key_size_bytes + 1 + 2 + 4 + 5 + 70_005);
            assert_eq!(Body::new(&bytes).content_size_bytes(), content);
            assert_eq!(Body::content_size_bytes_of(&bytes), content);
        }
    }

    #[test]
    fn sizes_beyond_the_header_are_told_all_the_same() {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, None);
        let value = vec![0; SIZE_BYTES_MAX];
        writer.bin(b"a", ParticleType::BLOB, &value);
        assert_eq!(writer.finish().content_size_bytes, 1 + 2 + 5 + SIZE_BYTES_MAX);
    }

    /// The example of `docs/formats/record.md`.
    #[test]
    fn a_body_lies_as_the_document_draws_it() {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, Some(b"\x03k"));
        writer.bin(b"a", ParticleType::INTEGER, &7u64.to_be_bytes());
        writer.finish();
        let drawn = [
            &[0x1f, 0, 0, 9, 0, 0, 1, 0x80][..],
            &[2, 0, 0, 0, 3, b'k'],
            &[0, 0, 0, 0x0d, 1, 1, 0, 1, b'a'],
            &[0, 0, 0, 0, 0, 0, 0, 7],
        ];
        assert_eq!(bytes, drawn.concat());
    }

    #[test]
    fn guides_stay_with_their_bins() {
        for key in [None, Some(&b"\x03user"[..])] {
            let bytes = guided(key);
            assert_eq!(Body::size_bytes(*bytes.first_chunk().unwrap()), bytes.len());
            let body = Body::new(&bytes);
            assert_eq!(body.key(), key);
            let guides: Vec<_> = body.bins().map(|bin| (bin.name, bin.guide)).collect();
            let expected: [(&[u8], &[u8]); 4] =
                [(b"a", b""), (b"b", b"guide"), (b"c", b""), (b"d", b"other")];
            assert_eq!(guides, expected);
            // A reply has only the bins.
            let ops: usize = body.bins().map(|bin| bin.reply_op.len()).sum();
            assert_eq!(body.reply_ops().len(), ops);
        }
    }

    fn guided(key: Option<&[u8]>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, key);
        writer.bin(b"a", ParticleType::STRING, b"text");
        writer.guided_bin(b"b", ParticleType::MAP, b"\x80", b"guide");
        writer.guided_bin(b"c", ParticleType::MAP, b"\x80", b"");
        writer.guided_bin(b"d", ParticleType::MAP, b"\x80", b"other");
        writer.finish();
        bytes
    }

    #[test]
    fn damaged_bodies_yield_less_but_never_panic() {
        for bytes in [sample(Some(b"\x01\0\0\0\0\0\0\0\x07")), guided(None)] {
            damage(&bytes);
        }
    }

    fn damage(bytes: &[u8]) {
        for end in 0..bytes.len() {
            assert!(Body::new(&bytes[..end]).bins().count() <= 4);
        }
        for at in 0..bytes.len() {
            let mut damaged = bytes.to_vec();
            damaged[at] ^= 0xFF;
            let _ = Body::new(&damaged).bins().count();
        }
    }
}
