//! A record with one bin set, or none, and all others as they were.
//!
//! Most writes are of this kind. The bins before and behind the one that changes are copied as they
//! are stored, without looking at them one by one. That is not for records with guides, which know
//! the numbers of their bins.

use wire::ParticleType;

use crate::body::{Body, BodyWriter, NewBody, StoredBin};
use crate::size;

/// The bins of a record around the place where one is set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gap<'a> {
    /// Bins before it, as stored.
    before: &'a [u8],
    /// The bin that is there, if any.
    pub bin: Option<StoredBin<'a>>,
    /// Bins behind it, as stored.
    behind: &'a [u8],
    /// Number of bins before and behind.
    pub others: u16,
    /// Size of those by the original's arithmetic.
    others_size_bytes: usize,
}

impl<'a> Gap<'a> {
    /// The gap behind all bins.
    fn behind(body: Body<'a>) -> Self {
        // A damaged body may tell any size.
        let others_size_bytes = body
            .content_size_bytes()
            .saturating_sub(body.key().map_or(0, size::key_size_bytes))
            .saturating_sub(size::bin_count_size_bytes(body.bin_count()));
        let (before, others) = (body.reply_ops(), body.bin_count());
        Self { before, others, others_size_bytes, ..Self::default() }
    }

    /// The gap at the bin with this name; behind all bins if there is none.
    pub fn at(body: Body<'a>, name: &[u8]) -> Self {
        let whole = Self::behind(body);
        let mut start = 0;
        let bin = body.bins().find(|bin| {
            let is_it = bin.name == name;
            start += if is_it { 0 } else { bin.reply_op.len() };
            is_it
        });
        let Some(bin) = bin else { return whole };
        let size_bytes = size::bin_size_bytes(bin.name, bin.particle_type, bin.value);
        Self {
            before: whole.before.get(..start).unwrap_or_default(),
            bin: Some(bin),
            behind: whole.before.get(start + bin.reply_op.len()..).unwrap_or_default(),
            others: whole.others.saturating_sub(1),
            others_size_bytes: whole.others_size_bytes.saturating_sub(size_bytes),
        }
    }
}

/// Writes a body with all bins as they were.
pub(crate) fn copy(old: Option<Body<'_>>, key: Option<&[u8]>, out: &mut Vec<u8>) -> NewBody {
    let gap = old.map_or_else(Gap::default, Gap::behind);
    let mut writer = BodyWriter::new(out, key);
    writer.stored_bins(gap.before, gap.others, gap.others_size_bytes);
    writer.finish()
}

/// Writes a body with a bin in the gap: its name, type and value.
pub(crate) fn write(
    gap: &Gap<'_>,
    (name, particle_type, value): (&[u8], ParticleType, &[u8]),
    key: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> NewBody {
    let mut writer = BodyWriter::new(out, key);
    writer.stored_bins(gap.before, gap.others, gap.others_size_bytes);
    writer.bin(name, particle_type, value);
    writer.stored_bins(gap.behind, 0, 0);
    writer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bins::{Bin, BinTable};
    use value::StoredBytes;

    fn record(key: Option<&[u8]>, names: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, key);
        for name in names {
            writer.bin(name, ParticleType::STRING, name);
        }
        writer.finish();
        bytes
    }

    #[test]
    fn a_copy_may_get_a_key() {
        let old = record(None, &[b"a", b"b"]);
        let mut copied = Vec::new();
        let new_body = copy(Some(Body::new(&old)), Some(b"\x03k"), &mut copied);
        assert_eq!(copied, record(Some(b"\x03k"), &[b"a", b"b"]));
        assert_eq!(new_body.content_size_bytes, Body::new(&copied).content_size_bytes());
    }

    #[test]
    fn damaged_bodies_are_patched_without_panic() {
        let bytes = record(Some(b"\x03key"), &[b"a", b"b", b"c"]);
        let mut random_bytes = bytes.clone();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x80, 0xFF] {
                random_bytes[at] ^= flip;
                let gap = Gap::at(Body::new(&random_bytes), b"b");
                let bin = (&b"b"[..], ParticleType::BLOB, &b"new"[..]);
                let new_body = write(&gap, bin, None, &mut Vec::new());
                assert!(new_body.bin_count > 0);
                random_bytes[at] ^= flip;
            }
        }
    }

    #[test]
    fn a_patch_writes_what_a_table_does() {
        let names: Vec<Vec<u8>> = (0..130u32).map(|n| n.to_string().into_bytes()).collect();
        let names: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
        let values: [StoredBytes<'_>; 3] = [
            StoredBytes::Borrowed(b"new value"),
            StoredBytes::Word(300u64.to_be_bytes()),
            StoredBytes::Owned(vec![7; 500]),
        ];
        for (count, key) in
            [0, 1, 2, 3, 126, 127, 128].into_iter().zip([None, Some(&b"\x03k"[..])].iter().cycle())
        {
            let old = record(*key, &names[..count]);
            let places = [0, 1, count / 2, count.saturating_sub(1), count];
            for (name, value) in places.iter().map(|at| names[*at]).zip(values.iter().cycle()) {
                let particle_type = match value {
                    StoredBytes::Word(_) => ParticleType::INTEGER,
                    _ => ParticleType::BLOB,
                };
                let mut table = BinTable::of(Body::new(&old));
                let guide = None;
                table.set(Bin { name, particle_type, value: value.clone(), guide });
                let (mut expected, mut patched) = (Vec::new(), Vec::new());
                let new_body = table.write(&mut expected, *key);
                let gap = Gap::at(Body::new(&old), name);
                let bin = (name, particle_type, &**value);
                assert_eq!(write(&gap, bin, *key, &mut patched), new_body, "{count}");
                assert_eq!(patched, expected);
            }
        }
    }
}
