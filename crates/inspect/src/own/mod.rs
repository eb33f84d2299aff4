//! Devices of ours: the header with its two copies, and the walk over the blocks.

mod header;
mod walk;

#[cfg(test)]
mod tests;

use storage::format::Geometry;
use storage::format::header::DeviceHeader;
use storage::{Cipher, KeyError, Secret};

use crate::seen::{Damage, Visitor};
use crate::source::Source;

pub use header::{NotOurs, open};

/// Sizes of blocks that are believed, in bytes: the least holds the two copies of a header.
const BLOCK_BYTES: std::ops::RangeInclusive<u32> = 8192..=1 << 28;

/// A device of ours.
pub struct OwnDevice {
    /// Where it is read from.
    pub source: Box<dyn Source>,
    /// The copy of its header that counts. If neither is sound, it has a stand-in for the device's id,
    /// the size and number of the blocks, and nothing else.
    pub header: DeviceHeader,
    /// Which of the two copies are sound.
    pub copies: [bool; 2],
    /// By which its encrypted records can be read.
    pub cipher: Option<Cipher>,
    /// Its blocks: those of the header, as far as the device reaches.
    pub geometry: Geometry,
}

impl OwnDevice {
    /// Has its encrypted records read with the key that wraps its data key.
    ///
    /// # Errors
    /// A [`KeyError`] if that is another one, or nothing is encrypted.
    pub fn unlock(&mut self, key: &Secret) -> Result<(), KeyError> {
        let header = &self.header;
        self.cipher = Some(Cipher::to_read(key, &header.wrapped_key, header.device_set)?);
        Ok(())
    }

    /// Whether both copies of its header are damaged.
    pub fn is_headless(&self) -> bool {
        self.copies == [false, false]
    }

    /// Walks over all blocks. `device` is its number on the command line.
    ///
    /// # Errors
    /// Those of the visitor. What cannot be read is damage.
    pub fn walk(&self, device: u16, visitor: &mut dyn Visitor) -> anyhow::Result<()> {
        for copy in (0..self.copies.len()).filter(|copy| !self.copies[*copy]) {
            visitor.damage(Damage {
                block: None,
                offset_bytes: DeviceHeader::copy_offset_bytes(copy, self.header.block_bytes),
                size_bytes: DeviceHeader::copy_bytes_max(self.header.block_bytes) as u64,
                what: format!("copy {} of the header is damaged or was never written", copy + 1),
            });
        }
        let missing = self.header.block_count.saturating_sub(self.geometry.block_count);
        if missing > 0 {
            visitor.damage(Damage {
                block: None,
                offset_bytes: self.source.size_bytes(),
                size_bytes: u64::from(missing) * u64::from(self.header.block_bytes),
                what: format!("the device ends early: {missing} blocks are missing"),
            });
        }
        walk::Walk::new(self, device).run(visitor)
    }
}
