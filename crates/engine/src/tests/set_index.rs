//! Indexes of sets: built, kept in step, dropped.

use storage::SetIndexState;

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
