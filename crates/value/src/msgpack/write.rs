//! Writing msgpack in its smallest form, the form in which values are stored and sent.
//!
//! Every function appends to `out`. Sizes and counts beyond 32 bits cannot be encoded; nothing here
//! meets them, since no message and no record comes near 4 GiB.

use super::{Ext, Flags, Token};

/// Appends nil.
pub fn nil(out: &mut Vec<u8>) {
    out.push(0xc0);
}

/// Appends a boolean.
pub fn boolean(out: &mut Vec<u8>, value: bool) {
    out.push(if value { 0xc3 } else { 0xc2 });
}

/// Appends an integer of zero or more.
pub fn unsigned(out: &mut Vec<u8>, value: u64) {
    let [.., b3, b2, b1, b0] = value.to_be_bytes();
    match value {
        0..=0x7f => out.push(b0),
        0x80..=0xff => out.extend([0xcc, b0]),
        0x100..=0xffff => out.extend([0xcd, b1, b0]),
        0x1_0000..=0xffff_ffff => out.extend([0xce, b3, b2, b1, b0]),
        _ => {
            out.push(0xcf);
            out.extend(value.to_be_bytes());
        }
    }
}

/// Appends a signed integer; of zero or more, in the unsigned forms.
pub fn integer(out: &mut Vec<u8>, value: i64) {
    let [.., b3, b2, b1, b0] = value.to_be_bytes();
    match value {
        0.. => unsigned(out, value.cast_unsigned()),
        -0x20..=-1 => out.push(b0),
        -0x80..=-0x21 => out.extend([0xd0, b0]),
        -0x8000..=-0x81 => out.extend([0xd1, b1, b0]),
        -0x8000_0000..=-0x8001 => out.extend([0xd2, b3, b2, b1, b0]),
        _ => {
            out.push(0xd3);
            out.extend(value.to_be_bytes());
        }
    }
}

/// Appends a floating-point number in the 64-bit form.
pub fn double(out: &mut Vec<u8>, value: f64) {
    out.push(0xcb);
    out.extend(value.to_be_bytes());
}

/// Appends a string or blob whose payload begins with its particle type.
pub fn bytes(out: &mut Vec<u8>, payload: &[u8]) {
    bytes_header(out, payload.len());
    out.extend_from_slice(payload);
}

/// Appends the header of a string or blob with `size` bytes of payload, the particle type counted.
pub fn bytes_header(out: &mut Vec<u8>, size: usize) {
    match size {
        0..=0x1f => out.push(0xa0 | size as u8),
        0x20..=0xff => sized(out, 0xd9, 1, size),
        0x100..=0xffff => sized(out, 0xda, 2, size),
        _ => sized(out, 0xdb, 4, size),
    }
}

/// Appends the header of a list with `count` items, a leading order extension counted.
pub fn list_header(out: &mut Vec<u8>, count: usize) {
    match count {
        0..=0x0f => out.push(0x90 | count as u8),
        0x10..=0xffff => sized(out, 0xdc, 2, count),
        _ => sized(out, 0xdd, 4, count),
    }
}

/// Appends the header of a map with `pairs` pairs, a leading order pair counted.
pub fn map_header(out: &mut Vec<u8>, pairs: usize) {
    match pairs {
        0..=0x0f => out.push(0x80 | pairs as u8),
        0x10..=0xffff => sized(out, 0xde, 2, pairs),
        _ => sized(out, 0xdf, 4, pairs),
    }
}

/// Appends the header of a list with `count` elements that is ordered as `flags` say.
pub fn list_start(out: &mut Vec<u8>, count: usize, flags: Flags) {
    if flags == Flags::NONE {
        return list_header(out, count);
    }
    list_header(out, count + 1);
    ext(out, Ext { kind: flags.0, data: &[] });
}

/// Appends the header of a map with `pairs` pairs that is ordered as `flags` say.
pub fn map_start(out: &mut Vec<u8>, pairs: usize, flags: Flags) {
    if flags == Flags::NONE {
        return map_header(out, pairs);
    }
    map_header(out, pairs + 1);
    ext(out, Ext { kind: flags.0, data: &[] });
    nil(out);
}

/// Appends an extension value.
pub fn ext(out: &mut Vec<u8>, ext: Ext<'_>) {
    match ext.data.len() {
        size @ (1 | 2 | 4 | 8 | 16) => out.push(0xd4 + size.ilog2() as u8),
        size @ 0..=0xff => sized(out, 0xc7, 1, size),
        size @ 0x100..=0xffff => sized(out, 0xc8, 2, size),
        size => sized(out, 0xc9, 4, size),
    }
    out.push(ext.kind);
    out.extend_from_slice(ext.data);
}

/// Appends what a [`super::Reader`] read: a scalar, or a container's header.
pub fn token(out: &mut Vec<u8>, token: Token<'_>) {
    match token {
        Token::Nil => nil(out),
        Token::Bool(value) => boolean(out, value),
        Token::Unsigned(value) => unsigned(out, value),
        Token::Negative(value) => integer(out, value),
        Token::Double(value) => double(out, value),
        Token::Bytes(payload) => bytes(out, payload),
        Token::List(count) => list_header(out, count),
        Token::Map(pairs) => map_header(out, pairs),
        Token::Ext(value) => ext(out, value),
    }
}

/// Appends a format byte and the low `width` bytes of a size.
fn sized(out: &mut Vec<u8>, format: u8, width: usize, size: usize) {
    out.push(format);
    let bytes = (size as u64).to_be_bytes();
    out.extend_from_slice(&bytes[bytes.len() - width..]);
}
