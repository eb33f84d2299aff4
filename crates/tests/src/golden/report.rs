//! What a replay found, as a table and as readable differences.

use std::collections::BTreeMap;
use std::fmt;

use super::link::Request;
use super::replay::Outcome;
use super::reply::Reply;
use super::text;

/// How many differences are kept to be shown.
const SHOWN_MAX: usize = 5;
/// How many classes of differences are listed.
const CLASSES_MAX: usize = 8;

/// Counts of one replayed file.
pub struct Report {
    /// The file's own name for what it holds.
    pub area: String,
    /// Independent sequences of requests.
    pub cases: usize,
    /// Steps whose reply is equal.
    pub equal: usize,
    /// Reason to number of steps that were not compared.
    pub excepted: BTreeMap<&'static str, usize>,
    /// Class of difference to number of steps.
    pub different: BTreeMap<String, usize>,
    shown: Vec<String>,
}

/// A step as it is shown.
pub struct Shown<'a> {
    pub case: u64,
    pub step: usize,
    pub request: Request<'a>,
    pub got: &'a Reply,
}

impl Report {
    pub(super) fn new(area: &str) -> Self {
        Self {
            area: area.to_owned(),
            cases: 0,
            equal: 0,
            excepted: BTreeMap::new(),
            different: BTreeMap::new(),
            shown: Vec::new(),
        }
    }

    /// All steps.
    pub fn steps(&self) -> usize {
        self.equal + self.steps_excepted() + self.steps_different()
    }

    /// Steps that were not compared.
    pub fn steps_excepted(&self) -> usize {
        self.excepted.values().sum()
    }

    /// Steps whose reply differs.
    pub fn steps_different(&self) -> usize {
        self.different.values().sum()
    }

    pub(super) fn begin_case(&mut self) {
        self.cases += 1;
    }

    pub(super) fn count(&mut self, outcome: Outcome, shown: &Shown<'_>, recorded: &Reply) {
        match outcome {
            Outcome::Equal => self.equal += 1,
            Outcome::Excepted(reason) => *self.excepted.entry(reason).or_default() += 1,
            Outcome::Different(class) => {
                if self.shown.len() < SHOWN_MAX {
                    self.shown.push(shown.text(&class, recorded));
                }
                *self.different.entry(class).or_default() += 1;
            }
        }
    }
}

impl Shown<'_> {
    fn text(&self, class: &str, recorded: &Reply) -> String {
        format!(
            "case {}, step {}: {class}\n  request   {}\n  recorded  {}\n  got       {}",
            self.case,
            self.step,
            indented(&text::request(self.request.bytes)),
            indented(&text::reply(recorded)),
            indented(&text::reply(self.got)),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:8} {:6} cases {:6} replies {:6} equal {:6} excepted {:6} different",
            self.area,
            self.cases,
            self.steps(),
            self.equal,
            self.steps_excepted(),
            self.steps_different()
        )?;
        for (reason, count) in &self.excepted {
            writeln!(f, "  {count:6} excepted: {reason}")?;
        }
        let mut classes: Vec<_> = self.different.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (class, count) in classes.iter().take(CLASSES_MAX) {
            writeln!(f, "  {count:6} different: {class}")?;
        }
        self.shown.iter().try_for_each(|shown| writeln!(f, "{shown}"))
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n            ")
}
