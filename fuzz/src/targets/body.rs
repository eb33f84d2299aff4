//! Stored bodies of records, as a damaged medium may give them back.

use record::body::{Body, BodyWriter, StoredBin};
use wire::ParticleType;

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "body",
    what: "stored bodies of records",
    seeds: |corpus| {
        let mut bodies = vec![written(None, &[]), written(Some(b"\x03key"), &[])];
        for (place, value) in super::values(corpus).chunks(3).enumerate() {
            let key = (place % 2 == 0).then_some(&b"\x01\0\0\0\0\0\0\0\x07"[..]);
            bodies.push(written(key, value));
        }
        bodies
    },
    make: |_| Box::new(feed),
};

/// A body with a bin for each value, whose first byte is the particle type.
fn written(key: Option<&[u8]>, values: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = BodyWriter::new(&mut out, key);
    for (place, value) in values.iter().enumerate() {
        let (kind, bytes) = value.split_first().unwrap_or((&0, &[]));
        writer.bin(format!("bin{place}").as_bytes(), ParticleType(*kind), bytes);
    }
    writer.finish();
    out
}

fn feed(input: &[u8]) -> Outcome {
    let body = Body::new(input);
    let bins: Vec<_> = body.bins().collect();
    let bytes: usize = bins.iter().map(|bin| bin.reply_op.len()).sum();
    let key_bytes = body.key().map_or(0, <[u8]>::len);
    assert!(bytes + key_bytes <= input.len(), "more bytes than the body has");
    for bin in &bins {
        let first = body.bin(bin.name).expect("a bin with this name is there");
        assert_eq!(first.name, bin.name);
    }
    let mut out = Vec::new();
    let mut writer = BodyWriter::new(&mut out, body.key());
    bins.iter().for_each(|bin| writer.bin(bin.name, bin.particle_type, bin.value));
    writer.finish();
    // Code and flags of a damaged bin may be any; those that are written are always the same.
    let again = Body::new(&out);
    assert_eq!(again.key(), body.key());
    let parts = |bin: StoredBin<'_>| (bin.name.to_vec(), bin.particle_type, bin.value.to_vec());
    assert!(again.bins().map(parts).eq(body.bins().map(parts)), "written once more");
    Outcome::of((bins.len(), body.key().is_some(), body.bin_count().min(9)))
}
