//! Filters, and operations that evaluate expressions.

use wire::client::RequestBuilder;
use wire::{FieldType, Info1, OpCode, ParticleType, ResultCode};

use super::fixture::*;

const FILTERED_OUT: ResultCode = ResultCode::FILTERED_OUT;
const PARAMETER: ResultCode = ResultCode::PARAMETER;

/// `bin a, a string, equals "1"`.
const A_IS_1: &[u8] = b"\x93\x01\x93\x51\x03\xa1a\xa2\x031";
/// `the set's name equals "s"`.
const SET_IS_S: &[u8] = b"\x93\x01\x91\x46\xa2\x03s";
/// `device size equals 0`.
const IS_NOT_ON_DEVICE: &[u8] = b"\x93\x01\x91\x41\x00";
/// `not`, with nothing to negate.
const ILL_FORMED: &[u8] = b"\x91\x12";
/// The number 7: no boolean.
const NO_BOOLEAN: &[u8] = b"\x07";

const LAST_UPDATE: &[u8] = b"\x91\x42";
const TTL: &[u8] = b"\x91\x45";
const KEY_EXISTS: &[u8] = b"\x91\x47";
const IS_TOMBSTONE: &[u8] = b"\x91\x48";
const RECORD_SIZE: &[u8] = b"\x91\x4a";
/// The user key, a string.
const KEY: &[u8] = b"\x92\x50\x03";
/// Bin a, a string.
const BIN_A: &[u8] = b"\x93\x51\x03\xa1a";

fn only_if(request: RequestBuilder, filter: &[u8]) -> RequestBuilder {
    request.field(FieldType::FILTER, filter)
}

/// An operation's value: an expression and flags.
fn operation(expression: &[u8], flags: u8) -> Vec<u8> {
    [b"\x92", expression, &[flags]].concat()
}

/// Adds an operation that replies an expression's value.
fn evaluating(request: RequestBuilder, name: &str, expression: &[u8]) -> RequestBuilder {
    let value = operation(expression, 0);
    request.op(OpCode::EXPRESSION_READ, ParticleType::NULL, name.as_bytes(), &value)
}

/// Adds an operation that writes an expression's value.
fn writing(request: RequestBuilder, name: &str, expression: &[u8]) -> RequestBuilder {
    let value = operation(expression, 0);
    request.op(OpCode::EXPRESSION_MODIFY, ParticleType::NULL, name.as_bytes(), &value)
}

fn int(value: i64) -> Vec<u8> {
    value.to_be_bytes().to_vec()
}

#[test]
fn filters_decide_about_reads_writes_and_deletes() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(2, put("a", "2").set("s"));
    for (key, filter, expected) in [
        (1, A_IS_1, ResultCode::OK),
        (2, A_IS_1, FILTERED_OUT),
        (2, SET_IS_S, ResultCode::OK),
        (2, IS_NOT_ON_DEVICE, ResultCode::OK),
        (1, ILL_FORMED, PARAMETER),
        (1, NO_BOOLEAN, PARAMETER),
        (1, b"", PARAMETER),
    ] {
        for request in [get(), exists(), touch().set("s"), put("b", "x").set("s")] {
            let generation = fixture.meta(key).unwrap().generation.0;
            let answer = fixture.send(key, only_if(request, filter));
            assert_eq!(answer.result, expected, "{filter:02x?} on {key}");
            if expected != ResultCode::OK {
                assert_eq!(answer.generation, u32::from(generation), "the record's, unchanged");
                assert!(answer.bins.is_empty());
            }
        }
        if expected != ResultCode::OK {
            assert_eq!(fixture.result(key, only_if(delete(), filter)), expected);
            assert!(fixture.is_there(key));
        }
    }
    fixture.do_ok(1, only_if(delete(), A_IS_1));
    assert!(!fixture.is_there(1));
}

#[test]
fn filters_are_for_live_records() {
    let mut fixture = Fixture::new();
    for request in [get(), exists(), delete(), touch()] {
        let result = fixture.result(1, only_if(request, A_IS_1));
        assert_eq!(result, ResultCode::NOT_FOUND);
    }
    // What creates a record is not filtered, and its filter not even read.
    fixture.do_ok(1, only_if(put("a", "2"), ILL_FORMED));
    fixture.do_ok(1, durable_delete());
    fixture.do_ok(1, only_if(put("a", "2"), A_IS_1));
    fixture.do_ok(1, put("a", "2").record_ttl(10));
    fixture.pass_seconds(11);
    fixture.do_ok(1, only_if(put("a", "3"), A_IS_1));
}

#[test]
fn reads_reply_what_expressions_give() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").record_ttl(60).key(ParticleType::STRING, b"user"));
    let read = || RequestBuilder::new().info1(Info1::READ);
    let request = evaluating(evaluating(read(), "x", KEY), "y", TTL);
    let answer = fixture.do_ok(1, request);
    assert_eq!(answer.text("x").as_deref(), Some("user"));
    assert_eq!(answer.bins[1], ("y".to_owned(), int(60)));
    let unknown = evaluating(read(), "x", b"\x93\x51\x02\xa1a");
    assert_eq!(fixture.result(1, unknown), ResultCode::OP_NOT_APPLICABLE);
    assert_eq!(fixture.result(1, evaluating(read(), "x", ILL_FORMED)), PARAMETER);
    assert_eq!(fixture.result(1, writing(read(), "x", TTL)), PARAMETER);
}

#[test]
fn operations_of_a_write_see_the_record_it_makes() {
    let mut fixture = Fixture::new();
    let write = |text| put("a", text).info1(Info1::READ).key(ParticleType::STRING, b"user");
    let asking = |request: RequestBuilder| {
        let request = evaluating(evaluating(request, "ttl", TTL), "size", RECORD_SIZE);
        evaluating(evaluating(request, "key", KEY_EXISTS), "tombstone", IS_TOMBSTONE)
    };
    let values = |answer: &Answer| -> Vec<Vec<u8>> {
        answer.bins.iter().map(|(_, value)| value.clone()).collect()
    };
    // Time to live as of this write; size and key as they were before.
    let created = fixture.do_ok(1, asking(write("1").record_ttl(60)));
    assert_eq!(values(&created), [int(60), int(0), vec![0], vec![0]]);
    fixture.pass_seconds(10);
    let updated = fixture.do_ok(1, asking(write("1").record_ttl(70)));
    assert_eq!(values(&updated), [int(70), int(64), vec![1], vec![0]]);
    fixture.do_ok(1, durable_delete());
    let revived = fixture.do_ok(1, asking(write("1")));
    assert_eq!(values(&revived)[3], [1], "the tombstone is still there");
    let answer = fixture.do_ok(1, evaluating(write("2"), "t", LAST_UPDATE));
    let unix_nanos = (i64::from(START_SECONDS) + 10 + 1_262_304_000) * 1_000_000_000;
    assert_eq!(values(&answer), [int(unix_nanos)]);
    // A key that comes with the write is not known yet.
    fixture.do_ok(2, put("a", "1"));
    let answer = fixture.send(2, evaluating(write("2"), "k", KEY));
    assert_eq!(answer.result, ResultCode::OP_NOT_APPLICABLE);
}

#[test]
fn operations_see_each_other_and_succeed_together() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1"));
    let request = put("a", "2").info1(Info1::READ);
    let answer = fixture.do_ok(1, evaluating(writing(request, "b", BIN_A), "x", BIN_A));
    assert_eq!(answer.text("x").as_deref(), Some("2"));
    assert_eq!(fixture.do_ok(1, get()).text("b").as_deref(), Some("2"));
    let failing = writing(writing(put("a", "3"), "c", BIN_A), "d", b"\x91\x00");
    assert_eq!(fixture.result(1, failing), ResultCode::OP_NOT_APPLICABLE);
    let answer = fixture.do_ok(1, get());
    assert_eq!(answer.text("a").as_deref(), Some("2"), "nothing of it was done");
    assert_eq!(answer.text("c"), None);
    assert_eq!(answer.generation, 2);
}

#[test]
fn a_replace_shows_expressions_an_empty_record() {
    use wire::Info3;
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").key(ParticleType::STRING, b"user"));
    let replace = || put("b", "2").info1(Info1::READ).info3(Info3::CREATE_OR_REPLACE);
    for expression in [BIN_A, KEY] {
        let answer = fixture.send(1, evaluating(replace(), "x", expression));
        assert_eq!(answer.result, ResultCode::OP_NOT_APPLICABLE, "{expression:02x?}");
    }
    let answer = fixture.do_ok(1, evaluating(replace(), "x", KEY_EXISTS));
    assert_eq!(answer.bins, [("x".to_owned(), vec![1])]);
}
