//! Truncation of namespaces and sets.

use std::sync::atomic::Ordering;

use record::LastUpdateTime;
use wire::ResultCode;

use super::fixture::*;
use crate::sets::Set;
use crate::supervisor::Event;

fn set(fixture: &Fixture) -> &Set {
    fixture.namespace.sets.by_name(b"s").unwrap()
}

#[test]
fn records_written_before_are_gone_at_once() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.create(2);
    fixture.pass_ms(5);
    let time = fixture.now;
    fixture.do_ok(3, put("a", "1").set("s"));
    fixture.namespace.truncate_set(set(&fixture), time).unwrap();
    assert!(!fixture.is_there(1), "written before");
    assert!(fixture.is_there(2), "not in the set");
    assert!(fixture.is_there(3), "written at the very moment");
    assert!(set(&fixture).truncating.load(Ordering::Relaxed));
    fixture.namespace.truncate(time).unwrap();
    assert!(!fixture.is_there(2));
    assert_eq!(fixture.namespace.record_count(), 3, "until the supervisor comes");
    let (events, _) = fixture.supervise();
    assert_eq!(events.first(), Some(&Event::Truncated { removed: 2 }));
    assert!(!set(&fixture).truncating.load(Ordering::Relaxed));
    assert!(!fixture.namespace.gauges.truncating.load(Ordering::Relaxed));
    assert_eq!(fixture.namespace.record_count(), 1);
    assert!(fixture.is_there(3));
    let (events, _) = fixture.supervise();
    assert_eq!(events, [], "nothing is left to do");
}

#[test]
fn a_truncated_record_is_written_as_new() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.pass_ms(1);
    fixture.namespace.truncate_set(set(&fixture), fixture.now).unwrap();
    let answer = fixture.do_ok(1, put("b", "1").set("t"));
    assert_eq!(answer.generation, 1);
    fixture.supervise();
    assert!(fixture.is_there(1));
}

#[test]
fn a_truncated_record_can_be_deleted_but_not_durably() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.pass_ms(1);
    fixture.namespace.truncate(fixture.now).unwrap();
    assert_eq!(fixture.result(1, durable_delete()), ResultCode::NOT_FOUND);
    assert_eq!(fixture.result(1, delete()), ResultCode::OK);
}

#[test]
fn later_times_win_and_undo_forgets_them() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    let written_at = fixture.now;
    fixture.pass_ms(10);
    fixture.namespace.truncate_set(set(&fixture), fixture.now).unwrap();
    fixture.namespace.truncate_set(set(&fixture), written_at).unwrap();
    assert!(!fixture.is_there(1), "an earlier time changes nothing");
    fixture.namespace.undo_truncate_set(set(&fixture)).unwrap();
    assert!(fixture.is_there(1));
    fixture.namespace.truncate(fixture.now).unwrap();
    assert!(!fixture.is_there(1));
    fixture.namespace.undo_truncate().unwrap();
    let (events, _) = fixture.supervise();
    assert_eq!(events.first(), Some(&Event::Truncated { removed: 0 }));
    assert!(fixture.is_there(1));
}

#[test]
fn removed_records_do_not_return() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.pass_ms(1);
    fixture.namespace.truncate(fixture.now).unwrap();
    fixture.supervise();
    fixture.namespace.undo_truncate().unwrap();
    assert!(!fixture.is_there(1));
}

#[test]
fn tombstones_are_truncated_too() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(1, durable_delete());
    fixture.pass_ms(1);
    fixture.namespace.truncate_set(set(&fixture), fixture.now).unwrap();
    fixture.supervise();
    assert_eq!((fixture.namespace.record_count(), fixture.meta(1)), (0, None));
}

#[test]
fn no_record_is_created_before_the_truncation() {
    // The clock went back.
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.create(2);
    let time = LastUpdateTime(fixture.now.0 + 1000);
    fixture.namespace.truncate_set(set(&fixture), time).unwrap();
    assert_eq!(fixture.result(1, put("a", "1").set("s")), ResultCode::FORBIDDEN);
    assert_eq!(fixture.result(3, put("a", "1").set("s")), ResultCode::FORBIDDEN);
    fixture.create(2);
    fixture.pass_ms(1000);
    fixture.do_ok(1, put("a", "1").set("s"));
}

#[test]
fn a_truncation_while_another_is_carried_out_is_not_forgotten() {
    let mut fixture = Fixture::new();
    fixture.create(1);
    fixture.pass_ms(1);
    let luts = fixture.namespace.begin_truncation();
    fixture.namespace.truncate(fixture.now).unwrap();
    fixture.namespace.end_truncation(&luts);
    assert!(fixture.namespace.gauges.truncating.load(Ordering::Relaxed));
    let (events, _) = fixture.supervise();
    assert_eq!(events.first(), Some(&Event::Truncated { removed: 1 }));
}

#[test]
fn a_set_comes_truncated_if_that_was_foreseen() {
    let mut fixture = Fixture::new();
    let apply = |fixture: &Fixture, name: &[u8], ms: Option<u64>| {
        fixture.namespace.apply_truncation(Some(name), ms.map(LastUpdateTime)).unwrap();
    };
    let (now, name) = (fixture.now.0, b"s".as_slice());
    for ms in [now - 9, now - 5, now - 7] {
        apply(&fixture, name, Some(ms));
    }
    apply(&fixture, b"t", Some(now));
    apply(&fixture, b"t", None);
    assert_eq!(fixture.namespace.sets.iter().count(), 0, "none comes by that");
    for (key, name) in [(1, "s"), (2, "t")] {
        fixture.do_ok(key, put("a", "1").set(name));
    }
    let lut = |name: &[u8]| {
        fixture.namespace.sets.by_name(name).unwrap().truncate_lut.load(Ordering::Relaxed)
    };
    assert_eq!((lut(b"s"), lut(b"t")), (now - 5, 0));
}

#[test]
fn what_is_told_of_a_truncation_holds() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.pass_ms(5);
    let lut = |fixture: &Fixture| set(fixture).truncate_lut.load(Ordering::Relaxed);
    for time in [fixture.now, LastUpdateTime(fixture.now.0 - 9)] {
        fixture.namespace.apply_truncation(Some(b"s"), Some(time)).unwrap();
        assert_eq!(lut(&fixture), time.0, "also one before the last");
    }
    assert!(fixture.is_there(1));
    fixture.namespace.apply_truncation(Some(b"s"), None).unwrap();
    assert_eq!(lut(&fixture), 0);
}

#[test]
fn a_start_without_records_has_nothing_to_remove() {
    let mut fixture = Fixture::new();
    let now = fixture.now;
    let gauges = &fixture.namespace.gauges;
    fixture.namespace.recall_truncation(None, Some(now)).unwrap();
    assert_eq!(gauges.truncate_lut.load(Ordering::Relaxed), now.0);
    assert!(!gauges.truncating.load(Ordering::Relaxed));
    fixture.namespace.recall_truncation(None, Some(LastUpdateTime(now.0 - 1))).unwrap();
    assert_eq!(gauges.truncate_lut.load(Ordering::Relaxed), now.0, "the larger one wins");
    fixture.namespace.recall_truncation(None, None).unwrap();
    assert_eq!(gauges.truncate_lut.load(Ordering::Relaxed), 0);
    fixture.create(1);
    fixture.pass_ms(1);
    fixture.namespace.recall_truncation(None, Some(fixture.now)).unwrap();
    assert!(!fixture.is_there(1));
    assert_eq!(fixture.supervise().0.first(), Some(&Event::Truncated { removed: 1 }));
}
