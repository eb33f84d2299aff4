//! What is read: a file or a block device, never written to.

use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of a fixed number that can be read anywhere.
pub trait Source {
    /// How the command line calls it.
    fn name(&self) -> &str;

    /// Its size in bytes.
    fn size_bytes(&self) -> u64;

    /// Reads bytes.
    ///
    /// # Errors
    /// Whatever the medium says, or that it ends before.
    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()>;
}

/// A file or block device, opened for reading.
#[derive(Debug)]
pub struct FileSource {
    name: String,
    file: File,
    size_bytes: u64,
}

impl FileSource {
    /// Opens it.
    ///
    /// # Errors
    /// If it is not there, cannot be read, or is neither file nor block device.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::Error::from(io::ErrorKind::IsADirectory));
        }
        // The metadata of a block device says zero; its end does not.
        let size_bytes = file.seek(SeekFrom::End(0))?;
        Ok(Self { name: path.display().to_string(), file, size_bytes })
    }
}

impl Source for FileSource {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset_bytes)
    }
}

/// The bytes from an offset on, at most so many; fewer where the source ends.
///
/// # Errors
/// Whatever the medium says.
pub fn read_up_to(
    source: &dyn Source,
    offset_bytes: u64,
    size_bytes_max: usize,
) -> io::Result<Vec<u8>> {
    let rest = source.size_bytes().saturating_sub(offset_bytes);
    let size_bytes = usize::try_from(rest).unwrap_or(usize::MAX).min(size_bytes_max);
    let mut bytes = vec![0; size_bytes];
    if bytes.is_empty() {
        return Ok(bytes);
    }
    source.read_at(&mut bytes, offset_bytes)?;
    Ok(bytes)
}
