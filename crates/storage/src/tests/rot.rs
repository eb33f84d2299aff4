//! Bits that flip on a device: every one is noticed, and the rest is served.

use super::world::{Kind, Version, World, open};
use crate::device::ram::Faults;
use crate::device::ram::RamDevice;
use crate::{Miss, Refusal};
use std::path::Path;
use std::sync::Arc;

/// A device with some records, closed in order.
fn content() -> (Vec<u8>, World) {
    let mut world = World::new(Kind::Device, 1, true);
    for key in 0..40 {
        let payload = vec![key as u8; 50 + usize::from(key) * 7];
        world.write(key, Version { payload, void_time: 0, set: key % 3 }).unwrap();
    }
    for key in 0..10 {
        world.remove(key).unwrap();
    }
    world.records.close(None).unwrap();
    (world.devices[0].content(), world)
}

#[test]
fn every_flipped_bit_in_what_is_used_is_noticed() {
    let (content, world) = content();
    let block = super::world::BLOCK_BYTES as usize;
    let used = content.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let in_use = |at: &usize| *at >= block && *at < used;
    for at in (0..used).step_by(7).filter(in_use) {
        let mut bent = content.clone();
        bent[at] ^= 1 << (at % 8);
        let device = Arc::new(RamDevice::with_content("ram", bent, true));
        let (records, report, _) =
            open(Kind::Device, &[device], (&super::world::options(), Path::new("none")), world.now)
                .unwrap();
        assert!(report.damaged + report.torn_blocks > 0, "byte {at}");
        let missing =
            (10..40).filter(|key| super::world::read(&records, *key).unwrap().is_none()).count();
        assert!(missing <= 1, "byte {at}: {missing} records are gone");
        for key in 10..40 {
            if let Some(found) = super::world::read(&records, key).unwrap() {
                assert_eq!(found, world.model[&key], "byte {at}");
            }
        }
    }
}

#[test]
fn a_flipped_bit_in_a_header_is_noticed_and_repaired() {
    let (content, world) = content();
    let copy = super::world::BLOCK_BYTES as usize / 2;
    for at in [0, 5, 60, 200, copy, copy + 90] {
        let mut bent = content.clone();
        bent[at] ^= 4;
        let device = Arc::new(RamDevice::with_content("ram", bent, true));
        let (_, report, _) =
            open(Kind::Device, &[device], (&super::world::options(), Path::new("none")), world.now)
                .unwrap();
        assert_eq!(report.damaged, 1, "byte {at}");
    }
}

#[test]
fn a_damaged_record_is_never_served() {
    let (_, world) = content();
    let content = world.devices[0].content();
    let device = Arc::new(RamDevice::with_content("ram", content, true));
    let devices = [device];
    let (records, ..) =
        open(Kind::Device, &devices, (&super::world::options(), Path::new("none")), world.now)
            .unwrap();
    devices[0].corrupt(|bytes| {
        let from = super::world::BLOCK_BYTES as usize + 64;
        bytes[from..].iter_mut().step_by(48).for_each(|byte| *byte ^= 1);
    });
    for key in 10..40 {
        assert!(matches!(super::world::read(&records, key), Err(Miss::Damaged)), "key {key}");
    }
    assert_eq!(records.device_stats()[0].damaged, 30);
    assert!(!records.incidents().is_empty());
}

#[test]
fn a_read_that_fails_is_no_answer() {
    let (_, world) = content();
    let content = world.devices[0].content();
    let device = Arc::new(RamDevice::with_content("ram", content, true));
    let devices = [device];
    let (records, ..) =
        open(Kind::Device, &devices, (&super::world::options(), Path::new("none")), world.now)
            .unwrap();
    devices[0].set_faults(Faults { failing_reads: 1, ..Faults::default() });
    assert!(matches!(super::world::read(&records, 20), Err(Miss::Damaged)));
    assert!(super::world::read(&records, 20).unwrap().is_some(), "another read may succeed");
}

#[test]
fn a_device_that_cannot_be_written_takes_no_more() {
    let mut world = World::new(Kind::Device, 1, true);
    let version = |byte: u8| Version { payload: vec![byte; 100], void_time: 0, set: 0 };
    world.write(1, version(1)).unwrap();
    world.records.flush();
    let writes = world.devices[0].calls().writes;
    world.devices[0].set_faults(Faults { fail_writes_from: Some(writes + 1), ..Faults::default() });
    world.write(2, version(2)).unwrap();
    world.records.flush();
    assert!(world.records.space().unwrap().has_failed);
    assert_eq!(world.write(3, version(3)), Err(Refusal::Offline));
    assert_eq!(world.remove(1), Err(Refusal::Offline));
    assert_eq!(world.devices[0].calls().writes, writes + 1, "a failed write is not tried again");
    assert!(world.read(1).unwrap().is_some() && world.read(2).unwrap().is_some());
    assert!(world.records.close(None).is_err());
    let incidents = world.records.incidents();
    assert!(incidents.iter().any(|incident| incident.to_string().contains("cannot write")));
}

#[test]
fn a_full_device_refuses_writes_and_takes_deletes() {
    let mut world = World::new(Kind::Device, 1, true);
    let version = |key: u16| Version { payload: vec![key as u8; 1000], void_time: 0, set: 0 };
    let full = (0..u16::MAX).find(|&key| {
        let written = world.write(key, version(key));
        world.records.flush();
        assert!(matches!(written, Ok(()) | Err(Refusal::Full)));
        written.is_err()
    });
    let full = full.unwrap();
    assert!(full > 250, "most of the device can be filled: {full}");
    assert_eq!(world.records.space().unwrap().avail_pct, 0);
    world.check();
    for key in 0..full / 2 {
        world.remove(key).unwrap();
        world.records.flush();
        world.move_all();
    }
    world.records.flush();
    world.write(full, version(full)).unwrap();
    world.check();
    world.restart().check();
}

#[test]
fn writers_slow_down_before_they_are_refused() {
    let mut world = World::new(Kind::Device, 1, true);
    let limit = 8 * u64::from(super::world::BLOCK_BYTES);
    world
        .records
        .tune(crate::TuningValues { max_write_cache_bytes: limit, ..super::world::tuning() });
    let payload = vec![7; 1000];
    let mut pledges = crate::Pledges::default();
    let mut written = 0;
    let mut write = |world: &mut World, pledges: &mut crate::Pledges| {
        written += 1;
        let meta = record::RecordMeta::default();
        let mut guard = world.records.write(&super::world::digest(written));
        guard.store(meta, b"", &super::world::body(&payload), pledges)
    };
    while pledges.is_empty() {
        write(&mut world, &mut pledges).unwrap();
    }
    assert_eq!(world.records.settled(&pledges), crate::Settled::Waiting);
    let refused = (0..1000).find_map(|_| write(&mut world, &mut pledges).err());
    assert_eq!(refused, Some(Refusal::Overload));
    world.records.flush();
    assert_eq!(world.records.settled(&pledges), crate::Settled::Kept);
    write(&mut world, &mut crate::Pledges::default()).unwrap();
}

#[test]
fn a_pledge_to_a_device_that_fails_is_not_kept() {
    let options = super::world::options();
    let tuning = crate::TuningValues { commit_to_device: true, ..options.tuning };
    let world = World::new(Kind::Device, 1, true);
    world.records.tune(tuning);
    let mut pledges = crate::Pledges::default();
    let body = super::world::body(b"x");
    let meta = record::RecordMeta::default();
    world.records.write(&super::world::digest(1)).store(meta, b"", &body, &mut pledges).unwrap();
    assert_eq!(world.records.settled(&pledges), crate::Settled::Waiting);
    let signal = crate::Signal::new().unwrap();
    world.records.subscribe(&signal);
    world.devices[0].set_faults(Faults { fail_writes_from: Some(1), ..Faults::default() });
    world.records.flush();
    assert!(signal.lower(), "whoever waits is told");
    assert_eq!(world.records.settled(&pledges), crate::Settled::Failed);
}
