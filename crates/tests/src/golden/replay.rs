//! Replays a transcript against a server.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};

use super::compare::{Difference, Rules, difference};
use super::exceptions::{Capability, is_refusal, later_capability, may_hide_effects, took_effect};
use super::link::{Link, Request};
use super::reply::{FRAME_HEADER_SIZE, Kind, Reply};
use super::report::{Report, Shown};
use super::transcript::{Case, Setup, Step, Transcript};

/// Seconds between the Unix epoch and the one of void-times, 2010-01-01.
const EPOCH_2010_S: f64 = 1_262_304_000.0;
/// How long a set-up request may be repeated.
const SETUP_PATIENCE: Duration = Duration::from_secs(30);

/// How many differences are shown in full, unless asked otherwise.
const SHOWN_MAX: usize = 5;

/// What time it is while requests are sent, in seconds since 2010.
#[derive(Clone, Copy)]
pub enum Clock {
    /// The wall clock, for a living server.
    Wall,
    /// The time of the recording, for a server that plays a recording back.
    AsRecorded,
}

/// A replay of transcripts against one server.
pub struct Replay<'p> {
    link: Link,
    clock: Clock,
    shown_max: usize,
    /// Capabilities that the set-up needed and the server refused.
    missing: Vec<Capability>,
    /// Why the reply to a request may differ on this server, if it may.
    may_differ: fn(&[u8]) -> Option<&'static str>,
    pause: Option<Pause<'p>>,
}

/// What is done between the requests of some cases, which are sent one by one then.
struct Pause<'p> {
    /// Of so many cases one.
    every: usize,
    between: Box<dyn FnMut() -> Result<()> + 'p>,
}

/// How one step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Equal,
    /// Not compared, with the reason.
    Excepted(&'static str),
    Different(Difference),
}

impl<'p> Replay<'p> {
    /// `address` is `HOST:PORT`.
    pub fn new(address: &str, clock: Clock) -> Self {
        Self {
            link: Link::new(address),
            clock,
            shown_max: SHOWN_MAX,
            missing: Vec::new(),
            may_differ: |_| None,
            pause: None,
        }
    }

    /// Does not count a difference in the reply to a request for which this gives a reason, and in what
    /// follows it in its case: its result may have been stored.
    #[must_use]
    pub fn excepting(self, may_differ: fn(&[u8]) -> Option<&'static str>) -> Self {
        Self { may_differ, ..self }
    }

    /// Sends the requests of one of so many cases one by one, and does this after each.
    #[must_use]
    pub fn pausing(self, every: usize, between: impl FnMut() -> Result<()> + 'p) -> Self {
        Self { pause: Some(Pause { every, between: Box::new(between) }), ..self }
    }

    /// Shows this many differences in full rather than the first few.
    #[must_use]
    pub fn showing(self, shown_max: usize) -> Self {
        Self { shown_max, ..self }
    }

    /// Sends everything and reports what differs.
    ///
    /// # Errors
    /// When the server cannot be reached, or the set-up does not come to its end.
    pub fn run(&mut self, transcript: &Transcript) -> Result<Report> {
        // What the recorded server made last may be made first here, and the other way round: a busy
        // machine takes longer to set up than the recorded one did, a quick one is done sooner.
        let recorded_end = transcript.cases.first().map_or(transcript.setup_at, |case| case.at);
        let least_s = self.elapsed_s(recorded_end);
        for request in &transcript.setup {
            self.set_up(request)?;
        }
        let setup_elapsed_s = least_s..=self.elapsed_s(transcript.setup_at);
        let mut report = Report::new(&transcript.area, self.shown_max);
        for (place, case) in transcript.cases.iter().enumerate() {
            let pauses = self.pause.as_ref().is_some_and(|pause| place % pause.every == 0);
            self.replay_case(case, pauses, &setup_elapsed_s, &mut report)?;
        }
        Ok(report)
    }

    fn set_up(&mut self, setup: &Setup) -> Result<()> {
        let begun = Instant::now();
        let requests: Vec<_> =
            frames(&setup.request).map(|bytes| Request { bytes, kind: setup.kind }).collect();
        let needs = requests.iter().find_map(|request| later_capability(*request));
        loop {
            let replies = self.link.exchange(&requests)?;
            if replies.iter().any(|reply| is_refusal(setup.kind, reply)) {
                self.missing.extend(needs);
            }
            let Some(until) = &setup.until else { return Ok(()) };
            if needs.is_some_and(|capability| self.missing.contains(&capability)) {
                // It would wait for what was refused.
                return Ok(());
            }
            let text = replies.first().and_then(Reply::info_text).unwrap_or_default();
            if text.contains(until) {
                return Ok(());
            }
            ensure!(begun.elapsed() < SETUP_PATIENCE, "no {until:?} in {text:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn replay_case(
        &mut self,
        case: &Case,
        pauses: bool,
        setup_elapsed_s: &RangeInclusive<i64>,
        report: &mut Report,
    ) -> Result<()> {
        let before = case.before.iter().map(|bytes| Request { bytes, kind: Kind::Record });
        let requests: Vec<Request<'_>> =
            before.chain(case.steps.iter().map(Step::request)).collect();
        let begun_s = self.elapsed_s(case.at);
        let mut replies =
            if pauses { self.one_by_one(&requests)? } else { self.link.exchange(&requests)? };
        let elapsed_s = begun_s..=self.elapsed_s(case.at);
        let replies = replies.split_off(case.before.len());
        report.begin_case();
        let mut diverged = false;
        let mut may_differ = None;
        for (number, (step, got)) in case.steps.iter().zip(&replies).enumerate() {
            let mut outcome = step.outcome(got, &elapsed_s, setup_elapsed_s);
            if diverged && matches!(outcome, Outcome::Different(_)) {
                outcome = Outcome::Excepted("follows a refused request in its case");
            }
            let needs = later_capability(step.request());
            if matches!(outcome, Outcome::Different(_))
                && needs.is_some_and(|capability| self.missing.contains(&capability))
            {
                outcome = Outcome::Excepted("needs a set-up that was refused");
            }
            let refused = matches!(outcome, Outcome::Excepted(_));
            may_differ = may_differ.or_else(|| (self.may_differ)(&step.request));
            if let (Some(reason), Outcome::Different(_)) = (may_differ, &outcome) {
                outcome = Outcome::Excepted(reason);
            }
            diverged |= refused && took_effect(step.kind, &step.recorded);
            diverged |= may_hide_effects(step.request(), &step.recorded);
            let shown = Shown {
                case: case.number,
                step: number,
                request: step.request(),
                norm: step.norm,
                recorded: &step.recorded,
                got,
            };
            report.count(outcome, &shown);
        }
        Ok(())
    }

    fn one_by_one(&mut self, requests: &[Request<'_>]) -> Result<Vec<Reply>> {
        let mut replies = Vec::new();
        for request in requests {
            replies.extend(self.link.exchange(&[*request])?);
            if let Some(pause) = &mut self.pause {
                (pause.between)()?;
            }
        }
        Ok(replies)
    }

    /// Whole seconds from a recorded moment until now.
    fn elapsed_s(&self, at: f64) -> i64 {
        match self.clock {
            Clock::AsRecorded => 0,
            Clock::Wall => {
                let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                (unix.as_secs_f64() - EPOCH_2010_S - at).round() as i64
            }
        }
    }
}

/// The frames that follow each other in a request of the set-up.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let [_, _, size @ ..] = *bytes.first_chunk::<FRAME_HEADER_SIZE>()?;
        let body = size.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let (frame, rest) = bytes.split_at_checked(FRAME_HEADER_SIZE + body)?;
        bytes = rest;
        Some(frame)
    })
}

impl Step {
    pub fn request(&self) -> Request<'_> {
        Request { bytes: &self.request, kind: self.kind }
    }

    /// Compares a reply. Void-times count from the request, or from a moment of the set-up for records
    /// made there.
    fn outcome(
        &self,
        got: &Reply,
        elapsed_s: &RangeInclusive<i64>,
        setup_elapsed_s: &RangeInclusive<i64>,
    ) -> Outcome {
        let difference = |elapsed_s: &RangeInclusive<i64>| {
            let rules = Rules { norm: self.norm, elapsed_s: elapsed_s.clone() };
            difference(self.kind, &rules, &self.recorded, got)
        };
        let Some(difference_now) = difference(elapsed_s) else { return Outcome::Equal };
        if difference(setup_elapsed_s).is_none() {
            return Outcome::Equal;
        }
        match later_capability(self.request()) {
            Some(capability) if is_refusal(self.kind, got) => Outcome::Excepted(capability),
            _ => Outcome::Different(difference_now),
        }
    }
}
