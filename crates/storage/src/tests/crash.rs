//! Loss of power at every single write of a scripted workload: what was acknowledged is there, what was
//! removed stays away.

use std::collections::BTreeMap;

use super::world::{BLOCK_BYTES, BLOCKS, Kind, Options, Version, World, check, tuning, version};
use crate::device::ram::{Faults, RamDevice};

/// Carries the script out until the device goes down. Returns the model before and after the step
/// that was under way: one of the two must be found.
fn script(world: &mut World, steps: usize) -> [BTreeMap<u16, Version>; 2] {
    let mut random = fastrand::Rng::with_seed(7);
    for step in 0..steps {
        let before = world.model.clone();
        let key = random.u16(..24);
        let written = version(&mut random, world.now);
        let done = match random.u8(..20) {
            0..12 => world.write(key, written).is_ok(),
            12..16 => world.remove(key).is_ok(),
            16 => {
                world.expire(2_000);
                true
            }
            17 if step % 3 == 0 => world.truncate(1 + (step as u16 % 3)).is_ok(),
            18 => world.records.raid() < u64::MAX,
            19 if world.kind == Kind::Device => world.checkpoint(step as u64 + 1),
            _ => true,
        };
        world.records.flush();
        world.move_all();
        world.records.flush();
        let failed = world.devices.iter().any(|device| device.has_crashed());
        if failed || !done {
            return [before, world.model.clone()];
        }
    }
    [world.model.clone(), world.model.clone()]
}

fn fresh(kind: Kind, synchronous: bool) -> World {
    let size_bytes = BLOCK_BYTES as usize * (BLOCKS + 1);
    let device = RamDevice::new("ram", size_bytes, synchronous);
    let tuning = crate::TuningValues { commit_to_device: true, ..tuning() };
    let commits = Options { tuning, ..Options::default() };
    World::on(kind, vec![device.into()], commits)
}

/// Goes down at every `stride`-th write of the script, and starts again.
fn crash_everywhere(kind: Kind, synchronous: bool, steps: usize, stride: usize) {
    let mut whole = fresh(kind, synchronous);
    let begun_at = whole.devices[0].calls().writes;
    script(&mut whole, steps);
    whole.check();
    let writes = whole.devices[0].calls().writes;
    assert!(writes > begun_at + steps as u64 / 2, "the script writes");
    for at in (begun_at + 1..=writes).step_by(stride) {
        let mut world = fresh(kind, synchronous);
        world.devices[0].set_faults(Faults { crash_at_write: Some(at), ..Faults::default() });
        let models = script(&mut world, steps);
        assert!(world.devices[0].has_crashed());
        let mut random = fastrand::Rng::with_seed(at);
        let world = world.crash(&mut random);
        assert_eq!(world.report.damaged, 0, "a crash is no damage");
        agrees_with_one_of(&world, &models, at);
        // What was found is kept: another crash, and a restart in order, change nothing.
        let found = world.model.clone();
        let again = world.crash(&mut random).restart();
        assert_eq!(again.model, found);
        agrees_with_one_of(&again, &models, at);
    }
}

/// The step that was under way may have happened or not, for each record by itself; all others have.
fn agrees_with_one_of(world: &World, models: &[BTreeMap<u16, Version>; 2], at: u64) {
    let [before, after] = models;
    let expired = |version: &Version| {
        version.void_time != 0 && u64::from(version.void_time) < world.now / 1000
    };
    let mut found = BTreeMap::new();
    for key in 0..24 {
        let version = world.read(key).unwrap_or_else(|_| panic!("write {at}, key {key}: damaged"));
        let live = |version: Option<&Version>| version.filter(|version| !expired(version)).cloned();
        let allowed = [live(before.get(&key)), live(after.get(&key))];
        assert!(
            allowed.contains(&version),
            "write {at}, key {key}: found {version:?}, allowed {allowed:?}"
        );
        if let Some(version) = version {
            found.insert(key, version);
        }
    }
    check(&world.records, &found);
}

#[test]
fn at_every_write_of_a_synchronous_device() {
    crash_everywhere(Kind::Device, true, 120, 1);
}

#[test]
fn at_every_write_of_a_device_with_a_cache() {
    crash_everywhere(Kind::Device, false, 120, 1);
}

#[test]
fn at_every_write_behind_memory() {
    crash_everywhere(Kind::Backed, false, 120, 1);
}
