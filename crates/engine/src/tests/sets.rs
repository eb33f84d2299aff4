//! Sets: names, membership, limits.

use wire::{Info1, Info2, ResultCode};

use super::fixture::*;
use crate::stats::NamespaceCounter;

const OK: ResultCode = ResultCode::OK;
const PARAMETER: ResultCode = ResultCode::PARAMETER;
const FORBIDDEN: ResultCode = ResultCode::FORBIDDEN;

#[test]
fn a_record_stays_in_its_set() {
    let requests = [("write", put("a", "2")), ("touch", touch())];
    for (what, request) in requests {
        for (created_in, sent, expected) in [
            (Some("s"), Some("s"), OK),
            (Some("s"), Some("t"), PARAMETER),
            (Some("s"), None, PARAMETER),
            (None, None, OK),
            (None, Some("s"), PARAMETER),
        ] {
            let mut fixture = Fixture::new();
            fixture.do_ok(1, in_set(put("a", "1"), created_in));
            let result = fixture.result(1, in_set(request.clone(), sent));
            assert_eq!(result, expected, "{what} {created_in:?} {sent:?}");
        }
    }
}

#[test]
fn reads_and_deletes_may_leave_the_set_out() {
    for request in [get(), exists(), delete(), durable_delete()] {
        for (created_in, sent, expected) in [
            (Some("s"), Some("s"), OK),
            (Some("s"), Some("t"), PARAMETER),
            (Some("s"), None, OK),
            (None, None, OK),
            (None, Some("s"), PARAMETER),
        ] {
            let mut fixture = Fixture::new();
            fixture.do_ok(1, in_set(put("a", "1"), created_in));
            let result = fixture.result(1, in_set(request.clone(), sent));
            assert_eq!(result, expected, "{request:?} {created_in:?} {sent:?}");
        }
    }
}

fn in_set(
    request: wire::client::RequestBuilder,
    set: Option<&str>,
) -> wire::client::RequestBuilder {
    match set {
        Some(set) => request.set(set),
        None => request,
    }
}

#[test]
fn a_deleted_record_may_change_its_set() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(1, delete());
    fixture.do_ok(1, put("a", "1").set("t"));
    fixture.do_ok(1, durable_delete());
    assert_eq!(fixture.result(1, put("a", "1").set("s")), PARAMETER, "a tombstone has a set");
    fixture.do_ok(1, put("a", "1").set("t"));
}

#[test]
fn names_and_numbers_have_limits() {
    let mut fixture = Fixture::new();
    let long = "x".repeat(64);
    assert_eq!(fixture.result(1, put("a", "1").set(&long)), PARAMETER);
    fixture.do_ok(1, put("a", "1").set(&long[1..]));
    assert_eq!(fixture.result(1, put("a", "1").set(&long)), PARAMETER, "and it is another");
    for number in 2..=4_095 {
        fixture.do_ok(number, put("a", "1").set(&number.to_string()));
    }
    assert_eq!(fixture.result(9_999, put("a", "1").set("one too many")), PARAMETER);
    assert_eq!(fixture.meta(9_999), None);
    fixture.do_ok(9_999, put("a", "1").set("4095"));
    fixture.do_ok(9_998, put("a", "1"));
    assert_eq!(fixture.namespace.sets.iter().count(), 4_095);
}

#[test]
fn a_set_may_be_demanded() {
    let mut fixture = Fixture::with(|config| config.disallow_null_setname = true);
    assert_eq!(fixture.result(1, put("a", "1")), PARAMETER);
    assert_eq!(fixture.result(1, put("a", "1").set("")), PARAMETER);
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(1, get());
    fixture.do_ok(1, delete());
}

#[test]
fn a_full_set_takes_no_new_records() {
    let mut fixture = Fixture::new();
    fixture.configure_set("s", |set| set.stop_writes_count = 3);
    for key in 0..3 {
        fixture.do_ok(key, put("a", "1").set("s"));
    }
    assert_eq!(fixture.result(3, put("a", "1").set("s")), FORBIDDEN);
    fixture.do_ok(2, put("a", "2").set("s"));
    fixture.do_ok(3, put("a", "1"));
    fixture.do_ok(2, durable_delete());
    fixture.do_ok(4, put("a", "1").set("s"));
    fixture.do_ok(4, delete());
    fixture.configure_set("s", |set| set.stop_writes_count = 0);
    fixture.do_ok(5, put("a", "1").set("s"));
}

#[test]
fn a_set_too_large_takes_no_writes() {
    let mut fixture = Fixture::new();
    fixture.configure_set("s", |set| set.stop_writes_size_bytes = 100);
    // 35 + 4 + 2 for the set, 1 for the number of bins, 1 + 1 + 5 + 1 for the bin: 64 in storage.
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(2, put("a", "1").set("s"));
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    assert_eq!(set.data_used_bytes.load(std::sync::atomic::Ordering::Relaxed), 128);
    assert_eq!(fixture.result(1, put("a", "2").set("s")), FORBIDDEN);
    assert_eq!(fixture.result(3, put("a", "1").set("s")), FORBIDDEN);
    assert_eq!(fixture.result(1, put("a", "2")), PARAMETER, "the set is compared first");
    fixture.do_ok(1, delete());
    fixture.do_ok(3, put("a", "1").set("s"));
}

#[test]
fn writes_may_be_refused_by_their_origin() {
    let shipped = |request: wire::client::RequestBuilder| request.info1(Info1::XDR);
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.create(2);
    fixture.configure(|config| config.reject_xdr_writes = true);
    assert_eq!(fixture.result(1, shipped(put("a", "2"))), FORBIDDEN);
    assert_eq!(fixture.result(1, shipped(delete())), FORBIDDEN);
    assert_eq!(fixture.count_of(NamespaceCounter::FailXdrForbidden), 2);
    fixture.create(1);
    fixture.configure(|config| {
        config.reject_xdr_writes = false;
        config.reject_non_xdr_writes = true;
    });
    assert_eq!(fixture.result(1, put("a", "2")), FORBIDDEN);
    assert_eq!(fixture.result(1, delete()), FORBIDDEN);
    assert_eq!(fixture.count_of(NamespaceCounter::FailXdrForbidden), 4);
    fixture.do_ok(1, shipped(put("a", "2")));
    assert!(fixture.meta(1).unwrap().xdr_write);
    fixture.do_ok(1, shipped(durable_delete()));
    assert!(fixture.meta(1).unwrap().xdr_write);
    fixture.do_ok(2, shipped(delete()));
    fixture.do_ok(3, shipped(put("a", "1").info2(Info2::WRITE)).info1(Info1::XDR));
    fixture.configure(|config| config.reject_non_xdr_writes = false);
    fixture.do_ok(3, put("a", "2"));
    assert!(!fixture.meta(3).unwrap().xdr_write, "the last write was a client's");
}
