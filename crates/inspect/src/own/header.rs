//! Finding the header of a device: the place of its second copy depends on the size of a block, which
//! only the header tells.

use std::io;

use storage::format::Geometry;
use storage::format::header::{COPIES, DeviceHeader};

use super::{BLOCK_BYTES, OwnDevice};
use crate::original;
use crate::source::{Source, read_up_to};

/// Why a device cannot be inspected as one of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    /// It cannot be read at all.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// Its beginning and all places of a second copy are zeros.
    #[error("is blank: no header was ever written")]
    Blank,
    /// It belongs to the original.
    #[error("is a device of Aerospike; read it with --aerospike")]
    Original,
    /// There is no sound header, and nothing that says whether there ever was one.
    #[error(
        "has no sound header: either it is not a device of Bolide, or both copies of its header are \
         damaged (looked for the second at {0}; name another size of a block with --block-size). \
         Without a header nothing can be verified, because the device's random id is part of every \
         checksum on it, and the header is where the id stands. Restore the first 4 KiB of the device \
         from a copy, or its data from a replica"
    )]
    NoHeader(String),
    /// The header makes no sense.
    #[error("has a header that makes no sense: blocks of {0} bytes")]
    BlockSize(u32),
}

/// Opens a device. `block_bytes` is what a block's size is taken for where the header cannot tell.
///
/// # Errors
/// [`NotOurs`] if there is no sound copy of a header.
pub fn open(source: Box<dyn Source>, block_bytes: u32) -> Result<OwnDevice, NotOurs> {
    if source.size_bytes() == 0 {
        return Err(NotOurs::Empty);
    }
    let first = copy(&*source, 0, block_bytes)?;
    let size_bytes = match &first {
        Some(header) => Some(header.block_bytes),
        None => guesses(block_bytes).find(|size| matches!(copy(&*source, 1, *size), Ok(Some(_)))),
    };
    let Some(size_bytes) = size_bytes else { return Err(what_else(&*source, block_bytes)?) };
    if !BLOCK_BYTES.contains(&size_bytes) {
        return Err(NotOurs::BlockSize(size_bytes));
    }
    // The first copy may have been read with too little room, had the guess been too small.
    let copies = [copy(&*source, 0, size_bytes)?, copy(&*source, 1, size_bytes)?];
    let sound = copies.each_ref().map(Option::is_some);
    let newest = copies.into_iter().flatten().max_by_key(|header| header.version);
    let Some(header) = newest else { return Err(what_else(&*source, block_bytes)?) };
    let blocks = source.size_bytes() / u64::from(size_bytes);
    let fitting = u32::try_from(blocks).unwrap_or(u32::MAX).saturating_sub(1);
    let block_count = header.block_count.min(fitting);
    let geometry = Geometry { block_bytes: size_bytes, block_count };
    Ok(OwnDevice { source, header, copies: sound, geometry })
}

/// A sound copy that agrees about the size of a block, or the first one whatever it says of that.
fn copy(
    source: &dyn Source,
    number: usize,
    block_bytes: u32,
) -> Result<Option<DeviceHeader>, io::Error> {
    let offset_bytes = DeviceHeader::copy_offset_bytes(number, block_bytes);
    let bytes_max = DeviceHeader::copy_bytes_max(block_bytes);
    let bytes = read_up_to(source, offset_bytes, bytes_max)?;
    let header = DeviceHeader::decode(&bytes);
    Ok(header.filter(|header| number == 0 || header.block_bytes == block_bytes))
}

/// Sizes of a block to try: the one named, then the powers of two.
fn guesses(block_bytes: u32) -> impl Iterator<Item = u32> {
    let powers = (0..u32::BITS).map(|power| 1 << power);
    std::iter::once(block_bytes).chain(powers).filter(|size| BLOCK_BYTES.contains(size))
}

/// Says what is there instead of a header.
fn what_else(source: &dyn Source, block_bytes: u32) -> Result<NotOurs, io::Error> {
    let beginning = read_up_to(source, 0, 4096)?;
    if original::is_header(&beginning) {
        return Ok(NotOurs::Original);
    }
    let places = (1..COPIES).map(|copy| DeviceHeader::copy_offset_bytes(copy, block_bytes));
    let mut zeros = beginning.iter().all(|&byte| byte == 0);
    for place in places.clone() {
        zeros &= read_up_to(source, place, 4096)?.iter().all(|&byte| byte == 0);
    }
    if zeros {
        return Ok(NotOurs::Blank);
    }
    let looked: Vec<_> = places.map(|place| format!("byte {place}")).collect();
    Ok(NotOurs::NoHeader(looked.join(", ")))
}
