//! Durable deletes and the tombstones that they leave.

use std::sync::atomic::Ordering;

use wire::{Info2, OpCode, ParticleType, ResultCode};

use super::fixture::*;
use crate::supervisor::Event;

const NOT_FOUND: ResultCode = ResultCode::NOT_FOUND;

fn tombstones_of_set(fixture: &Fixture) -> u64 {
    fixture.namespace.sets.by_name(b"s").unwrap().tombstones.load(Ordering::Relaxed)
}

#[test]
fn tombstones_are_invisible_but_counted() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s").record_ttl(60));
    fixture.do_ok(1, put("a", "2").set("s"));
    let answer = fixture.do_ok(1, durable_delete());
    assert_eq!((answer.generation, answer.void_time), (0, 0));
    for request in [get(), exists(), delete(), durable_delete(), touch().set("s")] {
        assert_eq!(fixture.result(1, request), NOT_FOUND);
    }
    assert_eq!(fixture.namespace.object_count(), 0);
    assert_eq!(fixture.namespace.tombstone_count(), 1);
    assert_eq!(tombstones_of_set(&fixture), 1);
    let meta = fixture.meta(1).unwrap();
    assert_eq!((meta.generation.0, meta.void_time.0), (3, 0));
    // 35 + 4 and 2 for the set.
    assert_eq!(fixture.namespace.data_used_bytes(), 48);
}

#[test]
fn a_write_on_a_tombstone_revives_the_record() {
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").set("s"));
    fixture.do_ok(1, durable_delete());
    let answer = fixture.do_ok(1, put("b", "2").set("s"));
    assert_eq!(answer.generation, 3, "generations go on");
    let answer = fixture.do_ok(1, get());
    assert_eq!((answer.generation, answer.bins.len()), (3, 1));
    assert_eq!((fixture.namespace.tombstone_count(), tombstones_of_set(&fixture)), (0, 0));
    fixture.do_ok(1, delete());
    assert_eq!(fixture.meta(1), None);
}

#[test]
fn the_last_bin_may_leave_a_tombstone() {
    let durable = Info2::WRITE | Info2::DURABLE_DELETE;
    let delete_all = write().op(OpCode::DELETE_ALL, ParticleType::NULL, b"", b"");
    for request in [drop_bin("a"), delete_all] {
        let mut fixture = Fixture::new();
        fixture.create(1);
        let answer = fixture.do_ok(1, request.clone().info2(durable));
        assert_eq!((answer.generation, answer.void_time), (0, 0));
        assert_eq!(fixture.namespace.tombstone_count(), 1);
        assert_eq!(fixture.result(1, request.clone().info2(durable)), NOT_FOUND);
        assert_eq!(fixture.result(2, request.info2(durable)), NOT_FOUND);
        assert_eq!(fixture.do_ok(1, put("a", "1")).generation, 3);
    }
    let mut fixture = Fixture::new();
    fixture.do_ok(1, put("a", "1").info2(durable));
    fixture.do_ok(1, put("b", "1"));
    fixture.do_ok(1, drop_bin("a").info2(durable));
    assert!(fixture.is_there(1), "a bin is left");
}

#[test]
fn old_tombstones_are_removed() {
    let mut fixture = Fixture::with(|config| {
        config.tomb_raider_period_seconds = 100;
        config.tomb_raider_eligible_age_seconds = 150;
    });
    fixture.create(1);
    fixture.do_ok(2, put("a", "1").set("s"));
    fixture.do_ok(2, durable_delete());
    fixture.pass_seconds(60);
    fixture.create(3);
    fixture.do_ok(3, durable_delete());
    fixture.pass_seconds(40);
    fixture.supervise();
    assert_eq!(fixture.namespace.tombstone_count(), 2, "both are too young");
    fixture.pass_seconds(100);
    let (events, _) = fixture.supervise();
    assert!(events.contains(&Event::TombstonesRemoved { removed: 1 }), "{events:?}");
    assert_eq!((fixture.meta(2), tombstones_of_set(&fixture)), (None, 0));
    assert!(fixture.meta(3).is_some());
    assert_eq!(fixture.do_ok(3, put("a", "1")).generation, 3, "a revived record stays");
    fixture.pass_seconds(1000);
    fixture.supervise();
    assert!(fixture.is_there(3) && fixture.is_there(1));
}
