//! Indexes of sets: built, kept in step, dropped.

use storage::SetIndexState;
use wire::client::RequestBuilder;
use wire::{Digest, PartitionId, ResultCode};

use super::fixture::*;

fn state(fixture: &Fixture) -> SetIndexState {
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    fixture.namespace.records.set_index_state(set.id)
}

#[test]
fn an_index_comes_and_goes_with_the_setting() {
    let mut fixture = Fixture::new();
    for key in 0..500 {
        fixture.do_ok(key, put("a", "1").set("s"));
        fixture.do_ok(1000 + key, put("a", "1").set("t"));
    }
    fixture.supervise();
    assert_eq!(state(&fixture), SetIndexState::Absent);
    fixture.configure_set("s", |set| set.enable_index = true);
    fixture.supervise();
    assert_eq!(state(&fixture), SetIndexState::Ready);
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    assert!(!fixture.namespace.is_set_index_populating(set));
    let used = fixture.namespace.set_index_used_bytes();
    assert!(used > 500 * 8, "{used}");
    fixture.configure_set("s", |set| set.enable_index = false);
    fixture.supervise();
    assert_eq!(state(&fixture), SetIndexState::Absent);
    assert_eq!(fixture.namespace.set_index_used_bytes(), 0);
}

#[test]
fn an_index_keeps_in_step() {
    // The index itself asserts that it holds what leaves it; in the end it must be empty.
    let mut fixture = Fixture::with(|config| {
        config.nsup_period_seconds = 10;
        config.sets.push(config::Set {
            name: "s".into(),
            enable_index: true,
            ..config::Set::default()
        });
    });
    fixture.supervise();
    let empty = fixture.namespace.set_index_used_bytes();
    for key in 0..300 {
        fixture.do_ok(key, put("a", "1").set("s").record_ttl(if key < 100 { 5 } else { 0 }));
        fixture.do_ok(key, put("a", "2").set("s").record_ttl(0xFFFF_FFFE));
    }
    for key in 100..150 {
        fixture.do_ok(key, durable_delete());
        fixture.do_ok(key + 50, delete());
    }
    for key in 100..125 {
        fixture.do_ok(key, put("a", "1").set("s"));
    }
    fixture.pass_seconds(11);
    // Written as new, in another set, over records that are expired but still there.
    for key in 0..20 {
        fixture.do_ok(key, put("a", "1").set("t"));
    }
    fixture.supervise();
    assert_eq!(fixture.namespace.object_count(), 20 + 25 + 100);
    fixture.pass_ms(1);
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    fixture.namespace.truncate_set(set, fixture.now).unwrap();
    fixture.supervise();
    assert_eq!(fixture.namespace.set_index_used_bytes(), empty);
}

/// How a request on the record with this digest ends.
fn at(fixture: &Fixture, digest: Digest, request: RequestBuilder) -> ResultCode {
    let (now, body) = (fixture.now, request.into_body());
    send(&fixture.namespace, now, &mut Vec::new(), &digest, &body).result
}

/// All that a scan of a set lists of a partition, so many records at a time; and in how many steps.
fn listed(fixture: &Fixture, partition: PartitionId, limit: usize) -> (Vec<Digest>, usize) {
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    let (mut all, mut steps, mut below) = (Vec::new(), 0, None);
    loop {
        let namespace = &fixture.namespace;
        below = namespace.scan_down(partition, Some(set.id), below.as_ref(), limit, &mut all);
        steps += 1;
        if below.is_none() {
            return (all, steps);
        }
    }
}

#[test]
fn queries_of_a_set_use_its_index() {
    let mut fixture = Fixture::new();
    // A partition with many records of another set, and few of this one.
    let digest = |number: u8| Digest([[0, 0], [0, number]].concat().repeat(5).try_into().unwrap());
    let partition = digest(0).partition();
    let of_s = |number: &u8| number.is_multiple_of(50);
    for number in 0..=200 {
        let set = if of_s(&number) { "s" } else { "t" };
        assert_eq!(at(&fixture, digest(number), put("a", "1").set(set)), ResultCode::OK);
    }
    let mut expected: Vec<Digest> = (0..=200).rev().filter(of_s).map(digest).collect();
    assert_eq!(fixture.namespace.set_index_used_bytes(), 0);
    let (without, steps) = listed(&fixture, partition, 1);
    assert_eq!(without, expected);
    // Each passes over some records of the other set.
    assert!(steps > expected.len() + 1, "{steps} steps");

    fixture.configure_set("s", |set| set.enable_index = true);
    assert_eq!(listed(&fixture, partition, 1), (without, steps), "it is not built yet");
    fixture.supervise();
    assert!(fixture.namespace.set_index_used_bytes() > 0);
    for limit in [1, 2, 100] {
        let (with, steps) = listed(&fixture, partition, limit);
        assert_eq!(with, expected);
        assert!(steps <= expected.len() / limit + 1, "{steps} steps of {limit}");
    }
    // What changes is found by it at once.
    for (number, request) in [(100, delete()), (7, delete()), (7, put("a", "1").set("s"))] {
        assert_eq!(at(&fixture, digest(number), request), ResultCode::OK);
    }
    expected = [200, 150, 50, 7, 0].map(digest).to_vec();
    assert_eq!(listed(&fixture, partition, 1).0, expected);
    fixture.configure_set("s", |set| set.enable_index = false);
    fixture.supervise();
    assert_eq!(listed(&fixture, partition, 1).0, expected);
}
