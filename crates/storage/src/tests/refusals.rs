//! Devices that are not those of the namespace: refused with a sentence that says which, and what to do.

use std::path::Path;
use std::sync::Arc;

use super::world::{BLOCK_BYTES, Kind, Options, Version, World, open, options, read};
use crate::OpenError;
use crate::device::ram::RamDevice;

const NOW: u64 = 1_000_000;

/// What two devices hold that were closed in order.
fn contents() -> [Vec<u8>; 2] {
    let mut world = World::new(Kind::Device, 2, true);
    for key in 0..20 {
        world.write(key, Version { payload: vec![1; 50], void_time: 0, set: 0 }).unwrap();
    }
    world.records.close(None).unwrap();
    [world.devices[0].content(), world.devices[1].content()]
}

fn device(name: &str, content: &[u8]) -> Arc<RamDevice> {
    Arc::new(RamDevice::with_content(name, content.to_vec(), true))
}

fn refusal(devices: &[Arc<RamDevice>]) -> OpenError {
    let opened = open(Kind::Device, devices, (&options(), Path::new("none")), NOW);
    opened.map(|_| ()).expect_err("they are not those of the namespace")
}

#[test]
fn devices_that_do_not_belong_together() {
    let [first, second] = contents();
    let [other, _] = contents();
    let blank = vec![0; first.len()];
    let swapped = refusal(&[device("a", &second), device("b", &first)]);
    assert!(matches!(swapped, OpenError::OtherOrder { expected: 2, given: 1, .. }), "{swapped}");
    let alone = refusal(&[device("a", &first)]);
    assert!(matches!(alone, OpenError::OtherCount { expected: 2, given: 1 }), "{alone}");
    let replaced = refusal(&[device("a", &first), device("b", &blank)]);
    assert!(matches!(&replaced, OpenError::Blank { device, .. } if device == "b"), "{replaced}");
    let mixed = refusal(&[device("a", &first), device("b", &other)]);
    assert!(matches!(mixed, OpenError::OtherSet { .. }), "{mixed}");
    let cut = &second[..second.len() - 2 * BLOCK_BYTES as usize];
    let shrunk = refusal(&[device("a", &first), device("b", cut)]);
    assert!(matches!(&shrunk, OpenError::Shrunk { device } if device == "b"), "{shrunk}");
}

#[test]
fn devices_that_are_not_ours() {
    let mut foreign = vec![0; 1 << 20];
    foreign[1000] = 1;
    assert!(matches!(refusal(&[device("a", &foreign)]), OpenError::Foreign { .. }));
    let small = vec![0; 3 * BLOCK_BYTES as usize];
    assert!(matches!(refusal(&[device("a", &small)]), OpenError::TooSmall { .. }));
    assert!(matches!(refusal(&[]), OpenError::TooMany(0)));
}

#[test]
fn a_larger_device_has_more_room() {
    let [first, second] = contents();
    let larger = |content: &[u8]| [content, &vec![0; 4 * BLOCK_BYTES as usize]].concat();
    let devices = [device("a", &larger(&first)), device("b", &larger(&second))];
    let (records, report, _) =
        open(Kind::Device, &devices, (&options(), Path::new("none")), NOW).unwrap();
    assert_eq!((report.records, report.damaged), (20, 0));
    assert!(records.space().unwrap().total_bytes > 2 * 34 * u64::from(BLOCK_BYTES));
}

#[test]
fn a_cold_start_empty_forgets_for_good() {
    let [first, second] = contents();
    let devices = [device("a", &first), device("b", &second)];
    let empty = Options { cold_start_empty: true, ..options() };
    let (records, report, _) =
        open(Kind::Device, &devices, (&empty, Path::new("none")), NOW).unwrap();
    assert_eq!((report.records, report.way), (0, crate::Way::Fresh));
    records.close(None).unwrap();
    let again = [device("a", &devices[0].content()), device("b", &devices[1].content())];
    let (records, report, _) =
        open(Kind::Device, &again, (&options(), Path::new("none")), NOW).unwrap();
    assert_eq!((report.records, report.damaged), (0, 0));
    assert!(read(&records, 1).unwrap().is_none());
}
