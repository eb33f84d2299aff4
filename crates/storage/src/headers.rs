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
        match read_copy(device, copy, block_bytes)? {
            Some(header) => sound.push(header),
            None => blank += usize::from(is_blank(device, copy, block_bytes)?),
        }
    }
    let other_is_sound = sound.len() + blank == COPIES;
    Ok(match sound.into_iter().max_by_key(|header| header.version) {
        Some(header) => Region::Ours { header: Box::new(header), other_is_sound },
        None if blank == COPIES => Region::Blank,
        None => Region::Foreign,
    })
}

/// Reads a copy of a header if it is sound: one sector, and more if it is larger.
fn read_copy(
    device: &dyn Device,
    copy: usize,
    block_bytes: u32,
) -> io::Result<Option<DeviceHeader>> {
    let offset_bytes = DeviceHeader::copy_offset_bytes(copy, block_bytes);
    let mut bytes = AlignedBuf::zeroed(ALIGN_BYTES);
    device.read_at(&mut bytes, offset_bytes)?;
    let size_bytes = DeviceHeader::size_bytes(&bytes);
    if size_bytes > bytes.len() && size_bytes <= DeviceHeader::copy_bytes_max(block_bytes) {
        bytes = AlignedBuf::zeroed(size_bytes);
        device.read_at(&mut bytes, offset_bytes)?;
    }
    Ok(DeviceHeader::decode(&bytes))
}

/// Whether there are only zeros where a copy of a header would be: all of it counts, since what is not
/// ours may begin far behind.
fn is_blank(device: &dyn Device, copy: usize, block_bytes: u32) -> io::Result<bool> {
    let mut bytes = AlignedBuf::zeroed(DeviceHeader::copy_bytes_max(block_bytes));
    device.read_at(&mut bytes, DeviceHeader::copy_offset_bytes(copy, block_bytes))?;
    Ok(bytes.iter().all(|&byte| byte == 0))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ram::RamDevice;
    use crate::format::BLOCK_BYTES;

    fn region_of(content: Vec<u8>) -> Region {
        read_region(&RamDevice::with_content("ram", content, true), BLOCK_BYTES).unwrap()
    }

    #[test]
    fn headers_of_many_sectors_come_back() {
        let device = RamDevice::new("ram", BLOCK_BYTES as usize, true);
        let mut header = DeviceHeader { block_bytes: BLOCK_BYTES, ..DeviceHeader::default() };
        let sets = (0..500u16).map(|at| (at.to_le_bytes().as_slice().into(), 1));
        header.memory.set_truncate_luts = sets.collect();
        write_header(&device, &mut header).unwrap();
        let region = read_region(&device, BLOCK_BYTES).unwrap();
        let Region::Ours { header: read, other_is_sound: true } = region else {
            panic!("{region:?}")
        };
        assert_eq!(*read, header);
        assert_eq!(device.calls().reads, 2 + 2, "no more than it takes");
    }

    #[test]
    fn what_begins_far_behind_is_foreign() {
        let mut content = vec![0; BLOCK_BYTES as usize];
        assert!(matches!(region_of(content.clone()), Region::Blank));
        content[64 << 10] = 1;
        assert!(matches!(region_of(content), Region::Foreign));
    }
}
