//! Devices on which blocks are few and most are in use: what is dead can be written to, as fast as it is
//! gained, and only what is truly full refuses.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use record::RecordMeta;

use super::world::{BLOCK_BYTES, Kind, Version, World, body, digest, options};
use crate::device::ram::{Faults, RamDevice};
use crate::{Incident, Moved, Pledges, Records, Refusal, Settled};

/// As many as 512 MiB have in full size, where one is the header's.
const BLOCKS: usize = 63;
/// How often updates write as much as the device holds.
const TURNOVERS: usize = 4;
const BLOCKS_BYTES: usize = BLOCKS * BLOCK_BYTES as usize;

fn world(blocks: usize) -> World {
    let device = RamDevice::new("ram", BLOCK_BYTES as usize * (blocks + 1), true);
    World::on(Kind::Device, vec![Arc::new(device)], options())
}

fn version(random: &mut fastrand::Rng, payload_bytes: usize) -> Version {
    Version { payload: vec![random.u8(..); payload_bytes], void_time: 0, set: 0 }
}

fn used_pct(records: &Records) -> u64 {
    let space = records.space().unwrap();
    space.used_bytes * 100 / space.total_bytes
}

/// Inserts until so much is used; returns the number of records.
fn fill(world: &mut World, pct: u64, payload_bytes: usize, random: &mut fastrand::Rng) -> u16 {
    let mut count = 0;
    while used_pct(&world.records) < pct {
        world.write(count, version(random, payload_bytes)).unwrap();
        count += 1;
    }
    count
}

/// Does what the device's threads would until a write is answered; returns the number of moves.
fn wait(records: &Records, pledges: &Pledges) -> u32 {
    for moved in 0..1000 {
        if records.settled(pledges) == Settled::Kept {
            return moved;
        }
        records.move_block(0);
        records.flush();
    }
    panic!("a write waits for space that nobody gains");
}

/// Updates at random leave all blocks equally full, which is more than the threshold for moving
/// records. Writers who wait for their answers are never refused.
fn takes_updates(blocks: usize, pct: u64, payload_bytes: usize) {
    let mut world = world(blocks);
    let mut random = fastrand::Rng::with_seed(4);
    let count = fill(&mut world, pct, payload_bytes, &mut random);
    let told = |world: &World| {
        world.records.incidents().iter().any(|of| matches!(of, Incident::Short { .. }))
    };
    assert!(!told(&world));
    let record_bytes = world.records.space().unwrap().used_bytes as usize / usize::from(count);
    let device_bytes = blocks * BLOCK_BYTES as usize;
    let (mut waited, mut moved) = (0, 0);
    for _ in 0..TURNOVERS * device_bytes / record_bytes {
        let pledges = world.write_pledged(random.u16(..count), version(&mut random, payload_bytes));
        let moves = wait(&world.records, &pledges.unwrap());
        waited += u32::from(moves > 0);
        moved += moves;
    }
    assert!(told(&world), "the operator should know");
    assert!(waited > 0, "nobody moves records without being asked");
    let written = (TURNOVERS * blocks) as u32;
    assert!(moved < 9 * written, "{moved} blocks are moved for {written} that are written");
    let world = world.restart();
    assert_eq!(world.report.damaged, 0);
    world.check();
}

#[test]
fn a_device_of_few_blocks_four_fifths_full_takes_updates() {
    takes_updates(BLOCKS, 80, 1024);
    takes_updates(BLOCKS, 80, 128);
}

#[test]
fn a_device_four_fifths_full_takes_updates() {
    takes_updates(130, 80, 400);
    takes_updates(130, 85, 1024);
}

/// A block is emptied for those that wait, and only once what was moved is written it is free.
#[test]
fn answers_wait_while_nothing_is_gained() {
    let mut world = world(BLOCKS);
    let mut random = fastrand::Rng::with_seed(5);
    let count = fill(&mut world, 80, 1024, &mut random);
    let update = |world: &mut World, random: &mut fastrand::Rng| {
        world.write_pledged(random.u16(..count), version(random, 1024))
    };
    let pledges = loop {
        let pledges = update(&mut world, &mut random).unwrap();
        if !pledges.is_empty() {
            break pledges;
        }
    };
    world.records.flush();
    assert_eq!(world.records.settled(&pledges), Settled::Waiting, "that it is written is not all");
    let refused = (0..1000).find_map(|_| update(&mut world, &mut random).err());
    assert_eq!(refused, Some(Refusal::Overload), "who does not wait may try again");
    // Deletes do not wait: they gain space.
    let mut none = Pledges::default();
    let now = record::LastUpdateTime(world.now + 1);
    assert!(world.records.write(&digest(0)).remove(now, &mut none).unwrap());
    assert!(none.is_empty());
    world.model.remove(&0);
    let signal = crate::Signal::new().unwrap();
    world.records.subscribe(&signal);
    assert_eq!(world.records.settled(&pledges), Settled::Waiting);
    assert!(wait(&world.records, &pledges) > 0);
    assert!(signal.lower(), "whoever waits is told");
    world.check();
}

/// What nothing can be gained on refuses for good, and leaves the reserve to deletes.
#[test]
fn a_device_without_dead_space_is_full() {
    let mut world = world(BLOCKS);
    let mut random = fastrand::Rng::with_seed(6);
    let mut count = 0;
    let refusal = loop {
        match world.write_pledged(count, version(&mut random, 1024)) {
            Ok(pledges) => assert!(pledges.is_empty(), "there is nothing to wait for"),
            Err(refusal) => break refusal,
        }
        world.records.flush();
        world.move_all();
        count += 1;
    };
    assert_eq!(refusal, Refusal::Full);
    assert_eq!(world.records.device_stats()[0].free_wblocks, 8);
    assert_eq!(world.records.move_block(0), Moved::Nothing);
    // Of what is deleted, a block at least can be written to.
    for key in 0..count / 10 {
        world.remove(key).unwrap();
    }
    for key in 0..15 {
        let pledges = world.write_pledged(key, version(&mut random, 1024)).unwrap();
        wait(&world.records, &pledges);
    }
    world.restart().check();
}

/// A device that does not give what is on it for a while loses no room by that.
#[test]
fn a_block_that_could_not_be_read_is_emptied_later() {
    let mut world = world(BLOCKS);
    let mut random = fastrand::Rng::with_seed(8);
    let count = fill(&mut world, 60, 1024, &mut random);
    let mut world = world.restart();
    let free = |world: &World| world.records.device_stats()[0].free_wblocks;
    let before = free(&world);
    // Every block keeps some of its records.
    (0..count).filter(|key| key % 4 > 0).for_each(|key| world.remove(key).unwrap());
    let failing = Faults { failing_reads: u64::MAX, ..Faults::default() };
    world.devices[0].set_faults(failing);
    while world.records.move_block(0) == Moved::Block {}
    world.records.flush();
    assert!(free(&world) <= before, "nothing could be moved");
    world.devices[0].set_faults(Faults::default());
    for _ in 0..100 {
        while world.records.move_block(0) == Moved::Block {}
    }
    world.records.flush();
    assert!(free(&world) > before + 5, "{} blocks are free, {before} were", free(&world));
    world.check();
}

/// The threads of a device and writers beside each other: nobody waits for ever.
#[test]
fn writers_and_defragmentation_get_on() {
    const WRITERS: u16 = 4;
    let mut world = world(BLOCKS);
    let mut random = fastrand::Rng::with_seed(7);
    let count = fill(&mut world, 80, 1024, &mut random);
    let updates = 3 * BLOCKS_BYTES / 1024 / usize::from(WRITERS);
    let written = thread::scope(|scope| {
        let records = &world.records;
        scope.spawn(|| records.run_flusher(0));
        scope.spawn(|| records.run_mover(0));
        let writers = (0..WRITERS).map(|writer| {
            let keys: Vec<_> = (writer..count).step_by(WRITERS.into()).collect();
            scope.spawn(move || update(records, &keys, updates))
        });
        let writers: Vec<_> = writers.collect();
        let written: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        records.stop();
        written
    });
    for (key, version) in written.into_iter().flat_map(|written| written.expect("all answered")) {
        world.model.insert(key, version);
    }
    world.check();
}

/// Updates some of these records at random and waits for each answer. Returns what was written last.
fn update(records: &Records, keys: &[u16], times: usize) -> BTreeMap<u16, Version> {
    let mut random = fastrand::Rng::with_seed(keys[0].into());
    let until = Instant::now() + Duration::from_secs(60);
    let mut written = BTreeMap::new();
    for _ in 0..times {
        let (key, version) = (keys[random.usize(..keys.len())], version(&mut random, 1024));
        let mut pledges = Pledges::default();
        let mut guard = records.write(&digest(key));
        let meta = guard.find().expect("it is there").meta;
        let meta = RecordMeta { generation: meta.generation.next(), ..meta };
        guard.store(meta, b"", &body(&version.payload), &mut pledges).expect("not refused");
        drop(guard);
        written.insert(key, version);
        while records.settled(&pledges) == Settled::Waiting {
            assert!(Instant::now() < until, "an answer waits for ever");
            thread::sleep(Duration::from_micros(20));
        }
    }
    written
}
