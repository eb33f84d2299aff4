//! The walk over the blocks of a device of ours.

use std::io;

use storage::format::block::{self, End, Head, Image, Item};
use storage::format::flat::{Found, Header};

use super::OwnDevice;
use crate::content;
use crate::seen::{BlockInfo, BlockState, Damage, Location, Raw, Seen, Visitor};
use crate::version::Version;

pub(super) struct Walk<'d> {
    device: &'d OwnDevice,
    number: u16,
    /// A greater sequence number than any, once it was needed.
    above: Option<u64>,
}

/// A block in use, with what is known of it.
struct InUse {
    block: u32,
    sequence: u64,
    has_header: bool,
}

impl<'d> Walk<'d> {
    pub(super) fn new(device: &'d OwnDevice, number: u16) -> Self {
        Self { device, number, above: None }
    }

    pub(super) fn run(mut self, visitor: &mut dyn Visitor) -> anyhow::Result<()> {
        let mut bytes = vec![0; self.device.geometry.block_bytes as usize];
        for block in self.device.geometry.blocks() {
            let offset_bytes = self.offset_bytes(block);
            if let Err(error) = self.device.source.read_at(&mut bytes, offset_bytes) {
                visitor.damage(self.whole_block(block, format!("cannot be read: {error}")));
                visitor.block(BlockInfo::new(block, BlockState::Unreadable, None));
                continue;
            }
            self.block(block, &bytes, visitor)?;
        }
        Ok(())
    }

    fn block(&mut self, block: u32, bytes: &[u8], visitor: &mut dyn Visitor) -> anyhow::Result<()> {
        let device = self.device.header.device;
        let head = block::head(bytes, device, block, self.offset_bytes(block));
        match head {
            Head::InUse { sequence } => {
                self.records(&InUse { block, sequence, has_header: true }, bytes, visitor)
            }
            Head::Free { sequence } => {
                visitor.block(BlockInfo::new(block, BlockState::Free, Some(sequence)));
                Ok(())
            }
            Head::Blank | Head::Damaged => self.without_header(block, bytes, head, visitor),
        }
    }

    /// A block without a header is blank, unless there are records in it: then the header was lost.
    fn without_header(
        &mut self,
        block: u32,
        bytes: &[u8],
        head: Head,
        visitor: &mut dyn Visitor,
    ) -> anyhow::Result<()> {
        let (device, offset_bytes) = (self.device.header.device, self.offset_bytes(block));
        // Most blocks of a new device are zeros, and looking for records in them takes long.
        let zeros = bytes.iter().all(|&byte| byte == 0);
        let sequence = match zeros {
            true => None,
            false => block::recover_sequence(bytes, device, offset_bytes, self.above()),
        };
        if sequence.is_none() && head == Head::Blank {
            visitor.block(BlockInfo::new(block, BlockState::Blank, None));
            return Ok(());
        }
        let size_bytes = block::HEADER_BYTES as u64;
        let what = match sequence {
            Some(_) => "the block's header is damaged; its records were found without it",
            None => "the block's header is damaged, and there is no sound record behind it",
        };
        visitor.damage(Damage { block: Some(block), offset_bytes, size_bytes, what: what.into() });
        match sequence {
            Some(sequence) => {
                self.records(&InUse { block, sequence, has_header: false }, bytes, visitor)
            }
            None => {
                visitor.block(BlockInfo::new(block, BlockState::DamagedHeader, None));
                Ok(())
            }
        }
    }

    fn records(
        &self,
        in_use: &InUse,
        bytes: &[u8],
        visitor: &mut dyn Visitor,
    ) -> anyhow::Result<()> {
        let offset_bytes = self.offset_bytes(in_use.block);
        let device = self.device.header.device;
        let image = Image { bytes, device, offset_bytes, sequence: in_use.sequence };
        let mut info =
            BlockInfo::new(in_use.block, BlockState::DamagedHeader, Some(in_use.sequence));
        let mut outcome = Ok(());
        let (end, end_at) = image.walk(|item| match item {
            Item::Record { at, found } => {
                info.records += 1;
                info.used_bytes += found.bytes.len() as u64;
                if outcome.is_ok() {
                    outcome = self.show(in_use, at, found, visitor);
                }
            }
            Item::Damage { at, size_bytes } => visitor.damage(Damage {
                block: Some(in_use.block),
                offset_bytes: offset_bytes + at as u64,
                size_bytes: size_bytes as u64,
                what: "no sound record begins here".into(),
            }),
        });
        outcome?;
        if in_use.has_header {
            info.state = match end {
                End::Sealed => BlockState::Sealed,
                End::Open => BlockState::Open,
                End::Torn => BlockState::Torn,
            };
        }
        if end == End::Torn {
            visitor.damage(Damage {
                block: Some(in_use.block),
                offset_bytes: offset_bytes + end_at as u64,
                size_bytes: bytes.len().saturating_sub(end_at) as u64,
                what: "remains of a write behind the last record: torn when the server ended, or \
                       damaged"
                    .into(),
            });
        }
        visitor.block(info);
        Ok(())
    }

    /// Shows a record, decrypted if there is a key.
    fn show(
        &self,
        in_use: &InUse,
        at: usize,
        found: Found<'_>,
        visitor: &mut dyn Visitor,
    ) -> anyhow::Result<()> {
        let Some(cipher) = self.device.cipher.as_ref().filter(|_| found.header.encrypted) else {
            return visitor.record(&self.seen(in_use, at, found));
        };
        let mut payload = Vec::new();
        if cipher.unseal(found.payload, &found.header.digest.0, &mut payload).is_none() {
            visitor.damage(Damage {
                block: Some(in_use.block),
                offset_bytes: self.offset_bytes(in_use.block) + at as u64,
                size_bytes: found.bytes.len() as u64,
                what: "an encrypted record that the key does not open".into(),
            });
            return visitor.record(&self.seen(in_use, at, found));
        }
        let header = Header { encrypted: false, ..found.header };
        visitor.record(&self.seen(in_use, at, Found { header, payload: &payload, ..found }))
    }

    fn seen<'b>(&self, in_use: &InUse, at: usize, found: Found<'b>) -> Seen<'b> {
        let header = &found.header;
        Seen {
            digest: header.digest,
            version: Version {
                last_update_time: header.last_update_time.0,
                order: header.order().0,
                generation: header.generation.0,
                void_time: header.void_time.0,
            },
            kind: header.kind,
            location: Location { device: self.number, block: in_use.block, at: at as u32 },
            sequence: in_use.sequence,
            size_bytes: found.bytes.len() as u32,
            set: content::set_of(&found),
            raw: Raw::Own(found),
        }
    }

    /// A sequence number above that of every block whose header is sound.
    fn above(&mut self) -> u64 {
        if let Some(above) = self.above {
            return above;
        }
        let blocks = self.device.geometry.blocks();
        let sequences = blocks.filter_map(|block| self.sequence(block).ok().flatten());
        let above = sequences.max().unwrap_or(0).saturating_add(1);
        // Whoever lost a header may have been the last to begin a block, or the few last.
        let above = above.saturating_add(1 << 16);
        self.above = Some(above);
        above
    }

    fn sequence(&self, block: u32) -> io::Result<Option<u64>> {
        let mut front = [0; block::HEADER_BYTES];
        let offset_bytes = self.offset_bytes(block);
        self.device.source.read_at(&mut front, offset_bytes)?;
        let head = block::head(&front, self.device.header.device, block, offset_bytes);
        Ok(match head {
            Head::InUse { sequence } | Head::Free { sequence } => Some(sequence),
            Head::Blank | Head::Damaged => None,
        })
    }

    fn offset_bytes(&self, block: u32) -> u64 {
        self.device.geometry.offset_bytes(block)
    }

    fn whole_block(&self, block: u32, what: String) -> Damage {
        Damage {
            block: Some(block),
            offset_bytes: self.offset_bytes(block),
            size_bytes: u64::from(self.device.geometry.block_bytes),
            what,
        }
    }
}
