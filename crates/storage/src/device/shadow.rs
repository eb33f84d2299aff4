//! A device with a copy: a fast one that may lose everything, and a slow one that does not.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::Device;
use crate::aligned::{ALIGN_BYTES, AlignedBuf};
use crate::format::BLOCK_BYTES;
use crate::format::header::{COPIES, DeviceHeader};

/// Writes to two devices, reads from the first.
#[derive(Debug)]
pub struct Shadowed {
    primary: Arc<dyn Device>,
    shadow: Arc<dyn Device>,
}

impl Shadowed {
    /// Joins two devices. `None` when the shadow is too small for what is on the primary.
    pub fn new(primary: Arc<dyn Device>, shadow: Arc<dyn Device>) -> Option<Self> {
        (shadow.size_bytes() >= primary.size_bytes()).then_some(Self { primary, shadow })
    }

    /// Brings the primary back from the shadow if it has lost everything: both copies of its header are
    /// zeros, and those of the shadow are not. Says whether that was so.
    ///
    /// # Errors
    /// When a device cannot be read or written.
    pub fn restore(&self) -> io::Result<bool> {
        if !is_blank(&*self.primary)? || is_blank(&*self.shadow)? {
            return Ok(false);
        }
        let size_bytes = self.primary.size_bytes() / ALIGN_BYTES as u64 * ALIGN_BYTES as u64;
        let mut bytes = AlignedBuf::zeroed(COPIED_BYTES);
        let mut at = 0;
        while at < size_bytes {
            let part = (size_bytes - at).min(COPIED_BYTES as u64) as usize;
            self.shadow.read_at(&mut bytes[..part], at)?;
            // What is blank is blank already.
            if bytes[..part].iter().any(|&byte| byte != 0) {
                self.primary.write_at(&bytes[..part], at)?;
            }
            at += part as u64;
        }
        self.primary.sync()?;
        Ok(true)
    }

    /// The device that is read.
    pub fn primary(&self) -> &Arc<dyn Device> {
        &self.primary
    }

    /// The device that keeps the copy.
    pub fn shadow(&self) -> &Arc<dyn Device> {
        &self.shadow
    }
}

/// Bytes that are copied at a time.
const COPIED_BYTES: usize = 8 << 20;

/// Whether a device has no header, and never had one.
fn is_blank(device: &dyn Device) -> io::Result<bool> {
    let mut sector = AlignedBuf::zeroed(ALIGN_BYTES);
    for copy in 0..COPIES {
        device.read_at(&mut sector, DeviceHeader::copy_offset_bytes(copy, BLOCK_BYTES))?;
        if sector.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Device for Shadowed {
    fn name(&self) -> &str {
        self.primary.name()
    }

    fn size_bytes(&self) -> u64 {
        self.primary.size_bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.primary.read_at(bytes, offset_bytes)
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        self.primary.write_at(bytes, offset_bytes)?;
        self.shadow.write_at(bytes, offset_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.primary.sync()?;
        self.shadow.sync()
    }

    fn is_synchronous(&self) -> bool {
        self.primary.is_synchronous() && self.shadow.is_synchronous()
    }

    fn read_fd(&self) -> Option<BorrowedFd<'_>> {
        self.primary.read_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::ram::RamDevice;

    #[test]
    fn a_blank_primary_comes_back_from_its_shadow() {
        let size_bytes = 2 * BLOCK_BYTES as usize + ALIGN_BYTES;
        let device = |content| Arc::new(RamDevice::with_content("ram", content, true));
        let mut content = vec![0; size_bytes];
        content[5] = 7;
        content[size_bytes - 1] = 9;
        let (primary, shadow) = (device(vec![0; size_bytes]), device(content.clone()));
        let shadowed = Shadowed::new(primary.clone(), shadow.clone()).unwrap();
        assert!(shadowed.restore().unwrap());
        assert_eq!(primary.content(), content);
        assert!(!shadowed.restore().unwrap(), "it is not blank any more");
        let blank = device(vec![0; size_bytes]);
        assert!(!Shadowed::new(blank.clone(), blank).unwrap().restore().unwrap());
    }
}
