//! Comparisons, logic, arithmetic, bits, patterns, geo.

use wire::ParticleType;

use crate::Type;
use crate::testing::*;

/// Numbers of the six comparisons that are true, of 1 (equal) to 6 (less or equal).
fn true_comparisons(left: &[u8], right: &[u8]) -> Vec<i64> {
    let holds = |code: &i64| match of_sample(&op(*code, &[left.to_vec(), right.to_vec()])) {
        Got::Bool(value) => value,
        other => panic!("{code}: {left:02x?} {right:02x?}: {other:?}"),
    };
    (1..=6).filter(holds).collect()
}

const EQUAL: [i64; 3] = [1, 4, 6];
const GREATER: [i64; 3] = [2, 3, 4];
const LESS: [i64; 3] = [2, 5, 6];

#[test]
fn comparisons_order_each_type() {
    let ordered_map = |value| vec![0x82, 0xc7, 0, 1, 0xc0, 1, value];
    let rows = [
        (int(-1), int(1)),
        (int(i64::MIN), int(i64::MAX)),
        (float(-0.5), float(0.5)),
        (float(f64::NEG_INFINITY), float(f64::INFINITY)),
        (boolean(false), boolean(true)),
        (text("ab"), text("abc")),
        (text("abd"), text("b")),
        (blob(&[1, 255]), blob(&[2])),
        (blob(&[]), blob(&[0])),
        (quote(&[int(1)]), quote(&[int(2)])),
        (quote(&[int(1)]), quote(&[int(1), int(0)])),
        (quote(&[int(9)]), quote(&[text("a")])),
        (ordered_map(1), ordered_map(2)),
        (vec![0x80], ordered_map(1)),
    ];
    for (less, greater) in rows {
        assert_eq!(true_comparisons(&less, &greater), LESS, "{less:02x?} {greater:02x?}");
        assert_eq!(true_comparisons(&greater, &less), GREATER, "{less:02x?} {greater:02x?}");
        assert_eq!(true_comparisons(&less, &less), EQUAL, "{less:02x?}");
    }
    assert_eq!(true_comparisons(&nil(), &nil()), EQUAL);
    assert_eq!(true_comparisons(&float(0.0), &float(-0.0)), EQUAL);
    assert_eq!(true_comparisons(&float(f64::NAN), &float(f64::NAN)), [2]);
}

#[test]
fn what_is_never_stored_compares_in_lists() {
    let wildcard = vec![0xd4, 0xff, 0];
    let infinity = vec![0xd4, 0xff, 1];
    let any = quote(&[int(1), wildcard.clone()]);
    assert_eq!(true_comparisons(&any, &quote(&[int(1), text("x")])), EQUAL);
    let top = quote(std::slice::from_ref(&infinity));
    assert_eq!(true_comparisons(&top, &quote(&[float(f64::INFINITY)])), GREATER);
    assert_eq!(true_comparisons(&wildcard, &infinity), EQUAL, "bare ones compare too");
}

#[test]
fn maps_without_order_do_not_compare() {
    let ordered = bin(Type::Map, "m");
    let unordered = bin(Type::Map, "u");
    for (left, right, expected) in [
        (ordered.clone(), ordered.clone(), Got::Bool(true)),
        (ordered, unordered.clone(), Got::Unknown),
        (unordered.clone(), unordered, Got::Unknown),
        (vec![0x80], vec![0x80], Got::Bool(true)),
        (quote(&[vec![0x81, 1, 2]]), quote(&[vec![0x81, 1, 2]]), Got::Unknown),
        // A map that only keeps its pairs in place is not ordered.
        (vec![0x82, 0xc7, 0, 8, 0xc0, 1, 2], vec![0x80], Got::Unknown),
        // What comes first decides before a map is met.
        (quote(&[int(1), vec![0x81, 1, 2]]), quote(&[int(2), vec![0x81, 1, 2]]), Got::Bool(false)),
    ] {
        let got = of_sample(&op(1, &[left.clone(), right.clone()]));
        assert_eq!(got, expected, "{left:02x?} {right:02x?}");
    }
}

#[test]
fn lists_and_maps_compare_as_values_do() {
    use value::msgpack::Element;
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..2_000 {
        let (left, right) = (random_list(&mut random, 3), random_list(&mut random, 3));
        let (a, b) = (Element::new(&left).unwrap(), Element::new(&right).unwrap());
        let got = of_sample(&op(5, &[op_of(126, &left), op_of(126, &right)]));
        let expected = value::order::compare(a, b).is_lt();
        assert_eq!(got, Got::Bool(expected), "{left:02x?} {right:02x?}");
    }
}

fn random_list(random: &mut fastrand::Rng, depth: usize) -> Vec<u8> {
    let elements: Vec<_> = (0..random.usize(0..4))
        .map(|_| match random.u8(0..8) {
            0 if depth > 0 => random_list(random, depth - 1),
            1 => text(["a", "b"][random.usize(0..2)]),
            2 => nil(),
            3 => float(1.5),
            4 if depth > 0 => {
                let element = random_list(random, depth - 1);
                [&[0x82, 0xc7, 0, 1, 0xc0, 1], &element[..]].concat()
            }
            _ => int(random.i64(-2..3)),
        })
        .collect();
    list(&elements)
}

#[test]
fn logic_has_three_values() {
    let t = || boolean(true);
    let f = || boolean(false);
    let u = unknown_bool;
    let rows = [
        (16, vec![t(), t()], Got::Bool(true)),
        (16, vec![t(), f(), u()], Got::Bool(false)),
        (16, vec![u(), f()], Got::Bool(false)),
        (16, vec![u(), t()], Got::Unknown),
        (17, vec![f(), f()], Got::Bool(false)),
        (17, vec![u(), t()], Got::Bool(true)),
        (17, vec![u(), f()], Got::Unknown),
        (18, vec![t()], Got::Bool(false)),
        (18, vec![u()], Got::Unknown),
        (19, vec![f(), t(), f()], Got::Bool(true)),
        (19, vec![f(), f()], Got::Bool(false)),
        (19, vec![t(), t(), u()], Got::Bool(false)),
        (19, vec![t(), u(), t()], Got::Unknown),
        (19, vec![u(), t()], Got::Unknown),
    ];
    for (code, arguments, expected) in rows {
        assert_eq!(of_sample(&op(code, &arguments)), expected, "{code} {arguments:02x?}");
    }
}

#[test]
fn integers_wrap() {
    const MAX: i64 = i64::MAX;
    const MIN: i64 = i64::MIN;
    let rows: &[(i64, &[i64], Option<i64>)] = &[
        (20, &[1, 2, 3], Some(6)),
        (20, &[7], Some(7)),
        (20, &[MAX, 1], Some(MIN)),
        (21, &[10, 2, 3], Some(5)),
        (21, &[7], Some(-7)),
        (21, &[MIN], Some(MIN)),
        (22, &[3, -4], Some(-12)),
        (22, &[MAX, 2], Some(-2)),
        (23, &[100, 2, 5], Some(10)),
        (23, &[-7, 2], Some(-3)),
        (23, &[1], Some(1)),
        (23, &[2], Some(0)),
        (23, &[0], None),
        (23, &[1, 0], None),
        (23, &[1, MIN, 2], None),
        (23, &[MIN, -1], Some(MIN)),
        (26, &[-7, 3], Some(-1)),
        (26, &[7, -3], Some(1)),
        (26, &[7, 0], None),
        (26, &[MIN, -1], Some(0)),
        (27, &[-7], Some(7)),
        (27, &[MIN], Some(MIN)),
        (50, &[3, -1, 2], Some(-1)),
        (51, &[3, -1, 4], Some(4)),
    ];
    check_integers(rows);
}

#[test]
fn bits_of_integers() {
    let rows: &[(i64, &[i64], Option<i64>)] = &[
        (32, &[12, 10], Some(8)),
        (32, &[-1], Some(-1)),
        (33, &[12, 10, 1], Some(15)),
        (34, &[12, 10], Some(6)),
        (35, &[0], Some(-1)),
        (36, &[1, 3], Some(8)),
        (36, &[1, 64], Some(1)),
        (36, &[1, -1], Some(i64::MIN)),
        (37, &[-1, 60], Some(15)),
        (37, &[-1, 64], Some(-1)),
        (38, &[-16, 2], Some(-4)),
        (39, &[-1], Some(64)),
        (39, &[0], Some(0)),
    ];
    check_integers(rows);
    for (code, bits, wanted, expected) in [
        (40, 1, true, 63),
        (40, -1, true, 0),
        (40, 0, true, -1),
        (40, -1, false, -1),
        (40, i64::MIN, false, 1),
        (41, 1, true, 63),
        (41, 8, true, 60),
        (41, i64::MIN, true, 0),
        (41, 0, true, -1),
        (41, 1, false, 62),
    ] {
        let got = of_sample(&op(code, &[int(bits), boolean(wanted)]));
        assert_eq!(got, Got::Int(expected), "{code} {bits} {wanted}");
    }
}

fn check_integers(rows: &[(i64, &[i64], Option<i64>)]) {
    for (code, arguments, expected) in rows {
        let arguments: Vec<_> = arguments.iter().map(|argument| int(*argument)).collect();
        let expected = expected.map_or(Got::Unknown, Got::Int);
        assert_eq!(of_sample(&op(*code, &arguments)), expected, "{code} {arguments:02x?}");
    }
}

#[test]
fn floats_follow_ieee_754() {
    let rows: &[(i64, &[f64], f64)] = &[
        (20, &[0.5, 0.25], 0.75),
        (21, &[1.0, 0.5], 0.5),
        (21, &[2.5], -2.5),
        (22, &[0.5, 4.0], 2.0),
        (23, &[1.0, 4.0], 0.25),
        (23, &[4.0], 0.25),
        (23, &[1.0, 0.0], f64::INFINITY),
        (23, &[-1.0, 0.0, 5.0], f64::NEG_INFINITY),
        (24, &[2.0, 10.0], 1024.0),
        (25, &[8.0, 2.0], 3.0),
        (27, &[-1.5], 1.5),
        (28, &[-1.5], -2.0),
        (29, &[-1.5], -1.0),
        (50, &[1.0, f64::NAN, 0.5], 0.5),
        (51, &[1.0, f64::NAN, 1.5], 1.5),
    ];
    for (code, arguments, expected) in rows {
        let arguments: Vec<_> = arguments.iter().map(|argument| float(*argument)).collect();
        assert_eq!(of_sample(&op(*code, &arguments)), Got::Float(*expected), "{code}");
    }
    let is_nan = |expression: &[u8]| matches!(of_sample(expression), Got::Float(f) if f.is_nan());
    assert!(is_nan(&op(23, &[float(0.0), float(0.0)])));
    assert!(is_nan(&op(25, &[float(-1.0), float(2.0)])));
    assert!(is_nan(&op(50, &[float(f64::NAN), float(1.0)])), "a NaN that is first stays");
    let Got::Float(zero) = of_sample(&op(21, &[float(0.0)])) else { panic!("no float") };
    assert!(zero.is_sign_positive(), "zero less zero");
}

#[test]
fn conversions() {
    for (value, expected) in [
        (1.9, 1),
        (-1.9, -1),
        (0.0, 0),
        (9.3e18, i64::MIN),
        (-9.3e18, i64::MIN),
        (f64::NAN, i64::MIN),
        (f64::INFINITY, i64::MIN),
        (-9_223_372_036_854_775_808.0, i64::MIN),
    ] {
        assert_eq!(of_sample(&op(30, &[float(value)])), Got::Int(expected), "{value}");
    }
    assert_eq!(of_sample(&op(31, &[int(-3)])), Got::Float(-3.0));
    assert_eq!(of_sample(&op(31, &[int(i64::MAX)])), Got::Float(9_223_372_036_854_775_807.0));
}

#[test]
fn one_unknown_argument_is_enough() {
    let absent = bin(Type::Int, "absent");
    let absent_float = bin(Type::Float, "absent");
    for code in [1, 2, 3, 4, 5, 6, 20, 21, 22, 23, 26, 32, 33, 34, 36, 37, 38, 50, 51] {
        assert_eq!(of_sample(&op(code, &[absent.clone(), int(1)])), Got::Unknown, "{code}");
        assert_eq!(of_sample(&op(code, &[int(1), absent.clone()])), Got::Unknown, "{code}");
    }
    for code in [24, 25] {
        assert_eq!(of_sample(&op(code, &[float(1.0), absent_float.clone()])), Got::Unknown);
    }
    for code in [27, 31, 35, 39] {
        assert_eq!(of_sample(&op_of(code, &absent)), Got::Unknown, "{code}");
    }
    for code in [28, 29, 30] {
        assert_eq!(of_sample(&op_of(code, &absent_float)), Got::Unknown, "{code}");
    }
    for code in [40, 41] {
        assert_eq!(of_sample(&op(code, &[int(1), unknown_bool()])), Got::Unknown, "{code}");
    }
}

#[test]
fn patterns_are_searched_for_up_to_a_zero_byte() {
    let search = |flags, pattern, subject: &[u8]| {
        let subject = typed(ParticleType::STRING, subject);
        of_sample(&op(7, &[int(flags), raw(pattern), subject]))
    };
    assert_eq!(search(0, "b", b"abc"), Got::Bool(true));
    assert_eq!(search(0, "^b", b"abc"), Got::Bool(false));
    assert_eq!(search(1, "(a|x)b+", b"abbc"), Got::Bool(true));
    assert_eq!(search(2, "ABC", b"xabcx"), Got::Bool(true));
    assert_eq!(search(0, "c", b"ab\0c"), Got::Bool(false));
    assert_eq!(search(0, "b$", b"ab\0c"), Got::Bool(true));
    assert_eq!(search(1, "(", b"abc"), Got::Invalid);
    assert_eq!(search(1, r"(a)\1", b"aa"), Got::Invalid, "back-references are refused");
    let absent = op(7, &[int(0), raw("a"), bin(Type::Str, "absent")]);
    assert_eq!(of_sample(&absent), Got::Unknown);
}

#[test]
fn points_lie_within_regions() {
    let within = |left: &[u8], right: &[u8]| of_sample(&op(8, &[left.to_vec(), right.to_vec()]));
    let (point, far, square) = (geo(POINT), geo(FAR_POINT), geo(SQUARE));
    assert_eq!(within(&point, &square), Got::Bool(true));
    assert_eq!(within(&square, &point), Got::Bool(true));
    assert_eq!(within(&far, &square), Got::Bool(false));
    assert_eq!(within(&point, &point), Got::Bool(false));
    assert_eq!(within(&square, &square), Got::Bool(false));
    assert_eq!(within(&bin(Type::GeoJson, "g"), &square), Got::Bool(true));
    assert_eq!(within(&bin(Type::GeoJson, "absent"), &square), Got::Unknown);
}
