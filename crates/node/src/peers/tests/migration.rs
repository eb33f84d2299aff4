//! Partitions that move from and to devices.

use std::sync::atomic::Ordering;

use config::Config;
use storage::device::ram::RamDevice;

use super::*;
use crate::info::testing::namespace_on;

const DEVICE_BYTES: usize = 128 << 20;
const RECORDS: u64 = 100;

/// A value that is found on a device.
const MARKED: u64 = 0x0123_4567_89AB_CDEF;

/// The second commits to its device.
fn on_devices(number: usize, config: &mut Config) {
    config.namespaces.truncate(1);
    config.namespaces[0].storage_engine.commit_to_device = number == 1;
    // What is stuck is not to take the only place of others.
    config.service.migrate_threads = 1;
    config.service.migrate_max_num_incoming = 1;
}

/// A node alone with records on a device, the first of them marked.
fn town_on(device: &Arc<RamDevice>) -> Town {
    let mut town = Town::default();
    town.add_on(0, device.clone(), on_devices);
    town.settle();
    for number in 0..RECORDS {
        let value = if number == 0 { MARKED } else { number };
        assert_eq!(town.send(0, put(number, value)).0, ResultCode::OK);
    }
    town
}

fn ram() -> Arc<RamDevice> {
    Arc::new(RamDevice::new("ram", DEVICE_BYTES, false))
}

fn held(town: &Town, node: usize) -> usize {
    (0..RECORDS).filter(|number| holders(town, *number).contains(&node)).count()
}

/// The giver may give up what the receiver says it has.
#[test]
fn what_a_node_has_received_lasts_before_it_says_so() {
    let (giver, receiver) = (ram(), ram());
    let mut town = town_on(&giver);
    town.add_on(1, receiver.clone(), on_devices);
    town.settle();
    assert_eq!(held(&town, 1), RECORDS as usize);
    let content = receiver.content_after_crash(&mut |_| 0);
    let device = Arc::new(RamDevice::with_content("ram", content, false));
    let config = (**town.nodes[1].namespaces[0].config()).clone();
    let found = namespace_on(config, vec![device]);
    for number in 0..RECORDS {
        assert!(found.meta_of(&digest(number)).is_some(), "{number}");
    }
}

#[test]
fn a_record_that_cannot_be_read_holds_its_partition_up_unless_it_is_skipped() {
    let first = ram();
    town_on(&first).nodes[0].namespaces[0].flush_devices();
    // Nothing is at hand any more of what was written.
    let device = Arc::new(RamDevice::with_content("ram", first.content(), false));
    let mut town = Town::default();
    town.add_on(0, device.clone(), on_devices);
    town.settle();
    damage(&device);
    town.add_on(1, ram(), on_devices);
    let moving = |town: &Town| town.nodes[0].migrations_remaining(0).tx;
    town.until(|town| moving(town) == 1 && held(town, 1) == RECORDS as usize - 1);
    let says = |town: &Town| {
        let messages = town.hosts[0].messages.lock();
        messages.iter().filter(|text| text.contains("a record of it cannot be read")).count()
    };
    town.until(|town| says(town) >= 2);
    assert_eq!((moving(&town), holders(&town, 0)), (1, vec![0]));
    let unreadable = |town: &Town| {
        let counts = town.nodes[0].migrations.counts(0);
        counts.records_unreadable.load(Ordering::Relaxed)
    };
    assert_eq!(unreadable(&town), 0);
    let setting = "set-config:context=namespace;namespace=test;migrate-skip-unreadable=true";
    assert_eq!(town.ask(0, setting), "ok");
    town.settle();
    assert_eq!((unreadable(&town), held(&town, 1)), (1, RECORDS as usize - 1));
    assert!(town.ask(0, "namespace/test").contains(";migrate_records_unreadable=1;"));
}

/// Two nodes that come up with other versions of the same records, the first on this device.
fn town_of_two(contents: &[Vec<u8>; 2], damaged: Option<usize>) -> Town {
    let mut town = Town::default();
    for (number, content) in contents.iter().enumerate() {
        let device = Arc::new(RamDevice::with_content("ram", content.clone(), false));
        town.add_on(number, device.clone(), |_, config| on_devices(0, config));
        if damaged == Some(number) {
            damage(&device);
        }
    }
    town.until(are_two);
    town
}

fn are_two(town: &Town) -> bool {
    town.nodes.iter().all(|node| {
        let state = node.cluster.state();
        state.members.len() == 2 && state.is_balanced
    })
}

fn damage(device: &RamDevice) {
    let marked = MARKED.to_be_bytes();
    device.corrupt(|bytes| {
        let found = bytes.windows(marked.len()).position(|window| window == marked).unwrap();
        bytes[found] ^= 1;
    });
}

/// What cannot be read may be the last version.
#[test]
fn nothing_is_built_on_a_version_while_another_cannot_be_read() {
    let contents = [0, 1].map(|further| {
        let device = ram();
        let mut town = town_on(&device);
        for _ in 0..further {
            assert_eq!(town.send(0, put(0, MARKED)).0, ResultCode::OK);
        }
        town.nodes[0].namespaces[0].flush_devices();
        device.content()
    });
    let partition = digest(0).partition();
    let town = town_of_two(&contents, None);
    let serving = town.nodes[0].cluster.table(0).get(partition).working_master.unwrap();
    let other = usize::from(town.nodes[0].cluster.me() == serving);
    let mut town = town_of_two(&contents, Some(other));
    for _ in 0..3 {
        assert_eq!(town.send(0, add(0)).0, ResultCode::UNKNOWN);
        town.step();
    }
    let setting = "set-config:context=namespace;namespace=test;migrate-skip-unreadable=true";
    for node in 0..2 {
        assert_eq!(town.ask(node, setting), "ok");
    }
    assert_eq!(town.send(0, add(0)).0, ResultCode::OK, "the operator says to go without it");
}

/// What was truncated elsewhere is not to take the place of what was written since.
#[test]
fn records_move_once_all_know_of_all_truncations() {
    for hears_in_time in [true, false] {
        let mut town = Town::of(1, |_, _| {});
        for number in 0..RECORDS {
            assert_eq!(town.send(0, put(number, number)).0, ResultCode::OK);
        }
        town.busy.push(1);
        town.add(1, |_, _| {});
        town.until(are_two);
        // Nearly as long as they wait at most.
        (0..900).for_each(|_| town.step());
        assert_eq!(held(&town, 1), 0);
        if hears_in_time {
            town.busy.clear();
            (0..20).for_each(|_| town.step());
            assert!(held(&town, 1) > 0);
        }
        town.settle();
        assert_eq!(held(&town, 1), RECORDS as usize);
    }
}
