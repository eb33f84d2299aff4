//! Generations: how they count, and requests that depend on them.

use wire::client::RequestBuilder;
use wire::{Info2, Info3, ResultCode};

use super::fixture::*;
use crate::stats::NamespaceCounter;

const OK: ResultCode = ResultCode::OK;
const GENERATION: ResultCode = ResultCode::GENERATION;

fn equal(request: RequestBuilder, generation: u32, flags: Info2) -> RequestBuilder {
    request.info2(flags | Info2::GENERATION).generation(generation)
}

fn greater(request: RequestBuilder, generation: u32, flags: Info2) -> RequestBuilder {
    request.info2(flags | Info2::GENERATION_GT).generation(generation)
}

#[test]
fn every_change_counts_one() {
    let mut fixture = Fixture::new();
    let replace = put("a", "2").info3(Info3::CREATE_OR_REPLACE);
    let requests = [put("a", "1"), put("a", "1"), add("n", 1), touch(), replace];
    for (expected, request) in (1..).zip(requests) {
        assert_eq!(fixture.do_ok(1, request).generation, expected);
        assert_eq!(fixture.do_ok(1, get()).generation, expected, "reads do not count");
    }
    fixture.do_ok(1, delete());
    assert_eq!(fixture.do_ok(1, put("a", "1")).generation, 1, "a deleted record begins anew");
}

#[test]
fn the_last_generation_wraps_to_one() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.set_generation(1, u16::MAX - 1);
    assert_eq!(fixture.do_ok(1, touch()).generation, 65_535);
    assert_eq!(fixture.do_ok(1, touch()).generation, 1);
}

#[test]
fn requests_on_a_generation() {
    let wr = Info2::WRITE;
    let del = Info2::WRITE | Info2::DELETE;
    for (what, request, expected) in [
        ("equal", equal(put("a", "2"), 3, wr), OK),
        ("less", equal(put("a", "2"), 2, wr), GENERATION),
        ("beyond 16 bits", equal(put("a", "2"), 3 + 65_536, wr), GENERATION),
        ("greater", greater(put("a", "2"), 4, wr), OK),
        ("not greater", greater(put("a", "2"), 3, wr), GENERATION),
        ("touch", equal(touch(), 2, wr), GENERATION),
        ("delete, equal", equal(delete(), 3, del), OK),
        ("delete, less", equal(delete(), 2, del), GENERATION),
        ("delete, greater", greater(delete(), 4, del), OK),
        ("delete, not greater", greater(delete(), 3, del), GENERATION),
        ("durable", equal(durable_delete(), 2, del | Info2::DURABLE_DELETE), GENERATION),
        ("generation without a flag", put("a", "2").generation(9), OK),
    ] {
        let mut fixture = Fixture::new();
        (0..3).for_each(|_| fixture.create(1));
        let answer = fixture.send(1, request);
        assert_eq!(answer.result, expected, "{what}");
        let failures = u64::from(expected == GENERATION);
        assert_eq!(fixture.count_of(NamespaceCounter::FailGeneration), failures, "{what}");
    }
}

#[test]
fn a_refused_write_tells_the_generation() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").record_ttl(50));
    let answer = fixture.send(1, equal(put("a", "2"), 7, Info2::WRITE));
    let expected = (GENERATION, 1, START_SECONDS + 50);
    assert_eq!((answer.result, answer.generation, answer.void_time), expected);
}

#[test]
fn an_absent_record_has_generation_zero() {
    for (request, expected) in [
        (equal(put("a", "1"), 0, Info2::WRITE), OK),
        (equal(put("a", "1"), 1, Info2::WRITE), GENERATION),
        (greater(put("a", "1"), 1, Info2::WRITE), OK),
        (greater(put("a", "1"), 0, Info2::WRITE), GENERATION),
    ] {
        let mut fixture = Fixture::new();
        assert_eq!(fixture.result(1, request.clone()), expected, "absent");
        fixture.do_ok(2, put("a", "1").record_ttl(5));
        fixture.pass_seconds(6);
        assert_eq!(fixture.result(2, request.clone()), expected, "expired");
        fixture.create(3);
        fixture.do_ok(3, durable_delete());
        assert_eq!(fixture.result(3, request), expected, "entombed");
    }
}
