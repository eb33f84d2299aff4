//! The slice of the simulator that runs with every change: a few seeds of each profile.

use sim::profile::Profile;
use sim::run::{Report, run};

/// Runs a seed for so many virtual seconds of work, and expects that all is well.
fn check(profile: &str, seed: u64, seconds: u64) -> Report {
    let profile = Profile { seconds, ..Profile::named(profile).expect("a profile of this name") };
    let report = run(seed, &profile, false).expect("a world of these nodes");
    assert!(report.is_good(), "{}", report.failure());
    report
}

#[test]
fn a_seed_names_a_course_of_events() {
    let [first, second] = [(); 2].map(|()| check("links", 3, 4));
    assert_eq!((first.hash, first.events), (second.hash, second.events));
    assert_ne!(first.hash, check("links", 4, 4).hash);
}

#[test]
fn calm() {
    check("calm", 1, 5);
}

#[test]
fn links() {
    check("links", 1, 8);
}

#[test]
fn restarts() {
    check("restarts", 1, 15);
}

#[test]
fn membership() {
    check("membership", 1, 15);
}

#[test]
fn pauses() {
    check("pauses", 1, 15);
}

#[test]
fn splits() {
    check("splits", 1, 15);
}

#[test]
fn chaos() {
    check("chaos", 1, 15);
}

/// Once a block lost a page, and replicas differed in the times of records.
#[test]
fn disks() {
    let moves: u64 = [1, 4].map(|seed| check("disks", seed, 12).tally.moves).iter().sum();
    assert!(moves > 0, "blocks are used again");
}

#[test]
fn power() {
    check("power", 1, 15);
}

#[test]
fn diskloss() {
    check("diskloss", 2, 15);
}
