//! A file or a raw block device.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::Device;
use super::open::{self, OpenError};
use crate::aligned::{ALIGN_BYTES, AlignedBuf};

/// How to open a [`FileDevice`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct OpenOptions {
    /// Whether to pass the page cache by (`O_DIRECT`).
    pub direct: bool,
    /// Whether a write returns when it lasts (`O_DSYNC`).
    pub synchronous: bool,
    /// Whether to read through the page cache all the same; see [`Device::set_page_cache_reads`].
    pub page_cache_reads: bool,
    /// Size of a file in bytes, for one that is missing or smaller; of a larger one this much is
    /// used. `None` for a file as it is. A block device has the size that it has.
    pub filesize_bytes: Option<u64>,
}

/// A device that could be opened.
#[derive(Debug)]
pub struct Opened {
    /// The device.
    pub device: FileDevice,
    /// What is not as it was asked for, a sentence each for the log.
    pub notes: Vec<String>,
}

/// A file or a block device, locked against other servers while it is open.
#[derive(Debug)]
pub struct FileDevice {
    name: String,
    size_bytes: u64,
    fd: OwnedFd,
    /// For reads through the page cache, where the other passes it by.
    cached_fd: Option<OwnedFd>,
    page_cache_reads: AtomicBool,
    is_synchronous: bool,
}

impl FileDevice {
    /// Opens what lies at `path`; makes it if it is a file that is missing.
    ///
    /// Where the file system knows no direct I/O, the page cache is used, and a note says so.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, options: &OpenOptions) -> Result<Opened, OpenError> {
        let mut notes = Vec::new();
        let device = match Self::open_as_asked(path, options) {
            Err(error) if options.direct && open::is_refusal_of_flags(&error) => {
                notes.push(format!(
                    "the file system of {} refuses direct I/O, so it goes through the page cache",
                    path.display()
                ));
                Self::open_as_asked(path, &OpenOptions { direct: false, ..*options })?
            }
            outcome => outcome?,
        };
        let (device, whole_bytes) = device;
        if whole_bytes > device.size_bytes {
            notes.push(format!(
                "{} has {whole_bytes} bytes, of which {} are used",
                path.display(),
                device.size_bytes
            ));
        }
        Ok(Opened { device, notes })
    }

    /// Opens it, and says which size it really has.
    fn open_as_asked(path: &Path, options: &OpenOptions) -> Result<(Self, u64), OpenError> {
        let mut flags = OFlags::empty();
        flags.set(OFlags::DIRECT, options.direct);
        flags.set(OFlags::DSYNC, options.synchronous);
        let medium = open::open(path, flags, options.filesize_bytes)?;
        let cached_fd = if options.direct {
            // Some file systems refuse only the reads.
            let mut probe = AlignedBuf::zeroed(ALIGN_BYTES);
            rustix::io::pread(&medium.fd, &mut probe[..], 0)
                .map_err(|errno| OpenError::Open { path: path.to_owned(), source: errno.into() })?;
            let flags = OFlags::RDONLY | OFlags::CLOEXEC;
            let cached = rustix::fs::open(path, flags, Mode::empty());
            Some(cached.map_err(|errno| open::other(path, errno))?)
        } else {
            None
        };
        let device = Self {
            name: path.display().to_string(),
            size_bytes: medium.size_bytes,
            fd: medium.fd,
            cached_fd,
            page_cache_reads: AtomicBool::new(options.page_cache_reads),
            is_synchronous: options.synchronous,
        };
        Ok((device, medium.whole_bytes))
    }

    fn reading_fd(&self) -> &OwnedFd {
        match &self.cached_fd {
            Some(cached_fd) if self.page_cache_reads.load(Relaxed) => cached_fd,
            _ => &self.fd,
        }
    }

    fn check_bounds(&self, size_bytes: usize, offset_bytes: u64) -> io::Result<()> {
        let end = offset_bytes.checked_add(size_bytes as u64);
        if end.is_none_or(|end| end > self.size_bytes) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!(
                    "{size_bytes} bytes at {offset_bytes} are not on {}, which has {}",
                    self.name, self.size_bytes
                ),
            ));
        }
        Ok(())
    }
}

impl Device for FileDevice {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.check_bounds(bytes.len(), offset_bytes)?;
        let fd = self.reading_fd();
        let mut at = 0;
        while let Some(rest) = bytes.get_mut(at..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pread(fd, rest, offset_bytes + at as u64) {
                // Somebody has cut the file.
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => at += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        self.check_bounds(bytes.len(), offset_bytes)?;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            match rustix::io::pwrite(&self.fd, rest, offset_bytes + at as u64) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => at += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // Not repeated when interrupted: what an earlier call has given up may not be tried again.
        Ok(rustix::fs::fdatasync(&self.fd)?)
    }

    fn is_synchronous(&self) -> bool {
        self.is_synchronous
    }

    /// Without direct I/O reads go through the page cache anyway.
    fn set_page_cache_reads(&self, page_cache_reads: bool) {
        self.page_cache_reads.store(page_cache_reads, Relaxed);
    }

    fn read_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.reading_fd().as_fd())
    }
}
