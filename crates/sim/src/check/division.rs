//! What must hold of records that were written while nodes were of different views.
//!
//! Each side of a split serves, and of what the sides have of a record one version survives. Which one is no accident:
//!
//! - *By last-update-time*, the one that was written last. A write's last-update-time is that of its node's clock, so
//!   what was acknowledged is not replaced by what was written before it, give or take what clocks are off. That holds
//!   in spite of all splits: a split has no say in it.
//! - *By generation*, the one that was written most often. Of a counter that is the one that counts highest: it is not
//!   below what was acknowledged before the split.
//! - By either, what is written when all nodes are of one view again, and have told each other what they have, follows
//!   the version that survives, and is not lost.
//!
//! A record that is deleted without a tombstone leaves nothing that could be later than what another side has: what it
//! was before the delete may come back. A side that had no replica begins counters and lists of words anew, and that
//! is the version that was written last; so nothing is said of their beginnings by last-update-time.

use std::time::Duration;

use super::history::last_delete;
use crate::client::{Action, Deed, Family, History, KeyNumber, Seen};
use crate::world::World;

/// See the module: what is known of the splits that a record was written in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Division {
    /// When the first of them began.
    since: Duration,
    /// When all nodes had told each other what they have after the last of them.
    until: Duration,
    /// By last-update-time: how far those of two writes may be apart from the order of their times.
    slack: Option<Duration>,
}

impl World {
    /// The splits in which a key was written, or may have been.
    pub(super) fn division_of(&self, key: KeyNumber) -> Option<Division> {
        let writes: Vec<_> =
            self.clients.history.of(key).filter(|(_, of)| of.may_count()).collect();
        let overlaps = |(begin, end): &(Duration, Duration)| {
            writes.iter().any(|(_, deed)| *begin <= deed.settled_at() && deed.begun <= *end)
        };
        let spans: Vec<_> = self.apart.spans().filter(overlaps).collect();
        let slack = (!self.setup.by_generation).then(|| self.skew() * 2 + super::SUCCESSION);
        Some(Division {
            since: spans.iter().map(|(begin, _)| *begin).min()?,
            until: spans.iter().map(|(_, end)| *end).max()?,
            slack,
        })
    }
}

impl Division {
    /// What is wrong with the last value of a record, if anything is.
    pub fn contradiction(
        self,
        history: &History,
        key: KeyNumber,
        family: Family,
        last: &Option<Seen>,
        gone_at: Duration,
    ) -> Option<String> {
        let number = last.as_ref().and_then(|seen| seen.number);
        let is_after = |deed: &Deed| deed.is_acknowledged() && deed.begun > self.until;
        match family {
            Family::Counter | Family::Tallied | Family::Modified => {
                let is_before = |deed: &Deed| {
                    self.slack.is_none() && deed.is_acknowledged() && deed.ended < self.since
                };
                let least = history.of(key).filter(|(_, of)| is_before(of) || is_after(of)).count();
                let value = number.unwrap_or(0);
                (value < least as i64).then(|| format!("counts {value} of {least} that are sure"))
            }
            Family::Set => {
                let words = last.as_ref().map_or(&[][..], |seen| &seen.words);
                let sure = history.of(key).filter(|(_, deed)| is_after(deed));
                let lost: Vec<_> = sure
                    .map(|(place, _)| place)
                    .filter(|place| !words.contains(&(*place as i64)))
                    .collect();
                (!lost.is_empty()).then(|| format!("lacks {lost:?}, which are sure"))
            }
            _ => self.lost(history, key, family, number, gone_at),
        }
    }

    /// The write of a register that should count more than what is there.
    fn lost(
        self,
        history: &History,
        key: KeyNumber,
        family: Family,
        number: Option<i64>,
        gone_at: Duration,
    ) -> Option<String> {
        let value = number.map(|number| number as usize);
        let until = match value {
            Some(value) => history.deeds[value].settled_at(),
            None => last_delete(history, key, Duration::MAX).max(gone_at),
        };
        let (slack, since) = match self.slack {
            Some(slack) => (slack, Duration::ZERO),
            None => (Duration::ZERO, self.until),
        };
        // One that was deleted without a trace may give way to an older one.
        let deleted = match family {
            Family::Expunged if value.is_some() => {
                last_delete(history, key, Duration::MAX).saturating_add(slack)
            }
            _ => Duration::ZERO,
        };
        let least = until.saturating_add(slack).max(since).max(deleted);
        let counts = |deed: &Deed| {
            // A delete with a tombstone is a version like others.
            let is_version =
                deed.action == Action::Write || family == Family::Durable && value.is_some();
            deed.is_acknowledged() && is_version && deed.begun > least
        };
        let later = history.of(key).filter(|(place, of)| Some(*place) != value && counts(of));
        let (place, deed) = later.last()?;
        let (action, begun) = (deed.action, deed.begun);
        Some(format!("is {value:?}, though {place} ({action:?} of {begun:?}) counts more"))
    }
}
