//! A namespace on devices: what it weighs there, what settings do, what lasts through a restart.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use config::{Compression, EngineKind, Namespace as NamespaceConfig};
use record::LastUpdateTime;
use storage::device::Device;
use storage::device::ram::RamDevice;
use storage::format::BLOCK_BYTES;
use storage::{Report, Way};
use wire::ResultCode;
use wire::client::RequestBuilder;

use super::fixture::*;
use crate::devices::{DevicePlan, NamespaceOpening};
use crate::namespace::Namespace;
use crate::supervisor::{Breach, Event};

/// Room for a header and fifteen blocks, of which eight are kept back.
pub(super) const DEVICE_BYTES: usize = 128 << 20;
pub(super) const NOW: LastUpdateTime = LastUpdateTime(START_SECONDS as u64 * 1000);

pub(super) fn ram() -> Arc<RamDevice> {
    Arc::new(RamDevice::new("ram", DEVICE_BYTES, true))
}

pub(super) fn config(change: impl FnOnce(&mut NamespaceConfig)) -> NamespaceConfig {
    let mut config = NamespaceConfig::named("test");
    config.nsup_period_seconds = 120;
    config.max_record_size_bytes = 8 << 20;
    config.storage_engine.kind = EngineKind::Device;
    config.storage_engine.post_write_cache_bytes = 0;
    change(&mut config);
    config
}

fn open(device: Arc<dyn Device>, config: NamespaceConfig) -> (Namespace, Report) {
    open_with(device, config, None)
}

fn open_with(
    device: Arc<dyn Device>,
    config: NamespaceConfig,
    image: Option<PathBuf>,
) -> (Namespace, Report) {
    let plan = DevicePlan {
        devices: vec![device],
        image,
        block_bytes: BLOCK_BYTES,
        encryption: None,
        threads: 1,
        random: || fastrand::u64(1..),
    };
    NamespaceOpening::begin(config, 1, plan).unwrap().finish(NOW.seconds()).unwrap()
}

pub(super) fn fixture(
    device: Arc<dyn Device>,
    change: impl FnOnce(&mut NamespaceConfig),
) -> Fixture {
    Fixture::over(open(device, config(change)).0, NOW)
}

/// A write of a bin that takes so much.
pub(super) fn put_bytes(size_bytes: usize) -> RequestBuilder {
    put("a", &"x".repeat(size_bytes))
}

#[test]
fn records_weigh_what_they_take_on_the_device() {
    let mut fixture = fixture(ram(), |_| {});
    fixture.do_ok(1, put("a", "1").set("s"));
    // 48 bytes of header, a set name, the body as a reply has it; all of it in units of 16 bytes.
    let size = fixture.namespace.inspect(&digest(1), |record| record.size_bytes).unwrap();
    assert!(size > 48 && size.is_multiple_of(16), "{size}");
    let set = |fixture: &Fixture| fixture.namespace.sets.by_name(b"s").unwrap().id;
    let set_bytes = |fixture: &Fixture| {
        let set = fixture.namespace.sets.by_name(b"s").unwrap();
        set.data_used_bytes.load(Relaxed)
    };
    assert_eq!(set_bytes(&fixture), size as u64);
    assert_eq!(fixture.namespace.data_used_bytes(), size as u64);
    assert_eq!(fixture.namespace.data_total_bytes(), 15 * (8 << 20));
    assert_eq!(fixture.namespace.data_avail_pct(), 6 * 100 / 15, "one is being filled");
    fixture.supervise();
    let histograms = fixture.namespace.size_histograms();
    let bucket = (usize::BITS - size.leading_zeros()) as usize;
    assert_eq!(histograms.sets[&set(&fixture)].size_log[bucket], 1);
    fixture.do_ok(1, put_bytes(100).set("s"));
    let larger = fixture.namespace.inspect(&digest(1), |record| record.size_bytes).unwrap();
    assert!(larger > size);
    assert_eq!(set_bytes(&fixture), larger as u64);
}

#[test]
fn compression_shows_in_its_ratio_and_changes_at_run_time() {
    let mut fixture = fixture(ram(), |_| {});
    fixture.do_ok(1, put_bytes(100_000));
    let plain = fixture.namespace.data_used_bytes();
    assert_eq!(fixture.namespace.storage_compression_ratio(), 1.0);
    for (key, method) in (2..).zip([Compression::Lz4, Compression::Snappy, Compression::Zstd]) {
        fixture.configure(|config| config.storage_engine.compression = method);
        let before = fixture.namespace.data_used_bytes();
        fixture.do_ok(key, put_bytes(100_000));
        assert!(fixture.namespace.data_used_bytes() - before < plain / 10, "{method:?}");
        assert_eq!(fixture.send(key, get()).text("a").unwrap().len(), 100_000);
    }
    assert!(fixture.namespace.storage_compression_ratio() < 0.2);
}

#[test]
fn a_full_write_cache_refuses_writes_for_now() {
    let device = Arc::new(RamDevice::new("ram", 2 * DEVICE_BYTES, true));
    let mut fixture = fixture(device, |_| {});
    // Nobody writes to the device meanwhile. The cache has its least size, 64 MiB.
    for key in 0..10 {
        fixture.do_ok(key, put_bytes(7 << 20));
    }
    assert_eq!(fixture.result(10, put_bytes(100)), ResultCode::DEVICE_OVERLOAD);
    fixture.namespace.flush_devices();
    fixture.do_ok(10, put_bytes(100));
}

#[test]
fn what_no_block_holds_is_too_big() {
    let mut fixture = fixture(ram(), |_| {});
    // The largest record that the setting permits, less what a block and a record have in front.
    assert_eq!(fixture.result(1, put_bytes((8 << 20) - 100)), ResultCode::RECORD_TOO_BIG);
    fixture.do_ok(1, put_bytes((8 << 20) - 200));
}

#[test]
fn too_little_room_stops_writes() {
    let mut fixture = fixture(ram(), |_| {});
    for key in 0..7 {
        fixture.do_ok(key, put_bytes(7 << 20));
    }
    fixture.namespace.flush_devices();
    assert_eq!(fixture.namespace.data_avail_pct(), 0);
    let (events, _) = fixture.supervise();
    assert!(events.contains(&Event::StopWrites(Breach::DataAvailable)), "{events:?}");
    assert_eq!(fixture.result(9, put("a", "1")), ResultCode::OUT_OF_SPACE);
    fixture.configure(|config| config.storage_engine.stop_writes_avail_pct = 0);
    fixture.pass_seconds(10);
    assert_eq!(fixture.supervise().0, [Event::WritesResumed]);
}

#[test]
fn room_is_made_by_moving_records_together() {
    let mut fixture = fixture(ram(), |_| {});
    // Two records a block, of which one goes.
    for key in 0..12 {
        fixture.do_ok(key, put_bytes(if key % 2 == 0 { 1 << 20 } else { 6 << 20 }));
    }
    fixture.namespace.flush_devices();
    let before = fixture.namespace.data_avail_pct();
    for key in (1..12).step_by(2) {
        fixture.do_ok(key, put("a", "1"));
    }
    assert!(fixture.namespace.data_avail_pct() <= before);
    assert!(fixture.namespace.make_room(0), "nothing is asked for");
    assert!(fixture.namespace.make_room(30), "{}", fixture.namespace.data_avail_pct());
    assert!(fixture.namespace.device_stats()[0].defrag_reads > 0);
    assert!(!fixture.namespace.make_room(99), "there is an end to it");
    for key in (0..12).step_by(2) {
        assert_eq!(fixture.send(key, get()).text("a").unwrap().len(), 1 << 20);
    }
}

#[test]
fn truncations_and_evictions_last_through_a_restart() {
    let device = ram();
    let mut fixture = fixture(device.clone(), |_| {});
    for (key, set) in [(1, "s"), (2, "t"), (3, "t")] {
        fixture.do_ok(key, put("a", "1").set(set).record_ttl(1_000 * key));
    }
    fixture.pass_ms(1);
    let set = fixture.namespace.sets.by_name(b"s").unwrap();
    fixture.namespace.truncate_set(set, fixture.now).unwrap();
    fixture.namespace.set_evict_void_time(START_SECONDS + 2_500).unwrap();
    // The power goes before anything was removed.
    fixture.namespace.flush_devices();
    let content = device.content();
    let after = Arc::new(RamDevice::with_content("ram", content, true));
    let (namespace, report) = open(after.clone(), config(|_| {}));
    assert_eq!(report.way, Way::Cold);
    assert_eq!((report.records, report.truncated, report.expired), (1, 1, 1));
    let mut fixture = Fixture::over(namespace, fixture.now);
    assert!(fixture.is_there(3) && !fixture.is_there(1) && !fixture.is_there(2));
    fixture.check_statistics();
    fixture.namespace.close_devices(None).unwrap();
    let empty = config(|config| config.storage_engine.cold_start_empty = true);
    let (namespace, report) = open(after, empty);
    assert_eq!((report.way, namespace.object_count()), (Way::Fresh, 0));
}

#[test]
fn an_image_makes_a_warm_start_and_its_absence_a_cold_one() {
    let path = std::env::temp_dir().join(format!("bolide-engine-{}.image", fastrand::u64(..)));
    let device = ram();
    let mut before = fixture(device.clone(), |_| {});
    for key in 0..100 {
        before.do_ok(key, put("a", "1").set("s"));
    }
    before.namespace.close_devices(Some((path.clone(), 7))).unwrap();
    let content = device.content();
    for (image, way) in [(Some(path.clone()), Way::Warm { rescanned_blocks: 0 }), (None, Way::Cold)]
    {
        let device = Arc::new(RamDevice::with_content("ram", content.clone(), true));
        let (namespace, report) = open_with(device, config(|_| {}), image);
        assert_eq!((report.way, report.records), (way, 100));
        let mut after = Fixture::over(namespace, NOW);
        assert_eq!(after.send(7, get()).text("a").unwrap(), "1");
        after.check_statistics();
    }
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_deleted_record_stays_deleted() {
    let device = ram();
    let mut before = fixture(device.clone(), |_| {});
    before.do_ok(1, put("a", "1"));
    before.do_ok(2, put("a", "2"));
    before.namespace.flush_devices();
    before.do_ok(1, delete());
    before.namespace.flush_devices();
    let device = Arc::new(RamDevice::with_content("ram", device.content(), true));
    let mut after = Fixture::over(open(device, config(|_| {})).0, NOW);
    assert!(!after.is_there(1) && after.is_there(2));
}
