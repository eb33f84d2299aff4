//! Whether queries returned what was there.
//!
//! What a query has to return is what was there all the time from its beginning to its end, and what it must not
//! return is what was not there at any of it. Of a record that was changed meanwhile nothing is expected. A query
//! that was not told of every partition that all of it came is one that its client makes again: nothing is
//! expected of it but what cannot be.

use std::time::Duration;

use super::{Finding, MAP_AGE, report};
use crate::client::aggregation::Aggregation;
use crate::client::query::{Query, Wanted};
use crate::client::{Action, Deed, Family, KeyNumber, Outcome, Seen};
use crate::disk::Trouble;
use crate::profile::Promise;
use crate::world::World;

/// What is known of a record during a query.
enum Known {
    /// It is there; with a number, if only one can be.
    There(Option<i64>),
    Gone,
    Unsure,
}

/// When something was asked about many records.
#[derive(Clone, Copy)]
struct Inquiry {
    /// Whether it is an audit.
    is_audit: bool,
    /// Whether its answer is to be complete.
    is_judged: bool,
    begun: Duration,
    ended: Duration,
}

impl World {
    /// Compares what queries returned with what was there.
    pub fn check_queries(&self, findings: &mut Vec<Finding>) {
        let mut already = 0;
        for (place, query) in self.clients.queries.iter().enumerate() {
            let mut tell = |problem: String| {
                let text = format_args!("query {place} of {:?}: {problem}", query.wanted);
                report(findings, &mut already, text);
            };
            if query.client.is_none() && query.outcome != Outcome::Done {
                tell("does not come to its end, though all is at rest".into());
            }
            if !query.strange.is_empty() {
                tell(format!("returns {:?}, which nobody wrote", query.strange));
            }
            if query.outcome == Outcome::Done {
                let (begun, ended, is_audit) = (query.begun, query.ended, query.client.is_none());
                let is_judged = is_audit || self.can_judge(begun, ended);
                let inquiry = Inquiry { is_audit, is_judged, begun, ended };
                for key in 0..self.clients.keys.count() {
                    self.check_query(query, key, &inquiry).into_iter().for_each(&mut tell);
                }
            }
        }
        self.check_aggregations(findings);
    }

    /// Compares what aggregations have counted with how many records there can have been.
    fn check_aggregations(&self, findings: &mut Vec<Finding>) {
        let mut already = 0;
        for (place, aggregation) in self.clients.aggregations.iter().enumerate() {
            let Aggregation { wanted, begun, ended, count, outcome, .. } = *aggregation;
            let is_audit = aggregation.client.is_none();
            if outcome != Outcome::Done {
                if is_audit {
                    let text = format_args!("aggregation {place} of {wanted:?}: {outcome:?}");
                    report(findings, &mut already, text);
                }
                continue;
            }
            let is_steady = aggregation.was_settled && !self.apart.touch(begun, ended);
            if !(is_audit || is_steady && self.can_judge(begun, ended)) {
                continue;
            }
            let inquiry = Inquiry { is_audit, is_judged: true, begun, ended };
            let keys = (0..self.clients.keys.count())
                .filter(|key| self.clients.keys.family(*key).set() == wanted.set);
            let (least, most) = keys.fold((0, 0), |(least, most), key| {
                let (one, other) = self.counts(key, wanted, &inquiry);
                (least + i64::from(one), most + i64::from(other))
            });
            if !(least..=most).contains(&count) {
                let text = format_args!(
                    "aggregation {place} of {wanted:?} from {begun:?} to {ended:?}: counts {count} of {least} \
                     to {most}"
                );
                report(findings, &mut already, text);
            }
        }
    }

    /// Whether a record counts among those that are wanted, at least and at most.
    fn counts(&self, key: KeyNumber, wanted: Wanted, inquiry: &Inquiry) -> (bool, bool) {
        match self.known(key, inquiry) {
            Known::Gone => (false, false),
            Known::Unsure => (false, true),
            Known::There(_) if wanted.range.is_none() => (true, true),
            Known::There(None) => (false, self.clients.keys.family(key) != Family::Set),
            Known::There(number) => {
                let is_wanted = wanted.has(&Seen { number, ..Seen::default() });
                (is_wanted, is_wanted)
            }
        }
    }

    /// Whether an answer is to be complete: nodes were of one view, and none had lost anything. What cannot be read
    /// is left out.
    fn can_judge(&self, begun: Duration, ended: Duration) -> bool {
        self.nemesis.profile.promise != Promise::Nothing
            && !self.was_divided(begun.saturating_sub(MAP_AGE), ended)
            && !self.had_trouble(Trouble::Reads, begun, ended)
    }

    /// Whether a record was changed meanwhile, or may have been.
    fn was_touched(&self, key: KeyNumber, inquiry: &Inquiry) -> bool {
        let Inquiry { begun, ended, .. } = *inquiry;
        let touched =
            |deed: &Deed| deed.may_count() && deed.begun <= ended && deed.settled_at() >= begun;
        self.clients.history.of(key).any(|(_, deed)| touched(deed))
            || self.clients.keys.family(key) == Family::Tallied && self.had_job(begun, ended)
    }

    fn known(&self, key: KeyNumber, inquiry: &Inquiry) -> Known {
        match inquiry {
            Inquiry { is_audit: true, .. } => self.known_by_audit(key),
            Inquiry { is_judged: false, .. } => Known::Unsure,
            _ if self.was_touched(key, inquiry) => Known::Unsure,
            _ => self.known_before(key, inquiry),
        }
    }

    fn check_query(&self, query: &Query, key: KeyNumber, inquiry: &Inquiry) -> Option<String> {
        let family = self.clients.keys.family(key);
        let rows: Vec<_> = query.rows.iter().filter(|(of, _)| *of == key).collect();
        if family.set() != query.wanted.set {
            return (!rows.is_empty()).then(|| format!("returns {key}, which is of another set"));
        }
        if let Some((_, seen)) = rows.iter().find(|(_, seen)| !query.wanted.has(seen)) {
            return Some(format!("returns {key} as {seen:?}, which was not asked for"));
        }
        // In an index, a record that changes meanwhile may move ahead of the query.
        if rows.len() > 1 && (query.wanted.range.is_none() || !self.was_touched(key, inquiry)) {
            return Some(format!("returns {key} {} times", rows.len()));
        }
        let (number, is_expected) = match self.known(key, inquiry) {
            Known::Unsure => return None,
            Known::Gone => {
                return (!rows.is_empty()).then(|| format!("returns {key}, which is gone"));
            }
            Known::There(number) => {
                let seen = Seen { number, ..Seen::default() };
                (
                    number,
                    query.wanted.range.is_none() || number.is_some() && query.wanted.has(&seen),
                )
            }
        };
        match rows.first() {
            None if is_expected => Some(format!("does not return {key}, which is {number:?}")),
            Some((_, seen)) if number.is_some() && seen.number != number => {
                Some(format!("returns {key} as {:?}, which is {number:?}", seen.number))
            }
            _ => None,
        }
    }

    fn known_by_audit(&self, key: KeyNumber) -> Known {
        match self.audited(key, &mut Vec::new()) {
            _ if self.may_expire(key, self.audited_at, self.now) => Known::Unsure,
            None => Known::Unsure,
            Some(None) => Known::Gone,
            Some(Some(seen)) => Known::There(seen.number),
        }
    }

    /// What a record must be when a query begins and nobody has touched it since.
    fn known_before(&self, key: KeyNumber, inquiry: &Inquiry) -> Known {
        let (family, Inquiry { begun, ended, .. }) = (self.clients.keys.family(key), *inquiry);
        // None is under way, so all were acknowledged.
        let before = |(_, deed): &(usize, &Deed)| deed.may_count() && deed.ended < begun;
        let deeds: Vec<_> = self.clients.history.of(key).filter(before).collect();
        let is_torn = self.nemesis.profile.promise == Promise::KeptUndivided;
        if is_torn && deeds.iter().any(|(_, deed)| self.was_divided(deed.begun, deed.ended)) {
            return Known::Unsure;
        }
        let Some((place, last)) = deeds.last() else { return Known::Gone };
        match family {
            Family::Counter | Family::Modified => Known::There(Some(deeds.len() as i64)),
            Family::Set | Family::Tallied => Known::There(None),
            // What was truncated may be gone since.
            Family::Brief if last.begun <= self.truncated_at(family) => Known::Unsure,
            _ if deeds.iter().any(|(of, deed)| of != place && deed.ended >= last.begun) => {
                Known::Unsure
            }
            _ if last.action == Action::Delete => Known::Gone,
            _ if self.may_expire(key, begun, ended) => Known::Unsure,
            _ if self.outlived_at(last).is_some_and(|at| at < begun) => Known::Gone,
            _ => Known::There(Some(*place as i64)),
        }
    }
}
