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
