//! Values of the original as they lie on a device, turned into those of replies.
//!
//! | particle | behind the type byte |
//! |---|---|
//! | integer | size 1, 2, 4 or 8 (1 byte), then the number, little-endian, without sign unless it has 8 bytes |
//! | float | 8 bytes, little-endian |
//! | bool | 1 byte, 0 or 1 |
//! | any other | size (4 bytes), then the value |
//!
//! Strings, blobs, sketches, lists and maps are those of replies; a list or map may have an index in
//! the extension value at its head, which replies leave out and readers of msgpack pass over. GeoJSON
//! has its number of cells and its cells little-endian.

use std::borrow::Cow;

use wire::ParticleType;

use super::Cursor;

/// Takes a value off the front; `None` if none is there, or one that is wrong in itself.
pub fn read<'b>(rest: &mut Cursor<'b>) -> Option<(ParticleType, Cow<'b, [u8]>)> {
    let particle_type = ParticleType(rest.u8()?);
    let value = match particle_type {
        ParticleType::INTEGER => Cow::Owned(integer(rest)?.to_be_bytes().to_vec()),
        ParticleType::FLOAT => Cow::Owned(rest.u64()?.to_be_bytes().to_vec()),
        ParticleType::BOOL => Cow::Borrowed(rest.take(1).filter(|value| matches!(value, [0 | 1]))?),
        ParticleType::NULL => return None,
        _ => {
            particle_type.name()?;
            let size = rest.u32()? as usize;
            let value = rest.take(size)?;
            match particle_type {
                ParticleType::GEOJSON => Cow::Owned(geojson(value)?),
                _ => Cow::Borrowed(value),
            }
        }
    };
    Some((particle_type, value))
}

fn integer(rest: &mut Cursor<'_>) -> Option<u64> {
    match rest.u8()? {
        1 => rest.u8().map(u64::from),
        2 => rest.u16().map(u64::from),
        4 => rest.u32().map(u64::from),
        8 => rest.u64(),
        _ => None,
    }
}

fn geojson(value: &[u8]) -> Option<Vec<u8>> {
    let mut cursor = Cursor(value);
    let (flags, count) = (cursor.u8()?, cursor.u16()?);
    let mut out = Vec::with_capacity(value.len());
    out.push(flags);
    out.extend_from_slice(&count.to_be_bytes());
    for _ in 0..count {
        out.extend_from_slice(&cursor.u64()?.to_be_bytes());
    }
    out.extend_from_slice(cursor.0);
    Some(out)
}
