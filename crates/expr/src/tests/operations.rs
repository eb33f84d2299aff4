//! Expressions as operations of a request.

use value::StoredBytes;
use wire::{ParticleType, ResultCode};

use crate::testing::*;
use crate::{Change, Operation, Type};

const CREATE_ONLY: i64 = 1;
const UPDATE_ONLY: i64 = 2;
const ALLOW_DELETE: i64 = 4;
const POLICY_NO_FAIL: i64 = 8;
const EVAL_NO_FAIL: i64 = 16;

fn set_one() -> Change<'static> {
    Change::Set(ParticleType::INTEGER, StoredBytes::Word(1_i64.to_be_bytes()))
}

#[test]
fn values_are_lists_of_an_expression_and_flags() {
    let expression = int(1);
    let rows = [
        // The value, whether it is one for reading, whether for modifying.
        (list(std::slice::from_ref(&expression)), true, true),
        (operation(&expression, 0), true, true),
        (operation(&expression, EVAL_NO_FAIL), true, true),
        (operation(&expression, CREATE_ONLY), false, true),
        (operation(&expression, 31), false, true),
        (operation(&expression, 32), false, false),
        (operation(&expression, -1), false, false),
        (list(&[expression.clone(), text("a")]), true, true),
        (list(&[expression.clone(), int(0), int(0)]), false, false),
        (list(&[]), false, false),
        (expression, false, false),
        (operation(&op(9, &[]), 0), false, false),
        (vec![], false, false),
    ];
    for (value, reads, modifies) in rows {
        assert_eq!(Operation::to_read(&value).is_ok(), reads, "{value:02x?}");
        assert_eq!(Operation::to_modify(&value).is_ok(), modifies, "{value:02x?}");
    }
}

#[test]
fn reading_gives_values_of_any_type() {
    let record = Sample::default();
    let read = |expression: &[u8], flags| {
        let value = operation(expression, flags);
        let operation = Operation::to_read(&value).unwrap();
        let particle = operation.read(&record)?;
        Ok(particle.map(|(kind, bytes)| (kind, bytes.to_vec())))
    };
    for (bin_type, name) in [
        (Type::Int, "i"),
        (Type::Float, "f"),
        (Type::Str, "s"),
        (Type::Blob, "b"),
        (Type::Bool, "t"),
        (Type::List, "l"),
        (Type::Map, "m"),
        (Type::Hll, "h"),
        (Type::GeoJson, "g"),
    ] {
        let (_, kind, stored) =
            record.bins.iter().find(|(known, ..)| known == name.as_bytes()).unwrap();
        let expected = Ok(Some((*kind, stored.clone())));
        assert_eq!(read(&bin(bin_type, name), 0), expected, "{name}");
    }
    assert_eq!(read(&nil(), 0), Ok(None));
    assert_eq!(read(&unknown(), 0), Err(ResultCode::OP_NOT_APPLICABLE));
    assert_eq!(read(&unknown(), EVAL_NO_FAIL), Ok(None));
}

#[test]
fn modifying_obeys_its_flags() {
    let record = Sample::default();
    let change = |expression: &[u8], flags, name: &str| {
        let value = operation(expression, flags);
        let operation = Operation::to_modify(&value).unwrap();
        operation.modify(&record, name.as_bytes()).map(|change| match change {
            Change::Set(kind, bytes) => Change::Set(kind, StoredBytes::Owned(bytes.to_vec())),
            Change::Remove => Change::Remove,
            Change::Keep => Change::Keep,
        })
    };
    let (one, none, lost) = (int(1), nil(), unknown());
    const NOT_APPLICABLE: Result<Change<'static>, ResultCode> = Err(ResultCode::OP_NOT_APPLICABLE);
    let rows = [
        (&one, 0, "i", Ok(set_one())),
        (&one, 0, "absent", Ok(set_one())),
        (&one, CREATE_ONLY, "i", Err(ResultCode::BIN_EXISTS)),
        (&one, CREATE_ONLY | POLICY_NO_FAIL, "i", Ok(Change::Keep)),
        (&one, CREATE_ONLY, "absent", Ok(set_one())),
        (&one, UPDATE_ONLY, "i", Ok(set_one())),
        (&one, UPDATE_ONLY, "absent", Err(ResultCode::BIN_NOT_FOUND)),
        (&one, UPDATE_ONLY | POLICY_NO_FAIL, "absent", Ok(Change::Keep)),
        (&lost, UPDATE_ONLY, "absent", Err(ResultCode::BIN_NOT_FOUND)),
        (&lost, 0, "i", NOT_APPLICABLE),
        (&lost, EVAL_NO_FAIL, "i", Ok(Change::Keep)),
        (&lost, EVAL_NO_FAIL, "absent", Ok(Change::Keep)),
        (&none, 0, "i", NOT_APPLICABLE),
        (&none, ALLOW_DELETE, "i", Ok(Change::Remove)),
        (&none, 0, "absent", Ok(Change::Keep)),
        // Any flag does.
        (&none, UPDATE_ONLY, "i", Ok(Change::Keep)),
        (&none, POLICY_NO_FAIL, "i", Ok(Change::Keep)),
    ];
    for (expression, flags, name, expected) in rows {
        let got = change(expression, flags, name);
        assert_eq!(got, expected, "{expression:02x?} {flags} {name}");
    }
}
