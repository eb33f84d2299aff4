//! The order of values as a table, and the laws of an order as properties.

use proptest::prelude::*;

use super::*;
use crate::msgpack::{Flags, write};

fn compare_bytes(left: &[u8], right: &[u8]) -> Ordering {
    let element = |bytes| Element::new(bytes).expect("the value is complete");
    compare(element(left), element(right))
}

/// Values, each above the one before it.
const ASCENDING: &[&[u8]] = &[
    b"\xc0",                                 // nil
    b"\xc2",                                 // false
    b"\xc3",                                 // true
    b"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", // -2^63
    b"\xd0\x80",                             // -128
    b"\xff",                                 // -1
    b"\x00",                                 // 0
    b"\xcc\xc8",                             // 200
    b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", // 2^64 - 1
    b"\xa1\x03",                             // ""
    b"\xa2\x03a",                            // "a"
    b"\xa3\x03ab",                           // "ab"
    b"\xa2\x03b",                            // "b"
    b"\x90",                                 // []
    b"\x91\xc0",                             // [nil]
    b"\x91\x01",                             // [1]
    b"\x92\x01\x01",                         // [1, 1]
    b"\x92\x01\x91\x01",                     // [1, [1]]
    b"\x93\x01\x91\x01\x00",                 // [1, [1], 0]
    b"\x92\x01\x92\x01\x02",                 // [1, [1, 2]]
    b"\x91\x02",                             // [2]
    b"\x80",                                 // {}
    b"\x81\x01\x09",                         // {1: 9}
    b"\x81\x02\x00",                         // {2: 0}
    b"\x81\x02\x01",                         // {2: 1}
    b"\x82\x01\x00\x02\x00",                 // {1: 0, 2: 0}
    b"\xa0",                                 // no bytes at all
    b"\xa1\x04",                             // empty blob
    b"\xa2\x04\x00",                         // blob 00
    b"\xa2\x04\xff",                         // blob ff
    b"\xa2\x07\x00",                         // another blob type
    b"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00", // -infinity
    b"\xca\xbf\x80\x00\x00",                 // -1.0, 32 bits
    b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", // 0.0
    b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", // 1.0
    b"\xa3\x17{}",                           // GeoJSON
    b"\xd5\x01\x00\x00",                     // an extension
    b"\xd4\xff\x01",                         // infinity
];

#[test]
fn values_ascend() {
    for (i, left) in ASCENDING.iter().enumerate() {
        for (j, right) in ASCENDING.iter().enumerate() {
            assert_eq!(compare_bytes(left, right), i.cmp(&j), "{left:x?} and {right:x?}");
        }
    }
}

#[test]
fn encodings_do_not_matter() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"\x05", b"\xd3\x00\x00\x00\x00\x00\x00\x00\x05"),
        (b"\xff", b"\xd1\xff\xff"),
        (b"\xa2\x03a", b"\xdb\x00\x00\x00\x02\x03a"),
        (b"\xa2\x04a", b"\xc4\x02\x04a"),
        (b"\x91\x01", b"\xdd\x00\x00\x00\x01\x01"),
        (b"\x81\x01\x02", b"\xde\x00\x01\x01\x02"),
        (b"\xca\x3f\x80\x00\x00", b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        (b"\xcb\x00\x00\x00\x00\x00\x00\x00\x00", b"\xcb\x80\x00\x00\x00\x00\x00\x00\x00"),
    ];
    for (left, right) in rows {
        assert_eq!(compare_bytes(left, right), Ordering::Equal, "{left:x?} and {right:x?}");
    }
}

#[test]
fn order_extensions_are_not_compared() {
    let rows: &[(&[u8], &[u8])] = &[
        (b"\x90", b"\x91\xc7\x00\x01"),
        (b"\x91\x05", b"\x92\xc7\x00\x01\x05"),
        (b"\x80", b"\x81\xc7\x00\x01\xc0"),
        (b"\x81\x05\x06", b"\x82\xc7\x00\x03\xc0\x05\x06"),
        (b"\x92\x01\x91\x05", b"\x92\x01\x92\xc7\x00\x01\x05"),
    ];
    for (left, right) in rows {
        assert_eq!(compare_bytes(left, right), Ordering::Equal, "{left:x?} and {right:x?}");
    }
}

#[test]
fn the_wildcard_ends_a_comparison() {
    let wildcard = b"\xd4\xff\x00";
    for value in ASCENDING {
        assert_eq!(compare_bytes(wildcard, value), Ordering::Equal, "{value:x?}");
    }
    assert_eq!(compare_bytes(b"\x92\x01\xd4\xff\x00", b"\x92\x01\x02"), Ordering::Equal);
    assert_eq!(compare_bytes(b"\x92\x01\xd4\xff\x00", b"\x92\x02\x02"), Ordering::Less);
    // Whatever else the lists hold.
    assert_eq!(compare_bytes(b"\x93\x01\xd4\xff\x00\x01", b"\x93\x01\x02\x02"), Ordering::Equal);
    assert_eq!(compare_bytes(b"\x92\x01\xd4\xff\x00", b"\x93\x01\x02\x02"), Ordering::Equal);
}

#[test]
fn nan_equals_every_double_and_no_other_value() {
    let nan = b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00";
    assert_eq!(compare_bytes(nan, b"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), Ordering::Equal);
    assert_eq!(compare_bytes(nan, nan), Ordering::Equal);
    assert_eq!(compare_bytes(nan, b"\x01"), Ordering::Greater);
    assert_eq!(compare_bytes(nan, b"\xd5\x01\x00\x00"), Ordering::Less);
}

#[test]
fn depth_costs_no_stack() {
    let nested = |leaf: u8| [vec![0x91; 1_000_000], vec![leaf]].concat();
    assert_eq!(compare_bytes(&nested(1), &nested(2)), Ordering::Less);
}

/// Any value without wildcard and NaN, small enough that equal ones are common.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let leaf = prop_oneof![
        Just(vec![0xc0]),
        any::<bool>().prop_map(|value| written(|out| write::boolean(out, value))),
        (-3_i64..3).prop_map(|value| written(|out| write::integer(out, value))),
        any::<i64>().prop_map(|value| written(|out| write::integer(out, value))),
        (-2_i8..2).prop_map(|value| written(|out| write::double(out, f64::from(value)))),
        (prop::sample::select(vec![3_u8, 4, 7, 23]), "[ab]{0,2}").prop_map(|(kind, text)| {
            written(|out| write::bytes(out, &[&[kind], text.as_bytes()].concat()))
        }),
        prop::collection::vec(0_u8..2, 2..4)
            .prop_map(|data| written(|out| write::ext(out, Ext { kind: 1, data: &data }))),
    ];
    leaf.prop_recursive(3, 12, 3, |inner| {
        let flags = prop::sample::select(vec![Flags::NONE, Flags::LIST_ORDERED]);
        let values = prop::collection::vec(inner, 0..4);
        (flags, values, any::<bool>()).prop_map(|(flags, values, is_map)| {
            written(|out| {
                if is_map {
                    write::map_start(out, values.len() / 2, flags);
                    out.extend(values[..values.len() / 2 * 2].concat());
                } else {
                    write::list_start(out, values.len(), flags);
                    out.extend(values.concat());
                }
            })
        })
    })
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

proptest! {
    #[test]
    fn is_antisymmetric_and_reflexive(a in value(), b in value()) {
        prop_assert_eq!(compare_bytes(&a, &b), compare_bytes(&b, &a).reverse());
        prop_assert_eq!(compare_bytes(&a, &a), Ordering::Equal);
    }

    #[test]
    fn is_transitive(a in value(), b in value(), c in value()) {
        let mut values = [&a, &b, &c];
        values.sort_by(|a, b| compare_bytes(a, b));
        let [low, middle, high] = values;
        let sides = [compare_bytes(low, middle), compare_bytes(middle, high)];
        let is_less = sides.contains(&Ordering::Less);
        let expected = if is_less { Ordering::Less } else { Ordering::Equal };
        prop_assert!(!sides.contains(&Ordering::Greater));
        prop_assert_eq!(compare_bytes(low, high), expected);
    }

    #[test]
    fn equal_values_compare_alike(a in value(), b in value(), c in value()) {
        if compare_bytes(&a, &b).is_eq() {
            prop_assert_eq!(compare_bytes(&a, &c), compare_bytes(&b, &c));
        }
    }
}

#[test]
fn sorting_is_stable_and_bears_nan() {
    let mut random = fastrand::Rng::with_seed(7);
    for count in 0..100 {
        let mut sorted: Vec<(u8, usize)> = (0..count).map(|i| (random.u8(..9), i)).collect();
        let mut expected = sorted.clone();
        sort_by(&mut sorted, |a, b| a.0.cmp(&b.0));
        expected.sort_by_key(|item| item.0);
        assert_eq!(sorted, expected);
    }
    let mut doubles: Vec<f64> =
        (0..1000).map(|_| if random.bool() { f64::NAN } else { random.f64() }).collect();
    sort_by(&mut doubles, |a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
    assert_eq!(doubles.len(), 1000);
}
