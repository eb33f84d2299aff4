//! Where clauses of queries, and what indexes find in values of any kind.

use config::Namespace;
use engine::sindex::{Definition, IndexType, KeyType, Predicate, Source};
use record::Body;
use record::body::BodyWriter;
use wire::client::RequestBuilder;
use wire::{Digest, FieldType, ParticleType, Request};

use super::{Entry, Outcome};

pub const ENTRY: Entry = Entry {
    name: "where_clause",
    what: "index ranges, and the values that indexes find: a kind of index, a value, a range",
    seeds: |corpus| {
        let polygon = br#"{"type":"Polygon","coordinates":[[[0,0],[9,0],[9,9],[0,9],[0,0]]]}"#;
        let point = br#"{"type":"Point","coordinates":[3,4]}"#;
        let ranges = [
            range(ParticleType::INTEGER, &[0; 8], &1000_i64.to_be_bytes()),
            range(ParticleType::STRING, b"abc", b"abc"),
            range(ParticleType::BLOB, b"abc", b""),
            range(ParticleType::GEOJSON, polygon, polygon),
            range(ParticleType::GEOJSON, point, b""),
        ];
        let geo = |text: &[u8]| [&[ParticleType::GEOJSON.0, 0, 0, 0], text].concat();
        let mut values = super::values(corpus);
        values.retain(|value| value.len() < 256);
        values.truncate(40);
        values.extend([geo(polygon), geo(point)]);
        let mut seeds = Vec::new();
        for (value, kind) in values.iter().zip(0..) {
            for range in &ranges {
                seeds.push([&[kind % 4, value.len() as u8], &value[..], range].concat());
            }
        }
        seeds
    },
    make: |_| Box::new(feed),
};

/// The field that asks a bin for values of a type.
fn range(kind: ParticleType, begin: &[u8], end: &[u8]) -> Vec<u8> {
    let sized = |value: &[u8]| [&(value.len() as u32).to_be_bytes(), value].concat();
    [&[1, 1, b'b', kind.0][..], &sized(begin), &sized(end)].concat()
}

fn feed(input: &[u8]) -> Outcome {
    let Some(([kind, size], rest)) = input.split_first_chunk() else { return Outcome::of(0) };
    let index_type = IndexType::of_number(kind % 4).expect("there are four");
    let (value, range) = rest.split_at(rest.len().min(usize::from(*size)));
    let request = RequestBuilder::new()
        .field(FieldType::INDEX_RANGE, range)
        .field(FieldType::INDEX_TYPE, &[kind % 4])
        .into_body();
    let request = Request::parse(&request).expect("it was just made");
    let parsed = Predicate::parse(&request, &Namespace::named("test"));
    let predicate = match parsed {
        Ok(predicate) => predicate.expect("there is a range"),
        Err(result) => return Outcome::of((1, result.0)),
    };
    let order = predicate.key_type().order();
    let ends: Vec<_> = predicate.ranges().iter().flat_map(|(low, high)| [*low, *high]).collect();
    assert!(
        ends.is_sorted_by(|a, b| order.compare(*a, *b).is_le()),
        "ranges ascend, and are apart"
    );
    Outcome::of((
        2,
        look(&predicate, bin_of(range), index_type, value),
        predicate.ranges().len().min(4),
    ))
}

/// The bin of a range that is as it should be.
fn bin_of(range: &[u8]) -> &[u8] {
    let len = range.get(1).copied().unwrap_or_default();
    range.get(2..2 + usize::from(len)).unwrap_or_default()
}

/// What an index finds in a value, and whether the predicate accepts it.
fn look(predicate: &Predicate, bin: &[u8], index_type: IndexType, value: &[u8]) -> (usize, bool) {
    let Some((kind, value)) = value.split_first() else { return (0, false) };
    let Ok(stored) = value::from_wire(ParticleType(*kind), value) else { return (0, false) };
    let mut bytes = Vec::new();
    let mut writer = BodyWriter::new(&mut bytes, None);
    writer.bin(bin, ParticleType(*kind), &stored);
    writer.finish();
    let body = Body::new(&bytes);
    let (source, key_type) = (Source::bin(bin), predicate.key_type());
    let definition = Definition { set: None, source, key_type, index_type };
    let (digest, mut bvals) = (Digest([0; Digest::SIZE]), Vec::new());
    definition.bvals_of(&digest, &body, &mut bvals);
    assert!(bvals.is_sorted_by(|a, b| a < b), "each number once");
    let matches = predicate.matches(&definition, &digest, &body);
    let order = predicate.key_type().order();
    let is_in = |bval: &i64, (low, high): &(i64, i64)| {
        order.compare(*low, *bval).is_le() && order.compare(*bval, *high).is_le()
    };
    let found = bvals.iter().any(|bval| predicate.ranges().iter().any(|range| is_in(bval, range)));
    let is_too_long = predicate.key_type() != KeyType::Geo2DSphere && stored.len() > 2048;
    assert!(found || !matches || is_too_long, "what matches is found by the index");
    (bvals.len().min(4), matches)
}
