//! Blocks of a device, as a damaged medium may give them back.
//!
//! Random bytes never stand up to a checksum. So the input says what records are in a block, in their
//! stored form but for the checksums, which are put right, and then which bytes of the block change.

use storage::format::block::{self, End, Image, Item};
use storage::format::{Place, flat};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "device_block",
    what: "blocks of a device: records without checksums, then changes to the bytes",
    seeds: |corpus| {
        let values = super::values(corpus);
        values.chunks(3).map(|payloads| seed(payloads)).collect()
    },
    make: |_| Box::new(feed),
};

const BLOCK_BYTES: usize = 8 * 1024;
const DEVICE: u64 = 77;
const SEQUENCE: u64 = 5;

/// Records with these payloads, each with its size in front, and a change.
fn seed(payloads: &[Vec<u8>]) -> Vec<u8> {
    let mut out = vec![payloads.len() as u8];
    for payload in payloads {
        let payload = &payload[..payload.len().min(200)];
        out.push(payload.len() as u8);
        out.extend_from_slice(payload);
    }
    out.extend_from_slice(&[70, 0, 1]);
    out
}

fn place(at: usize) -> Place {
    Place { device: DEVICE, offset_bytes: (BLOCK_BYTES + at) as u64, sequence: SEQUENCE }
}

/// The block that the input describes; where its records are; and what changes.
fn block(input: &[u8]) -> (Vec<u8>, usize, &[u8]) {
    let mut bytes = vec![0; BLOCK_BYTES];
    bytes[..block::HEADER_BYTES].copy_from_slice(&block::in_use(1, &place(0)));
    let (mut at, mut count) = (block::HEADER_BYTES, 0);
    let (wanted, mut rest) =
        input.split_first().map_or((0, &[][..]), |(wanted, rest)| (*wanted, rest));
    for _ in 0..wanted {
        let Some((&size, behind)) = rest.split_first() else { break };
        let Some((payload, behind)) = behind.split_at_checked(usize::from(size)) else { break };
        let mut record = Vec::new();
        flat::begin(&mut record);
        record.extend_from_slice(payload);
        let header = flat::Header::grave(
            wire::Digest([size; 20]),
            record::LastUpdateTime(u64::from(size)),
            record::Generation(1),
        );
        flat::finish(&mut record, &header);
        if at + record.len() + block::END_BYTES > BLOCK_BYTES {
            break;
        }
        let content = flat::content_checksum(&record);
        flat::settle(&mut record, content, &place(at));
        bytes[at..at + record.len()].copy_from_slice(&record);
        at += record.len();
        count += 1;
        rest = behind;
    }
    bytes[at..at + block::END_BYTES].copy_from_slice(&block::end(&place(at)));
    (bytes, count, rest)
}

fn walk(bytes: &[u8], sequence: u64) -> (usize, usize, End) {
    let image = Image { bytes, device: DEVICE, offset_bytes: BLOCK_BYTES as u64, sequence };
    let (mut records, mut holes, mut last) = (0, 0, block::HEADER_BYTES);
    let (end, end_at) = image.walk(|item| match item {
        Item::Record { at, found } => {
            assert!(at >= last && at + found.bytes.len() <= bytes.len());
            last = at + found.bytes.len();
            records += 1;
        }
        Item::Damage { at, size_bytes } => {
            assert!(at >= last && size_bytes > 0);
            last = at + size_bytes;
            holes += 1;
        }
    });
    assert!(end_at <= bytes.len());
    (records, holes, end)
}

fn feed(input: &[u8]) -> Outcome {
    let (mut bytes, count, changes) = block(input);
    assert_eq!(walk(&bytes, SEQUENCE), (count, 0, End::Sealed));
    for change in changes.chunks_exact(3) {
        let at = usize::from(change[0]) | usize::from(change[1]) << 8;
        bytes[at % BLOCK_BYTES] ^= change[2];
    }
    let _ = block::head(&bytes, DEVICE, 1, BLOCK_BYTES as u64);
    let recovered = block::recover_sequence(&bytes, DEVICE, BLOCK_BYTES as u64, 1 << 32);
    let (records, holes, end) = walk(&bytes, recovered.unwrap_or(SEQUENCE));
    assert!(records <= count, "no change makes a record");
    Outcome::of((records.min(9), holes.min(9), format!("{end:?}"), recovered.is_some()))
}
