//! Nodes come, and are one cluster soon.

use std::time::Duration;

use cluster::membership::{Input, Note};

use crate::world::{World, address, id};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_lone_node_is_a_cluster_within_a_quantum() {
    let mut world = World::of(1, 1);
    assert!(world.wait(SECOND, World::all_together), "{}", world.shown());
    assert!(world.machine(0).is_principal());
    // With a seed that does not answer it waits a little longer.
    let mut world = World::new(2);
    world.add(|_| {});
    world.add(|_| {});
    world.start(1);
    assert!(world.wait(SECOND * 2, World::all_together), "{}", world.shown());
}

#[test]
fn nodes_that_start_together_form_one_view() {
    for (nodes, seeds) in [(2, 0..20), (3, 0..20), (5, 0..20), (32, 0..2)] {
        for seed in seeds {
            let mut world = World::of(seed, nodes);
            let is_formed = world.wait(SECOND * 4, World::all_together);
            assert!(is_formed, "{nodes} nodes, seed {seed}\n{}", world.shown());
            for at in 0..nodes {
                let views = world.views(at).len();
                assert!(views <= 2, "{nodes} nodes, seed {seed}, node {at}: {views} views");
            }
            // And nothing happens any more.
            let before = world.view(0).cloned();
            world.run(SECOND * 5);
            assert_eq!(world.view(0).cloned(), before);
        }
    }
}

#[test]
fn a_node_that_comes_later_is_taken_in() {
    for seed in 0..10 {
        let mut world = World::of(seed, 3);
        assert!(world.wait(SECOND * 4, World::all_together));
        world.add(|_| {});
        world.start(3);
        assert!(world.wait(SECOND * 3, World::all_together), "{}", world.shown());
        assert_eq!(world.views(3).len(), 1, "it was alone before");
    }
}

#[test]
fn tips_do_what_seeds_do() {
    let mut world = World::new(1);
    (0..4).for_each(|_| world.add(|_| {}));
    // 2 and 3 know nobody: their seed does not run.
    (1..4).for_each(|at| world.start(at));
    world.run(SECOND * 3);
    assert!([1, 2, 3].into_iter().all(|at| world.are_together(&[at])));
    world.input(2, Input::Tip(address(1)));
    world.input(3, Input::Tip(address(2)));
    assert!(world.wait(SECOND * 4, World::all_together), "{}", world.shown());
    world.input(2, Input::TipClear(None));
    world.run(SECOND * 5);
    assert!(world.all_together());
}

#[test]
fn fewer_than_wanted_are_no_cluster() {
    let mut world = World::new(3);
    (0..3).for_each(|_| world.add(|settings| settings.min_cluster_size = 3));
    world.start(0);
    world.start(1);
    world.run(SECOND * 12);
    assert_eq!((world.view(0), world.view(1)), (None, None));
    assert_eq!(world.orphaned(0), 1);
    assert!(world.notes(0).contains(&Note::TooFew { members: 2, members_min: 3 }));
    world.start(2);
    assert!(world.wait(SECOND * 4, World::all_together), "{}", world.shown());
    world.kill(1);
    world.run(SECOND * 15);
    assert_eq!((world.view(0), world.view(2)), (None, None));
    assert_eq!(world.orphaned(0), 2);
}

#[test]
fn reclustering_is_the_principals() {
    let mut world = World::of(4, 3);
    assert!(world.wait(SECOND * 4, World::all_together));
    let key = |world: &World| world.view(0).map(|view| view.key);
    let before = key(&world);
    world.input(0, Input::Recluster);
    world.run(SECOND * 2);
    assert_eq!(key(&world), before);
    world.input(2, Input::Recluster);
    assert!(world.wait(SECOND, |world| world.all_together() && key(world) != before));
    world.run(SECOND * 10);
    assert_eq!(world.views(0).len(), 2);
}

#[test]
fn other_clusters_are_not_listened_to() {
    let mut world = World::new(5);
    world.add(|_| {});
    world.add(|settings| settings.cluster_name = "other".to_owned());
    (0..2).for_each(|at| world.start(at));
    world.run(SECOND * 5);
    assert!(world.are_together(&[0]) && world.are_together(&[1]));
    let names = [(0, "other"), (1, "test")];
    for (at, name) in names {
        let wanted = Note::OtherCluster { node: id(1 - at), name: Some(name.to_owned()) };
        let count = world.notes(at).iter().filter(|note| **note == wanted).count();
        assert_eq!(count, 1, "node {at}: {:?}", world.notes(at));
    }
}

#[test]
fn of_two_nodes_with_one_id_the_later_stays_out() {
    for seed in 0..10 {
        let mut world = World::of(seed, 3);
        assert!(world.wait(SECOND * 4, World::all_together));
        let before = world.view(0).cloned();
        world.add(|settings| settings.node = id(1));
        world.start(3);
        world.run(SECOND * 10);
        assert_eq!(world.view(0).cloned(), before, "{}", world.shown());
        assert!(world.are_together(&[0, 1, 2]), "{}", world.shown());
        assert_eq!(world.view(3), None);
        assert!(world.notes(3).iter().any(|note| matches!(note, Note::OwnIdTaken { .. })));
        assert!(world.notes(0).iter().any(|note| matches!(note, Note::DuplicateId { .. })));
        // The earlier one goes: its id is free.
        world.kill(1);
        world.wait(SECOND * 15, |world| world.view(3).is_some());
        world.run(SECOND * 5);
        let (a, b) = (world.view(0), world.view(3));
        assert!(a == b && a.is_some_and(|view| view.members.len() == 3), "{}", world.shown());
    }
}

#[test]
fn wall_clocks_show_as_skew() {
    let mut world = World::of(6, 3);
    assert!(world.wait(SECOND * 4, World::all_together));
    world.jump_wall(1, 5000);
    world.jump_wall(2, -3000);
    world.run(SECOND);
    for at in 0..3 {
        let skew = world.machine(at).clock_skew_ms();
        assert!((7990..8010).contains(&skew), "{skew}");
    }
    assert!(world.all_together());
}
