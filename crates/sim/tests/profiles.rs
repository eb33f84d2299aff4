//! The slice of the simulator that runs with every change: a few seeds of each profile.

use sim::profile::Profile;
use sim::run::{Report, run};
use sim::world::Tally;

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
    let tally = check("calm", 1, 5).tally;
    assert!(tally.expired > 0, "records expire: {tally}");
    assert!(tally.aggregations > 0 && tally.jobs > 0, "all nodes do their parts: {tally}");
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
    check("pauses", 1, 12);
}

#[test]
fn splits() {
    check("splits", 1, 12);
}

#[test]
fn chaos() {
    check("chaos", 1, 12);
}

/// Once a block lost a page, and replicas differed in the times of records.
#[test]
fn disks() {
    let tallies = [1, 3].map(|seed| check("disks", seed, 12).tally);
    let tally = tallies.into_iter().fold(Tally::default(), Tally::plus);
    assert!(tally.moves > 0, "blocks are used again: {tally}");
    assert!(tally.failed_reads > 0 && tally.failed_writes > 0, "disks fail: {tally}");
}

#[test]
fn power() {
    check("power", 1, 15);
}

#[test]
fn diskloss() {
    check("diskloss", 2, 15);
}
