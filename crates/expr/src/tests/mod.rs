//! Expressions over a sample record.

mod calls;
mod control;
mod index;
mod metadata;
mod operations;
mod operators;
mod robustness;
mod types;

use crate::testing::*;
use crate::{Filter, Type};

#[test]
fn literals_stand_for_themselves() {
    use wire::ParticleType;
    let rows = [
        (nil(), Got::Nil),
        (boolean(true), Got::Bool(true)),
        (int(-7), Got::Int(-7)),
        // Unsigned integers above the signed range wrap.
        ([&[0xcf][..], &[0xff; 8]].concat(), Got::Int(-1)),
        (float(2.5), Got::Float(2.5)),
        (vec![0xca, 0x40, 0x20, 0, 0], Got::Float(2.5)),
        (text("abc"), Got::Bytes(ParticleType::STRING, b"abc".to_vec())),
        (blob(&[1]), Got::Bytes(ParticleType::BLOB, vec![1])),
        (hll(), Got::Bytes(ParticleType::HLL, sketch())),
        // Maps are used as they are sent: these pairs are out of order.
        (vec![0x82, 2, 1, 1, 2], Got::Bytes(ParticleType::MAP, vec![0x82, 2, 1, 1, 2])),
        (quote(&[int(1)]), Got::Bytes(ParticleType::LIST, vec![0x91, 1])),
    ];
    for (expression, expected) in rows {
        assert_eq!(of_sample(&expression), expected, "{expression:02x?}");
    }
    let Got::Bytes(ParticleType::GEOJSON, stored) = of_sample(&geo(POINT)) else {
        panic!("GeoJSON gives GeoJSON");
    };
    assert_eq!(value::geo::cells(&stored).count(), 1, "a value for a bin has its cells");
    assert_eq!(value::geo::text(&stored), Some(POINT.as_bytes()));
}

#[test]
fn bins_give_their_values_to_their_type_only() {
    let types = [
        (Type::Int, "i"),
        (Type::Float, "f"),
        (Type::Str, "s"),
        (Type::Blob, "b"),
        (Type::Bool, "t"),
        (Type::List, "l"),
        (Type::Map, "m"),
        (Type::Hll, "h"),
        (Type::GeoJson, "g"),
    ];
    for (bin_type, name) in types {
        for (_, other) in types {
            let got = of_sample(&bin(bin_type, other));
            assert_eq!(got == Got::Unknown, name != other, "{other} as {bin_type:?}");
        }
        assert_eq!(of_sample(&bin(bin_type, "absent")), Got::Unknown);
        assert_eq!(of_sample(&bin(bin_type, "j")), Got::Unknown, "no type for Java's own");
        assert_eq!(of_sample(&bin(Type::Nil, name)), Got::Unknown);
    }
}

#[test]
fn filters_are_booleans() {
    assert!(Filter::build(&boolean(true)).is_ok());
    assert!(Filter::build(&unknown()).is_ok());
    assert!(Filter::build(&int(1)).is_err());
    assert!(Filter::build(&nil()).is_err());
    assert!(Filter::build(b"").is_err());
}

#[test]
fn metadata_decide_where_they_can() {
    let record = Sample::default();
    let absent = unknown_bool();
    let rows = [
        // Whether the record is needed, what metadata say, what the record says.
        (boolean(true), false, Some(true), true),
        (op(71, &[]), false, Some(true), true),
        (op(72, &[]), false, Some(false), false),
        (unknown(), false, None, false),
        (bin(Type::Bool, "t"), true, None, true),
        (op(16, &[bin(Type::Bool, "t"), op(72, &[])]), true, Some(false), false),
        (op(17, &[bin(Type::Bool, "t"), op(71, &[])]), true, Some(true), true),
        (op(1, &[op(80, &[int(3)]), text("user")]), true, None, true),
        (op(1, &[op(82, &[raw("i")]), int(1)]), true, None, true),
        (absent, true, None, false),
    ];
    for (expression, needs_record, decision, matches) in rows {
        let filter = Filter::build(&expression).expect("the filter is valid");
        assert_eq!(filter.needs_record(), needs_record, "{expression:02x?}");
        assert_eq!(filter.decide(&record), decision, "{expression:02x?}");
        assert_eq!(filter.matches(&record), matches, "{expression:02x?}");
        let owned = Filter::build(&expression).expect("the filter is valid").into_owned();
        assert_eq!(owned.matches(&record), matches, "{expression:02x?}");
    }
}
