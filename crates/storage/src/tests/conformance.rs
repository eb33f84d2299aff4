//! Every engine against the model: the same random work, and restarts where there is something to
//! restart from.

use std::path::Path;
use std::sync::Arc;

use record::{Generation, LastUpdateTime, RecordMeta};

use super::world::{
    BLOCK_BYTES, BLOCKS, Kind, Options, Version, World, body, digest, open, open_on, options, read,
    tuning, version,
};
use crate::device::ram::RamDevice;
use crate::device::{Device, MappedDevice};
use crate::format::flat::Packing;
use crate::{CipherKind, Encryption, Fetched, Pledges, Records, Secret, TuningValues};

/// One random piece of work.
fn work(world: &mut World, random: &mut fastrand::Rng) {
    let key = random.u16(..200);
    match random.u8(..100) {
        0..60 => {
            let version = version(random, world.now);
            world.write(key, version).unwrap();
        }
        60..85 => world.remove(key).unwrap(),
        85..88 => world.expire(random.u64(..5_000)),
        88 => world.truncate(random.u16(1..4)).unwrap(),
        89..93 => world.records.flush(),
        93..96 => world.move_all(),
        96 => _ = world.records.raid(),
        97 if world.kind == Kind::Device => assert!(world.checkpoint(random.u64(1..))),
        _ => {
            for key in 0..20 {
                assert_eq!(world.read(key).unwrap().as_ref(), world.model.get(&key));
            }
        }
    }
}

fn run(kind: Kind, device_count: usize, seed: u64) {
    run_in(World::new(kind, device_count, seed.is_multiple_of(2)), seed);
}

fn run_in(mut world: World, seed: u64) {
    let kind = world.kind;
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..6 {
        for _ in 0..400 {
            work(&mut world, &mut random);
            if kind != Kind::Memory {
                // Blocks become free when their successors are written.
                world.records.flush();
                world.move_all();
            }
        }
        world.check();
        if kind != Kind::Memory {
            world = world.restart();
            assert_eq!(world.report.damaged, 0);
            world.check();
            // All that was written is written: power may fail.
            world.records.flush();
            world = world.crash(&mut random);
            assert_eq!(world.report.damaged, 0);
            world.check();
        }
    }
}

#[test]
fn memory() {
    run(Kind::Memory, 0, 1);
}

#[test]
fn memory_with_devices() {
    for seed in 1..5 {
        run(Kind::Backed, 1 + seed as usize % 3, seed);
    }
}

#[test]
fn devices() {
    for seed in 1..5 {
        run(Kind::Device, 1 + seed as usize % 3, seed);
    }
}

#[test]
fn devices_with_compression_and_encryption() {
    for (seed, compression) in [(11, Packing::Lz4), (12, Packing::Snappy), (13, Packing::Zstd)] {
        let key = Secret::new(vec![seed as u8; 32]).unwrap();
        let options = Options {
            tuning: TuningValues { compression, ..tuning() },
            encryption: Some(Encryption { kind: CipherKind::Aes256, key, old_key: None }),
            ..Options::default()
        };
        let plain = World::new(Kind::Device, 2, true);
        let devices = plain
            .devices
            .iter()
            .map(|device| Arc::new(RamDevice::new(device.name(), device.content().len(), true)));
        run_in(World::on(Kind::Device, devices.collect(), options), seed);
    }
}

#[test]
fn encryption_leaves_nothing_readable_and_wants_its_key() {
    let size_bytes = BLOCK_BYTES as usize * (BLOCKS + 1);
    let devices = vec![Arc::new(RamDevice::new("ram", size_bytes, true))];
    let key = |byte| Secret::new(vec![byte; 32]).unwrap();
    let encryption = |key| Encryption { kind: CipherKind::Aes256, key, old_key: None };
    let sealed = Options { encryption: Some(encryption(key(1))), ..options() };
    let mut world = World::on(Kind::Device, devices, sealed);
    let secret = b"nobody may read this".repeat(3);
    let version = Version { payload: secret.clone(), void_time: 0, set: 1 };
    world.write(1, version.clone()).unwrap();
    world.records.close(None).unwrap();
    let content = world.devices[0].content();
    assert!(!content.windows(20).any(|part| part == &secret[..20]));
    assert!(!content.windows(4).any(|part| part == b"set1"));
    let open_with = |encryption| {
        let devices = [Arc::new(RamDevice::with_content("ram", content.clone(), true))];
        let sealed = Options { encryption, ..options() };
        open(Kind::Device, &devices, (&sealed, Path::new("none")), world.now)
    };
    let refusal = |encryption| open_with(encryption).err().map(|error| error.to_string());
    assert!(refusal(None).unwrap().contains("encryption-key-file"));
    assert!(refusal(Some(encryption(key(2)))).unwrap().contains("not the one"));
    let rotated = Encryption { old_key: Some(key(1)), ..encryption(key(2)) };
    let (records, ..) = open_with(Some(rotated)).unwrap();
    assert_eq!(read(&records, 1).unwrap(), Some(version));
}

#[test]
fn persistent_memory() {
    let folder = std::env::temp_dir().join(format!("bolide-pmem-{}", std::process::id()));
    let size_bytes = u64::from(BLOCK_BYTES) * (BLOCKS as u64 + 1);
    let device = || {
        let device = MappedDevice::open(&folder, Some(size_bytes)).unwrap();
        [Arc::new(device) as Arc<dyn Device>]
    };
    let options = options();
    let image = Path::new("none");
    let (records, ..) = open_on(Kind::Device, &device(), (&options, image), 1).unwrap();
    for key in 0..100 {
        let payload = vec![key as u8; 300];
        let mut guard = records.write(&digest(key));
        guard.store(RecordMeta::default(), b"", &body(&payload), &mut Pledges::default()).unwrap();
    }
    records.flush();
    let check = |records: &Records| {
        for key in 0..100 {
            // Bodies are at hand: nothing is to be fetched.
            assert!(records.fetch_for(&digest(key), Fetched::NONE).is_none());
            assert_eq!(read(records, key).unwrap().unwrap().payload, vec![key as u8; 300]);
        }
    };
    check(&records);
    drop(records);
    let (records, report, _) = open_on(Kind::Device, &device(), (&options, image), 1).unwrap();
    assert_eq!((report.records, report.damaged), (100, 0));
    check(&records);
    std::fs::remove_file(&folder).unwrap();
}

/// What other nodes have written need not be later than what it replaces.
#[test]
fn a_start_finds_what_was_stored_last() {
    for kind in [Kind::Device, Kind::Backed] {
        let mut world = World::new(kind, 1, false);
        let meta = |time_ms, generation| RecordMeta {
            last_update_time: LastUpdateTime(time_ms),
            generation: Generation(generation),
            ..RecordMeta::default()
        };
        let (first, second, third) = (meta(100, 5), meta(50, 6), meta(60, 7));
        let store = |world: &World, meta, payload: &[u8]| {
            let mut guard = world.records.write(&digest(1));
            guard.store(meta, &[], &body(payload), &mut Pledges::default()).unwrap();
            drop(guard);
            world.records.flush();
        };
        let seen = |world: &World| world.records.read(&digest(1)).find().map(|stored| stored.meta);
        store(&world, first, b"first");
        store(&world, second, b"second");
        world = world.restart();
        assert_eq!(seen(&world), Some(second), "it counts more though it is older");
        store(&world, third, b"third");
        world = world.crash(&mut fastrand::Rng::with_seed(1)).restart();
        assert_eq!(
            seen(&world),
            Some(third),
            "it is later than its predecessor, not than the first"
        );

        // It is given up here, and comes back as it was.
        let removed =
            world.records.write(&digest(1)).remove(LastUpdateTime(200), &mut Pledges::default());
        assert!(removed.unwrap());
        store(&world, third, b"third");
        assert_eq!(seen(&world), Some(third), "its time is the same on all nodes");
        world = world.restart();
        assert_eq!(seen(&world), Some(third));

        let removed =
            world.records.write(&digest(1)).remove(LastUpdateTime(55), &mut Pledges::default());
        assert!(removed.unwrap());
        world.records.flush();
        world = world.restart();
        assert_eq!(seen(&world), None, "the trace of a removal is the last as well");
        world.model.clear();
    }
}
