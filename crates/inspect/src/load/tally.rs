//! What became of the records that were sent.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde::Serialize;
use wire::ResultCode;

use super::request::Skipped;

/// Counts of all threads.
pub struct Tally {
    start: Instant,
    expected: u64,
    written: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    /// Failures are rare, so a lock will do.
    failures: Mutex<BTreeMap<u8, u64>>,
    skipped: Mutex<BTreeMap<Skipped, u64>>,
}

/// What became of the records.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Outcome {
    /// Written.
    pub written: u64,
    /// Refused, by result: its number, its meaning, how many.
    pub failed: Vec<(u8, String, u64)>,
    /// Sent once more because the server was overloaded.
    pub retried: u64,
    /// Not sent, by reason.
    pub skipped: Vec<(String, u64)>,
}

impl Outcome {
    /// Whether every live record is there now.
    pub fn is_complete(&self) -> bool {
        let left_out = |(reason, _): &(String, u64)| reason != Skipped::Expired.reason();
        self.failed.is_empty() && !self.skipped.iter().any(left_out)
    }
}

impl Tally {
    /// For so many records.
    pub fn new(expected: u64) -> Self {
        Self {
            start: Instant::now(),
            expected,
            written: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            retried: AtomicU64::new(0),
            failures: Mutex::default(),
            skipped: Mutex::default(),
        }
    }

    /// Counts an answer.
    pub fn answer(&self, code: ResultCode) {
        if code == ResultCode::OK {
            self.written.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(|lock| lock.into_inner());
        *failures.entry(code.0).or_default() += 1;
    }

    /// Counts records that are sent once more.
    pub fn retry(&self, count: usize) {
        self.retried.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Counts a record that is not sent.
    pub fn skip(&self, why: Skipped) {
        let mut skipped = self.skipped.lock().unwrap_or_else(|lock| lock.into_inner());
        *skipped.entry(why).or_default() += 1;
    }

    /// One line of progress. `before` is what was done at the last one, a second ago.
    pub fn line(&self, before: &mut u64) -> String {
        let (written, failed) =
            (self.written.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed));
        let done = written + failed;
        let rate = done - std::mem::replace(before, done);
        let part = (done * 100).checked_div(self.expected).unwrap_or(100);
        format!(
            "{:>5} s  {written} of {} records written ({part} %), {rate}/s, {failed} failed, {} retried",
            self.start.elapsed().as_secs(),
            self.expected,
            self.retried.load(Ordering::Relaxed),
        )
    }

    /// The end result.
    pub fn outcome(&self) -> Outcome {
        let failures = self.failures.lock().unwrap_or_else(|lock| lock.into_inner());
        let skipped = self.skipped.lock().unwrap_or_else(|lock| lock.into_inner());
        Outcome {
            written: self.written.load(Ordering::Relaxed),
            failed: failures.iter().map(|(code, count)| (*code, meaning(*code), *count)).collect(),
            retried: self.retried.load(Ordering::Relaxed),
            skipped: skipped.iter().map(|(why, count)| (why.reason().into(), *count)).collect(),
        }
    }
}

impl Skipped {
    fn reason(self) -> &'static str {
        match self {
            Self::Expired => "expired meanwhile",
            Self::Encrypted => "encrypted",
            Self::Unreadable => "unreadable",
            Self::Empty => "without bins",
            Self::Transaction => "state of a transaction",
        }
    }
}

fn meaning(code: u8) -> String {
    let known = ResultCode::ALL.iter().find(|(known, ..)| known.0 == code);
    known.map_or("an unknown result", |(.., meaning)| meaning).into()
}
