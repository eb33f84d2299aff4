//! What a replay found, as a table and as readable differences.

use std::collections::BTreeMap;
use std::fmt;

use super::link::Request;
use super::replay::Outcome;
use super::reply::{Kind, Reply};
use super::text;
use super::transcript::Norm;

/// How many classes of differences are listed.
const CLASSES_MAX: usize = 20;

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
    /// Cases with a difference, by the class of their first one: what follows is often its echo.
    pub cases_different: BTreeMap<String, usize>,
    steps_different: usize,
    case_is_equal: bool,
    shown: Vec<String>,
    shown_max: usize,
}

/// A step as it is shown.
pub struct Shown<'a> {
    pub case: u64,
    pub step: usize,
    pub request: Request<'a>,
    pub norm: Norm,
    pub recorded: &'a Reply,
    pub got: &'a Reply,
}

impl Report {
    /// `shown_max` differences are kept to be shown.
    pub(super) fn new(area: &str, shown_max: usize) -> Self {
        Self {
            area: area.to_owned(),
            cases: 0,
            equal: 0,
            excepted: BTreeMap::new(),
            cases_different: BTreeMap::new(),
            steps_different: 0,
            case_is_equal: true,
            shown: Vec::new(),
            shown_max,
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
        self.steps_different
    }

    pub(super) fn begin_case(&mut self) {
        self.cases += 1;
        self.case_is_equal = true;
    }

    pub(super) fn count(&mut self, outcome: Outcome, shown: &Shown<'_>) {
        match outcome {
            Outcome::Equal => self.equal += 1,
            Outcome::Excepted(reason) => *self.excepted.entry(reason).or_default() += 1,
            Outcome::Different(class) => {
                self.steps_different += 1;
                if std::mem::replace(&mut self.case_is_equal, false) {
                    if self.shown.len() < self.shown_max {
                        self.shown.push(shown.text(&class));
                    }
                    *self.cases_different.entry(class).or_default() += 1;
                }
            }
        }
    }
}

impl Shown<'_> {
    fn text(&self, class: &str) -> String {
        let (recorded, got) = match self.request.kind {
            Kind::Info => text::info_replies(self.norm, self.recorded, self.got),
            _ => (text::reply(self.recorded), text::reply(self.got)),
        };
        format!(
            "case {}, step {}: {class}\n  request   {}\n  recorded  {}\n  got       {}",
            self.case,
            self.step,
            indented(&text::request(self.request.bytes)),
            indented(&recorded),
            indented(&got),
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
        let mut classes: Vec<_> = self.cases_different.iter().collect();
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (class, count) in classes.iter().take(CLASSES_MAX) {
            writeln!(f, "  {count:6} cases first differ in: {class}")?;
        }
        self.shown.iter().try_for_each(|shown| writeln!(f, "{shown}"))
    }
}

fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n            ")
}
