//! What a record occupies by the original's arithmetic.
//!
//! Users set `max-record-size` and read size statistics in these terms, whatever a record really
//! takes here (storage reference, record flat format). The part that follows from key and bins is
//! computed when a body is written, and stored in it.

use wire::ParticleType;

use crate::body::Body;
use crate::meta::VoidTime;

/// Records occupy multiples of this many bytes.
const UNIT_BYTES: usize = 16;
/// Header before the optional parts.
const HEADER_BYTES: usize = 35;
/// Mark after the last bin.
const END_MARK_BYTES: usize = 4;

/// Size in bytes of a record whose key and bins take `content_size_bytes`: what `max-record-size`
/// limits. `set_name_bytes` is zero outside sets.
pub fn flat_size_bytes(
    content_size_bytes: usize,
    set_name_bytes: usize,
    void_time: VoidTime,
) -> usize {
    let set = if set_name_bytes == 0 { 0 } else { 1 + set_name_bytes };
    let void_time = if void_time == VoidTime::NEVER { 0 } else { 4 };
    HEADER_BYTES + void_time + set + content_size_bytes + END_MARK_BYTES
}

/// Size in bytes that a record of this flat size occupies: rounded up as storage does.
pub fn occupied_size_bytes(flat_size_bytes: usize) -> usize {
    flat_size_bytes.next_multiple_of(UNIT_BYTES)
}

/// Size in bytes that a stored record occupies.
pub fn stored_size_bytes(body: Body<'_>, set_name_bytes: usize, void_time: VoidTime) -> usize {
    let content = body.content_size_bytes();
    occupied_size_bytes(flat_size_bytes(content, set_name_bytes, void_time))
}

/// What a user key adds.
pub(crate) fn key_size_bytes(key: &[u8]) -> usize {
    variable_int_bytes(key.len()) + key.len()
}

/// What a bin adds.
pub(crate) fn bin_size_bytes(name: &[u8], particle_type: ParticleType, value: &[u8]) -> usize {
    1 + name.len() + value::stored_size_bytes(particle_type, value)
}

/// What the number of bins adds.
pub(crate) fn bin_count_size_bytes(count: u16) -> usize {
    if count == 0 { 0 } else { variable_int_bytes(usize::from(count)) }
}

/// Bytes of an integer stored seven bits a byte; no message is so large that one takes more than four.
fn variable_int_bytes(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(flat_size_bytes(body.content_size_bytes(), 4, VoidTime(1)), 164);
        assert_eq!(stored_size_bytes(body, 4, VoidTime(1)), 176);
        assert_eq!(flat_size_bytes(body.content_size_bytes(), 0, VoidTime::NEVER), 155);
        assert_eq!(stored_size_bytes(body, 0, VoidTime::NEVER), 160);
    }

    #[test]
    fn a_tombstone_is_a_header_and_a_mark() {
        let mut bytes = Vec::new();
        BodyWriter::new(&mut bytes, None).finish();
        assert_eq!(stored_size_bytes(Body::new(&bytes), 0, VoidTime::NEVER), 48);
    }

    #[test]
    fn integers_take_seven_bits_a_byte() {
        for (value, bytes) in [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (1 << 21, 4)] {
            assert_eq!(variable_int_bytes(value), bytes, "{value}");
        }
    }
}
