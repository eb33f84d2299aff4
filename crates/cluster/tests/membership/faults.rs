//! Nodes die, links are cut, and those who hear each other stay together.

use std::time::Duration;

use crate::world::{World, id};

const SECOND: Duration = Duration::from_secs(1);

fn formed(seed: u64, nodes: usize) -> World {
    let mut world = World::of(seed, nodes);
    assert!(world.wait(SECOND * 5, World::all_together), "seed {seed}\n{}", world.shown());
    world.run(SECOND * 3);
    world
}

#[test]
fn who_is_left_has_a_view_soon_after_a_death() {
    for seed in 0..10 {
        for dead in [0, 2, 4] {
            let mut world = formed(seed, 5);
            let views = world.views(1).len();
            world.kill(dead);
            let began = world.now;
            assert!(world.wait(SECOND * 5, World::all_together), "{}", world.shown());
            let took = world.now - began;
            assert!(took < Duration::from_millis(2500), "{took:?} without {dead}");
            assert_eq!(world.views(1).len(), views + 1);
            world.start(dead);
            assert!(world.wait(SECOND * 4, World::all_together), "{}", world.shown());
            assert_eq!(world.views(1).len(), views + 2);
        }
    }
}

#[test]
fn a_restart_within_the_timeout_forms_a_new_view() {
    for seed in 0..10 {
        for at in 0..3 {
            let mut world = formed(seed, 3);
            let before = world.view(0).map_or(0, |view| view.key);
            world.kill(at);
            world.run(Duration::from_millis(300));
            world.start(at);
            let is_new = |world: &World| world.view(1).is_some_and(|view| view.key != before);
            let is_well = world.wait(SECOND * 4, |world| is_new(world) && world.all_together());
            assert!(is_well, "node {at}, seed {seed}\n{}", world.shown());
        }
    }
}

/// It has to begin anew; who stayed has what others may not have.
#[test]
fn a_member_that_stayed_comes_before_one_that_restarted() {
    for seed in 0..10 {
        for (restarted, stays) in [(4, 1), (3, 0), (1, 3)] {
            let mut world = formed(seed, 5);
            world.kill(restarted);
            world.run(Duration::from_millis(300));
            let views = world.views(2).len();
            world.start(restarted);
            world.cut_both(restarted, stays);
            world.run(SECOND * 4);
            let views: Vec<_> =
                world.views(2).iter().skip(views).map(|(_, view)| &view.members).collect();
            let keeps = |members: &&Vec<_>| members.contains(&id(stays));
            assert!(
                !views.is_empty() && views.iter().all(keeps),
                "seed {seed}, {restarted} restarts, {stays} stays: {views:?}\n{}",
                world.shown()
            );
            world.heal();
            assert!(world.wait(SECOND * 10, World::all_together), "{}", world.shown());
        }
    }
}

/// Alone, it would serve without what the others have.
#[test]
fn one_that_restarts_waits_for_the_view_that_it_hears() {
    for seed in 0..10 {
        for restarted in [1, 4] {
            let mut world = formed(seed, 5);
            world.kill(restarted);
            world.run(Duration::from_millis(300));
            world.start(restarted);
            world.cut_both(restarted, 2);
            world.cut_both(restarted, 3);
            world.run(Duration::from_millis(2500));
            world.heal();
            assert!(world.wait(SECOND * 10, World::all_together), "{}", world.shown());
            let mut views = world.views(restarted).iter().map(|(_, view)| view.members.len());
            assert!(views.all(|members| members > 1), "seed {seed}\n{}", world.shown());
        }
    }
}

#[test]
fn both_sides_of_a_split_have_views_and_merge() {
    for seed in 0..20 {
        let mut world = formed(seed, 5);
        let (small, large) = ([1, 3], [0, 2, 4]);
        world.split(&small);
        let is_split = |world: &World| world.are_together(&small) && world.are_together(&large);
        assert!(world.wait(SECOND * 5, is_split), "seed {seed}\n{}", world.shown());
        world.run(SECOND * 20);
        assert!(is_split(&world));
        world.heal();
        let healed = world.wait(SECOND * 9, World::all_together);
        assert!(healed, "seed {seed}\n{}", world.shown());
        assert!(world.views(0).len() <= 5, "{:?}", world.views(0));
    }
}

#[test]
fn a_cut_in_one_direction_leaves_one_node_out() {
    for seed in 0..10 {
        for (from, to) in [(0, 4), (4, 0), (1, 3), (2, 3)] {
            let mut world = formed(seed, 5);
            world.cut(from, to);
            let out = from.min(to);
            let others: Vec<_> = (0..5).filter(|at| *at != out).collect();
            let is_so = |world: &World| world.are_together(&others) && world.are_together(&[out]);
            assert!(
                world.wait(SECOND * 8, is_so),
                "{from} to {to}, seed {seed}\n{}",
                world.shown()
            );
            let views: usize = (0..5).map(|at| world.views(at).len()).sum();
            world.run(SECOND * 60);
            let later: usize = (0..5).map(|at| world.views(at).len()).sum();
            assert_eq!(views, later, "views change though nothing else does\n{}", world.shown());
            world.heal();
            assert!(world.wait(SECOND * 10, World::all_together), "{}", world.shown());
        }
    }
}

#[test]
fn a_deaf_node_is_left_out() {
    for seed in 0..10 {
        for deaf in [0, 2, 4] {
            let mut world = formed(seed, 5);
            (0..5).for_each(|from| world.cut(from, deaf));
            let others: Vec<_> = (0..5).filter(|at| *at != deaf).collect();
            let is_so = |world: &World| world.are_together(&others) && world.are_together(&[deaf]);
            assert!(world.wait(SECOND * 8, is_so), "{deaf}, seed {seed}\n{}", world.shown());
            world.heal();
            assert!(world.wait(SECOND * 10, World::all_together), "{}", world.shown());
        }
    }
}

#[test]
fn a_link_that_comes_and_goes_forms_few_views() {
    for seed in 0..3 {
        let mut world = formed(seed, 5);
        let before = world.views(2).len();
        for _ in 0..75 {
            world.cut_both(1, 3);
            world.run(SECOND * 2);
            world.mend(1, 3);
            world.run(SECOND * 2);
        }
        // Five minutes.
        let formed = world.views(2).len() - before;
        assert!((2..=20).contains(&formed), "{formed} views, seed {seed}");
        assert!(world.wait(SECOND * 70, World::all_together), "seed {seed}\n{}", world.shown());
    }
}

#[test]
fn a_short_stop_changes_nothing_and_a_long_one_is_healed() {
    for seed in 0..10 {
        let mut world = formed(seed, 4);
        let before = world.view(0).cloned();
        world.stop(2, SECOND);
        world.run(SECOND * 4);
        assert_eq!(world.view(0).cloned(), before);
        for at in [2, 3] {
            world.stop(at, SECOND * 6);
            world.run(SECOND * 5);
            let others: Vec<_> = (0..4).filter(|other| *other != at).collect();
            assert!(world.are_together(&others), "{}", world.shown());
            assert!(world.wait(SECOND * 8, World::all_together), "{}", world.shown());
        }
    }
}

#[test]
fn jumps_of_wall_clocks_change_nothing() {
    let mut world = formed(1, 3);
    let before = world.view(0).cloned();
    for (at, offset_ms) in [(0, 86_400_000), (1, -86_400_000), (2, i64::MIN / 4), (0, 0)] {
        world.jump_wall(at, offset_ms);
        world.run(SECOND * 5);
    }
    assert_eq!(world.view(0).cloned(), before);
    assert_eq!(before.map(|view| view.members), Some(vec![id(2), id(1), id(0)]));
}
