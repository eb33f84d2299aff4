//! The engines, as far as they differ to whoever works on records.

#![allow(unsafe_code)]

use index::{Entry, Location, Marks};
use record::Body;

use crate::log::{DeviceLocation, Log};
use crate::memory::{self, Heap};
use crate::records::{Size, Stored, Verdict};

/// Where a namespace keeps records, and what a location in its index means.
#[derive(Debug)]
pub(crate) enum Engine {
    /// In memory alone: the address of a body.
    Memory,
    /// In memory, and written to devices: the address of a body that has its device location in front.
    Backed(Log),
    /// On devices: a [`DeviceLocation`].
    Device(Log),
}

impl Engine {
    pub fn log(&self) -> Option<&Log> {
        match self {
            Self::Memory => None,
            Self::Backed(log) | Self::Device(log) => Some(log),
        }
    }

    /// How bodies lie in memory, if they do.
    pub fn heap(&self) -> Option<Heap> {
        match self {
            Self::Memory => Some(Heap::ALONE),
            Self::Backed(_) => Some(Heap::BACKED),
            Self::Device(_) => None,
        }
    }

    /// Where a record is on the devices.
    ///
    /// # Safety
    /// The entry's sprig is locked, and the entry is in its index.
    pub unsafe fn device_location(&self, entry: &Entry) -> Option<DeviceLocation> {
        match self {
            Self::Memory => None,
            // SAFETY: locations in the index are live, and the lock keeps the body as it is.
            Self::Backed(_) => Some(DeviceLocation(unsafe { Heap::companion(entry.location) })),
            Self::Device(_) => Some(DeviceLocation(entry.location.0)),
        }
    }

    /// Whether nothing of a record comes back if its entry is forgotten.
    pub fn is_sole(&self, entry: &Entry) -> bool {
        matches!(self, Self::Memory) || entry.marks.contains(Marks::SOLE)
    }

    /// What is known of a record without its body.
    ///
    /// # Safety
    /// The entry's sprig is locked, and the entry is in its index.
    #[inline]
    pub unsafe fn stored(&self, entry: &Entry) -> Stored {
        // SAFETY: the caller's promise.
        let size = unsafe { self.size(entry) };
        let has_key = match self {
            Self::Device(_) => Some(entry.marks.contains(Marks::HAS_KEY)),
            Self::Memory | Self::Backed(_) => None,
        };
        Stored { meta: entry.meta, size, is_sole: self.is_sole(entry), has_key }
    }

    /// What a record takes.
    ///
    /// # Safety
    /// The entry's sprig is locked, and the entry is in its index.
    #[inline]
    unsafe fn size(&self, entry: &Entry) -> Size {
        match self {
            Self::Memory | Self::Backed(_) => {
                // SAFETY: locations in the index are live, and the lock keeps the body as it is.
                let bytes = unsafe { memory::get(entry.location) };
                Size::Content(Body::content_size_bytes_of(bytes))
            }
            Self::Device(_) => Size::OnDevice(DeviceLocation(entry.location.0).size_bytes()),
        }
    }

    /// Gives up what a record takes, in memory and on devices.
    ///
    /// # Safety
    /// The entry's sprig is locked exclusively, and nobody will use the entry any more.
    pub unsafe fn release(&self, entry: &Entry) {
        // SAFETY: the caller's promise.
        if let (Some(log), Some(location)) = (self.log(), unsafe { self.device_location(entry) }) {
            log.release(location);
        }
        if let Some(heap) = self.heap() {
            // SAFETY: the caller's promise.
            unsafe { heap.free(entry.location) };
        }
    }

    /// Carries a verdict out on an entry, and says what is to become of it in the index.
    ///
    /// # Safety
    /// The entry's sprig is locked exclusively, the entry is in its index, and the outcome is carried
    /// out there.
    pub unsafe fn carry_out(&self, verdict: Verdict, entry: &Entry) -> index::Verdict {
        let leaves_traces = !self.is_sole(entry);
        match verdict {
            Verdict::Keep => index::Verdict::Keep,
            Verdict::Forgotten if leaves_traces => index::Verdict::Keep,
            Verdict::Expired | Verdict::Truncated { with_older: false } if leaves_traces => {
                index::Verdict::Replace(self.bury(entry))
            }
            Verdict::Expired | Verdict::Truncated { .. } | Verdict::Forgotten => {
                // SAFETY: the sprig is locked exclusively, and the verdict takes the entry out.
                unsafe { self.release(entry) };
                index::Verdict::Remove
            }
        }
    }

    /// Makes a grave of a record without writing anything: what is on the device says by itself that
    /// it is dead, and keeps older copies away. All but its header is dead bytes from now on.
    pub fn bury(&self, entry: &Entry) -> Entry {
        let marks = entry.marks.with(Marks::GRAVE, true);
        let mut grave = Entry { marks, ..*entry };
        // SAFETY: the sprig is locked, and the entry is in the index.
        let location = unsafe { self.device_location(entry) };
        let (Some(log), Some(location)) = (self.log(), location) else { return grave };
        let kept = log.shrink(location);
        match self {
            Engine::Device(_) => grave.location = Location(kept.0),
            // SAFETY: the sprig is locked exclusively, and the entry is in the index.
            _ => unsafe { Heap::set_companion(entry.location, kept.0) },
        }
        grave
    }
}
