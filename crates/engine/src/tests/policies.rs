//! Which writes meet which records: update, replace, create only, touch.

use wire::{Info1, Info2, Info3, OpCode, ParticleType, ResultCode};

use super::fixture::*;

const OK: ResultCode = ResultCode::OK;
const NOT_FOUND: ResultCode = ResultCode::NOT_FOUND;
const EXISTS: ResultCode = ResultCode::RECORD_EXISTS;

#[test]
fn existence_policies() {
    let update_only = put("b", "2").info3(Info3::UPDATE_ONLY);
    let replace = put("b", "2").info3(Info3::CREATE_OR_REPLACE);
    let replace_only = put("b", "2").info3(Info3::REPLACE_ONLY);
    let create_only = put("b", "2").info2(Info2::WRITE | Info2::CREATE_ONLY);
    let both: &[&str] = &["a", "b"];
    for (what, request, absent, present, bins) in [
        ("update", put("b", "2"), OK, OK, both),
        ("update only", update_only, NOT_FOUND, OK, both),
        ("replace", replace, OK, OK, &["b"]),
        ("replace only", replace_only, NOT_FOUND, OK, &["b"]),
        ("create only", create_only, OK, EXISTS, &["a"]),
        ("touch", touch(), NOT_FOUND, OK, &["a"]),
        ("delete", delete(), NOT_FOUND, OK, &[]),
    ] {
        let mut fixture = Fixture::new();
        fixture.create(1);
        assert_eq!(fixture.result(1, request.clone()), present, "{what}, present");
        let answer = fixture.send(1, get());
        let names: Vec<_> = answer.bins.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, bins, "{what}");
        assert_eq!(fixture.result(2, request), absent, "{what}, absent");
        assert_eq!(fixture.is_there(2), absent == OK, "{what}, absent");
    }
}

#[test]
fn dead_records_are_absent_to_every_policy() {
    type Kill = fn(&mut Fixture);
    // With the generation that a refusal tells.
    let kill: [(&str, u32, Kill); 3] = [
        ("expired", 1, |fixture| {
            fixture.do_ok(1, put("a", "1").record_ttl(10));
            fixture.pass_seconds(11);
        }),
        ("truncated", 1, |fixture| {
            fixture.create(1);
            fixture.pass_ms(1);
            fixture.namespace.truncate(fixture.now).unwrap();
        }),
        ("entombed", 0, |fixture| {
            fixture.create(1);
            fixture.do_ok(1, durable_delete());
        }),
    ];
    let create_only = put("b", "2").info2(Info2::WRITE | Info2::CREATE_ONLY);
    for (what, told, kill) in kill {
        let mut fixture = Fixture::new();
        kill(&mut fixture);
        let answer = fixture.send(1, get());
        assert_eq!((answer.result, answer.generation), (NOT_FOUND, told), "{what}");
        for request in [touch(), put("b", "2").info3(Info3::UPDATE_ONLY)] {
            let answer = fixture.send(1, request);
            assert_eq!((answer.result, answer.generation), (NOT_FOUND, told), "{what}");
        }
        assert_eq!(fixture.result(1, drop_bin("a")), NOT_FOUND, "{what}: no bin to drop");
        fixture.do_ok(1, create_only.clone());
        let answer = fixture.do_ok(1, get());
        assert_eq!(answer.bins, [("b".to_owned(), b"2".to_vec())], "{what}: old bins stay away");
    }
}

#[test]
fn operations_of_a_write_answer_what_they_read() {
    let mut fixture = Fixture::new();
    let request = put("a", "x")
        .info1(Info1::READ)
        .op(OpCode::APPEND, ParticleType::STRING, b"a", b"y")
        .op(OpCode::READ, ParticleType::NULL, b"a", b"");
    let answer = fixture.do_ok(1, request);
    assert_eq!((answer.text("a").as_deref(), answer.generation), (Some("xy"), 1));
}

#[test]
fn a_failed_operation_changes_nothing() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    let before = fixture.send(1, get());
    let request =
        put("a", "2").op(OpCode::INCREMENT, ParticleType::INTEGER, b"a", &1u64.to_be_bytes());
    let answer = fixture.send(1, request.clone());
    assert_eq!((answer.result, answer.generation), (ResultCode::INCOMPATIBLE_TYPE, 1));
    assert_eq!(fixture.send(1, get()), before);
    assert_eq!(fixture.send(2, request).result, ResultCode::INCOMPATIBLE_TYPE);
    assert_eq!(fixture.meta(2), None, "a record that could not be made leaves no trace");
}

#[test]
fn the_last_bin_takes_the_record_along() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").record_ttl(100));
    fixture.do_ok(1, put("b", "2"));
    fixture.do_ok(1, drop_bin("a"));
    let answer = fixture.do_ok(1, drop_bin("b"));
    assert_eq!((answer.generation, answer.void_time), (0, 0));
    assert_eq!(fixture.meta(1), None);
    fixture.create(1);
    fixture.do_ok(1, write().op(OpCode::DELETE_ALL, ParticleType::NULL, b"", b""));
    assert_eq!(fixture.meta(1), None);
    assert_eq!(fixture.count_of(crate::stats::NamespaceCounter::DeletedLastBin), 2);
    assert_eq!(fixture.result(1, drop_bin("b")), NOT_FOUND);
}

#[test]
fn replacing_with_nothing_finds_nothing() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    let request = write().info1(Info1::READ).info3(Info3::CREATE_OR_REPLACE).op(
        OpCode::READ,
        ParticleType::NULL,
        b"a",
        b"",
    );
    assert_eq!(fixture.result(1, request), NOT_FOUND);
    assert!(fixture.is_there(1));
}
