//! What a record occupies by the original's arithmetic.
//!
//! Users set `max-record-size` and read size statistics in these terms, whatever a record really
//! takes here (storage reference, record flat format).

use crate::body::Body;
use crate::meta::VoidTime;

/// Records occupy multiples of this many bytes.
const UNIT_BYTES: usize = 16;
/// Header before the optional parts.
const HEADER_BYTES: usize = 35;
/// Mark after the last bin.
const END_MARK_BYTES: usize = 4;

/// Size of a record in bytes, rounded up as storage does.
pub fn stored_size_bytes(body: Body<'_>, set_name_bytes: usize, void_time: VoidTime) -> usize {
    let mut size = HEADER_BYTES + END_MARK_BYTES;
    if void_time != VoidTime::NEVER {
        size += 4;
    }
    if set_name_bytes != 0 {
        size += 1 + set_name_bytes;
    }
    if let Some(key) = body.key() {
        size += variable_int_bytes(key.len()) + key.len();
    }
    if body.bin_count() != 0 {
        size += variable_int_bytes(usize::from(body.bin_count()));
    }
    for bin in body.bins() {
        size += 1 + bin.name.len() + value::stored_size_bytes(bin.particle_type, bin.value);
    }
    size.next_multiple_of(UNIT_BYTES)
}

/// Bytes of an integer stored seven bits a byte.
fn variable_int_bytes(value: usize) -> usize {
    (usize::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}

#[cfg(test)]
mod tests {
    use wire::ParticleType;

    use super::*;
    use crate::body::BodyWriter;

    #[test]
    fn optional_parts_add_up() {
        let mut bytes = Vec::new();
        let mut writer = BodyWriter::new(&mut bytes, Some(b"\x03user"));
        writer.bin(b"bin", ParticleType::BLOB, &[0; 100]);
        writer.finish();
        let body = Body::new(&bytes);
        // 35 header, 4 void-time, 1 + 4 set, 1 + 5 key, 1 bin count, 1 + 3 name, 5 + 100 blob, 4 mark.
        assert_eq!(stored_size_bytes(body, 4, VoidTime(1)), 164usize.next_multiple_of(16));
        assert_eq!(stored_size_bytes(body, 0, VoidTime::NEVER), 155usize.next_multiple_of(16));
    }

    #[test]
    fn integers_take_seven_bits_a_byte() {
        for (value, bytes) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3)] {
            assert_eq!(variable_int_bytes(value), bytes, "{value}");
        }
    }
}
