//! Everything at once, from hundreds of seeds. What always holds is checked by the world whenever a view is formed; in
//! the end the network heals, and all that live have to be in one view.

use std::time::Duration;

use crate::world::{Weather, World, id};

const SEEDS: u64 = 300;

/// Longest time from the end of all faults to one view: the longest hold-off, with the time to form.
const HEALED_WITHIN: Duration = Duration::from_secs(80);

fn ms(random: &mut fastrand::Rng, below: u64) -> Duration {
    Duration::from_millis(random.u64(..below))
}

fn one_fault(world: &mut World, random: &mut fastrand::Rng) {
    let count = world.count();
    let (a, b) = (random.usize(..count), random.usize(..count));
    match random.u32(..14) {
        0 | 1 => world.kill(a),
        2..=4 if !world.is_running(a) => world.start(a),
        2 => {
            world.kill(a);
            world.start(a);
        }
        3 | 4 => world.cut(a, b),
        5 => world.cut_both(a, b),
        6 => world.mend(a, b),
        7 => {
            let side: Vec<_> = (0..count).filter(|_| random.bool()).collect();
            world.split(&side);
        }
        8 => world.heal(),
        9 => world.clog(a, b, ms(random, 4000)),
        10 => world.stop(a, ms(random, 5000)),
        11 => world.jump_wall(a, random.i64(-100_000..100_000)),
        _ => {
            world.weather = Weather {
                delay_min: Duration::from_micros(50),
                delay_max: Duration::from_micros(100) + ms(random, 400),
                loss: random.u32(..300),
                repeats: random.u32(..200),
            };
        }
    }
}

fn run(seed: u64) -> (World, Duration) {
    let mut random = fastrand::Rng::with_seed(seed);
    let nodes = random.usize(2..=6);
    let mut world = World::of(seed, nodes);
    for _ in 0..random.u32(5..25) {
        world.run(ms(&mut random, 3000));
        one_fault(&mut world, &mut random);
    }
    world.heal();
    for at in 0..nodes {
        if !world.is_running(at) && random.bool() {
            world.start(at);
        }
    }
    if !world.is_running(0) {
        world.start(0);
    }
    let began = world.now;
    let is_well = world.wait(HEALED_WITHIN, World::all_together);
    assert!(is_well, "seed {seed}\n{}", world.shown());
    let took = world.now - began;
    (world, took)
}

#[test]
fn after_chaos_there_is_one_view() {
    let mut took: Vec<_> = (0..SEEDS).map(|seed| run(seed).1).collect();
    took.sort();
    let median = took[took.len() / 2];
    assert!(median < Duration::from_secs(8), "median {median:?}");
}

#[test]
fn the_view_stays_after_chaos() {
    for seed in 1000..1030 {
        let (mut world, _) = run(seed);
        world.run(Duration::from_secs(70));
        assert!(world.all_together(), "seed {seed}\n{}", world.shown());
    }
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in [3, 17, 99] {
        let (a, b) = (run(seed), run(seed));
        assert_eq!((a.0.trace(), a.1), (b.0.trace(), b.1), "seed {seed}");
    }
    assert_ne!(run(3).0.trace(), run(4).0.trace());
}

/// Links cut at random, in one direction or both, for good: views form and then stay, and all members of each are in it.
#[test]
fn whatever_is_cut_views_settle() {
    for seed in 0..40 {
        let mut random = fastrand::Rng::with_seed(seed);
        let nodes = random.usize(3..=7);
        let mut world = World::of(seed, nodes);
        world.wait(Duration::from_secs(4), World::all_together);
        for from in 0..nodes {
            for to in (0..nodes).filter(|to| *to != from) {
                if random.u32(..100) < 15 {
                    world.cut(from, to);
                }
            }
        }
        world.run(Duration::from_secs(90));
        let formed = |world: &World| (0..nodes).map(|at| world.views(at).len()).sum::<usize>();
        let before = formed(&world);
        world.run(Duration::from_secs(60));
        assert_eq!(formed(&world), before, "seed {seed}\n{}", world.shown());
        for at in 0..nodes {
            let view =
                world.view(at).unwrap_or_else(|| panic!("seed {seed}: node {at} has no view"));
            let members = (0..nodes).filter(|other| view.members.contains(&id(*other)));
            for other in members {
                assert_eq!(world.view(other), Some(view), "seed {seed}\n{}", world.shown());
            }
        }
    }
}

/// A fifth of all messages is lost and the rest is late: views form nonetheless, and hold.
#[test]
fn bad_weather_is_borne() {
    for seed in 0..10 {
        let mut world = World::of(seed, 5);
        world.weather = Weather {
            delay_min: Duration::from_millis(1),
            delay_max: Duration::from_millis(120),
            loss: 200,
            repeats: 100,
        };
        let is_formed = world.wait(Duration::from_secs(15), World::all_together);
        assert!(is_formed, "seed {seed}\n{}", world.shown());
        let before = world.views(1).len();
        world.run(Duration::from_secs(60));
        assert!(world.views(1).len() <= before + 2, "seed {seed}\n{}", world.shown());
        assert!(world.all_together(), "seed {seed}\n{}", world.shown());
    }
}
