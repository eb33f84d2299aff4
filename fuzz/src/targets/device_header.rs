//! The header of a device, but for its checksum, which is put right: what is behind it is decoded then.

use storage::format::checksum;
use storage::format::header::{DeviceHeader, Memory};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "device_header",
    what: "headers of devices, whose checksum is put right",
    seeds: |_| {
        let memory = Memory {
            evict_void_time: 5,
            truncate_lut: 6,
            set_truncate_luts: vec![(b"set".as_slice().into(), 7)],
        };
        let header = DeviceHeader {
            namespace: "test".into(),
            wrapped_key: vec![1; 61],
            memory,
            ..DeviceHeader::default()
        };
        [header, DeviceHeader::default()]
            .iter()
            .filter_map(|header| header.encode(1 << 20))
            .map(|bytes| bytes[..300].to_vec())
            .collect()
    },
    make: |_| Box::new(feed),
};

fn feed(input: &[u8]) -> Outcome {
    let size_bytes = input.len();
    let mut bytes = input.to_vec();
    if size_bytes >= 8 {
        bytes[4..8].copy_from_slice(&(size_bytes as u32).to_le_bytes());
        let sum = checksum(&bytes[4..]);
        bytes[..4].copy_from_slice(&sum.to_le_bytes());
    }
    bytes.resize(size_bytes.next_multiple_of(4096).max(4096), 0);
    let Some(header) = DeviceHeader::decode(&bytes) else { return Outcome::of(0) };
    let again = header.encode(1 << 24).expect("it came out of fewer bytes");
    assert_eq!(DeviceHeader::decode(&again), Some(header.clone()));
    Outcome::of((header.namespace.len(), header.memory.set_truncate_luts.len().min(9)))
}
