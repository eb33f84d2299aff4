//! The memory of a write block that is being filled, waits to be written, or was written lately.

#![allow(unsafe_code)]

use std::fmt;
use std::slice;

use crate::aligned::AlignedBuf;

/// Bytes of a block, written by one at a time and read by many, never the same bytes at once.
///
/// **Invariant**: bytes are written under the volume's front lock. A record's bytes are read by those
/// who hold the lock of its sprig, under which they were written, or, behind what the flusher has
/// taken, by anybody: they do not change any more. Behind what was appended it holds whatever it held
/// for an earlier block.
pub(crate) struct Buffer {
    memory: AlignedBuf,
}

// SAFETY: by the invariant, no byte is written and read at the same time.
unsafe impl Sync for Buffer {}

impl Buffer {
    /// Memory for a block of this size in bytes.
    pub fn new(size_bytes: usize) -> Self {
        Self { memory: AlignedBuf::zeroed(size_bytes) }
    }

    /// Bytes of it.
    ///
    /// # Safety
    /// Nobody writes them while the result lives: see the invariant.
    ///
    /// # Panics
    /// If they are not within it.
    pub unsafe fn read(&self, at: usize, size_bytes: usize) -> &[u8] {
        assert!(at + size_bytes <= self.memory.len(), "within the block");
        // SAFETY: within the memory; all of it was initialised from the beginning.
        unsafe { slice::from_raw_parts(self.memory.base().as_ptr().add(at), size_bytes) }
    }

    /// Puts bytes in their place.
    ///
    /// # Safety
    /// Nobody reads or writes there meanwhile: see the invariant.
    ///
    /// # Panics
    /// If they are not within it.
    pub unsafe fn write(&self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= self.memory.len(), "within the block");
        let target = self.memory.base().as_ptr();
        // SAFETY: within the memory, and it does not overlap what somebody else borrows.
        unsafe { target.add(at).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
    }
}

impl fmt::Debug for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffer").finish_non_exhaustive()
    }
}
