//! Secondary indexes: in step with records whatever changes them, on every engine.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use config::Namespace as NamespaceConfig;
use expr::IndexExpression;
use fastrand::Rng;
use record::LastUpdateTime;
use storage::ScanProgress;
use storage::device::ram::RamDevice;
use wire::client::RequestBuilder;
use wire::{
    Digest, FieldType, Info2, Info3, OpCode, ParticleType, PartitionId, Request, ResultCode,
};

use super::fixture::*;
use super::{devices, stress};
use crate::namespace::Namespace;
use crate::sindex::{
    Candidate, Definition, IndexType, KeyType, Predicate, SINDEXES_MAX, Sindex, SindexRefusal,
    SindexScan, Source, Where,
};

/// Partitions in which anything is.
fn occupied(namespace: &Namespace) -> impl Iterator<Item = PartitionId> {
    PartitionId::all().filter(|partition| namespace.partition_counts(*partition).entries != 0)
}

/// An index as queries see it: all entries of partitions that hold any record, in the order in which
/// they come.
fn entries_of(namespace: &Namespace, sindex: &Sindex) -> Vec<(i64, Digest)> {
    let range = match sindex.definition.key_type {
        KeyType::Geo2DSphere => (0, -1),
        _ => (i64::MIN, i64::MAX),
    };
    let mut entries = Vec::new();
    for partition in occupied(namespace) {
        let items = namespace.all_under(sindex, partition, range);
        entries.extend(items.iter().map(|item| (item.bval, item.digest)));
    }
    entries
}

/// What an index has to hold, computed from all records.
fn expected_of(namespace: &Namespace, sindex: &Sindex) -> Vec<(i64, Digest)> {
    let mut entries = Vec::new();
    for partition in occupied(namespace) {
        let mut digests = Vec::new();
        namespace.records.for_each(partition, |digest, _| digests.push(*digest));
        let mut of_partition = Vec::new();
        for digest in digests {
            namespace.inspect(&digest, |record| {
                if sindex.covers(&record.meta) {
                    let mut bvals = Vec::new();
                    sindex.definition.bvals_of(&digest, &record.body, &mut bvals);
                    of_partition.extend(bvals.iter().map(|bval| (*bval, digest)));
                }
            });
        }
        let order = sindex.definition.key_type.order();
        of_partition.sort_by(|a, b| order.compare(a.0, b.0).then(a.1.cmp(&b.1)));
        entries.extend(of_partition);
    }
    entries
}

/// Every index that is filled holds what it has to, neither more nor less.
pub(super) fn check_sindexes(namespace: &Namespace) {
    for sindex in namespace.sindexes.all().iter().filter(|sindex| sindex.is_readable()) {
        let entries = entries_of(namespace, sindex);
        assert_eq!(entries, expected_of(namespace, sindex), "{:?}", sindex.definition);
        assert_eq!(sindex.stats().entries, entries.len() as u64, "elsewhere there is nothing");
    }
}

pub(super) fn definition(bin: &str, key_type: KeyType, index_type: IndexType) -> Definition {
    Definition { set: None, source: Source::bin(bin.as_bytes()), key_type, index_type }
}

/// n + the digest modulo 2: there only where n is.
const DIGEST_BY_N: [u8; 10] = [0x93, 20, 0x93, 81, 2, 0xa1, b'n', 0x92, 64, 2];
/// The string a of records whose n is positive, of others nothing.
const A_WHERE_N: [u8; 17] =
    [0x94, 123, 0x93, 3, 0x93, 81, 2, 0xa1, b'n', 0, 0x93, 81, 3, 0xa1, b'a', 0x91, 0];
/// The list l.
const LIST_BIN: [u8; 5] = [0x93, 81, 4, 0xa1, b'l'];

fn over(expression: &[u8], key_type: KeyType, index_type: IndexType) -> Definition {
    let expression = Arc::new(IndexExpression::build(expression).unwrap());
    Definition { set: None, source: Source::Expression(expression), key_type, index_type }
}

/// Definitions of all kinds over the bins that [`random_write`] writes.
pub(super) fn definitions() -> Vec<Definition> {
    use IndexType::*;
    use KeyType::*;
    let mut all = vec![
        definition("n", Numeric, Default),
        definition("a", String, Default),
        definition("b", Blob, Default),
        definition("l", Numeric, List),
        definition("l", String, List),
        definition("m", Numeric, MapKeys),
        definition("m", Numeric, MapValues),
        definition("g", Geo2DSphere, Default),
        definition("l", Geo2DSphere, List),
    ];
    let source = Source::Bin { name: b"l"[..].into(), context: [0x92, 0x10, 0x00].into() };
    all.push(Definition { source, ..definition("l", Numeric, Default) });
    all.push(over(&DIGEST_BY_N, Numeric, Default));
    all.push(over(&A_WHERE_N, String, Default));
    all.push(over(&LIST_BIN, Numeric, List));
    all.push(Definition { set: Some(b"s"[..].into()), ..definition("n", Numeric, Default) });
    all
}

fn text_element(out: &mut Vec<u8>, kind: ParticleType, text: &str) {
    out.extend([0xd9, text.len() as u8 + 1, kind.0]);
    out.extend_from_slice(text.as_bytes());
}

fn random_geo(random: &mut Rng) -> String {
    let (longitude, latitude) = (random.i32(-170..170), random.i32(-80..80));
    if random.bool() {
        format!(r#"{{"type":"Point","coordinates":[{longitude},{latitude}]}}"#)
    } else {
        format!(r#"{{"type":"AeroCircle","coordinates":[[{longitude},{latitude}],50000]}}"#)
    }
}

/// A write of one of the bins that [`definitions`] look at.
fn random_op(random: &mut Rng, request: RequestBuilder) -> RequestBuilder {
    let small = |random: &mut Rng| random.u8(0..20);
    let write = OpCode::WRITE;
    match random.u32(..9) {
        0 | 1 => {
            let value = random.i64(-5..5).to_be_bytes();
            request.op(write, ParticleType::INTEGER, b"n", &value)
        }
        2 => request.op(write, ParticleType::STRING, b"a", &[b'a' + small(random)]),
        3 => request.op(write, ParticleType::BLOB, b"b", &vec![7; random.usize(2040..2056)]),
        4 => {
            let count = random.u8(0..6);
            let mut list = vec![0x90 | count];
            for _ in 0..count {
                match random.u32(..4) {
                    0 => text_element(&mut list, ParticleType::STRING, "x"),
                    1 => text_element(&mut list, ParticleType::GEOJSON, &random_geo(random)),
                    _ => list.push(small(random)),
                }
            }
            request.op(write, ParticleType::LIST, b"l", &list)
        }
        5 => {
            let keys: BTreeSet<_> = (0..random.u32(..5)).map(|_| small(random)).collect();
            let mut map = vec![0x80 | keys.len() as u8];
            keys.iter().for_each(|key| map.extend([*key, small(random)]));
            request.op(write, ParticleType::MAP, b"m", &map)
        }
        6 => {
            let value = [&[0, 0, 0], random_geo(random).as_bytes()].concat();
            request.op(write, ParticleType::GEOJSON, b"g", &value)
        }
        7 => {
            let bin = ["n", "a", "b", "l", "m", "g"][random.usize(..6)];
            request.op(write, ParticleType::NULL, bin.as_bytes(), b"")
        }
        _ => request.op(OpCode::TOUCH, ParticleType::NULL, b"", b""),
    }
}

fn random_write(random: &mut Rng) -> RequestBuilder {
    let mut request = write();
    for _ in 0..random.u32(1..4) {
        request = random_op(random, request);
    }
    request = match random.u32(..8) {
        0 => request.info3(Info3::CREATE_OR_REPLACE),
        1 => request.info2(Info2::WRITE | Info2::DURABLE_DELETE),
        2 => request.record_ttl(random.u32(1..60)),
        _ => request,
    };
    match random.u32(..3) {
        0 => request.set("s"),
        1 => request.set("t"),
        _ => request,
    }
}

fn step(fixture: &mut Fixture, random: &mut Rng) {
    fixture.pass_ms(2);
    let key = random.u32(..40);
    match random.u32(..100) {
        0..70 => _ = fixture.result(key, random_write(random)),
        70..76 => _ = fixture.result(key, delete()),
        76..80 => _ = fixture.result(key, durable_delete()),
        80..86 => fixture.pass_ms(random.u64(1..10_000)),
        86..90 => _ = fixture.supervise(),
        90 => fixture.namespace.truncate(fixture.now).unwrap(),
        91 => {
            if let Some(set) = fixture.namespace.sets.by_name(b"s") {
                fixture.namespace.truncate_set(set, fixture.now).unwrap();
            }
        }
        92 => {
            let limit = START_SECONDS + random.u32(..300);
            fixture.namespace.set_evict_void_time(limit).unwrap();
        }
        93..96 => {
            let all = definitions();
            let name = [random.u8(b'a'..b'f')];
            let chosen = all[random.usize(..all.len())].clone();
            let _ = fixture.namespace.create_sindex(&name, chosen);
        }
        96 => _ = fixture.namespace.drop_sindex(&[random.u8(b'a'..b'f')]),
        97 => fixture.namespace.flush_devices(),
        _ => check_sindexes(&fixture.namespace),
    }
}

fn mixed(mut fixture: Fixture, seed: u64) {
    let mut random = Rng::with_seed(seed);
    for _ in 0..1_500 {
        step(&mut fixture, &mut random);
    }
    for (number, wanted) in definitions().into_iter().enumerate() {
        fixture.namespace.apply_sindex(wanted, Some(format!("i{number}").as_bytes())).unwrap();
    }
    while !fixture.namespace.sindexes.all().iter().all(|sindex| sindex.is_readable()) {
        fixture.supervise();
    }
    for _ in 0..500 {
        step(&mut fixture, &mut random);
    }
    fixture.supervise();
    check_sindexes(&fixture.namespace);
}

fn settings(config: &mut NamespaceConfig) {
    config.nsup_period_seconds = 30;
}

#[test]
fn indexes_in_memory_are_in_step() {
    (0..2).for_each(|seed| mixed(Fixture::with(settings), seed));
}

#[test]
fn indexes_over_a_backed_memory_are_in_step() {
    mixed(Fixture::on(devices::ram(), settings), 10);
}

#[test]
fn indexes_over_a_device_are_in_step() {
    for (seed, cache_bytes) in [(20, 0), (21, 64 << 20)] {
        let fixture = devices::fixture(devices::ram(), |config| {
            settings(config);
            config.storage_engine.post_write_cache_bytes = cache_bytes;
        });
        mixed(fixture, seed);
    }
}

#[test]
fn many_records_of_a_device_are_filled_in() {
    let mut fixture = devices::fixture(devices::ram(), settings);
    for key in 0..3_000 {
        let set = if key % 3 == 0 { "s" } else { "t" };
        fixture.do_ok(key, add("n", i64::from(key % 100)).set(set));
    }
    fixture.namespace.flush_devices();
    let set = Some(b"s"[..].into());
    let wanted = Definition { set, ..definition("n", KeyType::Numeric, IndexType::Default) };
    fixture.namespace.create_sindex(b"i", wanted).unwrap();
    let find = |fixture: &Fixture| {
        let asks = range("n", ParticleType::INTEGER, &[0; 8], &[0; 8]);
        let predicate = parse(&[(FieldType::INDEX_RANGE, &asks)]).unwrap().unwrap();
        fixture.namespace.sindexes.find(Some(b"s"), predicate).map(|_| ())
    };
    assert_eq!(find(&fixture), Err(ResultCode::SINDEX_NOT_READABLE));
    let (_, next) = fixture.supervise();
    assert_eq!(next, fixture.now.0, "it goes on at once");
    assert!(fixture.namespace.sindexes.all()[0].stats().load_pct < 100);
    while find(&fixture).is_err() {
        fixture.supervise();
    }
    let stats = fixture.namespace.sindexes.all()[0].stats();
    assert_eq!((stats.entries, stats.load_pct), (1_000, 100));
    assert_eq!((stats.entries_per_bval, stats.entries_per_record), (10, 1));
}

#[test]
fn a_damaged_record_goes_from_its_indexes_when_it_is_removed() {
    let device = devices::ram();
    let mut fixture = devices::fixture(Arc::<RamDevice>::clone(&device), settings);
    let n = definition("n", KeyType::Numeric, IndexType::Default);
    fixture.namespace.create_sindex(b"i", n).unwrap();
    fixture.do_ok(1, add("n", 5));
    fixture.do_ok(2, add("n", 6));
    fixture.namespace.flush_devices();
    device.corrupt(|content| {
        let written = content.iter_mut().skip(8 << 20).take(16 << 20).filter(|byte| **byte != 0);
        written.for_each(|byte| *byte ^= 0x55);
    });
    assert_eq!(fixture.namespace.sindexes.all()[0].stats().entries, 2);
    assert_eq!(fixture.result(1, delete()), ResultCode::OK);
    assert_eq!(fixture.namespace.sindexes.all()[0].stats().entries, 1);
    fixture.do_ok(2, put_number(7).info3(Info3::CREATE_OR_REPLACE));
    check_sindexes(&fixture.namespace);
}

#[test]
fn names_definitions_and_limits() {
    let fixture = Fixture::new();
    let namespace = &fixture.namespace;
    let n = definition("n", KeyType::Numeric, IndexType::Default);
    let of_set = Definition { set: Some(b"s"[..].into()), ..n.clone() };
    namespace.create_sindex(b"i", n.clone()).unwrap();
    namespace.create_sindex(b"i", n.clone()).unwrap();
    assert_eq!(namespace.create_sindex(b"i", of_set.clone()), Err(SindexRefusal::NameTaken));
    namespace.create_sindex(b"j", of_set.clone()).unwrap();
    let sindexes = || namespace.sets.by_name(b"s").unwrap().sindexes.load(Ordering::Relaxed);
    assert_eq!(sindexes(), 1);
    namespace.create_sindex(b"k", n.clone()).unwrap();
    assert!(namespace.sindexes.by_name(b"i").is_none(), "it has another name now");
    let asks = |bin: &str| range(bin, ParticleType::INTEGER, &[0; 8], &[0; 8]);
    let (of_bin, of_any) = (asks("n"), asks(""));
    let find = |set: Option<&[u8]>, fields: &[(FieldType, &[u8])]| {
        let predicate = parse(fields).unwrap().unwrap();
        namespace.sindexes.find(set, predicate).map(|found| found.sindex.name())
    };
    let of_bin = (FieldType::INDEX_RANGE, &*of_bin);
    assert_eq!(**find(Some(b"s"), &[of_bin]).unwrap(), *b"j");
    assert_eq!(**find(Some(b"t"), &[of_bin]).unwrap(), *b"k", "that of the whole namespace");
    assert_eq!(**find(None, &[of_bin]).unwrap(), *b"k");
    let context = (FieldType::INDEX_CONTEXT, &b"\x92\x10\x00"[..]);
    assert_eq!(find(None, &[of_bin, context]), Err(ResultCode::SINDEX_NOT_FOUND));
    let named = |name: &'static [u8]| {
        find(Some(b"t"), &[(FieldType::INDEX_RANGE, &of_any), (FieldType::INDEX_NAME, name)])
    };
    assert_eq!(**named(b"j").unwrap(), *b"j", "whatever its set");
    assert_eq!(named(b"l"), Err(ResultCode::SINDEX_NOT_FOUND));
    let other = (FieldType::INDEX_NAME, &b"other"[..]);
    assert_eq!(**find(None, &[of_bin, other]).unwrap(), *b"k", "with a bin a name says nothing");
    let held = namespace.sindexes.by_name(b"j").unwrap();
    assert!(namespace.drop_sindex(b"j") && !namespace.drop_sindex(b"j") && held.is_dropped());
    assert_eq!(sindexes(), 0);
    // Metadata have the last word.
    namespace.apply_sindex(of_set.clone(), Some(b"k")).unwrap();
    assert!(namespace.sindexes.by_name(b"k").unwrap().definition == of_set);
    namespace.apply_sindex(of_set, None).unwrap();
    assert!(namespace.sindexes.all().is_empty());
    for number in 0..SINDEXES_MAX {
        let name = format!("b{number}");
        let one = definition(&name, KeyType::Blob, IndexType::Default);
        namespace.create_sindex(name.as_bytes(), one).unwrap();
    }
    assert_eq!(namespace.create_sindex(b"i", n), Err(SindexRefusal::TooMany));
}

/// A query's request: what it asks, and the fields beside.
pub(super) fn range(bin: &str, kind: ParticleType, begin: &[u8], end: &[u8]) -> Vec<u8> {
    let mut field = vec![1, bin.len() as u8];
    field.extend_from_slice(bin.as_bytes());
    field.push(kind.0);
    for value in [begin, end] {
        field.extend((value.len() as u32).to_be_bytes());
        field.extend_from_slice(value);
    }
    field
}

fn parse(fields: &[(FieldType, &[u8])]) -> Result<Option<Predicate>, ResultCode> {
    let request = fields
        .iter()
        .fold(RequestBuilder::new(), |request, (kind, data)| request.field(*kind, data));
    let body = request.into_body();
    Predicate::parse(&Request::parse(&body).unwrap(), &NamespaceConfig::named("test"))
}

#[test]
fn predicates_are_parsed_as_the_protocol_says() {
    const RANGE: FieldType = FieldType::INDEX_RANGE;
    const PARAMETER: ResultCode = ResultCode::PARAMETER;
    assert!(parse(&[]).unwrap().is_none());
    let numbers = |low: i64, high: i64| {
        range("n", ParticleType::INTEGER, &low.to_be_bytes(), &high.to_be_bytes())
    };
    let predicate = parse(&[(RANGE, &numbers(-2, 7))]).unwrap().unwrap();
    assert_eq!(predicate.ranges(), [(-2, 7)]);
    assert!(!predicate.is_hash_or_geo());
    let text = range("a", ParticleType::STRING, b"k4", b"");
    let predicate = parse(&[(RANGE, &text), (FieldType::INDEX_TYPE, &[1])]).unwrap().unwrap();
    assert_eq!(predicate.ranges()[0].0.cast_unsigned(), 0x839d_2d8a_5e46_3f54);
    let long = |len| range("a", ParticleType::STRING, &vec![b'x'; len], b"");
    assert!(parse(&[(RANGE, &long(2047))]).is_ok());
    let geo = |text: &str| range("g", ParticleType::GEOJSON, text.as_bytes(), b"");
    let point = parse(&[(RANGE, &geo(r#"{"type":"Point","coordinates":[1,2]}"#))]);
    assert_eq!(point.unwrap().unwrap().ranges().len(), 30);
    let mut cut = numbers(1, 2);
    cut.pop();
    let mut two = numbers(1, 2);
    two[0] = 2;
    for wrong in [
        &[][..],
        &[1],
        &cut,
        &two,
        &numbers(2, 1),
        &range("n", ParticleType::INTEGER, &[0; 4], &[0; 8]),
        &range("n", ParticleType::FLOAT, &[0; 8], &[0; 8]),
        &range("", ParticleType::STRING, b"a", b"a"),
        &range("sixteen-chars-xy", ParticleType::STRING, b"a", b"a"),
        &long(2048),
        &geo(""),
        &geo("{}"),
    ] {
        assert_eq!(parse(&[(RANGE, wrong)]).err(), Some(PARAMETER), "{wrong:?}");
    }
    let good = numbers(1, 2);
    for (kind, data, expected) in [
        (FieldType::INDEX_TYPE, &[][..], PARAMETER),
        (FieldType::INDEX_TYPE, &[9], ResultCode::SINDEX_NOT_FOUND),
        (FieldType::INDEX_CONTEXT, &[], PARAMETER),
        (FieldType::INDEX_CONTEXT, &[0x92, 0x10, 0xcc, 5], PARAMETER),
        (FieldType::INDEX_EXPRESSION, &LIST_BIN, PARAMETER),
    ] {
        assert_eq!(parse(&[(RANGE, &good), (kind, data)]).err(), Some(expected), "{data:?}");
    }
}

/// By which cells a region is found is for settings to say, and how large the earth is.
#[test]
fn settings_say_how_regions_are_covered() {
    let ranges = |text: &str, set: &dyn Fn(&mut NamespaceConfig)| -> Vec<(u64, u64)> {
        let field = range("g", ParticleType::GEOJSON, text.as_bytes(), b"");
        let body = RequestBuilder::new().field(FieldType::INDEX_RANGE, &field).into_body();
        let mut config = NamespaceConfig::named("test");
        set(&mut config);
        let request = Request::parse(&body).unwrap();
        let predicate = Predicate::parse(&request, &config).unwrap().unwrap();
        let unsigned = |(low, high): &(i64, i64)| (low.cast_unsigned(), high.cast_unsigned());
        predicate.ranges().iter().map(unsigned).collect()
    };
    let circle = r#"{"type":"AeroCircle","coordinates":[[20,20],300000]}"#;
    let width = |ranges: &[(u64, u64)]| ranges.iter().map(|(low, high)| high - low).sum::<u64>();
    let plain = ranges(circle, &|_| {});
    assert!((6..=12).contains(&plain.len()), "{}", plain.len());
    let many = ranges(circle, &|config| config.geo2dsphere_within.max_cells = 100);
    assert!((50..=100).contains(&many.len()) && width(&many) < width(&plain), "{}", many.len());
    // A cell of level n has 2 * (30 - n) bits of leaves.
    let of_level =
        |level: u32| move |(low, high): &(u64, u64)| high - low == (2 << (60 - 2 * level)) - 2;
    let coarse = ranges(circle, &|config| config.geo2dsphere_within.max_level = 4);
    assert!(coarse.iter().all(|range| (0..=4).any(|level| of_level(level)(range))), "{coarse:x?}");
    let fine = ranges(circle, &|config| {
        let settings = &mut config.geo2dsphere_within;
        (settings.min_level, settings.max_cells) = (6, 100);
    });
    assert!(fine.iter().all(|range| (6..=20).any(|level| of_level(level)(range))), "{fine:x?}");
    let skipping = ranges(circle, &|config| config.geo2dsphere_within.level_mod = 3);
    let is_of_step = |range| (0..10).any(|step| of_level(1 + 3 * step)(range));
    assert!(skipping.iter().all(is_of_step), "{skipping:x?}");
    let small = ranges(circle, &|config| config.geo2dsphere_within.earth_radius_meters = 3_000_000);
    assert!(width(&small) > width(&plain), "300 km are more of a small earth");
}

/// Without a bin, either an expression or a name says which index is meant.
#[test]
fn what_a_predicate_without_a_bin_is_about() {
    let asks = range("", ParticleType::INTEGER, &[0; 8], &[0; 8]);
    let with = |fields: &[(FieldType, &[u8])]| {
        let mut all = vec![(FieldType::INDEX_RANGE, &*asks)];
        all.extend_from_slice(fields);
        parse(&all).map(|_| ()).map_err(|result| result.0)
    };
    let expression = (FieldType::INDEX_EXPRESSION, &LIST_BIN[..]);
    let name = (FieldType::INDEX_NAME, &b"i"[..]);
    let context = (FieldType::INDEX_CONTEXT, &b"\x92\x10\x00"[..]);
    assert_eq!(with(&[expression]), Ok(()));
    assert_eq!(with(&[name]), Ok(()));
    assert_eq!(with(&[(FieldType::INDEX_NAME, &[b'i'; 63])]), Ok(()));
    for wrong in [
        &[][..],
        &[expression, name],
        &[expression, context],
        &[name, context],
        &[(FieldType::INDEX_EXPRESSION, b"")],
        &[(FieldType::INDEX_NAME, b"")],
        &[(FieldType::INDEX_NAME, &[b'i'; 64])],
    ] {
        assert_eq!(with(wrong), Err(ResultCode::PARAMETER.0), "{wrong:?}");
    }
}

fn matching(fixture: &Fixture, clause: &Where, limit: usize) -> (Vec<Digest>, usize) {
    let (namespace, sindex) = (&fixture.namespace, &clause.sindex);
    let (mut matching, mut seen) = (Vec::new(), 0);
    let mut scan = SindexScan::new(&clause.predicate);
    for partition in PartitionId::all() {
        let mut after = None;
        loop {
            let mut candidates: Vec<Candidate> = Vec::new();
            let progress =
                namespace.candidates(sindex, &mut scan, partition, after, limit, &mut candidates);
            seen += candidates.len();
            for candidate in &candidates {
                let digest = &candidate.digest;
                let matches =
                    namespace.inspect(digest, |record| clause.matches(digest, &record.body));
                if matches == Some(true) {
                    matching.push(candidate.digest);
                }
            }
            after = candidates.last().map(|last| (last.bval, last.digest)).or(after);
            if progress == ScanProgress::Done {
                break;
            }
        }
    }
    matching.sort_unstable();
    matching.dedup();
    (matching, seen)
}

/// What queries find by an index is what a look at all records finds.
#[test]
fn candidates_are_all_that_matches() {
    let mut fixture = Fixture::with(settings);
    let mut random = Rng::with_seed(30);
    for (number, wanted) in definitions().into_iter().enumerate() {
        fixture.namespace.create_sindex(&[b'a' + number as u8], wanted).unwrap();
    }
    for _ in 0..2_000 {
        let key = random.u32(..300);
        let _ = fixture.result(key, random_write(&mut random));
    }
    let circle = r#"{"type":"AeroCircle","coordinates":[[20,20],3000000]}"#;
    let polygon = r#"{"type":"Polygon","coordinates":[[[0,0],[60,0],[60,60],[0,60],[0,0]]]}"#;
    let number = |value: i64| value.to_be_bytes();
    let context: &[u8] = &[0x92, 0x10, 0x00];
    let geo = |bin: &str, text: &str| range(bin, ParticleType::GEOJSON, text.as_bytes(), b"");
    let mut total = 0;
    for (fields, kind, inner) in [
        (range("n", ParticleType::INTEGER, &number(-3), &number(2)), 0, &[][..]),
        (range("n", ParticleType::INTEGER, &number(1), &number(1)), 0, &[]),
        (range("a", ParticleType::STRING, b"c", b"c"), 0, &[]),
        (range("b", ParticleType::BLOB, &[7; 2045], b""), 0, &[]),
        (range("l", ParticleType::INTEGER, &number(3), &number(9)), 1, &[]),
        (range("l", ParticleType::INTEGER, &number(3), &number(9)), 0, context),
        (range("", ParticleType::INTEGER, &number(-5), &number(4)), 0, &DIGEST_BY_N),
        (range("", ParticleType::STRING, b"c", b""), 0, &A_WHERE_N),
        (range("", ParticleType::INTEGER, &number(3), &number(9)), 1, &LIST_BIN),
        (range("l", ParticleType::STRING, b"x", b""), 1, &[]),
        (range("m", ParticleType::INTEGER, &number(5), &number(6)), 2, &[]),
        (range("m", ParticleType::INTEGER, &number(5), &number(6)), 3, &[]),
        (geo("g", circle), 0, &[]),
        (geo("g", polygon), 0, &[]),
        (geo("l", polygon), 1, &[]),
        (geo("g", r#"{"type":"Point","coordinates":[20,20]}"#), 0, &[]),
    ] {
        let kind = [kind];
        let mut request = vec![(FieldType::INDEX_RANGE, &*fields), (FieldType::INDEX_TYPE, &kind)];
        match inner {
            [] => {}
            _ if fields[1] == 0 => request.push((FieldType::INDEX_EXPRESSION, inner)),
            _ => request.push((FieldType::INDEX_CONTEXT, inner)),
        }
        let predicate = parse(&request).unwrap().unwrap();
        let clause = fixture.namespace.sindexes.find(None, predicate).unwrap();
        let mut expected = Vec::new();
        for key in 0..300 {
            let matches = fixture.namespace.inspect(&digest(key), |record| {
                !record.meta.tombstone && clause.matches(&digest(key), &record.body)
            });
            if matches == Some(true) {
                expected.push(digest(key));
            }
        }
        expected.sort_unstable();
        for limit in [1, 1000] {
            let (found, seen) = matching(&fixture, &clause, limit);
            assert_eq!(found, expected, "{clause:?}");
            assert!(clause.predicate.is_hash_or_geo() || kind[0] != 0 || seen == found.len());
        }
        total += expected.len();
    }
    assert!(total > 200, "{total}: the test is worth something");
}

/// While values move between records' bins, whatever an index returns was so at some moment, and a value
/// that stays is never missed.
#[test]
fn scans_beside_writers() {
    const STEADY: u32 = 200;
    const MOVING: u32 = 64;
    let namespace = Namespace::new(stress::settings(), 2);
    let n = definition("n", KeyType::Numeric, IndexType::Default);
    let mut scratch = Vec::new();
    let now = LastUpdateTime(u64::from(START_SECONDS) * 1000);
    for key in 0..STEADY {
        let answer = send(&namespace, now, &mut scratch, &digest(key), &add("n", 1).into_body());
        assert_eq!(answer.result, ResultCode::OK);
    }
    namespace.create_sindex(b"i", n).unwrap();
    let (stop, scans) = (AtomicBool::new(false), AtomicU64::new(0));
    let move_values = |client: &mut stress::Client<'_>| {
        for _ in 0..4_000 {
            let key = STEADY + client.random.u32(..MOVING);
            // Even keys have even values.
            let value = client.random.i64(1..50) * 2 + i64::from(key % 2);
            let request = match client.random.u32(..5) {
                0 => delete(),
                _ => put_number(value),
            };
            client.send(&digest(key), request);
        }
        stop.store(true, Ordering::Relaxed);
    };
    let scan = |_: &mut stress::Client<'_>| {
        while !stop.load(Ordering::Relaxed) {
            let all = namespace.sindexes.all();
            if !all[0].is_readable() {
                continue;
            }
            let mut steady = 0;
            for partition in PartitionId::all() {
                for item in namespace.all_under(&all[0], partition, (i64::MIN, i64::MAX)) {
                    let key = (0..STEADY + MOVING).find(|key| digest(*key) == item.digest).unwrap();
                    if key < STEADY {
                        assert_eq!(item.bval, 1);
                        steady += 1;
                    } else {
                        assert_eq!(item.bval % 2, i64::from(key % 2), "it never had this value");
                    }
                }
            }
            assert_eq!(steady, STEADY);
            scans.fetch_add(1, Ordering::Relaxed);
        }
    };
    stress::run(&namespace, &[&move_values, &move_values, &scan]);
    check_sindexes(&namespace);
    assert!(namespace.sindexes.all()[0].is_readable());
}

fn put_number(value: i64) -> RequestBuilder {
    write().op(OpCode::WRITE, ParticleType::INTEGER, b"n", &value.to_be_bytes())
}
