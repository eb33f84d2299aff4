//! Sets of bytes.

use std::fmt::Write;

/// A set of bytes: a bit for each.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub const EMPTY: Self = Self([0; 4]);

    /// The bytes that satisfy a condition.
    pub fn of(is_member: impl Fn(u8) -> bool) -> Self {
        let mut set = Self::EMPTY;
        set.extend((0..=u8::MAX).filter(|byte| is_member(*byte)));
        set
    }

    pub fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] & (1 << (byte & 63)) != 0
    }

    pub fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub fn extend(&mut self, bytes: impl Iterator<Item = u8>) {
        bytes.for_each(|byte| self.insert(byte));
    }

    /// Appends the set in the syntax of the matcher.
    pub fn write(&self, out: &mut String) {
        let mut members = (0..=u8::MAX).filter(|byte| self.contains(*byte)).peekable();
        let Some(first) = members.next() else {
            return out.push_str(r"[^\x00-\xff]");
        };
        if members.peek().is_none() {
            return write_byte(first, out);
        }
        out.push('[');
        let (mut start, mut end) = (first, first);
        for byte in members.chain([first]) {
            if end.checked_add(1) == Some(byte) {
                end = byte;
                continue;
            }
            write_range(start, end, out);
            (start, end) = (byte, byte);
        }
        out.push(']');
    }
}

fn write_range(start: u8, end: u8, out: &mut String) {
    write_byte(start, out);
    if start != end {
        out.push('-');
        write_byte(end, out);
    }
}

fn write_byte(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        write!(out, r"\x{byte:02x}").expect("writing into a string cannot fail");
    }
}

/// The set that a class name in a bracket expression stands for.
pub(super) fn class(name: &[u8]) -> Option<ByteSet> {
    let is_member: fn(u8) -> bool = match name {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => is_space,
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some(ByteSet::of(is_member))
}

/// Space as in C, where the vertical tab is one.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Letters, digits, underscore.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}
