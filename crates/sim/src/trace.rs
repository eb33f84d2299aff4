//! What happened, as a hash of everything and as lines about what matters.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

/// Lines that are kept.
const LINES_MAX: usize = 400;

/// See the module.
#[derive(Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    lines: VecDeque<String>,
    /// Whether lines are printed as they come.
    is_shown: bool,
}

impl Trace {
    /// Nothing has happened.
    pub fn new(is_shown: bool) -> Self {
        Self { hash: 0xCBF2_9CE4_8422_2325, events: 0, lines: VecDeque::new(), is_shown }
    }

    /// Counts something in that no line tells of: its kind, its time and its bytes.
    pub fn note(&mut self, now: Duration, kind: u64, bytes: &[u8]) {
        self.events += 1;
        self.mix(kind ^ (now.as_nanos() as u64).rotate_left(8));
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    /// Adds a line.
    pub fn line(&mut self, now: Duration, text: fmt::Arguments<'_>) {
        let line = format!("{:>12.6} {text}", now.as_secs_f64());
        self.note(now, 1, line.as_bytes());
        if self.is_shown {
            println!("{line}");
        }
        if self.lines.len() == LINES_MAX {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// Prints a line if lines are printed. It is no part of the trace: it follows from the rest.
    pub fn show(&self, now: Duration, text: impl FnOnce() -> Option<String>) {
        if self.is_shown
            && let Some(text) = text()
        {
            println!("{:>12.6} {text}", now.as_secs_f64());
        }
    }

    fn mix(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.hash ^= self.hash >> 29;
    }

    /// The same for the same course of events, and hardly ever for another.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// Events so far.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The last lines.
    pub fn last(&self, count: usize) -> impl Iterator<Item = &str> {
        self.lines.iter().skip(self.lines.len().saturating_sub(count)).map(String::as_str)
    }
}
