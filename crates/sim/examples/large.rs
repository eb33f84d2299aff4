//! A cluster of many nodes: it forms, one node is killed, one joins. Says how long that takes, and how much memory.
//!
//!     cargo run --profile sim -p bolide-sim --example large -- 64

use std::time::{Duration, Instant};

use sim::devices::Storage;
use sim::machine::Setup;
use sim::profile::Profile;
use sim::world::World;

/// How long a step may take, in virtual time.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> anyhow::Result<()> {
    let machines = std::env::args().nth(1).map_or(Ok(32), |count| count.parse())?;
    let setup = Setup {
        machines,
        replication_factor: 2,
        loops: 1,
        by_generation: false,
        migrate_threads: 4,
        min_cluster_size: 1,
        nsup_period_seconds: 0,
        storage: Storage::Memory,
        is_upgraded: false,
    };
    let profile = Profile { name: "large", keys: 2, ..sim::profile::PROFILES[0] };
    let mut world = World::with(fastrand::Rng::with_seed(1), &profile, setup, machines - 1, false)?;
    step(&mut world, "forms", |_| Ok(()))?;
    world.furnish();
    world.begin_clients();
    step(&mut world, "works for 2 s", |world| world.run_until(world.now + Duration::from_secs(2)))?;
    step(&mut world, "loses a node", |world| {
        world.kill(machines / 2);
        Ok(())
    })?;
    step(&mut world, "gets a node", |world| world.start(machines - 1))?;
    let deeds = world.clients.history.deeds.len();
    println!("{deeds} requests, {} events", world.trace.events());
    Ok(())
}

/// Has something happen, and waits until the world is at rest.
fn step(
    world: &mut World,
    what: &str,
    happen: impl FnOnce(&mut World) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (begun, from) = (Instant::now(), world.now);
    happen(world)?;
    if !world.run_while(PATIENCE, |world| world.unsettled().is_some())? {
        anyhow::bail!("{what}: {}", world.unsettled().unwrap_or_default());
    }
    println!(
        "{what}: at rest after {:.2} s of its time, {:.1} s of ours; {} MiB",
        (world.now - from).as_secs_f64(),
        begun.elapsed().as_secs_f64(),
        resident_mib()
    );
    Ok(())
}

/// Memory that the process has.
fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
