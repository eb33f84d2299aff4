//! A short run of every target, the same each time.

use crate::corpus::Corpus;
use crate::run::Run;
use crate::targets::TARGETS;

/// Cases of each target beside its seeds.
const CASES: u64 = 1000;

#[test]
fn every_target_bears_a_short_run() {
    let corpus = Corpus::load().unwrap();
    for entry in TARGETS {
        let seeds = (entry.seeds)(&corpus).len() as u64;
        assert!(seeds > 0, "{} starts from nothing", entry.name);
        let mut run = Run::new(entry, &corpus, 1);
        run.cases(seeds + CASES).unwrap_or_else(|failure| panic!("{failure}"));
        println!("{run}");
    }
}

#[test]
fn targets_are_sorted_and_unique() {
    assert!(TARGETS.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn the_corpus_is_rich() {
    let corpus = Corpus::load().unwrap();
    let Corpus { requests, replies, info, frames, conf, yaml } = &corpus;
    assert!(requests.len() > 100 && replies.len() > 100 && info.len() > 50, "{corpus:?}");
    assert!(frames.len() == requests.len() + info.len());
    assert!(conf.len() > 5 && !yaml.is_empty());
}
