//! What records are kept on: a file, a block device, a mapped region, or one that fails on purpose.
//!
//! A device is a run of bytes of a fixed size. It knows neither blocks nor records.

mod file;
mod lines;
mod mapped;
mod open;
#[cfg(any(test, feature = "testing"))]
pub mod ram;
mod shadow;

use std::fmt;
use std::io;
use std::os::fd::BorrowedFd;

pub use file::{FileDevice, OpenOptions, Opened};
pub use mapped::MappedDevice;
pub use open::OpenError;
pub use shadow::Shadowed;

/// A medium of fixed size.
///
/// Offsets and sizes are multiples of [`crate::ALIGN_BYTES`], and so are the addresses of the bytes.
/// What is read or written lies within the device.
pub trait Device: Send + Sync + fmt::Debug {
    /// How the configuration calls it; for messages and statistics.
    fn name(&self) -> &str;

    /// Its size in bytes.
    fn size_bytes(&self) -> u64;

    /// Reads bytes.
    ///
    /// # Errors
    /// Whatever the medium says; the bytes are then of no use.
    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()>;

    /// Writes bytes. They are kept through a loss of power once [`Self::sync`] has returned, or at
    /// once if [`Self::is_synchronous`].
    ///
    /// # Errors
    /// Whatever the medium says. It is unknown then what of the bytes has been written.
    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()>;

    /// Makes everything written so far last.
    ///
    /// # Errors
    /// Whatever the medium says. It is unknown then what of it lasts, also after another call.
    fn sync(&self) -> io::Result<()>;

    /// Whether a write has lasted once it returns, so that there is no need for [`Self::sync`].
    fn is_synchronous(&self) -> bool {
        false
    }

    /// Whether it lies in memory, so that reading takes no longer than copying.
    fn is_memory(&self) -> bool {
        false
    }

    /// Has reads go through the page cache from now on, or past it, where there is a choice (setting
    /// `read-page-cache`).
    fn set_page_cache_reads(&self, _page_cache_reads: bool) {}

    /// Whether there is a copy of it on another one.
    fn has_shadow(&self) -> bool {
        false
    }

    /// The descriptor through which the kernel can be asked to read without waiting; it obeys the
    /// same alignment. `None` for what only [`Self::read_at`] can read.
    fn read_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

#[cfg(test)]
mod tests;
