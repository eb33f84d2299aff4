//! Thousands of random requests, moments and settings against a model too simple to be wrong.

mod plain;
mod requests;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use config::{Namespace as NamespaceConfig, SetOverride};
use fastrand::Rng;
use record::LastUpdateTime;
use storage::device::ram::RamDevice;

use self::plain::Plain;
use self::requests::{DeleteSpec, ReadSpec, SETS, WriteSpec};
use super::fixture::*;
use super::sindex::definition;
use crate::sindex::{IndexType, KeyType};
use crate::supervisor::Event;

/// Records that requests are about: few, so that they meet often.
const KEYS: u32 = 12;

/// Size in bytes of a device that holds few blocks.
const DEVICE_BYTES: usize = 128 << 20;

/// A namespace and its model side by side.
struct Pair {
    fixture: Fixture,
    plain: Plain,
    random: Rng,
    /// What the namespace is on, if its records are not in memory alone.
    device: Option<Arc<RamDevice>>,
}

impl Pair {
    fn new(seed: u64) -> Self {
        Self::of(Fixture::with(settings), None, seed)
    }

    fn on_device(seed: u64) -> Self {
        let device = Arc::new(RamDevice::new("ram", DEVICE_BYTES, true));
        Self::of(Fixture::on(Arc::clone(&device), settings), Some(device), seed)
    }

    fn of(fixture: Fixture, device: Option<Arc<RamDevice>>, seed: u64) -> Self {
        let plain = Plain { now_ms: fixture.now.0, ..Plain::default() };
        Self { fixture, plain, random: Rng::with_seed(seed), device }
    }

    fn step(&mut self) {
        if let Some(device) = &self.device {
            // A version that follows a removed one is later by a millisecond at least.
            self.fixture.pass_ms(2);
            self.plain.now_ms += 2;
            if self.random.u32(..60) == 0 {
                let device = Arc::clone(device);
                self.restart(device);
            }
        }
        match self.random.u32(..100) {
            0..55 => self.write(),
            55..75 => self.read(),
            75..85 => self.delete(),
            85..93 => {
                let ms = self.random.u64(1..15_000);
                self.fixture.pass_ms(ms);
                self.plain.now_ms += ms;
            }
            93..96 => self.supervise(),
            96 => self.remove_tombstones(),
            97 => self.truncate(),
            98 => self.index(),
            _ => self.reconfigure(),
        }
        self.compare();
    }

    fn write(&mut self) {
        let key = self.random.u32(..KEYS);
        let generation = self.plain.records.get(&key).map_or(0, |record| record.generation);
        let spec = WriteSpec::random(&mut self.random, generation);
        let expected = self.plain.write(key, &spec);
        let answer = self.fixture.send(key, spec.request());
        assert_eq!(answer, expected, "{key} {spec:?}");
    }

    fn read(&mut self) {
        let key = self.random.u32(..KEYS);
        let spec = ReadSpec::random(&mut self.random);
        let expected = self.plain.read(key, &spec);
        let answer = self.fixture.send(key, spec.request());
        assert_eq!(answer, expected, "{key} {spec:?}");
    }

    fn delete(&mut self) {
        let key = self.random.u32(..KEYS);
        let generation = self.plain.records.get(&key).map_or(0, |record| record.generation);
        let spec = DeleteSpec::random(&mut self.random, generation);
        let expected = self.plain.delete(key, &spec);
        assert_eq!(self.fixture.result(key, spec.request()), expected, "{key} {spec:?}");
    }

    fn supervise(&mut self) {
        let was_truncating = self.fixture.namespace.is_truncating();
        let (events, _) = self.fixture.supervise();
        let truncated = events.iter().any(|event| matches!(event, Event::Truncated { .. }));
        assert_eq!(truncated, was_truncating);
        if truncated {
            self.plain.remove_truncated();
        }
        if events.iter().any(|event| matches!(event, Event::CycleDone { .. })) {
            self.plain.remove_expired();
        }
    }

    /// Ends and starts again, in order or by a loss of power after everything was written. What was
    /// dead by then is removed.
    fn restart(&mut self, device: Arc<RamDevice>) {
        if self.random.bool() {
            self.fixture.namespace.close_devices(None).unwrap();
        } else {
            self.fixture.namespace.flush_devices();
        }
        self.fixture.restart_on(device);
        // Each end leaves a block that is hardly filled.
        let records = &self.fixture.namespace.records;
        while records.move_block(0) == storage::Moved::Block {}
        records.flush();
        self.plain.remove_expired();
        self.plain.remove_truncated();
    }

    fn remove_tombstones(&mut self) {
        if self.device.is_some() {
            // They stay as long as older copies are on the device.
            return;
        }
        let limit_ms = self.plain.now_ms - 20_000;
        self.fixture.namespace.remove_tombstones(LastUpdateTime(limit_ms));
        self.plain.remove_tombstones(limit_ms);
    }

    fn truncate(&mut self) {
        let namespace = &self.fixture.namespace;
        let time_ms = self.plain.now_ms - self.random.u64(..10_000);
        let time = LastUpdateTime(time_ms);
        let name = SETS[self.random.usize(..SETS.len())];
        let set = name.map(|name| namespace.sets.by_name(name.as_bytes()));
        let undo = self.random.u32(..3) == 0;
        match set {
            None if undo => namespace.undo_truncate().unwrap(),
            None => namespace.truncate(time).unwrap(),
            Some(None) => return,
            Some(Some(set)) if undo => namespace.undo_truncate_set(set).unwrap(),
            Some(Some(set)) => namespace.truncate_set(set, time).unwrap(),
        }
        let known = self.plain.truncated_before_ms.entry(name).or_default();
        *known = if undo { 0 } else { time_ms.max(*known) };
    }

    /// Makes or drops a secondary index. They are compared with the records after each step.
    fn index(&mut self) {
        let (namespace, random) = (&self.fixture.namespace, &mut self.random);
        let bin = ["a", "b", "n"][random.usize(..3)];
        if random.u32(..4) == 0 {
            namespace.drop_sindex(bin.as_bytes());
        } else {
            let kind = if random.bool() { KeyType::Numeric } else { KeyType::String };
            let _ =
                namespace.create_sindex(bin.as_bytes(), definition(bin, kind, IndexType::Default));
        }
    }

    fn reconfigure(&mut self) {
        let (default_ttl, limit) = (self.random.u32(..2) * 40, self.random.u64(..2) * 3);
        let of_set = match self.random.u32(..3) {
            0 => SetOverride::Inherit,
            1 => SetOverride::Never,
            _ => SetOverride::Value(25),
        };
        self.fixture.configure(|config| config.default_ttl_seconds = default_ttl);
        self.fixture.configure_set("s", |set| set.default_ttl = of_set);
        self.fixture.configure_set("t", |set| set.stop_writes_count = limit);
        self.plain.default_ttl_seconds = default_ttl;
        self.plain.default_ttl_of_s = of_set;
        self.plain.limit_of_t = limit;
    }

    /// Records and statistics equal the model's, and statistics what is stored.
    fn compare(&self) {
        for key in 0..KEYS {
            let expected = self.plain.records.get(&key);
            let stored = self.fixture.namespace.inspect(&digest(key), |record| {
                let meta = record.meta;
                let set = self.fixture.namespace.sets.by_id(meta.set).map(|set| set.name.to_vec());
                let times = (meta.void_time.0, meta.last_update_time.0);
                (meta.generation.0, times, meta.tombstone, set, record.size_bytes)
            });
            let expected = expected.map(|record| {
                let set = record.set.map(|name| name.as_bytes().to_vec());
                let times = (record.void_time, record.last_update_ms);
                (record.generation, times, record.tombstone, set, record.size_bytes())
            });
            assert_eq!(stored, expected, "{key}");
        }
        for name in SETS.iter().copied().flatten() {
            if let Some(set) = self.fixture.namespace.sets.by_name(name.as_bytes()) {
                let kept = [&set.objects, &set.tombstones, &set.data_used_bytes]
                    .map(|value| value.load(Ordering::Relaxed));
                assert_eq!(kept, self.plain.sums_of(name), "of set {name}");
            }
        }
        self.fixture.check_statistics();
    }
}

fn settings(config: &mut NamespaceConfig) {
    config.nsup_period_seconds = 30;
    config.tomb_raider_period_seconds = 0;
    config.default_read_touch_ttl_pct = 40;
}

#[test]
fn random_requests_and_restarts_meet_the_model() {
    for seed in 100..102 {
        let mut pair = Pair::on_device(seed);
        for _ in 0..600 {
            pair.step();
        }
    }
}

#[test]
fn random_requests_meet_the_model() {
    for seed in 0..16 {
        let mut pair = Pair::new(seed);
        for _ in 0..600 {
            pair.step();
        }
    }
}
