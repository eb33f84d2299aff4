//! Every engine against the model: the same random work, and restarts where there is something to
//! restart from.

use super::world::{Kind, World, version};

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
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(kind, device_count, seed.is_multiple_of(2));
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
