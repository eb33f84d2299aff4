//! Settings of devices, each seen by what it changes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use config::StorageEngine;
use storage::device::Device;
use storage::device::ram::RamDevice;
use storage::{DeviceStats, Moved};

use super::devices::{DEVICE_BYTES, fixture, put_bytes, ram};
use super::fixture::*;

fn stats(fixture: &Fixture) -> DeviceStats {
    fixture.namespace.device_stats().remove(0)
}

/// Whether something is written of so many unwritten bytes while the device's thread runs: at once, or
/// not for a while.
fn is_written(size_bytes: usize, change: impl FnOnce(&mut StorageEngine)) -> bool {
    let mut fixture = fixture(ram(), |config| change(&mut config.storage_engine));
    fixture.do_ok(1, put_bytes(size_bytes));
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| fixture.namespace.run_flusher(0));
        while stats(&fixture).partial_writes == 0 && begun.elapsed() < Duration::from_millis(500) {
            thread::sleep(Duration::from_millis(2));
        }
        fixture.namespace.stop_devices();
    });
    stats(&fixture).partial_writes != 0
}

#[test]
fn pieces_of_blocks_are_written_when_they_are_large_or_old() {
    let never = |engine: &mut StorageEngine| {
        engine.flush_max_ms = 3_600_000;
        engine.flush_size_bytes = 128 << 10;
    };
    assert!(!is_written(100_000, never));
    assert!(is_written(200_000, never), "larger than flush-size");
    assert!(is_written(100, |engine| engine.flush_max_ms = 20), "older than flush-max-ms");
    let commits = |engine: &mut StorageEngine| {
        never(engine);
        engine.commit_to_device = true;
    };
    assert!(is_written(100, commits), "somebody waits for it");
}

#[test]
fn blocks_that_were_written_last_are_kept_in_memory() {
    for (cache_bytes, from_memory) in [(0, false), (64 << 20, true)] {
        let mut fixture = fixture(ram(), |config| {
            config.storage_engine.post_write_cache_bytes = cache_bytes;
        });
        for key in 0..3 {
            fixture.do_ok(key, put_bytes(5 << 20));
        }
        fixture.namespace.flush_devices();
        assert_eq!(fixture.namespace.body_reads(), (0, 0));
        assert_eq!(fixture.send(0, get()).text("a").unwrap().len(), 5 << 20);
        let (cached, read) = fixture.namespace.body_reads();
        assert_eq!((cached > 0, read > 0), (from_memory, !from_memory));
    }
}

/// Makes three blocks of two records, of which the larger one goes: a quarter of each is left.
fn sparse_blocks(fixture: &mut Fixture) {
    for key in 0..6 {
        fixture.do_ok(key, put_bytes(if key % 2 == 0 { 2 << 20 } else { 5 << 20 }));
    }
    for key in [1, 3, 5] {
        fixture.do_ok(key, put_bytes(7 << 20));
    }
    fixture.namespace.flush_devices();
}

#[test]
fn blocks_are_moved_as_the_settings_say() {
    // With less room, free blocks would run short, and the settings would not matter.
    let device = Arc::new(RamDevice::new("ram", 2 * DEVICE_BYTES, true));
    let mut fixture = fixture(device, |config| config.storage_engine.defrag_lwm_pct = 10);
    sparse_blocks(&mut fixture);
    assert_eq!(stats(&fixture).defrag_q, 0, "more is left than defrag-lwm-pct");
    fixture.configure(|config| config.storage_engine.defrag_lwm_pct = 30);
    assert_eq!(stats(&fixture).defrag_q, 3);
    fixture.configure(|config| config.storage_engine.defrag_queue_min = 4);
    assert_eq!(fixture.namespace.records.move_block(0), Moved::Nothing);
    fixture.configure(|config| config.storage_engine.defrag_queue_min = 3);
    assert_eq!(fixture.namespace.records.move_block(0), Moved::Block);
    assert_eq!((stats(&fixture).defrag_q, stats(&fixture).defrag_reads), (2, 1));
}

#[test]
fn threads_pause_between_blocks() {
    const PAUSE: Duration = Duration::from_millis(200);
    let device = Arc::new(RamDevice::new("ram", 2 * DEVICE_BYTES, true));
    let mut fixture = fixture(device, |config| {
        config.storage_engine.tomb_raider_sleep_micros = PAUSE.as_micros() as u32;
        config.storage_engine.defrag_sleep_micros = PAUSE.as_micros() as u32;
        config.storage_engine.defrag_queue_min = 100;
    });
    sparse_blocks(&mut fixture);
    assert_eq!(stats(&fixture).defrag_q, 3);
    fixture.do_ok(0, delete());
    let begun = Instant::now();
    assert_eq!(fixture.namespace.raid(), 0, "what it deletes is still there");
    assert!(begun.elapsed() >= 3 * PAUSE, "a block each");
    fixture.configure(|config| config.storage_engine.defrag_queue_min = 0);
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| fixture.namespace.run_mover(0));
        while stats(&fixture).defrag_q != 0 && begun.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(2));
        }
        fixture.namespace.stop_devices();
    });
    assert!(begun.elapsed() >= 2 * PAUSE && stats(&fixture).defrag_q == 0);
}

/// A device that remembers how it is to be read.
#[derive(Debug)]
struct Probe(RamDevice, AtomicBool);

impl Device for Probe {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn size_bytes(&self) -> u64 {
        self.0.size_bytes()
    }

    fn read_at(&self, bytes: &mut [u8], offset_bytes: u64) -> io::Result<()> {
        self.0.read_at(bytes, offset_bytes)
    }

    fn write_at(&self, bytes: &[u8], offset_bytes: u64) -> io::Result<()> {
        self.0.write_at(bytes, offset_bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }

    fn set_page_cache_reads(&self, page_cache_reads: bool) {
        self.1.store(page_cache_reads, Relaxed);
    }
}

#[test]
fn the_page_cache_is_used_from_the_setting_on() {
    let device = Arc::new(Probe(RamDevice::new("ram", DEVICE_BYTES, true), false.into()));
    let fixture = fixture(device.clone(), |_| {});
    for wanted in [true, false, true] {
        fixture.configure(|config| config.storage_engine.read_page_cache = wanted);
        assert_eq!(device.1.load(Relaxed), wanted);
    }
}
