//! Opening what a device is made of: its descriptor, its lock, its size.

#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::ioctl;

use crate::aligned::ALIGN_BYTES;

/// Opcode of the call that tells the size of a block device. The kernel declares it with `size_t`.
const BLKGETSIZE64: ioctl::Opcode = ioctl::opcode::read::<usize>(0x12, 114);

/// Why a device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The system does not open it.
    #[error("cannot open {path} for reading and writing")]
    Open {
        /// Where it was looked for.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is a folder, a terminal, a pipe or the like.
    #[error("{path} is neither a file nor a block device")]
    NotADevice {
        /// What was opened.
        path: PathBuf,
    },
    /// Somebody has it open.
    #[error("{path} is in use: it is mounted, or another server runs on it; each needs its own")]
    InUse {
        /// What was opened.
        path: PathBuf,
    },
    /// The file system knows no locks.
    #[error("cannot lock {path}, so another server might write to it; use another file system")]
    Lock {
        /// What was opened.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It would have a size that devices cannot have.
    #[error("{path} has {size_bytes} bytes, and a device needs a multiple of {ALIGN_BYTES}, not 0")]
    Size {
        /// What was opened.
        path: PathBuf,
        /// The size, in bytes.
        size_bytes: u64,
    },
    /// The file cannot have the size that it should have.
    #[error("cannot make {path} {size_bytes} bytes large; free space, or ask for a smaller file")]
    Grow {
        /// What was opened.
        path: PathBuf,
        /// The size asked for, in bytes.
        size_bytes: u64,
        /// The system's reason.
        source: io::Error,
    },
    /// The medium takes only larger pieces than this server writes.
    #[error("{path} has sectors of {sector_bytes} bytes; at most {ALIGN_BYTES} can be used")]
    Sectors {
        /// What was opened.
        path: PathBuf,
        /// The size of a sector, in bytes.
        sector_bytes: u32,
    },
    /// What was opened does not answer.
    #[error("cannot use {path}")]
    Other {
        /// What was opened.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It does not fit into the address space.
    #[error("cannot map {path} into memory")]
    Map {
        /// What was opened.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
}

/// What was opened. It is locked for as long as the descriptor is open.
pub(super) struct Medium {
    pub fd: OwnedFd,
    /// What of it is to be used, in bytes.
    pub size_bytes: u64,
    /// What there is of it, in bytes.
    pub whole_bytes: u64,
}

/// Opens a file or a block device with these flags beside those that it always takes.
///
/// A file is made if it is missing, and grows if it is smaller than `filesize_bytes`; it is never
/// cut, and never made without a size.
///
/// # Errors
/// [`OpenError`]. The flags may be what the system objects to, see [`is_refusal_of_flags`].
pub(super) fn open(
    path: &Path,
    flags: OFlags,
    filesize_bytes: Option<u64>,
) -> Result<Medium, OpenError> {
    let metadata = fs::metadata(path).ok();
    let is_block_device = metadata.is_some_and(|metadata| metadata.file_type().is_block_device());
    let mut flags = flags | OFlags::RDWR | OFlags::CLOEXEC;
    if is_block_device {
        // Refused while a file system on it is mounted.
        flags |= OFlags::EXCL;
    } else if filesize_bytes.is_some() {
        flags |= OFlags::CREATE;
    }
    let fd = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR).map_err(|errno| {
        let path = path.to_owned();
        match errno {
            Errno::BUSY => OpenError::InUse { path },
            Errno::ISDIR => OpenError::NotADevice { path },
            errno => OpenError::Open { path, source: errno.into() },
        }
    })?;
    let file = File::from(fd);
    let metadata = file.metadata().map_err(|source| other(path, source))?;
    let kind = metadata.file_type();
    if !kind.is_block_device() && !kind.is_file() {
        return Err(OpenError::NotADevice { path: path.to_owned() });
    }
    lock(path, &file)?;
    let (size_bytes, whole_bytes) = if kind.is_block_device() {
        let whole_bytes = block_device_size(path, &file)?;
        // What is behind the last whole piece cannot be used.
        (whole_bytes - whole_bytes % ALIGN_BYTES as u64, whole_bytes)
    } else {
        let size_bytes = filesize_bytes.unwrap_or(metadata.size());
        check_size(path, size_bytes)?;
        grow(path, &file, metadata.size(), size_bytes)?;
        (size_bytes, metadata.size().max(size_bytes))
    };
    check_size(path, size_bytes)?;
    Ok(Medium { fd: file.into(), size_bytes, whole_bytes })
}

/// Whether it is the flags that the system objects to: direct I/O is not for every file system.
pub(super) fn is_refusal_of_flags(error: &OpenError) -> bool {
    match error {
        OpenError::Open { source, .. } => source.kind() == io::ErrorKind::InvalidInput,
        _ => false,
    }
}

/// An error of the system's that has no further explanation.
pub(super) fn other(path: &Path, source: impl Into<io::Error>) -> OpenError {
    OpenError::Other { path: path.to_owned(), source: source.into() }
}

fn lock(path: &Path, file: &File) -> Result<(), OpenError> {
    rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| {
        let path = path.to_owned();
        match errno {
            Errno::WOULDBLOCK => OpenError::InUse { path },
            errno => OpenError::Lock { path, source: errno.into() },
        }
    })
}

fn check_size(path: &Path, size_bytes: u64) -> Result<(), OpenError> {
    if size_bytes == 0 || !size_bytes.is_multiple_of(ALIGN_BYTES as u64) {
        return Err(OpenError::Size { path: path.to_owned(), size_bytes });
    }
    Ok(())
}

fn grow(path: &Path, file: &File, from_bytes: u64, to_bytes: u64) -> Result<(), OpenError> {
    if from_bytes >= to_bytes {
        return Ok(());
    }
    file.set_len(to_bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_folder_of(path))
        .map_err(|source| OpenError::Grow { path: path.to_owned(), size_bytes: to_bytes, source })
}

/// Sees to it that a file which may be new is found again after a loss of power.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

fn block_device_size(path: &Path, file: &File) -> Result<u64, OpenError> {
    let sector_bytes = rustix::fs::ioctl_blksszget(file).map_err(|errno| other(path, errno))?;
    if sector_bytes as usize > ALIGN_BYTES {
        return Err(OpenError::Sectors { path: path.to_owned(), sector_bytes });
    }
    // SAFETY: the opcode is one that writes a 64-bit number to where it is told, and nothing else.
    let size = unsafe { ioctl::ioctl(file, ioctl::Getter::<BLKGETSIZE64, u64>::new()) };
    size.map_err(|errno| other(path, errno))
}
