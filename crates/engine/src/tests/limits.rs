//! Sizes and space: large records, a full namespace, stopped writes.

use std::sync::atomic::Ordering;

use wire::{Info2, ResultCode};

use super::fixture::*;
use crate::stats::NamespaceCounter;

const TOO_BIG: ResultCode = ResultCode::RECORD_TOO_BIG;
const NO_SPACE: ResultCode = ResultCode::OUT_OF_SPACE;

/// Bytes of a record with one text bin `a`, beside the text.
const OVERHEAD_BYTES: usize = 35 + 4 + 1 + 1 + 1 + 5;

#[test]
fn large_records_are_refused() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config.max_record_size_bytes = 1000);
    let fits = "x".repeat(1000 - OVERHEAD_BYTES);
    let too_big = "x".repeat(1001 - OVERHEAD_BYTES);
    fixture.do_ok(1, put("a", &fits));
    assert_eq!(fixture.result(1, put("a", &too_big)), TOO_BIG);
    assert_eq!(fixture.do_ok(1, get()).text("a"), Some(fits.clone()));
    assert_eq!(fixture.result(1, put("b", "")), TOO_BIG);
    assert_eq!(fixture.result(2, put("a", &too_big)), TOO_BIG);
    assert_eq!(fixture.meta(2), None);
    assert_eq!(fixture.result(1, put("a", &fits).record_ttl(5)), TOO_BIG, "a void-time counts");
    assert_eq!(fixture.count_of(NamespaceCounter::FailRecordTooBig), 4);
    fixture.configure(|config| config.max_record_size_bytes = 1 << 20);
    fixture.do_ok(1, put("a", &too_big));
    fixture.configure(|config| config.max_record_size_bytes = 1000);
    assert_eq!(fixture.result(1, touch()), TOO_BIG);
    fixture.do_ok(1, put("a", "small"));
}

#[test]
fn a_full_namespace_refuses_what_grows() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| config.storage_engine.data_size_bytes = 256);
    for key in 0..4 {
        fixture.do_ok(key, put("a", "1"));
    }
    assert_eq!((fixture.namespace.data_used_bytes(), fixture.namespace.data_used_pct()), (192, 75));
    assert_eq!(fixture.result(0, put("a", &"x".repeat(80))), NO_SPACE);
    assert_eq!(fixture.do_ok(0, get()).text("a").as_deref(), Some("1"));
    fixture.do_ok(0, put("a", &"x".repeat(60)));
    assert_eq!(fixture.namespace.data_used_bytes(), 256);
    assert_eq!((fixture.namespace.data_used_pct(), fixture.namespace.data_avail_pct()), (100, 0));
    assert_eq!(fixture.result(9, put("a", "1")), NO_SPACE);
    assert_eq!(fixture.meta(9), None);
    fixture.do_ok(0, put("a", "2"));
    fixture.do_ok(1, durable_delete());
    fixture.do_ok(2, delete());
    fixture.do_ok(9, put("a", "1"));
}

#[test]
fn stopped_writes() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.create(2);
    fixture.namespace.gauges.stop_writes.store(true, Ordering::Relaxed);
    assert_eq!(fixture.result(1, put("a", "2")), NO_SPACE);
    assert_eq!(fixture.result(1, drop_bin("a")), NO_SPACE);
    assert_eq!(fixture.result(1, touch()), NO_SPACE);
    fixture.do_ok(1, get());
    fixture.do_ok(1, delete());
    fixture.do_ok(2, durable_delete());
    fixture.namespace.gauges.stop_writes.store(false, Ordering::Relaxed);
    fixture.create(1);
}

#[test]
fn what_writes_are_refused_for_first() {
    let mut fixture = Fixture::new();
    fixture.configure(|config| {
        config.disallow_null_setname = true;
        config.reject_non_xdr_writes = true;
    });
    fixture.namespace.gauges.stop_writes.store(true, Ordering::Relaxed);
    let request = write().info2(Info2::WRITE);
    assert_eq!(fixture.result(1, request.clone()), ResultCode::FORBIDDEN);
    fixture.configure(|config| config.reject_non_xdr_writes = false);
    assert_eq!(fixture.result(1, request.clone()), NO_SPACE);
    fixture.namespace.gauges.stop_writes.store(false, Ordering::Relaxed);
    assert_eq!(fixture.result(1, request.clone()), ResultCode::PARAMETER, "no set");
    assert_eq!(fixture.result(1, request.set("s")), ResultCode::PARAMETER, "no operation");
    let transaction = put("a", "1").set("s").field(wire::FieldType::MRT_ID, &[0; 8]);
    assert_eq!(fixture.result(1, transaction), ResultCode::ENTERPRISE_ONLY);
}
