//! Persistent memory: a file that is mapped into the process.
//!
//! On a file system that gives access to the medium itself (DAX), a write lasts when its cache lines
//! are written back. On any other the pages of the mapping are written by `sync`, so that it can be
//! tried and tested without the hardware.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use parking_lot::Mutex;
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, MsyncFlags, ProtFlags};

use super::Device;
use super::lines;
use super::open::{self, OpenError};
use crate::aligned::ALIGN_BYTES;

/// What memory is shared in: every access is to a whole one, so that one that is read while it is
/// written is old or new, as on a disk.
const WORD_BYTES: usize = size_of::<AtomicU64>();

/// A file in memory, locked against other servers while it is mapped.
///
/// Should somebody cut the file, or its medium fail, the process is killed (`SIGBUS`).
pub struct MappedDevice {
    name: String,
    mapping: Mapping,
    /// What has been written since the last sync. Not minded on persistent memory.
    dirty: Mutex<Option<Range<usize>>>,
    /// Holds the lock.
    _fd: OwnedFd,
}

impl MappedDevice {
    /// Maps the file at `path`. It is made if it is missing, and grows if it is smaller than
    /// `filesize_bytes`; of a larger one this much is used. Its space is reserved.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, filesize_bytes: Option<u64>) -> Result<Self, OpenError> {
        let medium = open::open(path, OFlags::empty(), filesize_bytes)?;
        let size_bytes = medium.size_bytes;
        // Without space behind it a page of the mapping could not be written, which kills.
        match rustix::fs::fallocate(&medium.fd, FallocateFlags::empty(), 0, size_bytes) {
            // Block devices have their space, and some file systems cannot say.
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NODEV | Errno::NOSYS) => {}
            Err(errno) => {
                let path = path.to_owned();
                return Err(OpenError::Grow { path, size_bytes, source: errno.into() });
            }
        }
        let mapping = Mapping::new(&medium.fd, size_bytes)
            .map_err(|source| OpenError::Map { path: path.to_owned(), source })?;
        Ok(Self {
            name: path.display().to_string(),
            mapping,
            dirty: Mutex::new(None),
            _fd: medium.fd,
        })
    }

    /// Whether it is persistent memory, where writes last without a sync.
    pub fn is_persistent_memory(&self) -> bool {
        self.mapping.is_persistent
    }

    /// The words of a stretch.
    fn words(&self, size_bytes: usize, offset_bytes: u64) -> io::Result<&[AtomicU64]> {
        let words = self.mapping.words();
        let stretch = usize::try_from(offset_bytes).ok().and_then(|offset_bytes| {
            let end = offset_bytes.checked_add(size_bytes)?;
            let is_aligned = (offset_bytes | size_bytes).is_multiple_of(WORD_BYTES);
            words.get(offset_bytes / WORD_BYTES..end / WORD_BYTES).filter(|_| is_aligned)
        });
        stretch.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{size_bytes} bytes at {offset_bytes} are not on {}", self.name),
            )
        })
    }
}

impl Device for MappedDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.mapping.size_bytes as u64
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        let words = self.words(bytes.len(), offset_bytes)?;
        for (bytes, word) in bytes.as_chunks_mut().0.iter_mut().zip(words) {
            *bytes = word.load(Relaxed).to_ne_bytes();
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        let words = self.words(bytes.len(), offset_bytes)?;
        for (bytes, word) in bytes.as_chunks().0.iter().zip(words) {
            word.store(u64::from_ne_bytes(*bytes), Relaxed);
        }
        if self.mapping.is_persistent {
            lines::write_back(words.as_ptr().cast(), bytes.len());
        } else {
            let begin = offset_bytes as usize;
            let end = begin + bytes.len();
            let mut dirty = self.dirty.lock();
            *dirty = Some(match dirty.take() {
                None => begin..end,
                Some(dirty) => dirty.start.min(begin)..dirty.end.max(end),
            });
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // Held throughout: another sync may not return before what this one writes is there.
        let mut dirty = self.dirty.lock();
        match dirty.take() {
            None => Ok(()),
            Some(range) => self.mapping.sync(range),
        }
    }

    fn is_synchronous(&self) -> bool {
        self.mapping.is_persistent
    }

    fn is_memory(&self) -> bool {
        true
    }
}

impl fmt::Debug for MappedDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MappedDevice")
            .field("name", &self.name)
            .field("size_bytes", &self.mapping.size_bytes)
            .field("is_persistent", &self.mapping.is_persistent)
            .finish()
    }
}

/// A file in memory.
struct Mapping {
    base: NonNull<u8>,
    size_bytes: usize,
    is_persistent: bool,
}

// SAFETY: the memory belongs to no thread, and is only accessed by way of atomics.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(fd: &OwnedFd, size_bytes: u64) -> io::Result<Self> {
        let size_bytes = usize::try_from(size_bytes).map_err(io::Error::other)?;
        let map = |flags| {
            let access = ProtFlags::READ | ProtFlags::WRITE;
            // SAFETY: the kernel chooses an address where nothing is.
            unsafe { rustix::mm::mmap(ptr::null_mut(), size_bytes, access, flags, fd, 0) }
        };
        // The kernel grants this only for persistent memory, where file system and mapping agree
        // at any moment on where the bytes lie.
        let persistent = lines::AVAILABLE
            .then(|| map(MapFlags::SHARED_VALIDATE | MapFlags::SYNC).ok())
            .flatten();
        let base = match persistent {
            Some(base) => base,
            None => map(MapFlags::SHARED)?,
        };
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, size_bytes, is_persistent: persistent.is_some() })
    }

    fn words(&self) -> &[AtomicU64] {
        // SAFETY: the memory is mapped until this is dropped, aligned to a page, initialised by its
        // file, and accessed in no other way. Other processes keep away because of the lock.
        unsafe {
            std::slice::from_raw_parts(self.base.cast().as_ptr(), self.size_bytes / WORD_BYTES)
        }
    }

    /// Writes the pages of a range to the medium.
    fn sync(&self, range: Range<usize>) -> io::Result<()> {
        let begin = range.start / ALIGN_BYTES * ALIGN_BYTES;
        // SAFETY: the range lies in the mapping, and nothing in it changes.
        unsafe {
            let base = self.base.add(begin).as_ptr().cast();
            rustix::mm::msync(base, range.end - begin, MsyncFlags::SYNC)?;
        }
        Ok(())
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: mapped with this size, and nobody borrows it any more. If the kernel refuses, it
        // stays mapped, which harms nobody.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.size_bytes) };
    }
}
