//! A run: case after case, from a seed.

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::corpus::Corpus;
use crate::mutator::mutate;
use crate::targets::{Entry, Outcome, Target};

/// Inputs kept at most.
const INPUTS_MAX: usize = 4096;
/// An input that takes longer than this points to work that grows faster than it. It is a hundred
/// times what a slow input takes on a busy machine.
const CASE_TIME_MAX: Duration = Duration::from_secs(5);
/// Bytes of an input that are shown.
const SHOWN_BYTES: usize = 512;

/// One target at work.
pub struct Run {
    name: &'static str,
    seed: u64,
    target: Box<dyn Target>,
    inputs: Vec<Vec<u8>>,
    seen: HashSet<Outcome>,
    random: Rng,
    done: u64,
    slowest: Duration,
}

/// An input that broke a promise.
#[derive(Debug)]
pub struct Failure {
    name: &'static str,
    seed: u64,
    case: u64,
    reason: String,
    input: Vec<u8>,
}

impl Run {
    /// A run from the beginning.
    pub fn new(entry: &Entry, corpus: &Corpus, seed: u64) -> Self {
        let target = (entry.make)(corpus);
        let mut inputs = (entry.seeds)(corpus);
        // An empty input is one as well, and no corpus is empty.
        inputs.push(Vec::new());
        Self {
            name: entry.name,
            seed,
            target,
            inputs,
            seen: HashSet::new(),
            random: Rng::with_seed(seed),
            done: 0,
            slowest: Duration::ZERO,
        }
    }

    /// Goes on for so many cases.
    ///
    /// # Errors
    /// The first [`Failure`].
    pub fn cases(&mut self, count: u64) -> Result<(), Failure> {
        for _ in 0..count {
            let input = self.next_input();
            let begun = Instant::now();
            let fed = catch_unwind(AssertUnwindSafe(|| self.target.feed(&input)));
            let took = begun.elapsed();
            self.slowest = self.slowest.max(took);
            match fed {
                Ok(_) if took > CASE_TIME_MAX => {
                    return Err(self.failure(input, format!("took {took:?}")));
                }
                Ok(outcome) => self.learn(outcome, input),
                Err(panic) => {
                    let text = panic.downcast_ref::<String>().map(String::as_str);
                    let text = text.or_else(|| panic.downcast_ref().copied()).unwrap_or("panic");
                    return Err(self.failure(input, text.to_owned()));
                }
            }
            self.done += 1;
        }
        Ok(())
    }

    /// The corpus as it is first, then mutations of it.
    fn next_input(&mut self) -> Vec<u8> {
        if let Some(input) = self.inputs.get(self.done as usize) {
            return input.clone();
        }
        let mut pick = || self.random.usize(..self.inputs.len());
        let (one, other) = (pick(), pick());
        let mut input = self.inputs[one].clone();
        mutate(&mut input, &self.inputs[other], &mut self.random);
        input
    }

    fn learn(&mut self, outcome: Outcome, input: Vec<u8>) {
        if self.seen.insert(outcome) && self.inputs.len() < INPUTS_MAX {
            self.inputs.push(input);
        }
    }

    fn failure(&self, input: Vec<u8>, reason: String) -> Failure {
        Failure { name: self.name, seed: self.seed, case: self.done, reason, input }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, done, slowest, .. } = self;
        let kinds = self.seen.len();
        write!(f, "{name}: {done} cases, {kinds} kinds of outcome, the slowest took {slowest:?}")
    }
}

impl Failure {
    /// Where the input can be found again, for `--input`.
    fn keep(&self) -> std::io::Result<PathBuf> {
        let folder = std::env::temp_dir().join("bolide-fuzz");
        fs::create_dir_all(&folder)?;
        let file = folder.join(format!("{}-{}-{}", self.name, self.seed, self.case));
        fs::write(&file, &self.input)?;
        Ok(file)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seed, case, reason, input } = self;
        writeln!(f, "{name}: seed {seed}, case {case}: {reason}")?;
        let shown = input.get(..SHOWN_BYTES).unwrap_or(input);
        writeln!(f, "input of {} bytes: {}", input.len(), shown.escape_ascii())?;
        match self.keep() {
            Ok(file) => write!(f, "kept in {}", file.display()),
            Err(error) => write!(f, "not kept: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Breaks its promise on every input that holds the letter.
    const FRAGILE: Entry = Entry {
        name: "fragile",
        what: "inputs without a Z",
        seeds: |_| vec![b"some seed".to_vec()],
        make: |_| {
            Box::new(|input: &[u8]| {
                assert!(!input.contains(&b'Z'), "a Z");
                Outcome::of(input.len())
            })
        },
    };

    #[test]
    fn a_broken_promise_is_found_again_by_its_seed() {
        let failure_of = |seed| {
            let mut run = Run::new(&FRAGILE, &Corpus::default(), seed);
            run.cases(100_000).expect_err("the letter comes up")
        };
        let (one, two) = (failure_of(1), failure_of(1));
        assert_eq!((one.case, &one.input), (two.case, &two.input));
        assert_eq!(one.reason, "a Z");
        assert!(one.input.contains(&b'Z'));
        let shown = one.to_string();
        assert!(shown.contains("fragile: seed 1, case"), "{shown}");
        let (_, file) = shown.split_once("kept in ").expect("it is kept");
        assert_eq!(fs::read(file).unwrap(), one.input);
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn inputs_with_new_outcomes_join_the_corpus() {
        let mut run = Run::new(&FRAGILE, &Corpus::default(), 2);
        let before = run.inputs.len();
        run.cases(20).unwrap();
        assert_eq!(run.inputs.len(), before + run.seen.len());
        assert!(run.to_string().starts_with("fragile: 20 cases"));
    }
}
