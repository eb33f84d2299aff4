//! Times to live: special values, defaults, renewal by reads, expired records.

use config::SetOverride;
use wire::{Info2, ResultCode};

use super::fixture::*;
use crate::stats::NamespaceCounter;

const NEVER: u32 = 0xFFFF_FFFF;
const KEEP: u32 = 0xFFFF_FFFE;
const TEN_YEARS: u32 = 315_360_000;

const OK: ResultCode = ResultCode::OK;
const PARAMETER: ResultCode = ResultCode::PARAMETER;
const FORBIDDEN: ResultCode = ResultCode::FORBIDDEN;

#[test]
fn times_to_live_of_writes() {
    // Void-times relative to now, of a created record and of one that had 50 seconds to live.
    for (ttl, result, created, updated) in [
        (0, OK, 0, 0),
        (1, OK, 1, 1),
        (TEN_YEARS, OK, TEN_YEARS, TEN_YEARS),
        (TEN_YEARS + 1, PARAMETER, 0, 0),
        (0xFFFF_FFFD, PARAMETER, 0, 0),
        (KEEP, OK, 0, 50),
        (NEVER, OK, 0, 0),
    ] {
        let mut fixture = Fixture::new();
        let relative = |void_time: u32| void_time.saturating_sub(START_SECONDS);
        let answer = fixture.send(1, put("a", "1").record_ttl(ttl));
        assert_eq!((answer.result, relative(answer.void_time)), (result, created), "{ttl}");
        fixture.do_ok(2, put("a", "1").record_ttl(50));
        for request in [put("a", "2"), touch()] {
            let answer = fixture.send(2, request.record_ttl(ttl));
            assert_eq!(answer.result, result, "{ttl}");
            if result == OK {
                assert_eq!(relative(answer.void_time), updated, "{ttl}");
                fixture.do_ok(2, put("a", "1").record_ttl(50));
            }
        }
    }
}

#[test]
fn defaults_of_namespace_and_set() {
    for (of_namespace, of_set, expected) in [
        (0, SetOverride::Inherit, 0),
        (70, SetOverride::Inherit, 70),
        (70, SetOverride::Never, 0),
        (70, SetOverride::Value(30), 30),
        (0, SetOverride::Value(30), 30),
    ] {
        let mut fixture = Fixture::new();
        fixture.configure(|config| config.default_ttl_seconds = of_namespace);
        fixture.configure_set("s", |set| set.default_ttl = of_set);
        for ttl in [0, KEEP] {
            fixture.do_ok(1, put("a", "1").set("s").record_ttl(ttl));
            let void_time = fixture.meta(1).unwrap().void_time.0;
            assert_eq!(void_time.saturating_sub(START_SECONDS), expected, "{of_set:?}");
            fixture.do_ok(1, delete());
        }
        fixture.do_ok(2, put("a", "1"));
        let void_time = fixture.meta(2).unwrap().void_time.0;
        assert_eq!(void_time.saturating_sub(START_SECONDS), of_namespace, "outside the set");
        fixture.do_ok(3, put("a", "1").set("s").record_ttl(NEVER));
        assert_eq!(fixture.meta(3).unwrap().void_time.0, 0);
    }
}

#[test]
fn no_record_may_expire_where_nothing_removes_it() {
    for (ttl, default_ttl, expected) in [
        (0, 0, OK),
        (0, 10, FORBIDDEN),
        (5, 0, FORBIDDEN),
        (NEVER, 10, OK),
        (KEEP, 0, OK),
        (TEN_YEARS + 1, 0, PARAMETER),
    ] {
        let mut fixture = Fixture::with(|config| config.default_ttl_seconds = default_ttl);
        assert_eq!(fixture.result(1, put("a", "1").record_ttl(ttl)), expected, "{ttl}");
        fixture.configure(|config| config.allow_ttl_without_nsup = true);
        let expected = if expected == FORBIDDEN { OK } else { expected };
        assert_eq!(fixture.result(1, put("a", "1").record_ttl(ttl)), expected, "{ttl}, allowed");
        fixture.configure(|config| {
            config.allow_ttl_without_nsup = false;
            config.nsup_period_seconds = 1;
        });
        assert_eq!(fixture.result(1, put("a", "1").record_ttl(ttl)), expected, "{ttl}, nsup");
    }
}

#[test]
fn expired_records_are_gone_but_can_be_deleted() {
    let mut fixture = Fixture::new();
    for key in 1..5 {
        fixture.do_ok(key, put("a", "1").set("s").record_ttl(10));
        fixture.do_ok(key, touch().set("s").record_ttl(KEEP));
    }
    fixture.pass_seconds(10);
    assert!(fixture.is_there(1), "to the end of the last second");
    fixture.pass_seconds(1);
    assert!(!fixture.is_there(1));
    let answer = fixture.do_ok(1, put("b", "2").set("other"));
    assert_eq!(answer.generation, 1, "written as new, in the set that the write names");
    assert_eq!(fixture.do_ok(1, get()).bins.len(), 1);
    assert_eq!(fixture.result(2, durable_delete()), ResultCode::NOT_FOUND);
    assert_eq!(fixture.result(2, delete()), OK);
    assert_eq!(fixture.result(2, delete()), ResultCode::NOT_FOUND);
    assert!(fixture.meta(3).is_some(), "still there until it is removed");
    fixture.pass_seconds(120);
    let (events, _) = fixture.supervise();
    assert!(events.iter().any(|event| event.to_string().contains("expired 2 ")), "{events:?}");
    assert_eq!(fixture.count_of(NamespaceCounter::ExpiredObjects), 2);
    assert_eq!(fixture.namespace.record_count(), 1);
}

#[test]
fn last_update_times_never_go_back() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    let written_at = fixture.now;
    fixture.now.0 -= 60_000;
    fixture.create(1);
    assert_eq!(fixture.meta(1).unwrap().last_update_time, written_at);
}

#[test]
fn reads_renew_late_in_life() {
    // A record of 100 seconds, read after `age` seconds.
    for (percent, of_namespace, of_set, age, expected) in [
        (0, 0, SetOverride::Inherit, 99, None),
        (80, 0, SetOverride::Inherit, 19, None),
        (80, 0, SetOverride::Inherit, 20, Some(120)),
        (0, 80, SetOverride::Inherit, 20, Some(120)),
        (0, 80, SetOverride::Never, 20, None),
        (0, 10, SetOverride::Value(80), 20, Some(120)),
        (NEVER, 80, SetOverride::Inherit, 99, None),
        (100, 0, SetOverride::Inherit, 0, Some(100)),
    ] {
        let mut fixture = Fixture::new();
        fixture.configure(|config| config.default_read_touch_ttl_pct = of_namespace);
        fixture.configure_set("s", |set| set.default_read_touch_ttl_pct = of_set);
        fixture.do_ok(1, put("a", "1").set("s").record_ttl(100));
        fixture.pass_seconds(age);
        let answer = fixture.do_ok(1, get().record_ttl(percent));
        assert_eq!(answer.void_time, START_SECONDS + 100, "the reply tells what was read");
        let meta = fixture.meta(1).unwrap();
        assert_eq!(meta.void_time.0, START_SECONDS + expected.unwrap_or(100), "{percent} {age}");
        assert_eq!(meta.generation.0, 1, "a renewal is no write");
        if expected.is_some() {
            assert_eq!(meta.last_update_time, fixture.now);
        }
        let renewals = fixture.count_of(NamespaceCounter::ReadTouchSuccess);
        assert_eq!(renewals, u64::from(expected.is_some()));
    }
}

#[test]
fn percentages_are_checked_on_records_that_expire() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").record_ttl(100));
    fixture.create(2);
    for percent in [101, 0xFFFF_FFFE, 1000] {
        assert_eq!(fixture.result(1, get().record_ttl(percent)), PARAMETER);
        assert_eq!(fixture.result(2, get().record_ttl(percent)), OK);
    }
}

#[test]
fn durably_deleted_records_do_not_expire() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").record_ttl(10));
    fixture.do_ok(1, delete().info2(Info2::WRITE | Info2::DELETE | Info2::DURABLE_DELETE));
    assert_eq!(fixture.meta(1).unwrap().void_time.0, 0);
    fixture.pass_seconds(130);
    fixture.supervise();
    assert_eq!(fixture.namespace.tombstone_count(), 1);
}
