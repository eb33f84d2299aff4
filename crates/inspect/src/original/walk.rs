//! The walk over the blocks of a device of the original, by the rules of its cold start.

use storage::format::flat::Kind;

use super::header::{DeviceHeader, NotOriginal, REGION_BYTES, USED_BYTES};
use super::record::{self, FlatRecord, MAGIC, UNIT_BYTES};
use crate::seen::{BlockInfo, BlockState, Damage, Location, Raw, Seen, SetName, Visitor};
use crate::source::{Source, read_up_to};

/// Size of a block in bytes: the original's only one since 7.0. Older devices with smaller blocks are
/// read the same way, as the original does.
pub const BLOCK_BYTES: u32 = 8 << 20;

/// After so many unused blocks in a row the original takes the rest of a device for unused.
const UNUSED_IN_A_ROW: u32 = 10;

/// Why the original leaves a sound record out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ignored {
    /// The node holds nothing of its partition.
    Unowned,
    /// Its partition was dropped since, and came back.
    Dropped,
}

/// A device of the original.
pub struct OriginalDevice {
    /// Where it is read from.
    pub source: Box<dyn Source>,
    /// Its header.
    pub header: DeviceHeader,
}

/// Opens a device.
///
/// # Errors
/// [`NotOriginal`] if it is none of a version that can be read.
pub fn open(source: Box<dyn Source>) -> Result<OriginalDevice, NotOriginal> {
    let bytes = read_up_to(&*source, 0, USED_BYTES)?;
    let header = DeviceHeader::decode(&bytes)?;
    if source.size_bytes() < REGION_BYTES {
        return Err(NotOriginal::TooSmall(source.size_bytes()));
    }
    Ok(OriginalDevice { source, header })
}

impl OriginalDevice {
    /// Number of blocks behind the header region. What does not make a whole one is not used.
    pub fn block_count(&self) -> u32 {
        let blocks = self.source.size_bytes() / u64::from(BLOCK_BYTES);
        u32::try_from(blocks).unwrap_or(u32::MAX).saturating_sub(1)
    }

    /// Walks over the blocks. `device` is its number on the command line.
    ///
    /// # Errors
    /// Those of the visitor. What cannot be read is damage.
    pub fn walk(&self, device: u16, visitor: &mut dyn Visitor) -> anyhow::Result<()> {
        let mut bytes = vec![0; BLOCK_BYTES as usize];
        let mut unused = 0;
        for block in 1..=self.block_count() {
            if unused >= UNUSED_IN_A_ROW {
                visitor.block(BlockInfo::new(block, BlockState::Skipped, None));
                continue;
            }
            let offset_bytes = u64::from(block) * u64::from(BLOCK_BYTES);
            if let Err(error) = self.source.read_at(&mut bytes, offset_bytes) {
                let size_bytes = u64::from(BLOCK_BYTES);
                let what = format!("cannot be read: {error}");
                visitor.damage(Damage { block: Some(block), offset_bytes, size_bytes, what });
                visitor.block(BlockInfo::new(block, BlockState::Unreadable, None));
                continue;
            }
            if bytes.starts_with(&MAGIC) {
                unused = 0;
                self.records(device, block, &bytes, visitor)?;
            } else {
                unused += 1;
                visitor.block(BlockInfo::new(block, BlockState::Blank, None));
            }
        }
        Ok(())
    }

    /// Everything in a block. Between records, and where one is damaged beyond its size, the next
    /// one is looked for in steps of a unit.
    fn records(
        &self,
        device: u16,
        block: u32,
        bytes: &[u8],
        visitor: &mut dyn Visitor,
    ) -> anyhow::Result<()> {
        let mut info = BlockInfo::new(block, BlockState::InUse, None);
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            if !rest.starts_with(&MAGIC) {
                at += UNIT_BYTES;
                continue;
            }
            let claimed = record::claimed_size_bytes(rest);
            match record::read(rest) {
                Ok(record) => {
                    info.records += 1;
                    info.used_bytes += record.size_bytes as u64;
                    let location = Location { device, block, at: at as u32 };
                    self.record(&record, location, visitor)?;
                }
                Err(malformed) => visitor.damage(Damage {
                    block: Some(block),
                    offset_bytes: u64::from(block) * u64::from(BLOCK_BYTES) + at as u64,
                    size_bytes: claimed.unwrap_or(UNIT_BYTES) as u64,
                    what: malformed.to_string(),
                }),
            }
            at += claimed.unwrap_or(UNIT_BYTES);
        }
        visitor.block(info);
        Ok(())
    }

    fn record(
        &self,
        record: &FlatRecord<'_>,
        location: Location,
        visitor: &mut dyn Visitor,
    ) -> anyhow::Result<()> {
        match self.header.tree_of(&record.digest) {
            None => visitor.ignored(Ignored::Unowned),
            Some(tree) if tree != record.tree => visitor.ignored(Ignored::Dropped),
            Some(_) => visitor.record(&Seen {
                digest: record.digest,
                version: record.version,
                kind: if record.bin_count == 0 { Kind::Tombstone } else { Kind::Record },
                location,
                sequence: 0,
                size_bytes: record.size_bytes as u32,
                set: SetName::Known(record.set),
                raw: Raw::Original(*record),
            })?,
        }
        Ok(())
    }
}
