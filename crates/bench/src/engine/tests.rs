//! Whole runs against a small server in this process.

use super::*;
use crate::fake::{Fake, Faults};
use crate::keys::{Distribution, KeySpace};
use crate::workload::{Mix, OpKind};

const KEYS: u64 = 500;

fn job(server: &Fake, mix: &str) -> Job {
    let workload = Workload {
        namespace: "test".into(),
        keys: KeySpace::new("testset", 1, KEYS),
        distribution: Distribution::Uniform,
        bins: "I,B100".parse().unwrap(),
        fixed_content: false,
        mix: mix.parse().unwrap(),
        batch_size: 7,
        record_ttl: 0,
        send_key: false,
        transaction_ttl_ms: 0,
        seed: 1,
    };
    Job {
        server: server.address,
        process: Some(Process::own()),
        workload: Arc::new(workload),
        pace: Pace::Closed { expected_interval: None },
        connections: 4,
        threads: 2,
        depth: 3,
        duration: None,
        operations: Some(KEYS),
        warm_up: Duration::ZERO,
        cores: Vec::new(),
        interrupt: Arc::default(),
    }
}

fn measure(job: &Job) -> Measurement {
    run(job, &mut |_| {}).unwrap()
}

/// Results of one kind as (code, count) pairs.
fn results(measurement: &Measurement, kind: OpKind) -> Vec<(u8, u64)> {
    let (_, metrics) = measurement.metrics.kinds().find(|(found, _)| *found == kind).unwrap();
    metrics.results().map(|(code, count)| (code.0, count)).collect()
}

#[test]
fn insert_writes_every_key_once() {
    let server = Fake::start(Faults::default());
    let measurement = measure(&job(&server, "I"));
    assert_eq!(server.records() as u64, KEYS);
    assert_eq!(server.requests(), KEYS);
    assert_eq!(results(&measurement, OpKind::Insert), [(0, KEYS)]);
    assert_eq!(measurement.metrics.latency_ns().len(), KEYS);
    assert!(measurement.ops_per_s() > 0.0 && measurement.server.is_some());
}

#[test]
fn every_kind_of_operation_is_answered() {
    let server = Fake::start(Faults::default());
    measure(&job(&server, "I"));
    for kind in OpKind::ALL.into_iter().filter(|kind| *kind != OpKind::Delete) {
        let measurement = measure(&job(&server, kind.name()));
        let counts = results(&measurement, kind);
        // Two of the concurrent modifications of one record may meet.
        let answered: u64 = counts.iter().map(|(_, count)| count).sum();
        assert_eq!(answered, KEYS, "{kind}");
        if kind != OpKind::Modify {
            assert_eq!(counts, [(0, KEYS)], "{kind}");
        }
        let succeeded = counts[0].1;
        let rows = if kind == OpKind::BatchRead { 7 * succeeded } else { succeeded };
        assert_eq!(measurement.metrics.row_count(), rows, "{kind}");
    }
    assert_eq!(server.counters(), KEYS);
    let measurement = measure(&job(&server, "delete"));
    let left = server.records() as u64;
    assert_eq!(results(&measurement, OpKind::Delete), [(0, KEYS - left), (2, left)]);
    assert_eq!(measurement.metrics.errors(), 0);
}

#[test]
fn a_mix_has_all_its_kinds() {
    let server = Fake::start(Faults::default());
    let measurement = measure(&job(&server, "RU,50"));
    let kinds: Vec<OpKind> = measurement.metrics.kinds().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [OpKind::Read, OpKind::Update]);
    assert_eq!(measurement.metrics.ops(), KEYS);
}

#[test]
fn a_run_ends_with_its_time_and_is_told_second_by_second() {
    let server = Fake::start(Faults::default());
    let mut seconds = Vec::new();
    let job = Job {
        operations: None,
        duration: Some(Duration::from_millis(1_500)),
        warm_up: Duration::from_millis(200),
        ..job(&server, "read")
    };
    let measurement = run(&job, &mut |second| seconds.push(second.clone())).unwrap();
    // One whole, and half of one that may be a little short of being told.
    assert!((1..=2).contains(&seconds.len()), "{seconds:?}");
    assert!(seconds[0].ops_per_s > 0.0 && seconds[0].latency.p50_us > 0.0);
    let time = measurement.time.as_secs_f64();
    assert!((1.4..3.0).contains(&time), "{time}");
    // The warm-up's operations are not counted.
    assert!(measurement.metrics.ops() < server.requests());
}

#[test]
fn an_interrupted_run_tells_what_it_has() {
    let server = Fake::start(Faults::default());
    let job = Job {
        operations: None,
        duration: Some(Duration::from_secs(3_600)),
        ..job(&server, "read")
    };
    thread::scope(|scope| {
        let running = scope.spawn(|| measure(&job));
        thread::sleep(Duration::from_millis(200));
        job.interrupt.store(true, Ordering::Relaxed);
        assert!(running.join().unwrap().metrics.ops() > 0);
    });
}

#[test]
fn a_fixed_rate_is_kept() {
    let server = Fake::start(Faults::default());
    let job = Job {
        pace: Pace::Fixed { ops_per_s: 1_000.0, arrivals: Arrivals::Poisson },
        ..job(&server, "read")
    };
    let time = measure(&job).time.as_secs_f64();
    assert!((0.35..2.0).contains(&time), "{KEYS} operations in {time} s");
}

#[test]
fn at_a_fixed_rate_a_stall_delays_everything_behind_it() {
    let stall = Duration::from_millis(300);
    let percentile_50 = |pace| {
        let server = Fake::start(Faults { stall: Some((100, stall)), ..Faults::default() });
        let job = Job { pace, connections: 1, threads: 1, depth: 1, ..job(&server, "read") };
        measure(&job).metrics.latency_ns().value_at_quantile(0.5)
    };
    // 500 starts in half a second; 300 of them fall into the stall, waiting up to 0.3 s.
    let fixed = percentile_50(Pace::Fixed { ops_per_s: 1_000.0, arrivals: Arrivals::Even });
    let closed = percentile_50(Pace::Closed { expected_interval: None });
    let corrected =
        percentile_50(Pace::Closed { expected_interval: Some(Duration::from_micros(250)) });
    assert!(fixed > 20_000_000, "{fixed} ns");
    assert!(closed < 10_000_000, "{closed} ns");
    assert!(corrected > 20_000_000, "{corrected} ns");
}

#[test]
fn operations_that_found_no_place_are_told() {
    let stall = Duration::from_millis(400);
    let server = Fake::start(Faults { stall: Some((1, stall)), ..Faults::default() });
    let job = Job {
        pace: Pace::Fixed { ops_per_s: 1_000.0, arrivals: Arrivals::Even },
        connections: 1,
        threads: 1,
        depth: 1,
        operations: None,
        duration: Some(Duration::from_millis(300)),
        ..job(&server, "read")
    };
    let measurement = measure(&job);
    assert_eq!(measurement.metrics.ops(), 1);
    assert!(measurement.unstarted.abs_diff(299) < 20, "{}", measurement.unstarted);
}

#[test]
fn a_lost_connection_is_replaced() {
    let server = Fake::start(Faults { close_after: Some(50), ..Faults::default() });
    let measurement = measure(&job(&server, "read"));
    let lost = KEYS - measurement.metrics.ops();
    // What was in flight on the one connection.
    assert!((1..=3).contains(&lost), "{lost} lost");
    assert_eq!(measurement.metrics.errors(), lost);
}

#[test]
fn answers_that_are_no_frames_cost_the_connection() {
    let server = Fake::start(Faults { garbage_from: Some(1), ..Faults::default() });
    let job = Job { duration: Some(Duration::from_millis(300)), ..job(&server, "read") };
    let measurement = measure(&job);
    assert_eq!(measurement.metrics.ops(), 0);
    assert!(measurement.metrics.errors() >= 12, "{}", measurement.metrics.errors());
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let server = Fake::start(Faults::default());
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = run(&Job { server: nobody, ..job(&server, "read") }, &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("no connection to"), "{error}");
}

#[test]
fn senseless_jobs_are_refused() {
    let server = Fake::start(Faults::default());
    let good = job(&server, "read");
    for bad in [
        Job { threads: 0, ..good.clone() },
        Job { connections: 1, ..good.clone() },
        Job { operations: None, ..good.clone() },
        Job { cores: vec![100_000], ..good.clone() },
    ] {
        assert!(run(&bad, &mut |_| {}).is_err());
    }
    assert_eq!(Mix::only(OpKind::Read), good.workload.mix);
}

#[test]
fn info_is_asked() {
    let server = Fake::start(Faults::default());
    crate::info::wait_until_up(server.address, Duration::from_secs(5)).unwrap();
    let statistics = crate::info::namespace_statistics(server.address, "test").unwrap();
    assert_eq!(statistics.into_iter().collect::<Vec<_>>(), [("objects".to_owned(), 7)]);
}
