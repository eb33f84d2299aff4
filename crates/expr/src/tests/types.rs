//! What is well typed, and what is refused.

use wire::ParticleType;

use crate::Type;
use crate::testing::*;

/// A literal of each type.
fn literals() -> Vec<(Type, Vec<u8>)> {
    vec![
        (Type::Nil, nil()),
        (Type::Bool, boolean(true)),
        (Type::Int, int(1)),
        (Type::Str, text("a")),
        (Type::List, quote(&[])),
        (Type::Map, vec![0x80]),
        (Type::Blob, blob(&[1])),
        (Type::Float, float(1.0)),
        (Type::GeoJson, geo(POINT)),
        (Type::Hll, hll()),
    ]
}

#[test]
fn operators_take_their_types_only() {
    use Type::{Bool, Float, GeoJson, Int};
    let comparable = [Type::Nil, Bool, Int, Type::Str, Type::List, Type::Map, Type::Blob, Float];
    let rows: Vec<(Vec<i64>, Vec<[Type; 2]>)> = vec![
        ((1..=6).collect(), comparable.map(|same| [same; 2]).to_vec()),
        (vec![8], vec![[GeoJson; 2]]),
        (vec![16, 17, 19], vec![[Bool; 2]]),
        (vec![20, 21, 22, 23, 50, 51], vec![[Int; 2], [Float; 2]]),
        (vec![24, 25], vec![[Float; 2]]),
        (vec![26, 32, 33, 34, 36, 37, 38], vec![[Int; 2]]),
        (vec![40, 41], vec![[Int, Bool]]),
    ];
    for (codes, taken) in rows {
        for code in codes {
            for (left, left_literal) in literals() {
                for (right, right_literal) in literals() {
                    let pair = op(code, &[left_literal.clone(), right_literal]);
                    let expected = taken.contains(&[left, right]);
                    assert_eq!(is_valid(&pair), expected, "{code} {left:?} {right:?}");
                }
            }
        }
    }
}

#[test]
fn operators_of_one_argument_take_their_types_only() {
    for (codes, taken) in [
        (&[18][..], &[Type::Bool][..]),
        (&[20, 21, 22, 23, 27, 50, 51], &[Type::Int, Type::Float]),
        (&[28, 29, 30], &[Type::Float]),
        (&[31, 32, 33, 34, 35, 39], &[Type::Int]),
    ] {
        for code in codes {
            for (literal_type, literal) in literals() {
                let expected = taken.contains(&literal_type);
                assert_eq!(is_valid(&op(*code, &[literal])), expected, "{code} {literal_type:?}");
            }
        }
    }
}

#[test]
fn arguments_are_counted() {
    // Code, an argument, the counts that are allowed of 0 to 4.
    let rows: &[(i64, Vec<u8>, &[usize])] = &[
        (0, int(1), &[0]),
        (1, int(1), &[2]),
        (8, geo(POINT), &[2]),
        (16, boolean(true), &[2, 3, 4]),
        (17, boolean(true), &[2, 3, 4]),
        (18, boolean(true), &[1]),
        (19, boolean(true), &[2, 3, 4]),
        (20, int(1), &[1, 2, 3, 4]),
        (24, float(1.0), &[2]),
        (27, int(1), &[1]),
        (32, int(1), &[1, 2, 3, 4]),
        (35, int(1), &[1]),
        (36, int(1), &[2]),
        (50, int(1), &[1, 2, 3, 4]),
        (64, int(1), &[1]),
        (65, int(1), &[0]),
        (74, int(1), &[0]),
        (80, int(2), &[1]),
        (82, raw("a"), &[1]),
        (126, list(&[]), &[1]),
    ];
    for (code, argument, allowed) in rows {
        for count in 0..=4 {
            let expression = op(*code, &vec![argument.clone(); count]);
            assert_eq!(is_valid(&expression), allowed.contains(&count), "{code} {count}");
        }
    }
}

#[test]
fn unknown_codes_are_refused() {
    let known: Vec<i64> = [
        (0..=8).collect::<Vec<_>>(),
        (16..=41).collect(),
        vec![50, 51],
        (64..=74).collect(),
        (80..=82).collect(),
        (123..=127).collect(),
    ]
    .concat();
    for code in (-1..=300).filter(|code| !known.contains(code)) {
        for count in 0..4 {
            assert!(!is_valid(&op(code, &vec![int(1); count])), "{code}");
        }
    }
    assert!(!is_valid(&list(&[])));
    assert!(!is_valid(&list(&[text("a")])));
    assert!(!is_valid(&op(20, &[int(1)])[..1]));
    assert!(!is_valid(&[int(1), int(2)].concat()), "nothing follows");
}

#[test]
fn literals_have_known_types_and_sound_contents() {
    for number in 0..=255 {
        let literal = typed(ParticleType(number), POINT.as_bytes());
        assert_eq!(is_valid(&literal), [3, 4, 18, 23].contains(&number), "{number}");
    }
    assert!(!is_valid(&raw("")));
    assert!(!is_valid(&geo("{}")));
    assert!(!is_valid(&[0x81, 1]));
    assert!(!is_valid(&[0xc1]));
    assert!(!is_valid(&op(126, &[int(1)])));
    // Extension values have no type of their own.
    assert!(!is_valid(&[0xd4, 0xff, 0]));
    assert!(is_valid(&op(1, &[vec![0xd4, 0xff, 0], vec![0xd4, 0xff, 1]])));
    assert!(!is_valid(&op(1, &[vec![0xd4, 0xff, 9], vec![0xd4, 0xff, 1]])));
}

#[test]
fn static_parameters_are_checked() {
    assert!(!is_valid(&op(64, &[int(0)])));
    assert!(!is_valid(&op(64, &[int(1 << 32)])), "32 bits count");
    for number in 0..12 {
        assert_eq!(is_valid(&op(80, &[int(number)])), [2, 3, 6].contains(&number), "{number}");
        assert_eq!(is_valid(&op(81, &[int(number), raw("a")])), number < 10, "{number}");
    }
    for (name, expected) in
        [("", true), ("fifteen-letters", true), ("sixteen-letters!", false), ("a\0", false)]
    {
        assert_eq!(is_valid(&bin(Type::Int, name)), expected, "{name:?}");
        assert_eq!(is_valid(&op(82, &[raw(name)])), expected, "{name:?}");
    }
    assert!(!is_valid(&op(81, &[int(2), int(1)])));
    assert!(!is_valid(&op(7, &[raw("a"), raw("a"), text("a")])));
    assert!(!is_valid(&op(7, &[int(0), int(0), text("a")])));
    assert!(!is_valid(&op(7, &[int(0), raw("a"), blob(&[1])])));
}

#[test]
fn calls_have_a_target_of_their_system() {
    let size = list(&[int(16)]);
    for (target_type, target) in literals() {
        for system in 0..4 {
            let takes = match target_type {
                Type::Nil => system < 3,
                Type::List | Type::Map => system == 0,
                Type::Blob => system == 1,
                Type::Hll => system == 2,
                _ => false,
            };
            for modify in [0, 0x40] {
                let call = op(127, &[int(2), int(system | modify), size.clone(), target.clone()]);
                assert_eq!(is_valid(&call), takes, "{system} {target_type:?}");
            }
        }
    }
    let target = quote(&[]);
    let call = |operation| op(127, &[int(2), int(0), operation, target.clone()]);
    assert!(!is_valid(&call(list(&[]))));
    assert!(!is_valid(&call(int(16))));
    assert!(!is_valid(&call(list(&[text("a")]))));
    assert!(!is_valid(&op(127, &[int(10), int(0), size, target.clone()])));
    let context = |operation| call(list(&[int(0xff), list(&[int(0x10), int(0)]), operation]));
    assert!(is_valid(&context(list(&[int(16)]))));
    assert!(!is_valid(&context(list(&[]))));
    assert!(!is_valid(&context(int(1))));
    assert!(!is_valid(&call(list(&[int(0xff), list(&[])]))));
}

#[test]
fn parameters_that_are_lists_are_expressions() {
    let call = |parameters: &[Vec<u8>]| {
        let operation = list(&[&[int(1)], parameters].concat());
        op(127, &[int(4), int(0x40), operation, quote(&[])])
    };
    assert!(is_valid(&call(&[int(1)])));
    assert!(is_valid(&call(&[quote(&[int(1)])])));
    assert!(!is_valid(&call(&[list(&[int(1)])])));
    assert!(!is_valid(&call(&[list(&[])])));
    // Up to the first list, byte strings are not looked at.
    assert!(is_valid(&call(&[raw("\x07x"), bin(Type::Int, "i")])));
    assert!(!is_valid(&call(&[bin(Type::Int, "i"), raw("\x07x")])));
    assert!(is_valid(&call(&vec![bin(Type::Int, "i"); 16])));
    assert!(!is_valid(&call(&vec![bin(Type::Int, "i"); 17])), "pieces are limited");
    assert!(is_valid(&call(&vec![int(1); 100])), "but not literals in a row");
}
