//! Finding the header of a device: the place of its second copy depends on the size of a block, which
//! only the header tells.

use std::collections::HashMap;
use std::io;

use storage::format::Geometry;
use storage::format::block::{self, Head, Image};
use storage::format::header::DeviceHeader;

use super::{BLOCK_BYTES, OwnDevice};
use crate::original;
use crate::source::{Source, read_up_to};

/// Heads of blocks that are asked for a stand-in.
const VOTERS_MAX: u32 = 1000;
/// Places at which they are looked for, of each size of a block.
const HEADS_MAX: usize = 20_000;

/// Why a device cannot be inspected as one of ours.
#[derive(Debug, thiserror::Error)]
pub enum NotOurs {
    /// It cannot be read at all.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// There is nothing.
    #[error("is empty")]
    Empty,
    /// Its beginning is zeros, and no block shows that there was a header.
    #[error("is blank: no header was ever written, or it was erased with all blocks")]
    Blank,
    /// It belongs to the original.
    #[error("is a device of Aerospike; read it with --aerospike")]
    Original,
    /// There is no sound header, and no block that tells of one.
    #[error(
        "has no sound header, and no block that shows that there was one: either it is not a device of \
         Bolide, or both copies of its header are damaged and its blocks are of a size that was not \
         tried (name it with --block-size; tried were {0} bytes and the powers of two). The device's \
         random id is part of every checksum on it, so without header or blocks nothing can be verified"
    )]
    NoHeader(u32),
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
    let Some(size_bytes) = size_bytes else { return without_header(source, block_bytes) };
    if !BLOCK_BYTES.contains(&size_bytes) {
        return Err(NotOurs::BlockSize(size_bytes));
    }
    // The first copy may have been read with too little room, had the guess been too small.
    let copies = [copy(&*source, 0, size_bytes)?, copy(&*source, 1, size_bytes)?];
    let sound = copies.each_ref().map(Option::is_some);
    let newest = copies.into_iter().flatten().max_by_key(|header| header.version);
    let Some(header) = newest else { return without_header(source, block_bytes) };
    let block_count = header.block_count.min(fitting(&*source, size_bytes));
    let geometry = Geometry { block_bytes: size_bytes, block_count };
    Ok(OwnDevice { source, header, copies: sound, cipher: None, geometry })
}

/// Blocks for which there is room.
fn fitting(source: &dyn Source, block_bytes: u32) -> u32 {
    let blocks = source.size_bytes() / u64::from(block_bytes);
    u32::try_from(blocks).unwrap_or(u32::MAX).saturating_sub(1)
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

/// A device whose copies of the header are both damaged: its blocks give a stand-in for its id.
fn without_header(source: Box<dyn Source>, block_bytes: u32) -> Result<OwnDevice, NotOurs> {
    let beginning = read_up_to(&*source, 0, 4096)?;
    if original::is_header(&beginning) {
        return Err(NotOurs::Original);
    }
    for block_bytes in guesses(block_bytes) {
        let block_count = fitting(&*source, block_bytes);
        let geometry = Geometry { block_bytes, block_count };
        let Some(device) = stand_in(&*source, &geometry)? else { continue };
        let header = DeviceHeader { device, block_bytes, block_count, ..DeviceHeader::default() };
        return Ok(OwnDevice { source, header, copies: [false, false], cipher: None, geometry });
    }
    let zeros = beginning.iter().all(|&byte| byte == 0);
    Err(if zeros { NotOurs::Blank } else { NotOurs::NoHeader(block_bytes) })
}

/// An id with which the heads of blocks are sound: the one most of them agree on, if it is proved by
/// another block or by a record.
fn stand_in(source: &dyn Source, geometry: &Geometry) -> Result<Option<u64>, io::Error> {
    let mut votes: HashMap<u64, (u32, u32)> = HashMap::new();
    let mut voters = 0;
    for number in geometry.blocks().take(HEADS_MAX) {
        let offset_bytes = geometry.offset_bytes(number);
        let front = read_up_to(source, offset_bytes, block::HEADER_BYTES)?;
        if let Some(id) = block::stand_in(&front, number, offset_bytes) {
            votes.entry(id).or_insert((number, 0)).1 += 1;
            voters += 1;
        }
        if voters == VOTERS_MAX {
            break;
        }
    }
    let winner = votes.into_iter().max_by_key(|(_, (_, count))| *count);
    let Some((id, (number, count))) = winner else { return Ok(None) };
    if count > 1 {
        return Ok(Some(id));
    }
    let offset_bytes = geometry.offset_bytes(number);
    let bytes = read_up_to(source, offset_bytes, geometry.block_bytes as usize)?;
    let Head::InUse { sequence } = block::head(&bytes, id, number, offset_bytes) else {
        return Ok(None);
    };
    let image = Image { bytes: &bytes, device: id, offset_bytes, sequence };
    Ok(image.record(block::HEADER_BYTES).map(|_| id))
}
