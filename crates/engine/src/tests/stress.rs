//! Many threads on one namespace at once: nothing is lost, statistics are exact in the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use record::LastUpdateTime;
use wire::client::RequestBuilder;
use wire::{Digest, ResultCode};

use super::fixture::*;
use crate::namespace::Namespace;
use crate::supervisor::{Supervisor, World};

/// A thread's way to send requests, at a time that all share.
pub(super) struct Client<'n> {
    namespace: &'n Namespace,
    clock_ms: &'n AtomicU64,
    scratch: Vec<u8>,
    pub random: fastrand::Rng,
}

impl Client<'_> {
    pub fn send(&mut self, digest: &Digest, request: RequestBuilder) -> Answer {
        let now = LastUpdateTime(self.clock_ms.load(Ordering::Relaxed));
        send(self.namespace, now, &mut self.scratch, digest, &request.into_body())
    }
}

/// Runs `work` on each of some threads, and the supervisor beside them, while time passes.
pub(super) fn run(namespace: &Namespace, works: &[&(dyn Fn(&mut Client<'_>) + Sync)]) {
    let clock_ms = AtomicU64::new(u64::from(START_SECONDS) * 1000);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let workers: Vec<_> = works
            .iter()
            .zip(1..)
            .map(|(work, seed)| {
                let random = fastrand::Rng::with_seed(seed);
                let clock_ms = &clock_ms;
                scope.spawn(move || {
                    work(&mut Client { namespace, clock_ms, scratch: Vec::new(), random });
                })
            })
            .collect();
        scope.spawn(|| {
            let clock = || LastUpdateTime(clock_ms.load(Ordering::Relaxed));
            let mut supervisor = Supervisor::new(clock());
            while !stop.load(Ordering::Relaxed) {
                clock_ms.fetch_add(700, Ordering::Relaxed);
                let world = World { now: clock(), memory_used_pct: 10 };
                supervisor.step(namespace, world, clock, &mut Vec::new());
                std::thread::yield_now();
            }
        });
        let results: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        stop.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
}

pub(super) fn settings() -> config::Namespace {
    config::Namespace {
        nsup_period_seconds: 1,
        nsup_threads: 2,
        tomb_raider_period_seconds: 1,
        tomb_raider_eligible_age_seconds: 3,
        ..config::Namespace::named("test")
    }
}

#[test]
fn no_addition_is_lost() {
    const ROUNDS: u32 = 3_000;
    const COUNTERS: u32 = 8;
    let namespace = Namespace::new(settings(), 0);
    let count = |client: &mut Client<'_>| {
        for round in 0..ROUNDS {
            let request = add("n", 1).set("counters").op(
                wire::OpCode::WRITE,
                wire::ParticleType::BLOB,
                b"pad",
                &vec![7; client.random.usize(..60)],
            );
            let answer = client.send(&digest(round % COUNTERS), request);
            assert_eq!(answer.result, ResultCode::OK);
        }
    };
    run(&namespace, &[&count, &count, &count]);
    let mut sum = 0;
    for key in 0..COUNTERS {
        let value = namespace.inspect(&digest(key), |record| {
            assert_eq!(u32::from(record.meta.generation.0), 3 * ROUNDS / COUNTERS);
            i64::from_be_bytes(record.body.bin(b"n").unwrap().value.try_into().unwrap())
        });
        sum += value.unwrap();
    }
    assert_eq!(sum, i64::from(3 * ROUNDS));
    check_statistics(&namespace);
}

#[test]
fn statistics_survive_creation_expiry_and_truncation() {
    const ROUNDS: u32 = 4_000;
    const SETS: [&str; 3] = ["s", "t", "indexed"];
    let mut config = settings();
    config.sets.push(config::Set {
        name: "indexed".into(),
        enable_index: true,
        ..config::Set::default()
    });
    let namespace = Namespace::new(config, 0);
    let churn = |client: &mut Client<'_>| {
        for _ in 0..ROUNDS {
            let key = digest(client.random.u32(..200));
            let set = SETS[client.random.usize(..SETS.len())];
            let text = "x".repeat(client.random.usize(..50));
            let ttl = [0, 1, 2, 5][client.random.usize(..4)];
            let request = match client.random.u32(..10) {
                0..5 => put("a", &text).set(set).record_ttl(ttl),
                5 => drop_bin("a").set(set),
                6 => durable_delete(),
                7 => delete(),
                _ => get().record_ttl(90),
            };
            let answer = client.send(&key, request);
            let expected = [
                ResultCode::OK,
                ResultCode::NOT_FOUND,
                // Another set, or a truncation later than the request's time.
                ResultCode::PARAMETER,
                ResultCode::FORBIDDEN,
            ];
            assert!(expected.contains(&answer.result), "{answer:?}");
        }
    };
    let truncate = |client: &mut Client<'_>| {
        for round in 0..ROUNDS / 40 {
            let time = LastUpdateTime(client.clock_ms.load(Ordering::Relaxed));
            let set = namespace.sets.by_name(SETS[round as usize % 3].as_bytes());
            match (round % 7, set) {
                (0, _) => namespace.truncate(time).unwrap(),
                (1, _) => namespace.undo_truncate().unwrap(),
                (2, Some(set)) => namespace.undo_truncate_set(set).unwrap(),
                (_, Some(set)) => namespace.truncate_set(set, time).unwrap(),
                (_, None) => {}
            }
            std::thread::yield_now();
        }
    };
    run(&namespace, &[&churn, &churn, &truncate]);
    check_statistics(&namespace);
    // Everything goes: what is left anywhere was counted wrongly.
    namespace.truncate(LastUpdateTime(u64::MAX >> 25)).unwrap();
    namespace.remove_truncated();
    assert_eq!((namespace.record_count(), namespace.data_used_bytes()), (0, 0));
    check_statistics(&namespace);
}

#[test]
fn records_written_after_a_truncation_stay() {
    const ROUNDS: u32 = 300;
    let namespace = Namespace::new(settings(), 0);
    namespace.sets.get_or_create(b"s").unwrap();
    let write_and_look = |client: &mut Client<'_>| {
        let first = client.random.u32(..);
        for round in 0..ROUNDS {
            let key = digest(first.wrapping_add(round));
            let set = namespace.sets.by_name(b"s").unwrap();
            let now = LastUpdateTime(client.clock_ms.fetch_add(1, Ordering::Relaxed));
            namespace.truncate_set(set, now).unwrap();
            let answer = client.send(&key, put("a", "1").set("s"));
            // Another thread's truncation may be later than what this one read of the clock.
            if answer.result == ResultCode::OK {
                let written_at = namespace.inspect(&key, |record| record.meta.last_update_time);
                let is_kept =
                    written_at.is_some() || set.truncate_lut.load(Ordering::Relaxed) > now.0;
                assert!(is_kept, "a record vanished that no truncation covers");
            }
        }
    };
    run(&namespace, &[&write_and_look, &write_and_look]);
    check_statistics(&namespace);
}
