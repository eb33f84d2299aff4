//! Buffers as devices want them.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::slice;

/// Devices are read and written at multiples of this many bytes, in multiples of this many bytes,
/// from and to memory at such an address: what direct I/O asks for on every common device.
pub const ALIGN_BYTES: usize = 4096;

/// Buffers of up to this size in bytes are kept for [`AlignedBuf::used`], and so many of them by each
/// thread.
const KEPT_BYTES_MAX: usize = 2 * ALIGN_BYTES;
const KEPT_MAX: usize = 128;

thread_local! {
    /// Buffers to be used again.
    static KEPT: RefCell<Vec<AlignedBuf>> = const { RefCell::new(Vec::new()) };
}

/// Bytes at an address that suits direct I/O. The size is a multiple of [`ALIGN_BYTES`].
pub struct AlignedBuf {
    base: NonNull<u8>,
    size_bytes: usize,
}

// SAFETY: the buffer owns its memory, as a boxed slice does.
unsafe impl Send for AlignedBuf {}
// SAFETY: shared access only reads.
unsafe impl Sync for AlignedBuf {}

impl AlignedBuf {
    /// A buffer of zeros with room for at least so many bytes.
    pub fn zeroed(size_bytes: usize) -> Self {
        let size_bytes = size_bytes.max(1).next_multiple_of(ALIGN_BYTES);
        let layout = Self::layout(size_bytes);
        // SAFETY: the layout's size is not zero.
        let Some(base) = NonNull::new(unsafe { alloc_zeroed(layout) }) else {
            handle_alloc_error(layout)
        };
        Self { base, size_bytes }
    }

    /// A buffer for at least so many bytes that will be read or written over: it holds zeros, or what
    /// somebody gave to [`Self::give_back`].
    pub fn used(size_bytes: usize) -> Self {
        if size_bytes <= KEPT_BYTES_MAX {
            let size_bytes = size_bytes.max(1).next_multiple_of(ALIGN_BYTES);
            let kept = KEPT.with_borrow_mut(|kept| {
                let at = kept.iter().rposition(|buffer| buffer.size_bytes == size_bytes)?;
                Some(kept.swap_remove(at))
            });
            if let Some(buffer) = kept {
                return buffer;
            }
        }
        Self::zeroed(size_bytes)
    }

    /// Keeps a buffer for somebody else on this thread, if it is a common one.
    pub fn give_back(self) {
        if self.size_bytes <= KEPT_BYTES_MAX {
            KEPT.with_borrow_mut(|kept| {
                if kept.len() < KEPT_MAX {
                    kept.push(self);
                }
            });
        }
    }

    /// Address of its first byte, for those that share parts of it out.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    fn layout(size_bytes: usize) -> Layout {
        Layout::from_size_align(size_bytes, ALIGN_BYTES).expect("buffers are far below memory")
    }
}

impl Deref for AlignedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the memory is owned, initialised, and lives as long as the buffer.
        unsafe { slice::from_raw_parts(self.base.as_ptr(), self.size_bytes) }
    }
}

impl DerefMut for AlignedBuf {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above, and nobody else has access.
        unsafe { slice::from_raw_parts_mut(self.base.as_ptr(), self.size_bytes) }
    }
}

impl Drop for AlignedBuf {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout.
        unsafe { std::alloc::dealloc(self.base.as_ptr(), Self::layout(self.size_bytes)) };
    }
}

impl fmt::Debug for AlignedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AlignedBuf").field("size_bytes", &self.size_bytes).finish()
    }
}

/// A stretch of a device, widened to what can be read at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Where it begins, a multiple of [`ALIGN_BYTES`].
    pub offset_bytes: u64,
    /// Its size, a multiple of [`ALIGN_BYTES`].
    pub size_bytes: usize,
}

impl Span {
    /// The least span that holds `size_bytes` from `offset_bytes` on.
    pub fn around(offset_bytes: u64, size_bytes: usize) -> Self {
        let align = ALIGN_BYTES as u64;
        let begin = offset_bytes / align * align;
        let end = (offset_bytes + size_bytes as u64).next_multiple_of(align);
        Self { offset_bytes: begin, size_bytes: (end - begin) as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_suit_direct_io() {
        for size in [0, 1, 4096, 4097, 100_000] {
            let mut buffer = AlignedBuf::zeroed(size);
            assert!(buffer.len() >= size.max(1));
            assert_eq!(buffer.len() % ALIGN_BYTES, 0);
            assert_eq!(buffer.as_ptr() as usize % ALIGN_BYTES, 0);
            assert!(buffer.iter().all(|&byte| byte == 0));
            buffer.fill(7);
        }
    }

    #[test]
    fn buffers_come_back() {
        let mut buffer = AlignedBuf::used(1);
        assert!(buffer.iter().all(|&byte| byte == 0));
        buffer.fill(7);
        buffer.give_back();
        assert_eq!(AlignedBuf::used(ALIGN_BYTES + 1).len(), 2 * ALIGN_BYTES, "another size");
        assert_eq!(AlignedBuf::used(100)[..], [7; ALIGN_BYTES]);
        assert_eq!(AlignedBuf::used(100)[..], [0; ALIGN_BYTES], "it is in use");
    }

    #[test]
    fn spans_cover_what_is_asked_for() {
        let span = |offset, size| {
            let span = Span::around(offset, size);
            (span.offset_bytes, span.size_bytes)
        };
        assert_eq!(span(0, 1), (0, 4096));
        assert_eq!(span(4095, 2), (0, 8192));
        assert_eq!(span(8192, 4096), (8192, 4096));
    }
}
