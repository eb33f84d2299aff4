//! Conditions, variables, unknown.

use crate::Type;
use crate::testing::*;

fn variable(name: &str) -> Vec<u8> {
    op(124, &[raw(name)])
}

fn define(definitions: &[(&str, Vec<u8>)], body: Vec<u8>) -> Vec<u8> {
    let pairs = definitions.iter().flat_map(|(name, value)| [raw(name), value.clone()]);
    op(125, &pairs.chain([body]).collect::<Vec<_>>())
}

#[test]
fn the_first_true_condition_picks() {
    let cond = |arguments: &[Vec<u8>]| of_sample(&op(123, arguments));
    let (t, f, u) = (boolean(true), boolean(false), unknown_bool());
    assert_eq!(cond(&[t.clone(), int(1), int(2)]), Got::Int(1));
    assert_eq!(cond(&[f.clone(), int(1), int(2)]), Got::Int(2));
    assert_eq!(cond(&[f.clone(), int(1), t.clone(), int(2), int(3)]), Got::Int(2));
    assert_eq!(cond(&[f.clone(), int(1), f.clone(), int(2), int(3)]), Got::Int(3));
    assert_eq!(cond(&[u.clone(), int(1), int(2)]), Got::Unknown);
    assert_eq!(cond(&[t.clone(), int(1), u.clone(), int(2), int(3)]), Got::Int(1));
    assert_eq!(cond(&[t.clone(), unknown(), int(2)]), Got::Unknown);
    assert_eq!(cond(&[f.clone(), unknown(), int(2)]), Got::Int(2));
    assert_eq!(cond(&[f.clone(), int(1), unknown()]), Got::Unknown);
    assert_eq!(cond(&[f, unknown(), unknown()]), Got::Unknown);
}

#[test]
fn branches_are_of_one_type() {
    let t = boolean(true);
    let is_cond = |arguments: &[Vec<u8>]| is_valid(&op(123, arguments));
    assert!(!is_cond(&[]));
    assert!(!is_cond(&[int(1)]));
    assert!(!is_cond(&[t.clone(), int(1)]));
    assert!(!is_cond(&[t.clone(), int(1), t.clone(), int(2)]));
    assert!(!is_cond(&[int(1), int(1), int(2)]));
    assert!(!is_cond(&[t.clone(), int(1), text("a")]));
    assert!(!is_cond(&[t.clone(), int(1), t.clone(), float(1.0), int(2)]));
    assert!(!is_cond(&[t.clone(), vec![0xd4, 0xff, 0], vec![0xd4, 0xff, 0]]));
    // Only bare unknown is of any type, and a body that is nothing else.
    assert!(!is_cond(&[t.clone(), op(18, &[unknown()]), int(2)]));
    assert!(is_cond(&[t.clone(), define(&[("a", int(1))], unknown()), int(2)]));
    assert!(!is_cond(&[t.clone(), define(&[("a", unknown())], variable("a")), int(2)]));
    // With nothing but unknown it is a boolean.
    assert!(is_valid(&op(18, &[op(123, &[t, unknown(), unknown()])])));
}

#[test]
fn variables_hold_values() {
    let rows = [
        (define(&[("x", int(2))], op(22, &[variable("x"), variable("x")])), Got::Int(4)),
        (
            define(&[("x", int(2)), ("y", op(20, &[variable("x"), int(1)]))], variable("y")),
            Got::Int(3),
        ),
        // A variable may be unknown without making the whole so.
        (define(&[("x", bin(Type::Int, "absent"))], int(1)), Got::Int(1)),
        (define(&[("x", bin(Type::Int, "absent"))], variable("x")), Got::Unknown),
        // One within another's definition, one within a body; then the name is free again.
        (
            define(
                &[("x", define(&[("y", int(5))], variable("y"))), ("z", int(7))],
                define(&[("y", int(1))], op(21, &[variable("z"), variable("x"), variable("y")])),
            ),
            Got::Int(1),
        ),
        (
            op(
                20,
                &[define(&[("x", int(1))], variable("x")), define(&[("x", int(2))], variable("x"))],
            ),
            Got::Int(3),
        ),
    ];
    for (expression, expected) in rows {
        assert_eq!(of_sample(&expression), expected, "{expression:02x?}");
    }
}

#[test]
fn names_of_variables_are_words_and_unique() {
    for (name, expected) in [
        ("a", true),
        ("_", true),
        ("A_9z", true),
        ("", false),
        ("9a", false),
        ("a-b", false),
        ("é", false),
    ] {
        assert_eq!(is_valid(&define(&[(name, int(1))], int(1))), expected, "{name:?}");
    }
    assert!(!is_valid(&variable("x")));
    assert!(!is_valid(&define(&[("x", variable("x"))], int(1))));
    assert!(!is_valid(&define(&[("x", int(1)), ("x", int(2))], int(1))));
    assert!(!is_valid(&define(&[("x", int(1))], define(&[("x", int(2))], int(1)))));
    assert!(!is_valid(&define(&[("x", define(&[("x", int(1))], int(1)))], int(1))));
    assert!(!is_valid(&op(20, &[define(&[("x", int(1))], int(1)), variable("x")])));
    assert!(!is_valid(&op(125, &[raw("x"), int(1)])));
    assert!(!is_valid(&op(125, &[int(1)])));
    assert!(!is_valid(&op(125, &[int(1), int(1), int(1)])));
    // Extension values cannot be used once they have a name.
    let opaque = vec![0xd4, 0xff, 0];
    assert!(is_valid(&define(&[("x", opaque.clone())], int(1))));
    assert!(!is_valid(&define(&[("x", opaque)], op(1, &[variable("x"), variable("x")]))));
}
