//! Accounting of the memory that blocks take.

use std::sync::atomic::{AtomicU64, Ordering};

/// The allocator had no memory for an index entry. Nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no memory for an index entry")]
pub struct OutOfMemory;

/// Bytes in use by the blocks of one part of an index. Whoever allocates or frees says so here, so
/// that statistics cost one load.
#[derive(Default, Debug)]
#[repr(transparent)]
pub(crate) struct Usage(AtomicU64);

impl Usage {
    pub(crate) fn gain(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn lose(&self, bytes: usize) {
        self.0.fetch_sub(bytes as u64, Ordering::Relaxed);
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
