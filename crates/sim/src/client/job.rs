//! Jobs in the background: one is added to each record of a set, by an operation or a function.
//!
//! Every node is asked to do its part, and then how far it is, as real clients do. A node that has come up anew
//! knows nothing of the job any more.

use std::collections::BTreeMap;
use std::time::Duration;

use wire::client::RequestBuilder;
use wire::{FieldType, Info2, OpCode, ParticleType};

use super::request::{ADD_ONE, NUMBER, with_function};
use super::{Outcome, TALLIED_SET, Verdict};
use crate::machine::NAMESPACE;

/// A client that has waited so long for the end of a job waits no longer.
const TIME_MAX: Duration = Duration::from_secs(6);
/// How a query applies a function to change records.
const BACKGROUND: u8 = 2;

/// How records are changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Means {
    /// By an operation.
    Operation,
    /// By a function.
    Function,
}

/// What is known of a job on a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// It was asked.
    Asked,
    /// It has begun.
    Runs,
    /// It has done all of it.
    Done,
    /// It has not done anything, and will not.
    Refused,
    /// Nothing.
    Unknown,
}

/// See the module.
#[derive(Debug)]
pub struct Job {
    /// Whose it is.
    pub client: usize,
    /// How records are changed.
    pub means: Means,
    /// By which nodes know it.
    pub id: u64,
    /// How many records a node may change in a second; 0: any number.
    rate: u32,
    /// When it began.
    pub begun: Duration,
    /// When its client knew how it had ended.
    pub ended: Duration,
    /// Whether nothing moved between nodes when it began.
    pub was_settled: bool,
    /// The machines that were asked.
    pub parts: BTreeMap<usize, Part>,
    /// How it ended: done or in doubt, if it has.
    pub outcome: Outcome,
}

impl Job {
    /// One that a client may think of.
    pub fn random(client: usize, number: usize, now: Duration, random: &mut fastrand::Rng) -> Self {
        let means = if random.bool() { Means::Operation } else { Means::Function };
        let rate = if random.bool() { 0 } else { random.u32(2..30) };
        Self {
            client,
            means,
            id: 1 + number as u64,
            rate,
            begun: now,
            ended: Duration::MAX,
            was_settled: false,
            parts: BTreeMap::new(),
            outcome: Outcome::Open,
        }
    }

    /// The body of the request that begins it on a node.
    pub fn body(&self) -> Vec<u8> {
        let begin = RequestBuilder::new().namespace(NAMESPACE).set(TALLIED_SET);
        let begin = begin.info2(Info2::WRITE).field(FieldType::QUERY_ID, &self.id.to_be_bytes());
        let begin = begin.field(FieldType::RECORDS_PER_SECOND, &self.rate.to_be_bytes());
        let builder = match self.means {
            Means::Operation => {
                begin.op(OpCode::INCREMENT, ParticleType::INTEGER, NUMBER, &1i64.to_be_bytes())
            }
            Means::Function => {
                with_function(begin, b"add", ADD_ONE).field(FieldType::UDF_OP, &[BACKGROUND])
            }
        };
        builder.into_body()
    }

    /// The command that asks a node how far it is.
    pub fn question(&self) -> String {
        format!("query-show:trid={}", self.id)
    }

    /// Takes in what a machine said to its request.
    pub fn begun_at(&mut self, machine: usize, verdict: &Verdict) {
        let part = match verdict {
            Verdict::Done(_) => Part::Runs,
            // It has no such set, and so none of its records.
            Verdict::Absent => Part::Done,
            Verdict::Refused(_) => Part::Refused,
            Verdict::Doubt(_) => Part::Unknown,
        };
        self.parts.insert(machine, part);
    }

    /// Takes in what a machine said to the question how far it is; `None` if it did not.
    pub fn told(&mut self, machine: usize, answer: Option<&str>) {
        let status = answer.and_then(|answer| {
            let mut pairs = answer.split(':');
            pairs.find_map(|pair| pair.strip_prefix("status="))
        });
        let failed = answer.is_some_and(|answer| !answer.contains(":recs-failed=0:"));
        let part = match status {
            Some("done(ok)") if !failed => Part::Done,
            Some("active(ok)") => Part::Runs,
            // It was lost on its way, or the node knows nothing of it any more.
            _ => Part::Unknown,
        };
        self.parts.insert(machine, part);
    }

    /// The machines that have not come to an end, unless their answers are still to come.
    pub fn runs_at(&self) -> Vec<usize> {
        let runs = self.parts.iter().filter(|(_, part)| **part == Part::Runs);
        runs.map(|(machine, _)| *machine).collect()
    }

    /// Whether no answer is awaited.
    pub fn has_heard_all(&self) -> bool {
        !self.parts.values().any(|part| *part == Part::Asked)
    }

    /// How it has ended, if it has or was waited for long enough.
    pub fn end(&self, now: Duration) -> Option<Outcome> {
        let is_over = self.runs_at().is_empty() || now > self.begun + TIME_MAX;
        let is_done = self.parts.values().all(|part| *part == Part::Done);
        is_over.then_some(if is_done { Outcome::Done } else { Outcome::Doubt })
    }

    /// How many nodes may have done, or may yet do, something for it.
    pub fn parts_at_most(&self) -> usize {
        self.parts.values().filter(|part| **part != Part::Refused).count()
    }
}
