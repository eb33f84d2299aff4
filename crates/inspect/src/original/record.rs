//! A record of the original as it lies on a device.
//!
//! | offset | size | field |
//! |---|---|---|
//! | 0 | 4 | magic |
//! | 4 | 4 | bits 0 to 18: size in units of 16 bytes, less one; a bit each: void-time, set, key, bins, compressed, written by XDR, extra flags; 6 bits: tree |
//! | 8 | 20 | digest |
//! | 28 | 5 | last-update-time |
//! | 33 | 2 | generation |
//! | 35 | 1 | only with extra flags: the flags |
//! | .. | 4 | only with a void-time: it |
//! | .. | 1 + n | only with a set: length and name |
//! | .. | v + n | only with a key: size (variable), particle type and value as clients send it |
//! | .. | v | only with bins: their number (variable) |
//! | .. | .. | the bins |
//! | .. | 4 | the mark |
//!
//! Padding up to the size follows. A bin is its name with a length byte in front, perhaps metadata
//! (a byte with the top bit set; bit 0 says that 5 bytes of last-update-time follow), and a particle.

use wire::Digest;
use wire::message::SET_NAME_BYTES_MAX;

use super::mark::{MARK_BYTES, MARKED_BYTES, mark};
use super::{Cursor, particle};
use crate::content::Bin;
use crate::version::Version;

/// Records are multiples of this many bytes, and so are their places.
pub const UNIT_BYTES: usize = 16;
/// The first bytes of each record.
pub const MAGIC: [u8; 4] = 0x037A_F201_u32.to_le_bytes();

/// Bytes up to the extra flags.
const HEADER_BYTES: usize = 35;
const BINS_MAX: u32 = 32_767;
const BIN_NAME_BYTES_MAX: usize = 15;
const BIN_LUT_BYTES: usize = 5;

const HAS_VOID_TIME: u32 = 1 << 19;
const HAS_SET: u32 = 1 << 20;
const HAS_KEY: u32 = 1 << 21;
const HAS_BINS: u32 = 1 << 22;
const IS_COMPRESSED: u32 = 1 << 23;
const HAS_EXTRA_FLAGS: u32 = 1 << 25;
const UNITS_BITS: u32 = (1 << 19) - 1;

/// Extra flags: part of a transaction.
const EXTRA_TRANSACTION: u8 = 0x18;
const EXTRA_UNKNOWN: u8 = 0xE0;

/// Metadata of a bin follows its name.
const BIN_HAS_META: u8 = 0x80;
const BIN_HAS_LUT: u8 = 0x01;
const BIN_HAS_SOURCE: u8 = 0x02;
const BIN_UNKNOWN: u8 = 0x5C;

/// What is wrong with bytes that begin as a record does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// They do not begin as one.
    #[error("not the magic of a record")]
    Magic,
    /// It would be smaller than its header, or end beyond the block.
    #[error("a record of {0} bytes")]
    Size(usize),
    /// Its metadata does not fit together.
    #[error("a record whose {0} is damaged")]
    Meta(&'static str),
    /// A bin does not fit.
    #[error("a record whose bin {0} is damaged")]
    Bin(u32),
    /// It has more bytes than its bins take.
    #[error("a record larger than its bins")]
    Surplus,
    /// The mark behind it is that of another record, as after a torn write.
    #[error("a record with another record's end mark")]
    Mark,
    /// Only the Enterprise Edition writes and reads it.
    #[error("a record that only the Enterprise Edition can read: {0}")]
    Enterprise(&'static str),
}

/// A record of the original: its parts fit, and its mark is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlatRecord<'b> {
    /// Its digest.
    pub digest: Digest,
    /// Last-update-time, generation, void-time.
    pub version: Version,
    /// The tree of its partition that it belongs to.
    pub tree: u8,
    /// Name of its set; empty for none.
    pub set: &'b [u8],
    /// The user key, if one is stored: particle type, then the value as clients send it.
    pub key: Option<&'b [u8]>,
    /// Number of its bins; a tombstone has none.
    pub bin_count: u32,
    /// What it takes on the device, in bytes.
    pub size_bytes: usize,
    bins: &'b [u8],
}

/// Size in bytes that the record at the beginning of `bytes` claims.
///
/// # Errors
/// [`Malformed`] if none begins there, or it would not fit.
pub fn claimed_size_bytes(bytes: &[u8]) -> Result<usize, Malformed> {
    let mut cursor = Cursor(bytes);
    if cursor.array() != Some(MAGIC) {
        return Err(Malformed::Magic);
    }
    let bits = cursor.u32().ok_or(Malformed::Size(bytes.len()))?;
    let size_bytes = ((bits & UNITS_BITS) as usize + 1) * UNIT_BYTES;
    let fits = (HEADER_BYTES..=bytes.len()).contains(&size_bytes);
    if fits { Ok(size_bytes) } else { Err(Malformed::Size(size_bytes)) }
}

/// Reads the record at the beginning of `bytes`, which end with its block.
///
/// # Errors
/// [`Malformed`] says what is wrong with it.
pub fn read(bytes: &[u8]) -> Result<FlatRecord<'_>, Malformed> {
    let size_bytes = claimed_size_bytes(bytes)?;
    let bytes = bytes.get(..size_bytes).ok_or(Malformed::Size(size_bytes))?;
    let (front, marked_and_more) = bytes.split_at(4 + 4);
    let marked: &[u8; MARKED_BYTES] =
        marked_and_more.first_chunk().ok_or(Malformed::Size(size_bytes))?;
    let mut cursor = Cursor(&front[4..]);
    let bits = cursor.u32().ok_or(Malformed::Size(size_bytes))?;
    // The mark is behind everything else, so nothing reaches into the last four bytes.
    let mut rest = Cursor(bytes.get(8..size_bytes - MARK_BYTES).unwrap_or_default());
    let mut record = meta(&mut rest, bits)?;
    record.size_bytes = size_bytes;
    record.bins = rest.0;
    let end = record.check_bins(rest)?;
    // Up to one unit may be padding.
    if end.len() >= UNIT_BYTES {
        return Err(Malformed::Surplus);
    }
    let end_at = size_bytes - MARK_BYTES - end.len();
    let found = bytes.get(end_at..).and_then(|rest| Cursor(rest).u32());
    if found != Some(mark(marked)) {
        return Err(Malformed::Mark);
    }
    Ok(record)
}

/// Reads everything in front of the bins, from the digest on.
fn meta<'b>(rest: &mut Cursor<'b>, bits: u32) -> Result<FlatRecord<'b>, Malformed> {
    let has = |flag: u32| bits & flag != 0;
    let cut = Malformed::Meta("header");
    let digest = Digest(rest.array().ok_or(cut)?);
    let [l0, l1, l2, l3, l4] = rest.array().ok_or(cut)?;
    let generation = rest.u16().ok_or(cut)?;
    if generation == 0 {
        return Err(Malformed::Meta("generation"));
    }
    if has(HAS_EXTRA_FLAGS) {
        check_extra_flags(rest.u8().ok_or(Malformed::Meta("extra flags"))?)?;
    }
    let mut void_time = 0;
    if has(HAS_VOID_TIME) {
        void_time = rest.u32().ok_or(Malformed::Meta("void-time"))?;
    }
    let mut set = &[][..];
    if has(HAS_SET) {
        set = set_name(rest).ok_or(Malformed::Meta("set name"))?;
    }
    let mut key = None;
    if has(HAS_KEY) {
        let size = rest.variable().filter(|size| *size > 0).ok_or(Malformed::Meta("key"))?;
        key = Some(rest.take(size as usize).ok_or(Malformed::Meta("key"))?);
    }
    let mut bin_count = 0;
    if has(HAS_BINS) {
        let count = rest.variable().filter(|count| (1..=BINS_MAX).contains(count));
        bin_count = count.ok_or(Malformed::Meta("number of bins"))?;
    }
    if has(IS_COMPRESSED) {
        return Err(Malformed::Enterprise("it is compressed"));
    }
    let last_update_time = u64::from_le_bytes([l0, l1, l2, l3, l4, 0, 0, 0]);
    Ok(FlatRecord {
        digest,
        version: Version { last_update_time, order: last_update_time, generation, void_time },
        tree: (bits >> 26) as u8,
        set,
        key,
        bin_count,
        size_bytes: 0,
        bins: &[],
    })
}

fn check_extra_flags(flags: u8) -> Result<(), Malformed> {
    if flags & EXTRA_UNKNOWN != 0 {
        return Err(Malformed::Meta("extra flags"));
    }
    if flags & EXTRA_TRANSACTION != 0 {
        return Err(Malformed::Enterprise("it is part of a transaction"));
    }
    Ok(())
}

fn set_name<'b>(rest: &mut Cursor<'b>) -> Option<&'b [u8]> {
    let size = usize::from(rest.u8()?);
    (1..=SET_NAME_BYTES_MAX).contains(&size).then_some(())?;
    rest.take(size)
}

impl<'b> FlatRecord<'b> {
    /// Its bins, in order. The errors are those of values that have the right size and are wrong in
    /// themselves.
    pub fn bins(&self) -> impl Iterator<Item = Result<Bin<'b>, Malformed>> {
        let mut cursor = Cursor(self.bins);
        (0..self.bin_count).map(move |number| bin(&mut cursor, number))
    }

    /// Walks over the bins and returns what is behind them.
    fn check_bins(&self, mut rest: Cursor<'b>) -> Result<&'b [u8], Malformed> {
        for number in 0..self.bin_count {
            bin(&mut rest, number)?;
        }
        Ok(rest.0)
    }
}

fn bin<'b>(rest: &mut Cursor<'b>, number: u32) -> Result<Bin<'b>, Malformed> {
    let damaged = Malformed::Bin(number);
    let size = usize::from(rest.u8().ok_or(damaged)?);
    if size > BIN_NAME_BYTES_MAX {
        return Err(damaged);
    }
    let name = rest.take(size).ok_or(damaged)?;
    if let Some(meta) = rest.0.first().filter(|byte| **byte & BIN_HAS_META != 0) {
        rest.take(1);
        if meta & BIN_HAS_SOURCE != 0 {
            return Err(Malformed::Enterprise("a bin tells where it was shipped from"));
        }
        if meta & BIN_UNKNOWN != 0 {
            return Err(damaged);
        }
        if meta & BIN_HAS_LUT != 0 {
            rest.take(BIN_LUT_BYTES).ok_or(damaged)?;
        }
    }
    let (particle_type, value) = particle::read(rest).ok_or(damaged)?;
    Ok(Bin { name, particle_type, value })
}
