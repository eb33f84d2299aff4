//! Eviction: when, what, and what is spared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use config::Namespace as NamespaceConfig;

use super::fixture::*;
use crate::stats::NamespaceCounter;
use crate::supervisor::{Event, Supervisor, World};

/// 64 bytes a record, evicted in cycles of 10 seconds beyond half of 64,000 bytes.
fn settings(config: &mut NamespaceConfig) {
    config.nsup_period_seconds = 10;
    config.evict_tenths_pct = 100;
    config.evict_hist_buckets = 100;
    config.storage_engine.data_size_bytes = 64_000;
    config.storage_engine.evict_used_pct = 50;
}

/// Writes records with 1,000, 1,010, 1,020... seconds to live.
fn fill(fixture: &mut Fixture, keys: std::ops::Range<u32>, set: &str) {
    for key in keys {
        fixture.do_ok(key, put("a", "1").set(set).record_ttl(1000 + 10 * (key % 1000)));
    }
}

fn cycle(fixture: &mut Fixture) -> Vec<Event> {
    fixture.pass_seconds(10);
    fixture.supervise().0
}

#[test]
fn nothing_goes_below_the_threshold() {
    let mut fixture = Fixture::with(settings);
    fill(&mut fixture, 0..499, "s");
    cycle(&mut fixture);
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), 0);
    assert!(!fixture.namespace.gauges.hwm_breached.load(Ordering::Relaxed));
}

#[test]
fn the_records_that_expire_first_go() {
    let mut fixture = Fixture::with(settings);
    fill(&mut fixture, 0..500, "s");
    cycle(&mut fixture);
    let gauges = &fixture.namespace.gauges;
    assert!(gauges.hwm_breached.load(Ordering::Relaxed));
    // A tenth of 500 may go. Void-times spread over 5,980 seconds from now, 60 a bucket: the bucket
    // from 1,440 on would bring the 50th and following.
    let threshold = gauges.evict_void_time.load(Ordering::Relaxed);
    assert_eq!(threshold, START_SECONDS + 10 + 1440);
    assert_eq!(gauges.evict_ttl_seconds.load(Ordering::Relaxed), 1440);
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), 45);
    assert_eq!(gauges.nsup_cycle_deleted_pct_hundredths.load(Ordering::Relaxed), 900);
    assert!(!fixture.is_there(44) && fixture.is_there(45));
    let evicted_before = fixture.count_of(NamespaceCounter::EvictedObjects);
    cycle(&mut fixture);
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), evicted_before);
    assert!(!fixture.namespace.gauges.hwm_breached.load(Ordering::Relaxed));
}

#[test]
fn protected_sets_and_eternal_records_are_spared() {
    let mut fixture = Fixture::with(settings);
    fixture.configure_set("safe", |set| set.disable_eviction = true);
    fill(&mut fixture, 0..300, "safe");
    fill(&mut fixture, 1000..1300, "s");
    for key in 2000..2400 {
        fixture.do_ok(key, put("a", "1").set("s"));
    }
    cycle(&mut fixture);
    assert_eq!(fixture.namespace.gauges.non_expirable_objects.load(Ordering::Relaxed), 400);
    let evicted = fixture.count_of(NamespaceCounter::EvictedObjects);
    assert!((1..=30).contains(&evicted), "a tenth of those that may go: {evicted}");
    assert!((0..300).all(|key| fixture.is_there(key)));
    assert!((2000..2400).all(|key| fixture.is_there(key)));
}

#[test]
fn where_nothing_can_go_nothing_does() {
    let mut fixture = Fixture::with(settings);
    for key in 0..600 {
        fixture.do_ok(key, put("a", "1").set("s"));
    }
    let events = cycle(&mut fixture);
    assert!(events.contains(&Event::NothingToEvict), "{events:?}");
    assert_eq!(fixture.namespace.record_count(), 600);
    for key in 0..600 {
        fixture.do_ok(key, put("a", "1").set("s").record_ttl(1000));
    }
    let events = cycle(&mut fixture);
    assert!(events.contains(&Event::NothingToEvict), "all expire together: {events:?}");
    assert_eq!(fixture.namespace.record_count(), 600);
}

#[test]
fn index_memory_can_call_for_eviction() {
    let mut fixture = Fixture::with(|config| {
        settings(config);
        config.storage_engine.evict_used_pct = 0;
        config.evict_indexes_memory_pct = 1;
        config.indexes_memory_budget_bytes = 1 << 20;
    });
    fill(&mut fixture, 0..500, "s");
    cycle(&mut fixture);
    assert!(fixture.namespace.gauges.hwm_breached.load(Ordering::Relaxed));
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), 45);
    fixture.configure(|config| config.indexes_memory_budget_bytes = 0);
    cycle(&mut fixture);
    assert!(!fixture.namespace.gauges.hwm_breached.load(Ordering::Relaxed), "no budget, no share");
}

#[test]
fn without_cycles_nothing_is_evicted() {
    let mut fixture = Fixture::with(|config| {
        settings(config);
        config.nsup_period_seconds = 0;
        config.allow_ttl_without_nsup = true;
    });
    fill(&mut fixture, 0..600, "s");
    cycle(&mut fixture);
    assert_eq!(fixture.namespace.record_count(), 600);
}

#[test]
fn an_operator_can_evict_up_to_a_time_to_live() {
    let mut fixture = Fixture::with(settings);
    fixture.configure_set("safe", |set| set.disable_eviction = true);
    fill(&mut fixture, 0..100, "s");
    fill(&mut fixture, 1000..1100, "safe");
    let void_time = START_SECONDS + 1500;
    fixture.namespace.gauges.evict_void_time.store(void_time, Ordering::Relaxed);
    cycle(&mut fixture);
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), 50);
    assert!((1000..1100).all(|key| fixture.is_there(key)));
    fill(&mut fixture, 0..1, "s");
    cycle(&mut fixture);
    assert!(fixture.is_there(0), "what is written afterwards is not meant");
    fixture.namespace.gauges.evict_void_time.store(0, Ordering::Relaxed);
    cycle(&mut fixture);
    fixture.namespace.gauges.evict_void_time.store(void_time, Ordering::Relaxed);
    cycle(&mut fixture);
    assert!(!fixture.is_there(0), "after a reset the same time is new");
}

#[test]
fn a_keeper_hears_of_a_threshold_before_it_holds() {
    let mut fixture = Fixture::with(settings);
    let told = Arc::new(AtomicU32::new(0));
    let of_keeper = Arc::clone(&told);
    // It says that it has seen to it, and has not.
    fixture.namespace.threshold_keeper.set(move |threshold| {
        of_keeper.store(threshold.0, Ordering::Relaxed);
        true
    });
    fill(&mut fixture, 0..500, "s");
    cycle(&mut fixture);
    assert_eq!(told.load(Ordering::Relaxed), START_SECONDS + 10 + 1440);
    assert_eq!(fixture.namespace.gauges.evict_void_time.load(Ordering::Relaxed), 0);
    assert_eq!(fixture.count_of(NamespaceCounter::EvictedObjects), 0);
}

#[test]
fn a_threshold_from_before_the_start_spares_what_is_written_since() {
    let mut fixture = Fixture::with(settings);
    let void_time = START_SECONDS + 1500;
    fixture.namespace.set_evict_void_time(void_time).unwrap();
    fill(&mut fixture, 0..10, "s");
    let mut supervisor = Supervisor::resume(&fixture.namespace, fixture.now);
    fixture.pass_seconds(10);
    let world = World { now: fixture.now, memory_used_pct: 0 };
    supervisor.step(&fixture.namespace, world, || world.now, &mut Vec::new());
    assert_eq!(fixture.namespace.record_count(), 10);
    fixture.namespace.set_evict_void_time(void_time + 1).unwrap();
    fixture.pass_seconds(10);
    let world = World { now: fixture.now, memory_used_pct: 0 };
    supervisor.step(&fixture.namespace, world, || world.now, &mut Vec::new());
    assert_eq!(fixture.namespace.record_count(), 0);
}
