//! Whether what clients were told is so.

use std::collections::BTreeSet;
use std::time::Duration;

use super::division::Division;
use super::{Finding, MAP_AGE, report};
use crate::client::{Action, Deed, Family, History, KeyNumber, Outcome, Seen, Verdict};
use crate::disk::Trouble;
use crate::profile::Promise;
use crate::world::World;

impl World {
    /// Compares what audits have read with what clients were told.
    pub fn check_history(&self, findings: &mut Vec<Finding>) {
        let promise = self.nemesis.profile.promise;
        let mut already = 0;
        for key in 0..self.clients.keys.count() {
            let Some(last) = self.audited(key, findings) else { continue };
            let is_anything = promise == Promise::Nothing;
            let is_excused = match promise {
                Promise::Fresh | Promise::Kept => false,
                Promise::KeptUndivided => self.was_written_divided(key),
                Promise::Nothing => true,
            };
            let family = self.clients.keys.family(key);
            let history = &self.clients.history;
            let returns_until = self.may_have_returned(key);
            let (added_least, added_most) = self.added_by_jobs(key);
            let gone_at = |when| self.truncated_at(family).max(self.expired_at(key, when));
            let circumstances = Circumstances {
                gone_at: gone_at(self.now),
                returned_until: returns_until.unwrap_or_default(),
                added_least,
                added_most,
            };
            let division = self.division_of(key).filter(|_| is_excused && !is_anything);
            // A record that is made anew begins with generation 1, and what comes back has a higher one.
            let is_excused = is_excused || returns_until.is_some() && self.setup.by_generation;
            let problem = contradiction(history, key, family, &last, is_excused, circumstances);
            let of_division = |division: Division| {
                division.contradiction(history, key, family, &last, circumstances.gone_at)
            };
            let problem = problem.or_else(|| division.and_then(of_division));
            if let Some(problem) = problem {
                let partition = self.clients.keys.digest(key).partition().index();
                report(
                    findings,
                    &mut already,
                    format_args!("{family:?} {key} (partition {partition}): {problem}"),
                );
            }
            let may_be_old = |read: &Deed| match promise {
                Promise::Fresh => false,
                Promise::Kept => is_excused || self.may_read_old(read),
                Promise::KeptUndivided | Promise::Nothing => true,
            };
            let circumstances =
                |read: &Deed| Circumstances { gone_at: gone_at(read.ended), ..circumstances };
            check_reads(history, (key, family), circumstances, may_be_old, findings, &mut already);
        }
    }

    /// What all nodes answered to an audit of a key.
    pub(super) fn audited(
        &self,
        key: KeyNumber,
        findings: &mut Vec<Finding>,
    ) -> Option<Option<Seen>> {
        let mut first: Option<Option<Seen>> = None;
        let mut already = 0;
        for (_, machine, verdict) in self.audits.iter().filter(|(of, ..)| *of == key) {
            let seen = match verdict {
                Verdict::Done(seen) => Some(seen.clone()),
                Verdict::Absent => None,
                other => {
                    let text = format_args!("key {key} cannot be read at {machine}: {other:?}");
                    report(findings, &mut already, text);
                    continue;
                }
            };
            let may_differ = self.may_expire(key, self.audited_at, self.now);
            if *first.get_or_insert_with(|| seen.clone()) != seen && !may_differ {
                let text =
                    format_args!("key {key} is {seen:?} at {machine} and {first:?} elsewhere");
                report(findings, &mut already, text);
            }
        }
        first
    }

    /// Until when a record that is deleted without a trace may have come back with a disk.
    fn may_have_returned(&self, key: KeyNumber) -> Option<Duration> {
        let is_expunged = self.clients.keys.family(key) == Family::Expunged;
        let deeds = self.clients.history.of(key).map(|(_, deed)| deed);
        is_expunged.then(|| self.may_return_until(deeds)).flatten()
    }

    /// Whether nodes were of different views when something was read, or had not told each other what they have; or
    /// a replica that cannot write what it is told may have answered, to which whoever was asked handed the read on.
    fn may_read_old(&self, read: &Deed) -> bool {
        self.apart.touch(read.begun.saturating_sub(MAP_AGE), read.ended)
            || self.had_trouble(Trouble::Writes, read.begun, read.ended)
    }

    /// Whether a key was written, or may have been, while nodes were of different views.
    pub(super) fn was_written_divided(&self, key: KeyNumber) -> bool {
        let mut writes = self.clients.history.of(key).filter(|(_, deed)| deed.may_count());
        writes.any(|(_, deed)| self.was_divided(deed.begun, deed.settled_at()))
    }
}

/// What has to do with a record beside what clients have asked about it.
#[derive(Clone, Copy, Debug, Default)]
struct Circumstances {
    /// What began before may have been truncated, or have expired.
    gone_at: Duration,
    /// What was done up to then does not count: a version may have come back with a disk.
    returned_until: Duration,
    /// How often jobs have added to it, at least.
    added_least: usize,
    /// The same, at most.
    added_most: usize,
}

/// What is wrong with the last value of a record, if anything is.
fn contradiction(
    history: &History,
    key: KeyNumber,
    family: Family,
    last: &Option<Seen>,
    is_excused: bool,
    circumstances: Circumstances,
) -> Option<String> {
    let number = last.as_ref().and_then(|seen| seen.number);
    let count = |which: fn(&Deed) -> bool| history.of(key).filter(|(_, deed)| which(deed)).count();
    match family {
        Family::Counter | Family::Tallied => {
            let least = count(Deed::is_acknowledged) + circumstances.added_least;
            let most = count(Deed::may_count) + circumstances.added_most;
            let value = number.unwrap_or(0) as usize;
            let is_lost = value < least && !is_excused;
            (is_lost || value > most).then(|| {
                format!("counts {value}, though {least} are sure and {most} may have been counted")
            })
        }
        Family::Modified => {
            let (least, most) = (count(Deed::is_acknowledged), count(Deed::may_count));
            let value = number.unwrap_or(0) as usize;
            let is_wrong = (value < least || value > most) && !is_excused;
            is_wrong.then(|| {
                format!("is {value}, though {least} were acknowledged and {most} may have been")
            })
        }
        Family::Set => lost_words(history, key, last, is_excused),
        Family::Register | Family::Durable | Family::Expunged | Family::Brief | Family::Mortal => {
            let found = number.map(|number| number as usize);
            if let Some(number) = found
                && !history.of(key).any(|(place, deed)| place == number && deed.may_count())
            {
                return Some(format!("is {number}, which nobody may have written"));
            }
            let superseded = || superseded(history, key, found, [Duration::MAX; 2], circumstances);
            (!is_excused).then(superseded).flatten()
        }
    }
}

fn lost_words(
    history: &History,
    key: KeyNumber,
    last: &Option<Seen>,
    is_excused: bool,
) -> Option<String> {
    let words = last.as_ref().map_or(&[][..], |seen| &seen.words);
    let there: BTreeSet<_> = words.iter().map(|word| *word as usize).collect();
    if there.len() != words.len() {
        return Some(format!("has words twice: {words:?}"));
    }
    let may_count = |place| history.of(key).any(|(of, deed)| of == place && deed.may_count());
    if let Some(strange) = there.iter().find(|place| !may_count(**place)) {
        return Some(format!("has {strange}, which nobody may have appended"));
    }
    let acknowledged = history.of(key).filter(|(_, deed)| deed.is_acknowledged());
    let lost: Vec<_> =
        acknowledged.map(|(place, _)| place).filter(|place| !there.contains(place)).collect();
    (!lost.is_empty() && !is_excused).then(|| format!("lacks {lost:?}, which were acknowledged"))
}

/// What was acknowledged after a value of a register had been written, and before a read began: the value
/// cannot be what was read then. `None` as value: the record was not there.
fn superseded(
    history: &History,
    key: KeyNumber,
    value: Option<usize>,
    [before, ended]: [Duration; 2],
    circumstances: Circumstances,
) -> Option<String> {
    // A record that is not there was deleted, or never written.
    let written_until = |value: usize| history.deeds[value].settled_at();
    let until = match value {
        Some(value) => written_until(value),
        None => last_delete(history, key, ended).max(circumstances.gone_at),
    };
    let counts = |deed: &Deed| match value {
        Some(_) => deed.is_acknowledged(),
        None => deed.is_acknowledged() && deed.action != Action::Delete,
    };
    let later = history.of(key).filter(|(_, deed)| counts(deed) && deed.ended <= before);
    let later =
        later.filter(|(_, deed)| deed.begun > until && deed.begun >= circumstances.returned_until);
    let later = later.filter(|(place, _)| Some(*place) != value).last()?;
    let (place, deed) = later;
    let (action, value) = (deed.action, value.map_or("absent".into(), |value| value.to_string()));
    Some(format!("is {value}, though {place} ({action:?}) was acknowledged later"))
}

/// When the last delete had its effect, at the latest, of those that began before a time.
pub(super) fn last_delete(history: &History, key: KeyNumber, before: Duration) -> Duration {
    let deletes = history.of(key).filter(|(_, deed)| deed.action == Action::Delete);
    let counted = deletes.filter(|(_, deed)| deed.may_count() && deed.begun <= before);
    counted.map(|(_, deed)| deed.settled_at()).max().unwrap_or_default()
}

/// Looks for reads that are older than what was acknowledged before they began.
fn check_reads(
    history: &History,
    (key, family): (KeyNumber, Family),
    circumstances: impl Fn(&Deed) -> Circumstances,
    may_be_old: impl Fn(&Deed) -> bool,
    findings: &mut Vec<Finding>,
    already: &mut usize,
) {
    let reads = history.of(key).filter(|(_, deed)| !deed.action.writes() && !may_be_old(deed));
    let answered =
        reads.filter(|(_, deed)| matches!(deed.outcome, Outcome::Done | Outcome::Absent));
    for (place, read) in answered {
        let number = read.seen.as_ref().and_then(|seen| seen.number);
        let problem = match family {
            Family::Counter | Family::Tallied | Family::Modified => {
                let before =
                    |(_, deed): &(usize, &Deed)| deed.is_acknowledged() && deed.ended < read.begun;
                let least = history.of(key).filter(before).count() as i64;
                let value = number.unwrap_or(0);
                (value < least).then(|| format!("counts {value} of {least}"))
            }
            Family::Set => None,
            _ => {
                let value = number.map(|of| of as usize);
                superseded(history, key, value, [read.begun, read.ended], circumstances(read))
            }
        };
        if let Some(problem) = problem {
            report(
                findings,
                already,
                format_args!("{family:?} {key}: read {place} is old: {problem}"),
            );
        }
    }
}
