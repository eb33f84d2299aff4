//! Records of the original, as its devices may give them back.

use inspect::original::{FlatRecord, Malformed, mark, read};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "original",
    what: "records of the original's devices",
    seeds: |corpus| {
        let values = super::values(corpus);
        let mut seeds: Vec<_> = values.chunks(3).map(record).collect();
        seeds.push(record(&[]));
        seeds
    },
    make: |_| Box::new(feed),
};

/// A record with a bin for each value, whose first byte is the particle type.
fn record(values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = [&0x037A_F201_u32.to_le_bytes()[..], &[0; 4], &[7; 20], &[1; 7]].concat();
    // Void-time, set, key.
    out.extend_from_slice(&[9, 0, 0, 0, 3, b's', b'e', b't', 2, 3, b'k']);
    let mut flags = 1 << 19 | 1 << 20 | 1 << 21;
    if !values.is_empty() {
        flags |= 1 << 22;
        out.push(values.len() as u8);
    }
    for value in values {
        let (kind, bytes) = value.split_first().unwrap_or((&4, &[]));
        out.extend_from_slice(&[1, b'b', *kind]);
        match kind {
            1 | 17 => out.extend_from_slice(&[1, 1]),
            2 => out.extend_from_slice(&[0; 8]),
            _ => {
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(bytes);
            }
        }
    }
    let mark = out[8..].first_chunk().map_or(0, mark);
    out.extend_from_slice(&mark.to_le_bytes());
    out.resize(out.len().next_multiple_of(16), 0);
    let bits = (out.len() / 16 - 1) as u32 | flags;
    out[4..8].copy_from_slice(&bits.to_le_bytes());
    out
}

fn feed(input: &[u8]) -> Outcome {
    match read(input) {
        Ok(record) => {
            promises(&record, input);
            Outcome::of((0, record.bin_count.min(9), record.key.is_some(), record.set.len().min(2)))
        }
        Err(Malformed::Size(_)) => Outcome::of(1),
        Err(Malformed::Bin(number)) => Outcome::of((2, number.min(9))),
        Err(other) => Outcome::of((3, other.to_string())),
    }
}

fn promises(record: &FlatRecord<'_>, input: &[u8]) {
    assert!(record.size_bytes <= input.len());
    assert!(record.set.len() <= 63);
    let bins: Result<Vec<_>, _> = record.bins().collect();
    let bins = bins.expect("they were read before");
    assert_eq!(bins.len(), record.bin_count as usize);
    let bytes: usize = bins.iter().map(|bin| bin.name.len() + bin.value.len()).sum();
    // An integer of one byte becomes one of eight.
    assert!(bytes <= record.size_bytes + 8 * bins.len(), "more bytes than the record has");
}
