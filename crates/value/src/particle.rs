//! Particles: bin values as they are written, stored and measured.

use std::borrow::Cow;
use std::ops::Deref;

use wire::{ParticleType, ResultCode};

use crate::collection::{self, Kind};
use crate::{geo, hll};

/// A value's stored bytes. They are borrowed wherever the client's bytes are stored as they came,
/// and integers and floats stand in place: neither case allocates.
#[derive(Clone, Debug)]
pub enum StoredBytes<'a> {
    /// Bytes of the request, or of the value that was there before.
    Borrowed(&'a [u8]),
    /// An integer or a float, big-endian.
    Word([u8; 8]),
    /// Bytes that had to be made.
    Owned(Vec<u8>),
}

impl Deref for StoredBytes<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Word(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for StoredBytes<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for StoredBytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for StoredBytes<'_> {}

impl<'a> From<Cow<'a, [u8]>> for StoredBytes<'a> {
    fn from(bytes: Cow<'a, [u8]>) -> Self {
        match bytes {
            Cow::Borrowed(bytes) => Self::Borrowed(bytes),
            Cow::Owned(bytes) => Self::Owned(bytes),
        }
    }
}

/// Checks a value that a client writes and returns the bytes to store: the value of a WRITE, and
/// that of an INCR, APPEND or PREPEND when there is no bin yet (`reference`: protocol.md, section
/// 5 and 6.6). Integers come back as 8 bytes, lists and maps canonical, GeoJSON with its cells.
///
/// # Errors
/// - `PARAMETER`: a type that cannot be stored ([`ParticleType::NULL`] among them), an integer of
///   other than 8, 4, 2 or 1 bytes, a float of other than 8, a boolean that is not one byte 0 or
///   1, a HyperLogLog sketch that is none.
/// - `UNKNOWN`: a list or map that breaks a rule of [`collection`].
/// - `GEO_INVALID_GEOJSON`: see [`geo::from_wire`].
pub fn from_wire(particle_type: ParticleType, value: &[u8]) -> Result<StoredBytes<'_>, ResultCode> {
    match particle_type {
        ParticleType::INTEGER => integer_from_wire(value),
        ParticleType::FLOAT if value.len() == 8 => Ok(StoredBytes::Borrowed(value)),
        ParticleType::BOOL if matches!(value, [0 | 1]) => Ok(StoredBytes::Borrowed(value)),
        ParticleType::HLL if hll::is_valid(value) => Ok(StoredBytes::Borrowed(value)),
        ParticleType::LIST => collection_from_wire(Kind::List, value),
        ParticleType::MAP => collection_from_wire(Kind::Map, value),
        ParticleType::GEOJSON => geo::from_wire(value).map(StoredBytes::Owned),
        _ if is_bytes_type(particle_type) => Ok(StoredBytes::Borrowed(value)),
        _ => Err(ResultCode::PARAMETER),
    }
}

/// Whether values of the type are plain bytes: stored unseen, extended by APPEND and PREPEND.
pub fn is_bytes_type(particle_type: ParticleType) -> bool {
    matches!(
        particle_type,
        ParticleType::STRING
            | ParticleType::BLOB
            | ParticleType::JAVA_BLOB
            | ParticleType::CSHARP_BLOB
            | ParticleType::PYTHON_BLOB
            | ParticleType::RUBY_BLOB
            | ParticleType::PHP_BLOB
            | ParticleType::ERLANG_BLOB
            | ParticleType::VECTOR
    )
}

/// Whether values of the type can be stored at all.
pub fn is_storable(particle_type: ParticleType) -> bool {
    particle_type != ParticleType::NULL && particle_type.name().is_some()
}

/// Bytes that a value takes in the original's stored form, its type byte included. It counts
/// against max-record-size and in the statistics and histograms of object sizes.
///
/// Integers take 1, 2, 4 or 8 bytes after a type and a size byte, by their value as unsigned:
/// negative ones always take 8. Byte values, lists, maps, sketches and GeoJSON have a 4-byte size
/// before them (`reference`: storage-and-index.md, section 3). `value` must be stored bytes; the
/// persisted indexes that the original may keep inside lists and maps are not counted.
pub fn stored_size_bytes(particle_type: ParticleType, value: &[u8]) -> usize {
    const TYPE: usize = 1;
    const INTEGER_SIZE: usize = 1;
    const BYTES_SIZE: usize = 4;
    match particle_type {
        ParticleType::NULL => 0,
        ParticleType::INTEGER => {
            let leading_zeros = value.iter().take_while(|&&byte| byte == 0).count();
            let significant = value.len() - leading_zeros;
            TYPE + INTEGER_SIZE + significant.max(1).next_power_of_two()
        }
        ParticleType::FLOAT | ParticleType::BOOL => TYPE + value.len(),
        _ => TYPE + BYTES_SIZE + value.len(),
    }
}

/// Reads an integer operand of 8, 4, 2 or 1 bytes; the short forms are unsigned.
pub(crate) fn integer_operand(value: &[u8]) -> Result<u64, ResultCode> {
    match value.len() {
        1 | 2 | 4 | 8 => Ok(value.iter().fold(0, |number, &byte| number << 8 | u64::from(byte))),
        _ => Err(ResultCode::PARAMETER),
    }
}

fn integer_from_wire(value: &[u8]) -> Result<StoredBytes<'_>, ResultCode> {
    if value.len() == 8 {
        return Ok(StoredBytes::Borrowed(value));
    }
    Ok(StoredBytes::Word(integer_operand(value)?.to_be_bytes()))
}

fn collection_from_wire(kind: Kind, value: &[u8]) -> Result<StoredBytes<'_>, ResultCode> {
    collection::to_stored(value, kind).map(StoredBytes::from).map_err(|_| ResultCode::UNKNOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(particle_type: u8, value: &[u8]) -> Result<Vec<u8>, ResultCode> {
        from_wire(ParticleType(particle_type), value).map(|bytes| bytes.to_vec())
    }

    #[test]
    fn integers_come_back_as_eight_bytes() {
        let rows: &[(&[u8], &[u8])] = &[
            (&[0xfe], &[0, 0, 0, 0, 0, 0, 0, 0xfe]),
            (&[0xff, 0xfc], &[0, 0, 0, 0, 0, 0, 0xff, 0xfc]),
            (&[0x80, 0, 0, 1], &[0, 0, 0, 0, 0x80, 0, 0, 1]),
            (&[0xff; 8], &[0xff; 8]),
        ];
        for (value, stored) in rows {
            assert_eq!(write(1, value), Ok(stored.to_vec()), "{value:x?}");
        }
        for size in [0, 3, 5, 6, 7, 9, 16, 17] {
            assert_eq!(write(1, &vec![0; size]), Err(ResultCode::PARAMETER), "{size} bytes");
        }
    }

    #[test]
    fn fixed_sizes_are_checked() {
        assert_eq!(write(2, &[1; 8]), Ok(vec![1; 8]));
        assert_eq!(write(2, &[1; 4]), Err(ResultCode::PARAMETER));
        assert_eq!(write(17, &[1]), Ok(vec![1]));
        assert_eq!(write(17, &[2]), Err(ResultCode::PARAMETER));
        assert_eq!(write(17, &[0, 0]), Err(ResultCode::PARAMETER));
        assert_eq!(write(17, &[]), Err(ResultCode::PARAMETER));
    }

    #[test]
    fn bytes_types_store_anything_and_unknown_types_nothing() {
        for number in 0..=255 {
            let particle_type = ParticleType(number);
            let stored = write(number, b"\x00\xff");
            if is_bytes_type(particle_type) {
                assert_eq!(stored, Ok(b"\x00\xff".to_vec()), "{particle_type:?}");
                assert_eq!(write(number, b""), Ok(vec![]), "{particle_type:?}");
            } else if !is_storable(particle_type) {
                assert_eq!(stored, Err(ResultCode::PARAMETER), "{particle_type:?}");
            }
        }
    }

    #[test]
    fn lists_and_maps_must_be_what_their_type_says() {
        assert_eq!(write(20, &[0x90]), Ok(vec![0x90]));
        assert_eq!(write(19, &[0x80]), Ok(vec![0x80]));
        assert_eq!(write(20, &[0x80]), Err(ResultCode::UNKNOWN));
        assert_eq!(write(19, &[0x90]), Err(ResultCode::UNKNOWN));
        assert_eq!(write(20, &[]), Err(ResultCode::UNKNOWN));
    }

    #[test]
    fn scalars_do_not_allocate() {
        let owned = |particle_type, value| {
            matches!(from_wire(particle_type, value), Ok(StoredBytes::Owned(_)))
        };
        assert!(!owned(ParticleType::INTEGER, &[0; 8]));
        assert!(!owned(ParticleType::INTEGER, &[7]));
        assert!(!owned(ParticleType::STRING, b"text"));
        assert!(!owned(ParticleType::LIST, &[0x91, 0x01]));
    }

    #[test]
    fn stored_sizes() {
        let integer = |value: i64| stored_size_bytes(ParticleType::INTEGER, &value.to_be_bytes());
        let rows = [(0, 3), (255, 3), (256, 4), (65_535, 4), (65_536, 6), (u32::MAX.into(), 6)];
        for (value, size) in rows {
            assert_eq!(integer(value), size, "{value}");
        }
        assert_eq!(integer(1 << 32), 10);
        assert_eq!(integer(-1), 10);
        assert_eq!(stored_size_bytes(ParticleType::FLOAT, &[0; 8]), 9);
        assert_eq!(stored_size_bytes(ParticleType::BOOL, &[1]), 2);
        assert_eq!(stored_size_bytes(ParticleType::STRING, b"abc"), 8);
        assert_eq!(stored_size_bytes(ParticleType::LIST, &[0x90]), 6);
        assert_eq!(stored_size_bytes(ParticleType::NULL, &[]), 0);
    }
}
