//! Calls of list, map, bit and sketch operations.

use wire::ParticleType;

use crate::Type;
use crate::testing::*;

const COLLECTIONS: i64 = 0;
const BITS: i64 = 1;
const HLL: i64 = 2;
const MODIFY: i64 = 0x40;

/// Return types: how many there are, their values, whether there are any.
const COUNT: i64 = 5;
const VALUE: i64 = 7;
const EXISTS: i64 = 13;

const LIST_APPEND: i64 = 1;
const LIST_SORT: i64 = 13;
const LIST_SIZE: i64 = 16;
const LIST_GET: i64 = 17;
const LIST_BY_INDEX: i64 = 19;
const LIST_BY_VALUE: i64 = 22;
const MAP_SIZE: i64 = 96;

fn call(result: Type, system: i64, operation: &[Vec<u8>], target: Vec<u8>) -> Vec<u8> {
    op(127, &[int(result as i64), int(system), list(operation), target])
}

fn list_of(bytes: &[u8]) -> Got {
    Got::Bytes(ParticleType::LIST, bytes.to_vec())
}

#[test]
fn reads_give_what_they_answer() {
    let l = || bin(Type::List, "l");
    let numbers = || quote(&[int(1), int(2), int(2)]);
    let get = |index| [int(LIST_GET), int(index)];
    let by_value = |return_type| [int(LIST_BY_VALUE), int(return_type), int(2)];
    for (expression, expected) in [
        (call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], l()), Got::Int(2)),
        (call(Type::Int, COLLECTIONS, &get(1), l()), Got::Int(2)),
        (call(Type::Int, COLLECTIONS, &[int(MAP_SIZE)], bin(Type::Map, "m")), Got::Int(1)),
        (call(Type::Int, COLLECTIONS, &by_value(COUNT), numbers()), Got::Int(2)),
        (call(Type::List, COLLECTIONS, &by_value(VALUE), numbers()), list_of(&[0x92, 2, 2])),
        (call(Type::Bool, COLLECTIONS, &by_value(EXISTS), numbers()), Got::Bool(true)),
        (call(Type::Int, BITS, &[int(51), int(0), int(8)], blob(&[7])), Got::Int(3)),
        (call(Type::Int, HLL, &[int(50)], bin(Type::Hll, "h")), Got::Int(0)),
        // Of another type than declared, or not possible: no result code leaves an expression.
        (call(Type::Str, COLLECTIONS, &[int(LIST_SIZE)], l()), Got::Unknown),
        (call(Type::Int, COLLECTIONS, &get(9), l()), Got::Unknown),
        (call(Type::Int, COLLECTIONS, &[int(MAP_SIZE)], l()), Got::Unknown),
        (call(Type::Int, COLLECTIONS, &[int(250)], l()), Got::Unknown),
        (call(Type::Int, COLLECTIONS, &[int(LIST_APPEND), int(1)], l()), Got::Unknown),
        (call(Type::Int, BITS, &[int(51), int(0), int(80)], blob(&[7])), Got::Unknown),
        (call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], bin(Type::List, "absent")), Got::Unknown),
    ] {
        assert_eq!(of_sample(&expression), expected, "{expression:02x?}");
    }
}

#[test]
fn modifying_gives_a_changed_copy() {
    let append = |value| [int(LIST_APPEND), value];
    let modify = COLLECTIONS | MODIFY;
    let appended = |target| call(Type::List, modify, &append(int(3)), target);
    for (expression, expected) in [
        (appended(bin(Type::List, "l")), list_of(&[0x93, 1, 2, 3])),
        (appended(appended(quote(&[]))), list_of(&[0x92, 3, 3])),
        (call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], appended(quote(&[]))), Got::Int(1)),
        (
            call(Type::Blob, BITS | MODIFY, &[int(7), int(0), int(4)], blob(&[0x0f])),
            Got::Bytes(ParticleType::BLOB, vec![0xff]),
        ),
        (
            call(Type::Hll, HLL | MODIFY, &[int(0), int(4)], bin(Type::Hll, "h")),
            Got::Bytes(ParticleType::HLL, sketch()),
        ),
        // Sorting what is sorted changes nothing: the target is given as it is.
        (call(Type::List, modify, &[int(LIST_SORT)], bin(Type::List, "l")), list_of(&[0x92, 1, 2])),
        (call(Type::Map, modify, &[int(LIST_SORT)], bin(Type::List, "l")), Got::Unknown),
        (call(Type::Map, modify, &append(int(3)), bin(Type::List, "l")), Got::Unknown),
        (call(Type::List, modify, &[int(LIST_SIZE)], bin(Type::List, "l")), Got::Unknown),
    ] {
        assert_eq!(of_sample(&expression), expected, "{expression:02x?}");
    }
    // The record is as it was, whatever was made of its bins.
    let both = op(
        1,
        &[
            call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], appended(bin(Type::List, "l"))),
            op(
                20,
                &[int(1), call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], bin(Type::List, "l"))],
            ),
        ],
    );
    assert_eq!(of_sample(&both), Got::Bool(true));
}

#[test]
fn parameters_are_packed_as_literals_are() {
    let last_appended = |parameter: Vec<u8>, result| {
        let appended =
            call(Type::List, COLLECTIONS | MODIFY, &[int(LIST_APPEND), parameter], quote(&[]));
        of_sample(&call(result, COLLECTIONS, &[int(LIST_GET), int(-1)], appended))
    };
    for (bin_type, name) in [
        (Type::Int, "i"),
        (Type::Float, "f"),
        (Type::Str, "s"),
        (Type::Blob, "b"),
        (Type::Bool, "t"),
        (Type::List, "l"),
        (Type::Map, "m"),
        (Type::GeoJson, "g"),
    ] {
        let evaluated = last_appended(bin(bin_type, name), bin_type);
        assert_eq!(evaluated, of_sample(&bin(bin_type, name)), "{bin_type:?}");
    }
    assert_eq!(last_appended(bin(Type::Int, "absent"), Type::Int), Got::Unknown);
    let negative = op(21, &[int(7)]);
    assert_eq!(last_appended(negative, Type::Int), Got::Int(-7));
    let point = op(123, &[boolean(true), geo(POINT), geo(SQUARE)]);
    assert_eq!(last_appended(point, Type::GeoJson), of_sample(&geo(POINT)));
    // As parameters of a sketch operation, lists are quoted.
    let union = [int(53), quote(&[hll()])];
    assert_eq!(of_sample(&call(Type::Int, HLL, &union, hll())), Got::Int(0));
}

#[test]
fn literal_and_evaluated_parameters_mix() {
    let index = || op(21, &[int(1), int(1)]);
    let target = || quote(&[int(10), int(20)]);
    for parameters in [
        [int(VALUE), int(0)],
        [int(VALUE), index()],
        [op(20, &[int(3), int(4)]), int(0)],
        [op(20, &[int(3), int(4)]), index()],
    ] {
        let operation = [&[int(LIST_BY_INDEX)], &parameters[..]].concat();
        let got = of_sample(&call(Type::Int, COLLECTIONS, &operation, target()));
        assert_eq!(got, Got::Int(10), "{parameters:02x?}");
    }
}

#[test]
fn contexts_lead_to_nested_lists() {
    let nested = quote(&[int(1), list(&[int(5), int(6)])]);
    let by_index_1 = list(&[int(0x10), int(1)]);
    let in_context = |operation| {
        let size = [int(0xff), by_index_1.clone(), operation];
        of_sample(&call(Type::Int, COLLECTIONS, &size, nested.clone()))
    };
    assert_eq!(in_context(list(&[int(LIST_SIZE)])), Got::Int(2));
    assert_eq!(in_context(list(&[int(LIST_GET), op(20, &[int(1)])])), Got::Int(6));
}

#[test]
fn elements_that_are_geojson_are_checked_and_get_cells() {
    let get =
        |element| call(Type::GeoJson, COLLECTIONS, &[int(LIST_GET), int(0)], quote(&[element]));
    assert_eq!(of_sample(&get(geo(POINT))), of_sample(&geo(POINT)));
    assert_eq!(of_sample(&get(geo("no GeoJSON"))), Got::Unknown);
    assert_eq!(of_sample(&op(8, &[get(geo(POINT)), geo(SQUARE)])), Got::Bool(true));
}

#[test]
fn without_a_target_operations_begin_with_nothing() {
    let append = [int(LIST_APPEND), int(1)];
    let created = call(Type::List, COLLECTIONS | MODIFY, &append, nil());
    assert_eq!(of_sample(&created), list_of(&[0x91, 1]));
    // Before it is evaluated such a call counts as nil.
    assert!(is_valid(&op(1, &[created.clone(), nil()])));
    assert!(!is_valid(&op(1, &[created.clone(), quote(&[])])));
    assert_eq!(of_sample(&op(1, &[created.clone(), nil()])), Got::Unknown);
    let size = call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], created);
    assert_eq!(of_sample(&size), Got::Int(1));
    let read = call(Type::Int, COLLECTIONS, &[int(LIST_SIZE)], nil());
    assert_eq!(of_sample(&read), Got::Unknown);
}

#[test]
fn what_calls_make_is_bounded() {
    // Blobs of 16 MB each; the ninth is too much.
    let resized = call(Type::Blob, BITS | MODIFY, &[int(0), int(16 << 20)], blob(&[]));
    let eq = op(1, &[resized.clone(), resized]);
    let and = |count: usize| op(16, &vec![eq.clone(); count]);
    assert_eq!(of_sample(&and(2)), Got::Bool(true));
    assert_eq!(of_sample(&and(5)), Got::Unknown);
}
