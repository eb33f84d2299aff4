//! What the header of a device says, for the report.

use serde::Serialize;

use crate::original;
use crate::own::OwnDevice;

/// What a device's header says.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Header {
    /// One of ours.
    Bolide(Box<OwnHeader>),
    /// The original's.
    Aerospike(original::DeviceHeader),
}

/// The header of a device of ours, for the report.
#[derive(Debug, Serialize)]
pub struct OwnHeader {
    /// Name of the namespace.
    pub namespace: String,
    /// The device's id, in hexadecimal: JSON has no such numbers.
    pub device_id: String,
    /// The id of its set, likewise.
    pub device_set_id: String,
    /// Its place in the set, from 1.
    pub place: u16,
    /// Devices of the set.
    pub device_count: u16,
    /// Size of a block.
    pub block_bytes: u32,
    /// Number of blocks.
    pub block_count: u32,
    /// How often the header was changed.
    pub version: u64,
    /// How often the device was opened.
    pub opens: u64,
    /// Whether it was closed in order.
    pub clean: bool,
    /// Whether an image of the index was saved then.
    pub has_image: bool,
    /// Which copies of the header are sound.
    pub copies_sound: [bool; 2],
    /// Records with a void-time before this one, in seconds since 2010, were evicted; 0: none.
    pub evict_void_time: u32,
    /// Records last written before this moment, in ms since 2010, are gone; 0: none.
    pub truncate_lut: u64,
    /// The same by set.
    pub set_truncate_luts: Vec<(String, u64)>,
    /// Whether its records are encrypted.
    pub is_encrypted: bool,
}

impl OwnHeader {
    /// What the header of this device says.
    pub fn new(device: &OwnDevice) -> Self {
        let header = &device.header;
        let memory = &header.memory;
        let name = |set: &[u8]| String::from_utf8_lossy(set).into_owned();
        Self {
            namespace: header.namespace.clone(),
            device_id: format!("{:016x}", header.device),
            device_set_id: format!("{:016x}", header.device_set),
            place: header.place.0.saturating_add(1),
            device_count: header.place.1,
            block_bytes: header.block_bytes,
            block_count: header.block_count,
            version: header.version,
            opens: header.opens,
            clean: header.clean,
            has_image: header.image != 0,
            copies_sound: device.copies,
            evict_void_time: memory.evict_void_time,
            truncate_lut: memory.truncate_lut,
            set_truncate_luts: memory
                .set_truncate_luts
                .iter()
                .map(|(set, lut)| (name(set), *lut))
                .collect(),
            is_encrypted: !header.wrapped_key.is_empty(),
        }
    }
}
