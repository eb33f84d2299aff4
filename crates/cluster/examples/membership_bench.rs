//! Measures membership in a simulated network with delays of up to a millisecond: the time until nodes that start
//! together with one seed are in one view; what they then say to each other, in bytes for each node and second; the
//! time from the death of the principal to the view of the others; and what a step costs on this machine.
//!
//! ```text
//! cargo run --release -p bolide-cluster --example membership_bench [-- <nodes>...]
//! ```

#[path = "../tests/membership/world.rs"]
#[allow(dead_code, reason = "the tests use more of it")]
mod world;

use std::time::{Duration, Instant};

use world::World;

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|one| one.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![3, 32, 256] } else { asked };
    println!(
        "{:>6} {:>10} {:>6} {:>12} {:>12} {:>10} {:>6} {:>10}",
        "nodes",
        "form ms",
        "views",
        "bytes/node/s",
        "msgs/node/s",
        "death ms",
        "views",
        "us/message"
    );
    for nodes in sizes {
        measure(nodes);
    }
}

fn measure(nodes: usize) {
    let mut world = World::of(1, nodes);
    let began = world.now;
    if !world.wait(Duration::from_secs(60), World::all_together) {
        println!("{nodes:>6} nodes are in no view after a minute");
        return;
    }
    let formed = world.now - began;
    let views = most_views(&world);
    world.run(Duration::from_secs(5));

    let seconds = 10;
    let before = totals(&world);
    let real = Instant::now();
    world.run(Duration::from_secs(seconds));
    let real = real.elapsed();
    let after = totals(&world);
    let per_node = |count: u64| count / nodes as u64 / seconds;
    let (bytes, messages) = (after.0 - before.0, after.1 - before.1);

    let views_before = most_views(&world);
    world.kill(nodes - 1);
    let began = world.now;
    let is_well = world.wait(Duration::from_secs(60), World::all_together);
    let died = if is_well { (world.now - began).as_millis().to_string() } else { "-".to_owned() };
    println!(
        "{nodes:>6} {:>10} {views:>6} {:>12} {:>12} {died:>10} {:>6} {:>10.2}",
        formed.as_millis(),
        per_node(bytes),
        per_node(messages),
        most_views(&world) - views_before,
        real.as_secs_f64() * 1e6 / messages as f64,
    );
}

/// Views that the node has had that had the most.
fn most_views(world: &World) -> usize {
    world.running().into_iter().map(|at| world.views(at).len()).max().unwrap_or_default()
}

/// Bytes and messages sent by all.
fn totals(world: &World) -> (u64, u64) {
    let counters = world.running().into_iter().map(|at| world.machine(at).counters());
    counters.fold((0, 0), |(bytes, messages), one| {
        (bytes + one.bytes_sent, messages + one.messages_sent)
    })
}
