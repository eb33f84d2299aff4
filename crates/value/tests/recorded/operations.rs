//! List and map operations: every result code, every answer, every stored byte.

use std::collections::{BTreeMap, VecDeque};

use value::cdt::answer::Answer;
use value::cdt::{Guide, Stored};
use value::{cdt, from_wire};
use wire::ResultCode;

use super::{Bins, bytes, particle};

#[test]
fn lists_answer_what_the_original_answered() {
    replay(include_str!("../../testdata/lists.txt"));
}

#[test]
fn maps_answer_what_the_original_answered() {
    replay(include_str!("../../testdata/maps.txt"));
}

fn replay(script: &str) {
    let cases = script.split("\n\n").filter(|case| !case.starts_with('#'));
    let mut replayed = 0;
    let failures: Vec<String> = cases
        .inspect(|_| replayed += 1)
        .filter_map(|case| {
            Replay::new().case(case).err().map(|why| format!("{why}, in:\n{case}\n"))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {replayed}:\n{}", failures.len(), failures.join("\n"));
    assert!(replayed > 400, "the script is cut short: {replayed} cases");
}

/// What is kept beside values, by the names of the bins.
type Guides = BTreeMap<String, Vec<u8>>;

/// A record on which a case's requests are run.
struct Replay {
    bins: Bins,
    /// What is kept beside the bins' values.
    guides: Guides,
    /// The bins as they were when the request began: an error undoes all of it.
    before: (Bins, Guides),
    result: ResultCode,
    answers: VecDeque<Answer>,
    answers_all: bool,
    is_write: bool,
}

impl Replay {
    fn new() -> Self {
        Self {
            bins: Bins::new(),
            guides: Guides::new(),
            before: (Bins::new(), Guides::new()),
            result: ResultCode::OK,
            answers: VecDeque::new(),
            answers_all: false,
            is_write: false,
        }
    }

    fn case(&mut self, case: &str) -> Result<(), String> {
        case.lines().try_for_each(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            self.line(&words).map_err(|why| format!("{why}, at: {line}"))
        })
    }

    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match *words {
            ["clear"] => self.bins.clear(),
            ["missing", bin] => {
                self.bins.remove(bin);
            }
            ["has", bin, particle_type, value] => {
                self.bins.insert(bin.to_owned(), particle(particle_type, value));
            }
            ["request", mode, answers] => {
                self.before = (self.bins.clone(), self.guides.clone());
                self.result = ResultCode::OK;
                self.answers.clear();
                self.is_write = mode == "write";
                self.answers_all = answers == "all";
            }
            ["result", code] => {
                return self.end(ResultCode(code.parse().expect("codes are numbers")));
            }
            // The first operation that fails ends the request.
            _ if self.result != ResultCode::OK => {}
            ["then", bin, particle_type, value] => {
                return same(&self.bins.get(bin).cloned(), &Some(particle(particle_type, value)));
            }
            ["gone", bin] => return same(&self.bins.get(bin), &None),
            ["answer", "0", "-"] => return same(&self.answers.pop_front(), &Some(None)),
            ["answer", particle_type, value] => {
                let expected = Some(Some(particle(particle_type, value)));
                return same(&self.answers.pop_front(), &expected);
            }
            _ => {
                if let Err(code) = self.operation(words) {
                    self.result = code;
                }
            }
        }
        Ok(())
    }

    fn operation(&mut self, words: &[&str]) -> Result<(), ResultCode> {
        match *words {
            ["delete", bin] => {
                self.bins.remove(bin);
            }
            ["write", bin, particle_type, value] => {
                let (particle_type, value) = particle(particle_type, value);
                let stored = from_wire(particle_type, &value)?.to_vec();
                let guide = cdt::guide_of_written((particle_type, &stored), &value);
                self.guides.insert(bin.to_owned(), guide);
                self.bins.insert(bin.to_owned(), (particle_type, stored));
            }
            ["read", bin, operation] => {
                let Some(stored) = self.stored(bin) else {
                    self.answers.extend(self.answers_all.then_some(None));
                    return Ok(());
                };
                let answer = cdt::read(stored, &bytes(operation))?;
                if self.answers_all || self.is_write || answer.is_some() {
                    self.answers.push_back(answer);
                }
            }
            ["modify", bin, operation] => {
                let modified = cdt::modify(self.stored(bin), &bytes(operation))?;
                if self.answers_all || modified.answer.is_some() {
                    self.answers.push_back(modified.answer);
                }
                if let Some(value) = modified.bin {
                    self.guides.insert(bin.to_owned(), modified.guide);
                    self.bins.insert(bin.to_owned(), value);
                }
            }
            _ => panic!("line not understood: {words:?}"),
        }
        Ok(())
    }

    fn stored(&self, bin: &str) -> Option<Stored<'_>> {
        let (particle_type, value) = self.bins.get(bin)?;
        let guide = self.guides.get(bin).map_or(Guide::NONE, |guide| Guide::new(guide));
        Some(Stored { particle_type: *particle_type, value, guide })
    }

    fn end(&mut self, expected: ResultCode) -> Result<(), String> {
        if self.result == ResultCode::OK {
            same(&self.answers, &VecDeque::new())?;
        } else {
            (self.bins, self.guides) = self.before.clone();
        }
        same(&self.result, &expected)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{found:02x?} instead of {expected:02x?}")) }
}
