//! A device with a copy: a fast one that may lose everything, and a slow one that does not.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::Device;

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

    /// The device that is read.
    pub fn primary(&self) -> &Arc<dyn Device> {
        &self.primary
    }

    /// The device that keeps the copy.
    pub fn shadow(&self) -> &Arc<dyn Device> {
        &self.shadow
    }
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

    fn set_page_cache_reads(&self, page_cache_reads: bool) {
        self.primary.set_page_cache_reads(page_cache_reads);
    }

    fn has_shadow(&self) -> bool {
        true
    }

    fn read_fd(&self) -> Option<BorrowedFd<'_>> {
        self.primary.read_fd()
    }
}
