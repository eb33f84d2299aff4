//! The supervisor: what is due when, thresholds, histograms.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::fixture::*;
use crate::supervisor::{Breach, Event, World};

fn cycles(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::CycleDone { .. })).count()
}

#[test]
fn without_a_period_it_sleeps() {
    let mut fixture = Fixture::with(|config| config.nsup_period_seconds = 0);
    let (events, next) = fixture.supervise();
    assert_eq!(events, []);
    assert_eq!(next, fixture.now.0 + 10_000, "thresholds are all there is to look at");
    fixture.pass_ms(9_999);
    let (_, again) = fixture.supervise();
    assert_eq!(again, next);
}

#[test]
fn cycles_come_once_a_period() {
    let mut fixture = Fixture::with(|config| config.nsup_period_seconds = 3);
    assert_eq!(cycles(&fixture.supervise().0), 0, "the first is a period away");
    fixture.pass_ms(2_999);
    assert_eq!(fixture.supervise(), (vec![], fixture.now.0 + 1));
    fixture.pass_ms(1);
    let (events, next) = fixture.supervise();
    assert_eq!((cycles(&events), next), (1, fixture.now.0 + 3_000));
    fixture.pass_seconds(100);
    assert_eq!(cycles(&fixture.supervise().0), 1, "missed cycles are not made up for");
    assert_eq!(cycles(&fixture.supervise().0), 0);
}

#[test]
fn a_changed_period_counts_at_once() {
    let mut fixture = Fixture::with(|config| config.nsup_period_seconds = 0);
    fixture.supervise();
    fixture.pass_seconds(5);
    fixture.configure(|config| config.nsup_period_seconds = 8);
    let (events, next) = fixture.supervise();
    assert_eq!((cycles(&events), next), (0, fixture.now.0 + 3_000));
    fixture.pass_seconds(3);
    assert_eq!(cycles(&fixture.supervise().0), 1);
    fixture.configure(|config| config.nsup_period_seconds = 100);
    fixture.pass_seconds(8);
    assert_eq!(cycles(&fixture.supervise().0), 0);
    fixture.configure(|config| config.nsup_period_seconds = 9);
    assert_eq!(fixture.supervise().1, fixture.now.0 + 1_000);
    fixture.configure(|config| config.nsup_period_seconds = 4);
    let (events, next) = fixture.supervise();
    assert_eq!((cycles(&events), next), (1, fixture.now.0 + 4_000), "shortened: overdue");
    fixture.configure(|config| config.nsup_period_seconds = 0);
    fixture.pass_seconds(100);
    assert_eq!(cycles(&fixture.supervise().0), 0);
}

#[test]
fn a_clock_that_goes_back_delays_by_a_period_at_most() {
    let mut fixture = Fixture::with(|config| config.nsup_period_seconds = 5);
    fixture.supervise();
    fixture.now.0 -= 1_000_000;
    let (events, next) = fixture.supervise();
    assert_eq!((events, next), (vec![], fixture.now.0 + 5_000));
    fixture.pass_seconds(5);
    assert_eq!(cycles(&fixture.supervise().0), 1);
}

#[test]
fn the_bell_wakes_for_every_change() {
    let fixture = Fixture::new();
    let set = fixture.namespace.sets.get_or_create(b"s").unwrap();
    let wake: [&dyn Fn(); 3] = [
        &|| fixture.namespace.truncate(fixture.now).unwrap(),
        &|| fixture.namespace.truncate_set(set, fixture.now).unwrap(),
        &|| fixture.configure(|config| config.nsup_period_seconds = 7),
    ];
    fixture.namespace.bell.wait(Duration::ZERO);
    for ring in wake {
        let before = std::time::Instant::now();
        ring();
        fixture.namespace.bell.wait(Duration::from_secs(60));
        assert!(before.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn thresholds_stop_writes() {
    let step = |fixture: &mut Fixture, memory_used_pct: u32| {
        fixture.pass_seconds(10);
        let (now, mut events) = (fixture.now, Vec::new());
        let world = World { now, memory_used_pct };
        fixture.supervisor.step(&fixture.namespace, world, || now, &mut events);
        events.retain(|event| matches!(event, Event::StopWrites(_) | Event::WritesResumed));
        events
    };
    let mut fixture = Fixture::with(|config| {
        config.storage_engine.data_size_bytes = 6_400;
        config.storage_engine.stop_writes_used_pct = 70;
        config.storage_engine.stop_writes_avail_pct = 5;
    });
    for key in 0..69 {
        fixture.do_ok(key, put("a", "1").set("s"));
    }
    assert_eq!(fixture.namespace.data_used_pct(), 69);
    assert_eq!(step(&mut fixture, 90), []);
    assert_eq!(step(&mut fixture, 91), [Event::StopWrites(Breach::SystemMemory)]);
    assert!(fixture.namespace.gauges.stop_writes.load(Ordering::Relaxed));
    assert_eq!(step(&mut fixture, 91), [], "it is known");
    fixture.configure(|config| config.stop_writes_sys_memory_pct = 0);
    assert_eq!(step(&mut fixture, 100), [Event::WritesResumed]);
    fixture.do_ok(69, put("a", "1").set("s"));
    assert_eq!(step(&mut fixture, 10), [Event::StopWrites(Breach::DataUsed)]);
    fixture.configure(|config| config.storage_engine.stop_writes_used_pct = 0);
    assert_eq!(step(&mut fixture, 10), [Event::WritesResumed]);
    fixture.configure(|config| config.storage_engine.stop_writes_avail_pct = 31);
    assert_eq!(step(&mut fixture, 10), [Event::StopWrites(Breach::DataAvailable)]);
    fixture.configure(|config| {
        config.storage_engine.stop_writes_avail_pct = 0;
        config.indexes_memory_budget_bytes = 1000;
    });
    assert_eq!(step(&mut fixture, 10), [], "for another reason");
    fixture.configure(|config| config.indexes_memory_budget_bytes = 1 << 40);
    assert_eq!(step(&mut fixture, 10), [Event::WritesResumed]);
}

#[test]
fn statistics_of_a_cycle() {
    let mut fixture = Fixture::with(|config| config.nsup_period_seconds = 10);
    fixture.create(1);
    for key in 2..6 {
        fixture.do_ok(key, put("a", "1").record_ttl(5 * (key - 1)));
    }
    fixture.pass_seconds(11);
    let (now, mut events) = (fixture.now, Vec::new());
    let world = World { now, memory_used_pct: 10 };
    let clock = || record::LastUpdateTime(now.0 + 2_500);
    fixture.supervisor.step(&fixture.namespace, world, clock, &mut events);
    let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["nsup-done: non-expirable 1 expired 2 evicted 0 total-ms 2500"]);
    let gauges = &fixture.namespace.gauges;
    assert_eq!(gauges.non_expirable_objects.load(Ordering::Relaxed), 1);
    assert_eq!(gauges.nsup_cycle_seconds.load(Ordering::Relaxed), 2);
    assert_eq!(gauges.nsup_cycle_deleted_pct_hundredths.load(Ordering::Relaxed), 4_000);
}

#[test]
fn threads_share_a_cycle() {
    let mut fixture = Fixture::with(|config| {
        config.nsup_period_seconds = 1;
        config.nsup_threads = 3;
        config.truncate_threads = 128;
    });
    for key in 0..1_000 {
        fixture.do_ok(key, put("a", "1").record_ttl(1 + 10 * (key % 2)));
    }
    fixture.pass_seconds(3);
    fixture.supervise();
    assert_eq!(fixture.namespace.record_count(), 500);
    fixture.namespace.truncate(fixture.now).unwrap();
    let (events, _) = fixture.supervise();
    assert_eq!(events.first(), Some(&Event::Truncated { removed: 500 }));
}

#[test]
fn histograms_are_made_once_a_period() {
    let mut fixture = Fixture::with(|config| {
        config.nsup_hist_period_seconds = 60;
        config.allow_ttl_without_nsup = true;
    });
    fixture.supervise();
    assert!(fixture.namespace.size_histograms().namespace.is_none(), "nothing to show yet");
    fixture.do_ok(1, put("a", "1").set("s").record_ttl(1000));
    fixture.do_ok(2, put("a", &"x".repeat(3000)));
    fixture.do_ok(3, put("a", "1").set("s"));
    fixture.do_ok(3, durable_delete());
    fixture.pass_seconds(60);
    fixture.supervise();
    let histograms = fixture.namespace.size_histograms();
    let all = histograms.namespace.as_ref().unwrap();
    // 940 seconds are left: 100 buckets of 10.
    assert_eq!((all.ttl.bucket_width, all.ttl.width), (10, 1000));
    assert_eq!((all.ttl.buckets[94], all.ttl.buckets.iter().sum::<u64>()), (1, 1));
    assert_eq!((all.size_linear.bucket_width, all.size_linear.width), (1024, 1 << 20));
    assert_eq!((all.size_linear.buckets[0], all.size_linear.buckets[2]), (1, 1));
    assert_eq!((all.size_log[7], all.size_log[12]), (1, 1));
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    assert_eq!(histograms.sets[&set.id].size_log.iter().sum::<u64>(), 1, "no tombstone");
    fixture.do_ok(1, delete());
    fixture.do_ok(2, delete());
    fixture.do_ok(3, put("a", "1").set("s"));
    fixture.do_ok(3, delete());
    fixture.pass_seconds(60);
    fixture.supervise();
    let histograms = fixture.namespace.size_histograms();
    let left = histograms.namespace.as_ref().map(|all| all.size_log.iter().sum::<u64>());
    assert_eq!(left, Some(0), "what is gone is no longer shown");
}
