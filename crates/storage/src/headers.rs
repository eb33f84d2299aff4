//! The headers of a namespace's devices: read, compared, written.

use std::io;
use std::sync::Arc;

use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::device::Device;
use crate::format::header::{COPIES, DeviceHeader, Memory};
use crate::format::{Geometry, block};

/// The headers of all devices of a namespace, in order, as they were written last.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    pub devices: Vec<(Arc<dyn Device>, DeviceHeader)>,
}

/// What the header region of a device holds.
#[derive(Debug)]
pub(crate) enum Region {
    /// Zeros: the device was never used.
    Blank,
    /// A header; of the other copy it is known whether it is sound, or was never written.
    Ours { header: Box<DeviceHeader>, other_is_sound: bool },
    /// Something else.
    Foreign,
}

/// Reads the header region of a device.
pub(crate) fn read_region(device: &dyn Device, block_bytes: u32) -> io::Result<Region> {
    let mut sound = Vec::new();
    let mut blank = 0;
    for copy in 0..COPIES {
        let offset_bytes = DeviceHeader::copy_offset_bytes(copy, block_bytes);
        // Most headers fit a sector; the first says how many there are.
        let mut bytes = AlignedBuf::zeroed(ALIGN_BYTES);
        device.read_at(&mut bytes, offset_bytes)?;
        let size_bytes = DeviceHeader::announced_bytes(&bytes);
        if size_bytes > bytes.len() && size_bytes <= DeviceHeader::copy_bytes_max(block_bytes) {
            bytes = AlignedBuf::zeroed(size_bytes);
            device.read_at(&mut bytes, offset_bytes)?;
        }
        match DeviceHeader::decode(&bytes) {
            Some(header) => sound.push(header),
            None => blank += usize::from(bytes.iter().all(|&byte| byte == 0)),
        }
    }
    let other_is_sound = sound.len() + blank == COPIES;
    Ok(match sound.into_iter().max_by_key(|header| header.version) {
        Some(header) => Region::Ours { header: Box::new(header), other_is_sound },
        None if blank == COPIES => Region::Blank,
        None => Region::Foreign,
    })
}

/// Overwrites the older copy of a device's header.
pub(crate) fn write_header(device: &dyn Device, header: &mut DeviceHeader) -> io::Result<()> {
    header.version += 1;
    let size_bytes_max = DeviceHeader::copy_bytes_max(header.block_bytes);
    let bytes = header.encode(size_bytes_max).ok_or_else(|| {
        io::Error::other("the truncations of so many sets do not fit the header of a device")
    })?;
    let copy = (header.version % COPIES as u64) as usize;
    device.write_at(&bytes, DeviceHeader::copy_offset_bytes(copy, header.block_bytes))?;
    device.sync()
}

/// Says on a device that none of its blocks holds anything: what was on it must not be taken for records.
pub(crate) fn blank_blocks(device: &dyn Device, geometry: &Geometry) -> io::Result<()> {
    let mut sector = AlignedBuf::zeroed(block::HEADER_BYTES);
    let zeros = AlignedBuf::zeroed(block::HEADER_BYTES);
    for block in geometry.blocks() {
        let offset_bytes = geometry.offset_bytes(block);
        device.read_at(&mut sector, offset_bytes)?;
        if sector.iter().any(|&byte| byte != 0) {
            device.write_at(&zeros, offset_bytes)?;
        }
    }
    device.sync()
}

impl Headers {
    /// Changes all headers, and writes them.
    pub fn change(&mut self, mut change: impl FnMut(&mut DeviceHeader)) -> io::Result<()> {
        for (device, header) in &mut self.devices {
            change(header);
            write_header(&**device, header)?;
        }
        Ok(())
    }

    /// What the namespace remembers; that of the header written last, should they differ.
    pub fn memory(&self) -> Memory {
        let newest = self.devices.iter().max_by_key(|(_, header)| header.memory_version);
        newest.map(|(_, header)| header.memory.clone()).unwrap_or_default()
    }
}
