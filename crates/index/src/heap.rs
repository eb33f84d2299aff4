//! Where blocks get their memory, and who is charged for it.

#![allow(unsafe_code)]

use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::pool::Pool;

/// The allocator had no memory for an index entry. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no memory for an index entry")]
pub struct OutOfMemory;

/// Bytes in use by the blocks of one part of an index.
#[derive(Default, Debug)]
#[repr(transparent)]
pub(crate) struct Usage(AtomicU64);

impl Usage {
    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The pool of a namespace, on the account of one part of its indexes.
#[derive(Clone, Copy)]
pub(crate) struct Heap<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) usage: &'a Usage,
}

impl Heap<'_> {
    /// Memory for a block of `bytes`, a size class.
    pub(crate) fn allocate(self, bytes: usize) -> Result<NonNull<u8>, OutOfMemory> {
        #[cfg(test)]
        if crate::testing::refuses() {
            return Err(OutOfMemory);
        }
        let base = self.pool.allocate(bytes)?;
        self.usage.0.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(base)
    }

    /// Takes a block's memory back.
    ///
    /// # Safety
    /// It came from this heap with this size, and nobody uses it any more.
    pub(crate) unsafe fn free(self, base: NonNull<u8>, bytes: usize) {
        self.usage.0.fetch_sub(bytes as u64, Ordering::Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { self.pool.free(base, bytes) };
    }
}
