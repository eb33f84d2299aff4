//! Devices in memory, made with the encoders of the format.

use std::io;

use record::body::BodyWriter;
use record::{Generation, LastUpdateTime, VoidTime};
use storage::format::Place;
use storage::format::block;
use storage::format::flat::{self, Header, Kind, Packing};
use storage::format::header::DeviceHeader;
use storage::packing::pack;
use wire::{Digest, ParticleType};

use crate::device::{Device, Unusable, Whose};
use crate::source::Source;

/// Bytes that are read as a device.
pub struct Memory {
    pub name: String,
    pub bytes: Vec<u8>,
    /// Reading here fails.
    pub bad: Option<std::ops::Range<u64>>,
}

impl Source for Memory {
    fn name(&self) -> &str {
        &self.name
    }

    fn size_bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        let end = offset_bytes + bytes.len() as u64;
        if self.bad.as_ref().is_some_and(|bad| offset_bytes < bad.end && bad.start < end) {
            return Err(io::Error::other("a bad sector"));
        }
        let from = offset_bytes as usize;
        let source = self.bytes.get(from..from + bytes.len());
        bytes.copy_from_slice(source.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

pub fn open(name: &str, bytes: Vec<u8>, whose: Whose) -> Result<Device, Unusable> {
    Device::open(Box::new(Memory { name: name.into(), bytes, bad: None }), whose)
}

/// Blocks of the devices below.
pub const BLOCK_BYTES: u32 = 16 << 10;
pub const OURS: Whose = Whose::Ours { block_bytes: BLOCK_BYTES };

/// A record to be stored.
#[derive(Clone)]
pub struct Spec {
    pub digest: Digest,
    pub last_update_time: u64,
    pub generation: u16,
    pub void_time: u32,
    pub kind: Kind,
    pub set: &'static str,
    pub key: Option<Vec<u8>>,
    pub bins: Vec<(&'static str, ParticleType, Vec<u8>)>,
    pub packing: Packing,
    pub encrypted: bool,
}

/// A record of set `s` with one bin `a` that holds 7.
pub fn spec(digest: u8, last_update_time: u64) -> Spec {
    Spec {
        digest: Digest([digest; 20]),
        last_update_time,
        generation: 1,
        void_time: 0,
        kind: Kind::Record,
        set: "s",
        key: None,
        bins: vec![("a", ParticleType::INTEGER, 7i64.to_be_bytes().to_vec())],
        packing: Packing::Plain,
        encrypted: false,
    }
}

impl Spec {
    fn payload(&self) -> (Packing, Vec<u8>) {
        if self.kind == Kind::Grave {
            return (Packing::Plain, Vec::new());
        }
        let mut body = Vec::new();
        let mut writer = BodyWriter::new(&mut body, self.key.as_deref());
        for (name, particle_type, value) in &self.bins {
            writer.bin(name.as_bytes(), *particle_type, value);
        }
        writer.finish();
        let mut payload = vec![self.set.len() as u8];
        payload.extend_from_slice(self.set.as_bytes());
        if pack(self.packing, 0, 0, &body, &mut payload) {
            return (self.packing, payload);
        }
        payload.extend_from_slice(&body);
        (Packing::Plain, payload)
    }

    fn bytes(&self, place: &Place) -> Vec<u8> {
        let (packing, payload) = self.payload();
        let mut bytes = Vec::new();
        flat::begin(&mut bytes);
        bytes.extend_from_slice(&payload);
        let header = Header {
            digest: self.digest,
            last_update_time: LastUpdateTime(self.last_update_time),
            generation: Generation(self.generation),
            void_time: VoidTime(self.void_time),
            kind: self.kind,
            xdr_write: false,
            has_key: self.key.is_some(),
            packing,
            encrypted: self.encrypted,
            ordered_at: None,
        };
        flat::finish(&mut bytes, &header);
        let content = flat::content_checksum(&bytes);
        flat::settle(&mut bytes, content, place);
        bytes
    }
}

/// A device of ours under construction.
pub struct Own {
    pub header: DeviceHeader,
    pub bytes: Vec<u8>,
    /// Where each record that was stored begins.
    pub places: Vec<usize>,
}

impl Own {
    /// Device `place` (from 0) of a set of so many, with blank blocks.
    pub fn new(place: u16, count: u16) -> Self {
        let blocks = 15;
        let header = DeviceHeader {
            version: 7,
            device: 0x1234_5678_9ABC_DEF0 + u64::from(place),
            device_set: 99,
            place: (place, count),
            block_bytes: BLOCK_BYTES,
            block_count: blocks,
            namespace: "test".into(),
            opens: 3,
            clean: true,
            ..DeviceHeader::default()
        };
        let bytes = vec![0; (blocks as usize + 1) * BLOCK_BYTES as usize];
        let mut device = Self { header, bytes, places: Vec::new() };
        device.write_header();
        device
    }

    /// Writes both copies of the header.
    pub fn write_header(&mut self) {
        for copy in 0..2 {
            let header =
                DeviceHeader { version: self.header.version + copy as u64, ..self.header.clone() };
            let bytes = header.encode(DeviceHeader::copy_bytes_max(BLOCK_BYTES)).unwrap();
            let at = DeviceHeader::copy_offset_bytes(copy, BLOCK_BYTES) as usize;
            self.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
        }
    }

    fn place(&self, at: usize, sequence: u64) -> Place {
        Place { device: self.header.device, offset_bytes: at as u64, sequence }
    }

    /// Fills a block with records; returns where they end.
    pub fn fill(&mut self, block: u32, sequence: u64, records: &[Spec]) -> usize {
        let start = block as usize * BLOCK_BYTES as usize;
        let head = block::in_use(block, &self.place(start, sequence));
        self.bytes[start..start + head.len()].copy_from_slice(&head);
        let mut at = start + head.len();
        for record in records {
            let bytes = record.bytes(&self.place(at, sequence));
            self.bytes[at..at + bytes.len()].copy_from_slice(&bytes);
            self.places.push(at);
            at += bytes.len();
        }
        at
    }

    /// Fills a block and seals it.
    pub fn seal(&mut self, block: u32, sequence: u64, records: &[Spec]) {
        let at = self.fill(block, sequence, records);
        let end = block::end(&self.place(at, sequence));
        self.bytes[at..at + end.len()].copy_from_slice(&end);
    }

    /// Frees a block.
    pub fn free(&mut self, block: u32, sequence: u64) {
        let start = block as usize * BLOCK_BYTES as usize;
        let head = block::free(block, &self.place(start, sequence));
        self.bytes[start..start + head.len()].copy_from_slice(&head);
    }

    pub fn open(&self, name: &str) -> Device {
        open(name, self.bytes.clone(), OURS).unwrap()
    }
}
