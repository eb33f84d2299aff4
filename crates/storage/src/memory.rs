//! The memory engine: every record body in an allocation of its own.
//!
//! The process-wide allocator places bodies by size class; a body that still fits its allocation
//! after an update is overwritten where it is, so the steady state of like-sized updates allocates
//! nothing. A location is the address of a body, which starts with its size. Where devices are behind the
//! memory, eight bytes in front of the body tell where it is on them.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::{self, NonNull};
use std::slice;

use index::Location;
use record::Body;

/// Bodies are placed at multiples of this many bytes, in multiples of this many bytes.
const UNIT_BYTES: usize = 8;

/// Lines of a body that are worth loading ahead: the processor itself sees a longer run coming.
const PREFETCHED_LINES: usize = 3;
/// Bytes of a cache line.
const LINE_BYTES: usize = 64;

/// Bodies in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heap {
    /// Bytes in front of each body.
    front_bytes: usize,
}

impl Heap {
    /// Bodies that are nowhere else.
    pub const ALONE: Self = Self { front_bytes: 0 };
    /// Bodies that are on a device as well.
    pub const BACKED: Self = Self { front_bytes: size_of::<u64>() };

    /// Stores a body: see [`record::body`] for its form. `None` when the allocator refuses.
    ///
    /// # Panics
    /// If the body does not begin with its size.
    pub fn put(self, body: &[u8]) -> Option<Location> {
        let layout = self.layout(checked_size_bytes(body));
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc(layout) })?;
        // SAFETY: the allocation has room for the front and the body, and overlaps nothing.
        let place = unsafe {
            let place = base.as_ptr().add(self.front_bytes);
            place.copy_from_nonoverlapping(body.as_ptr(), body.len());
            place
        };
        Some(Location(place.expose_provenance() as u64))
    }

    /// Gives a body's memory back.
    ///
    /// # Safety
    /// The location came from [`Self::put`] of the same heap, was not freed, and nobody will use it any
    /// more.
    pub unsafe fn free(self, location: Location) {
        let place = ptr::with_exposed_provenance_mut::<u8>(location.0 as usize);
        // SAFETY: the allocation was made with the layout of the body in it; bodies of the same layout
        // alone are written over it. It begins in front of the body.
        unsafe {
            let layout = self.layout(stored_size_bytes(place));
            dealloc(place.sub(self.front_bytes), layout);
        }
    }

    /// Where the body is on a device, as [`Self::set_companion`] was told.
    ///
    /// # Safety
    /// The location came from [`Self::put`] of [`Self::BACKED`], was not freed, and nobody writes there.
    pub unsafe fn companion(location: Location) -> u64 {
        let place = ptr::with_exposed_provenance::<u8>(location.0 as usize);
        // SAFETY: the front is in the allocation, and aligned as it is.
        unsafe { place.sub(size_of::<u64>()).cast::<u64>().read() }
    }

    /// Notes where the body is on a device.
    ///
    /// # Safety
    /// As [`Self::companion`], and nobody reads there.
    pub unsafe fn set_companion(location: Location, companion: u64) {
        let place = ptr::with_exposed_provenance_mut::<u8>(location.0 as usize);
        // SAFETY: the front is in the allocation, and aligned as it is.
        unsafe { place.sub(size_of::<u64>()).cast::<u64>().write(companion) };
    }

    fn layout(self, size_bytes: usize) -> Layout {
        Layout::from_size_align(self.front_bytes + allocated_bytes(size_bytes), UNIT_BYTES)
            .expect("bodies are far smaller than memory")
    }
}

/// Whether a body would fit the allocation of the one at a location.
///
/// # Safety
/// As [`get`].
pub(crate) unsafe fn fits(location: Location, body: &[u8]) -> bool {
    let base = ptr::with_exposed_provenance::<u8>(location.0 as usize);
    // SAFETY: there is a whole body at the location.
    let old_size = unsafe { stored_size_bytes(base) };
    allocated_bytes(old_size) == allocated_bytes(checked_size_bytes(body))
}

/// The body at a location.
///
/// # Safety
/// The location came from [`Heap::put`], was not freed, and is neither freed nor overwritten during `'a`.
pub(crate) unsafe fn get<'a>(location: Location) -> &'a [u8] {
    let base = ptr::with_exposed_provenance::<u8>(location.0 as usize);
    // SAFETY: there is a whole body at the location, and it stays as it is.
    unsafe { slice::from_raw_parts(base, stored_size_bytes(base)) }
}

/// Begins to load the body at a location, or the first lines of a long one. The location may be stale.
pub(crate) fn prefetch(location: Location) {
    let base = ptr::without_provenance::<u8>(location.0 as usize);
    for line in 0..PREFETCHED_LINES {
        index::prefetch(base.wrapping_add(line * LINE_BYTES));
    }
}

/// Stores a body in place of the one at a location if it fits its allocation. Otherwise changes
/// nothing and returns false.
///
/// # Safety
/// The location came from [`Heap::put`], was not freed, and nobody else reads or writes there.
///
/// # Panics
/// If the body does not begin with its size.
pub(crate) unsafe fn overwrite(location: Location, body: &[u8]) -> bool {
    // SAFETY: there is a whole body at the location.
    if !unsafe { fits(location, body) } {
        return false;
    }
    let base = ptr::with_exposed_provenance_mut::<u8>(location.0 as usize);
    // SAFETY: the allocation is as large as the body needs, and nobody else uses it.
    unsafe { base.copy_from_nonoverlapping(body.as_ptr(), body.len()) };
    true
}

/// Size of the body at an address.
///
/// # Safety
/// The address is that of a whole body.
unsafe fn stored_size_bytes(base: *const u8) -> usize {
    // SAFETY: a body has at least the four bytes of its size.
    Body::size_bytes(unsafe { base.cast::<[u8; 4]>().read() })
}

/// Size of a body that is to be stored; it will be trusted from then on.
fn checked_size_bytes(body: &[u8]) -> usize {
    let size = body.first_chunk().map(|start| Body::size_bytes(*start));
    assert_eq!(size, Some(body.len()), "a body begins with its size");
    body.len()
}

/// Bytes of the allocation that holds a body of this size: rounded up, so that bodies may change a
/// little in place.
fn allocated_bytes(size_bytes: usize) -> usize {
    size_bytes.next_multiple_of(UNIT_BYTES)
}
