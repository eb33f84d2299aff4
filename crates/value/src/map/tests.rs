//! Map operations: modes, edges, size, and hostile bytes; in `model` against a plain model. What each operation answers
//! in each case is in the recorded cases of `testdata/maps.txt`.

mod model;

use wire::ParticleType;

use super::*;
use crate::cdt::{self, Modified, Stored};
use crate::msgpack::{Flags, write};

const UNORDERED: Flags = Flags::NONE;
const KEY_ORDERED: Flags = Flags::MAP_KEY_ORDERED;
const KEY_VALUE_ORDERED: Flags = Flags::MAP_KEY_VALUE_ORDERED;

// Return types.
const RETURN_RANK: i64 = 3;
const RETURN_COUNT: i64 = 5;
const RETURN_VALUE: i64 = 7;

fn encoded(pairs: &[(u8, u8)], flags: Flags) -> Vec<u8> {
    let mut out = Vec::new();
    write::map_start(&mut out, pairs.len(), flags);
    pairs.iter().for_each(|(key, value)| out.extend([*key, *value]));
    out
}

/// Encodes an operation; parameters are integers or ready bytes.
fn operation(code: u8, parameters: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, parameters.len() + 1);
    out.push(code);
    out.extend(parameters.concat());
    out
}

fn int(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    write::integer(&mut out, value);
    out
}

fn list(values: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write::list_header(&mut out, values.len());
    out.extend_from_slice(values);
    out
}

fn integer(value: i64) -> Answer {
    Some((ParticleType::INTEGER, value.to_be_bytes().to_vec()))
}

fn read_map(map: &[u8], operation: &[u8]) -> Result<Answer, ResultCode> {
    cdt::read((ParticleType::MAP, map).into(), operation)
}

fn modify_map(map: &[u8], operation: &[u8]) -> Result<Modified, ResultCode> {
    cdt::modify(Some((ParticleType::MAP, map).into()), operation)
}

/// What is left of a map after an operation that changes it or not.
fn left(map: &[u8], modified: Modified) -> Vec<u8> {
    modified.bin.map_or_else(|| map.to_vec(), |(_, value)| value)
}

#[test]
fn a_missing_map_is_created_by_what_adds() {
    let put = cdt::modify(None, &operation(67, &[&[5], &[6], &int(1), &int(0)]));
    let bin = Some((ParticleType::MAP, encoded(&[(5, 6)], KEY_ORDERED)));
    assert_eq!(put, Ok(Modified { bin, guide: Vec::new(), answer: integer(1) }));
    let items = encoded(&[(2, 0), (1, 0)], UNORDERED);
    let put = cdt::modify(None, &operation(68, &[&items, &int(3), &int(0)]));
    let bin = Some((ParticleType::MAP, encoded(&[(1, 0), (2, 0)], KEY_VALUE_ORDERED)));
    assert_eq!(put, Ok(Modified { bin, guide: Vec::new(), answer: integer(2) }));
    // Update only, no fail: nothing is put, into a map that was created for it.
    let put = cdt::modify(None, &operation(67, &[&[5], &[6], &int(1), &int(6)]));
    let bin = Some((ParticleType::MAP, encoded(&[], KEY_ORDERED)));
    assert_eq!(put, Ok(Modified { bin, guide: Vec::new(), answer: integer(0) }));
    // What removes does nothing, even with parameters that are none.
    let removed = cdt::modify(None, &operation(76, &[b"\xc3"]));
    assert_eq!(removed, Ok(Modified { bin: None, guide: Vec::new(), answer: None }));
    let replaced = cdt::modify(None, &operation(70, &[]));
    assert_eq!(replaced.err(), Some(ResultCode::ELEMENT_NOT_FOUND));
}

#[test]
fn write_modes_decide() {
    let map = encoded(&[(1, 1), (2, 2)], KEY_ORDERED);
    let put = |key: u8, flags: i64| {
        let call = operation(67, &[&[key], &[9], &int(0), &int(flags)]);
        modify_map(&map, &call).map(|modified| (left(&map, modified.clone()), modified.answer))
    };
    let changed = |pairs, count| Ok((encoded(pairs, KEY_ORDERED), integer(count)));
    assert_eq!(put(2, 0), changed(&[(1, 1), (2, 9)], 2));
    assert_eq!(put(3, 0), changed(&[(1, 1), (2, 2), (3, 9)], 3));
    assert_eq!(put(2, 1), Err(ResultCode::ELEMENT_EXISTS));
    assert_eq!(put(3, 1), changed(&[(1, 1), (2, 2), (3, 9)], 3));
    assert_eq!(put(3, 2), Err(ResultCode::ELEMENT_NOT_FOUND));
    assert_eq!(put(2, 2), changed(&[(1, 1), (2, 9)], 2));
    assert_eq!(put(2, 5), changed(&[(1, 1), (2, 2)], 2));
    assert_eq!(put(3, 6), changed(&[(1, 1), (2, 2)], 2));
    // Of several pairs, those that may not be put are left out, or all of them.
    let items = encoded(&[(2, 9), (3, 9)], UNORDERED);
    let put_items = |flags: i64| {
        let call = operation(68, &[&items, &int(0), &int(flags)]);
        modify_map(&map, &call).map(|modified| (left(&map, modified.clone()), modified.answer))
    };
    assert_eq!(put_items(0x01), Err(ResultCode::ELEMENT_EXISTS));
    assert_eq!(put_items(0x05), changed(&[(1, 1), (2, 2)], 2));
    assert_eq!(put_items(0x0d), changed(&[(1, 1), (2, 2), (3, 9)], 3));
    assert_eq!(put_items(0x0e), changed(&[(1, 1), (2, 9)], 2));
}

#[test]
fn keys_and_values_must_be_storable() {
    let map = encoded(&[(1, 1)], UNORDERED);
    let wildcard: &[u8] = b"\xd4\xff\x00";
    for (key, value) in [
        (&b"\xc0"[..], &b"\x01"[..]),
        (b"\xc3", b"\x01"),
        (b"\xcb\x3f\xf0\0\0\0\0\0\0", b"\x01"),
        (b"\x91\x01", b"\x01"),
        (wildcard, b"\x01"),
        (b"\x01", wildcard),
        (b"\x01", b"\x91\xd4\xff\x01"),
    ] {
        let put = modify_map(&map, &operation(67, &[key, value, &int(0), &int(0)]));
        assert_eq!(put.err(), Some(ResultCode::PARAMETER), "{key:x?} {value:x?}");
    }
    for items in [&b"\x82\x01\x00\x01\x00"[..], b"\x90", b"\x81\xc0\x01"] {
        let put = modify_map(&map, &operation(68, &[items]));
        assert_eq!(put.err(), Some(ResultCode::PARAMETER), "{items:x?}");
    }
}

#[test]
fn counting_keeps_the_kind_of_number() {
    let map = b"\x83\x01\x05\x02\xcb\x3f\xf8\0\0\0\0\0\0\x03\xa1\x03";
    let count = |code: u8, key: u8, delta: &[u8]| {
        modify_map(map, &operation(code, &[&[key], delta])).map(|modified| modified.answer)
    };
    let double = |value: f64| Some((ParticleType::FLOAT, value.to_be_bytes().to_vec()));
    assert_eq!(count(73, 1, &int(3)), Ok(integer(8)));
    assert_eq!(count(74, 1, &int(7)), Ok(integer(-2)));
    assert_eq!(count(73, 1, b"\xcb\x40\x06\0\0\0\0\0\0"), Ok(integer(7)));
    assert_eq!(count(73, 2, &int(1)), Ok(double(2.5)));
    assert_eq!(count(74, 2, b"\xc0"), Ok(double(0.5)));
    assert_eq!(count(73, 3, &int(1)), Err(ResultCode::PARAMETER));
    assert_eq!(count(73, 1, b"\xc3"), Err(ResultCode::PARAMETER));
    assert_eq!(count(74, 9, b"\xc0"), Ok(integer(-1)));
}

#[test]
fn types_are_set_and_survive() {
    let map = encoded(&[(1, 2)], UNORDERED);
    for flags in [0, 1, 3, 0x10, 0x11, 0x13] {
        let modified = modify_map(&map, &operation(64, &[&[flags]])).expect("the type is known");
        let bin = Some((ParticleType::MAP, encoded(&[(1, 2)], Flags(flags & 3))));
        // The hint to persist an index stays beside the value.
        let guide = if flags & 0x10 == 0 { vec![] } else { vec![1] };
        assert_eq!(modified, Modified { bin, guide, answer: None });
    }
    let refused = modify_map(&map, &operation(64, &[&[4]])).err();
    assert_eq!(refused, Some(ResultCode::OP_NOT_APPLICABLE));
    // Emptied, in any way, the map remains what it was.
    let map = encoded(&[(1, 2)], KEY_VALUE_ORDERED);
    for call in [operation(75, &[]), operation(76, &[&int(0), &[1]])] {
        let modified = modify_map(&map, &call).expect("there is something to remove");
        assert_eq!(left(&map, modified), encoded(&[], KEY_VALUE_ORDERED));
    }
}

#[test]
fn pairs_come_back_as_maps_of_three_kinds() {
    let map = encoded(&[(1, 9), (2, 8)], KEY_ORDERED);
    for (returns, flags) in [(8, Flags::MAP_PRESERVE_ORDER), (16, UNORDERED), (17, KEY_ORDERED)] {
        let answer = |pairs| Ok(Some((ParticleType::MAP, encoded(pairs, flags))));
        assert_eq!(read_map(&map, &operation(97, &[&int(returns), &[2]])), answer(&[(2, 8)]));
        assert_eq!(read_map(&map, &operation(97, &[&int(returns), &[3]])), answer(&[]));
        let by_rank = if returns == 17 { [(1, 9), (2, 8)] } else { [(2, 8), (1, 9)] };
        let ranks = operation(106, &[&int(returns), &int(0)]);
        assert_eq!(read_map(&map, &ranks), answer(&by_rank));
    }
}

#[test]
fn contexts_lead_to_maps_and_create_them() {
    // {1: {2: 3}}: put 4 under 2 of the inner map, and under 5 of one that is not there yet.
    let map = b"\x81\x01\x81\x02\x03";
    let put = b"\x93\xcc\xff\x92\x22\x01\x93\x43\x02\x04";
    let bin = Some((ParticleType::MAP, b"\x81\x01\x81\x02\x04".to_vec()));
    assert_eq!(modify_map(map, put), Ok(Modified { bin, guide: Vec::new(), answer: integer(1) }));
    let create = b"\x93\xcc\xff\x92\xcc\xa2\x07\x95\x43\x02\x04\x01\x00";
    let bin =
        Some((ParticleType::MAP, b"\x82\x01\x81\x02\x03\x07\x82\xc7\x00\x01\xc0\x02\x04".to_vec()));
    assert_eq!(
        modify_map(map, create),
        Ok(Modified { bin, guide: Vec::new(), answer: integer(1) })
    );
    let get = b"\x93\xcc\xff\x94\x22\x01\x22\x02\x91\x60";
    assert_eq!(read_map(map, get), Err(ResultCode::INCOMPATIBLE_TYPE));
}

#[test]
fn reading_and_modifying_codes_are_apart() {
    let map = encoded(&[(1, 1)], UNORDERED);
    for code in 64..=126_u8 {
        let call = operation(code, &[]);
        if code >= 96 {
            assert_eq!(modify_map(&map, &call).err(), Some(ResultCode::PARAMETER), "{code}");
        } else {
            assert_eq!(read_map(&map, &call).err(), Some(ResultCode::PARAMETER), "{code}");
        }
    }
}

#[test]
fn large_maps_take_no_square_of_time() {
    let mut map = Vec::new();
    write::map_start(&mut map, 20_000, KEY_ORDERED);
    (0..20_000).for_each(|i| {
        write::integer(&mut map, i);
        write::integer(&mut map, i * 7919 % 128);
    });
    let mut keys = Vec::new();
    write::list_header(&mut keys, 20_000);
    (0..20_000).rev().for_each(|i| write::integer(&mut keys, i));
    let count = operation(107, &[&int(RETURN_COUNT), &keys]);
    assert_eq!(read_map(&map, &count), Ok(integer(20_000)));
    let values = operation(108, &[&int(RETURN_RANK), &keys]);
    assert!(read_map(&map, &values).is_ok());
    let removed = modify_map(&map, &operation(81, &[&int(RETURN_COUNT), &keys]));
    assert_eq!(removed.map(|modified| modified.answer), Ok(integer(20_000)));
    let added = modify_map(&map, &operation(68, &[&map]));
    assert_eq!(added.map(|modified| modified.answer), Ok(integer(20_000)));
    // Each of the keys is the same: the answer would be the square.
    let same = list(&[7; 20_000]);
    let found = read_map(&map, &operation(107, &[&int(RETURN_VALUE), &same]));
    assert_eq!(found, Ok(Some((ParticleType::LIST, list(&[(7 * 7919 % 128) as u8])))));
}

#[test]
fn random_operations_are_run_or_refused() {
    const LIKELY: &[u8] = &[
        0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x0d, 0x10, 0x11, 0x13, 0x22, 0x23, 0x62,
        0x81, 0x82, 0x91, 0x92, 0x93, 0xa1, 0xa2, 0xc0, 0xc7, 0xcc, 0xcd, 0xd4, 0xff,
    ];
    let mut random = fastrand::Rng::with_seed(9);
    let bins: &[Vec<u8>] = &[
        encoded(&[(1, 3), (2, 1), (3, 1)], UNORDERED),
        encoded(&[(1, 3), (2, 1), (3, 1)], KEY_ORDERED),
        encoded(&[], KEY_VALUE_ORDERED),
        b"\x83\x01\x82\x02\x05\x03\x91\x01\x02\xcb\x7f\xf8\0\0\0\0\0\0\xa2\x03a\x80".to_vec(),
    ];
    let mut run = 0;
    for _ in 0..300_000 {
        let mut call: Vec<u8> =
            if random.bool() { b"\x93\xcc\xff\x92".to_vec() } else { Vec::new() };
        call.push(0x91 + random.u8(..5));
        call.push(64 + random.u8(..48));
        call.extend((0..random.usize(..9)).map(|_| LIKELY[random.usize(..LIKELY.len())]));
        let bin = &bins[random.usize(..bins.len())];
        run += usize::from(read_map(bin, &call).is_ok());
        for bin in [Some((ParticleType::MAP, &bin[..])), None] {
            let Ok(modified) = cdt::modify(bin.map(Stored::from), &call) else { continue };
            run += 1;
            if let Some((ParticleType::MAP, value)) = modified.bin {
                let is_map = Raw::of_kind(Kind::Map, &value).and_then(Raw::to_map).is_ok();
                assert!(is_map, "{call:02x?} on {bin:02x?} makes {value:02x?}");
            }
        }
    }
    assert!(run > 10_000, "only {run} operations ran");
}
