//! Whether queries returned what was there.
//!
//! What a query has to return is what was there all the time from its beginning to its end, and what it must not
//! return is what was not there at any of it. Of a record that was changed meanwhile nothing is expected. A query
//! that was not told of every partition that all of it came is one that its client makes again: nothing is
//! expected of it but what cannot be.

use super::{Finding, MAP_AGE, report};
use crate::client::query::Query;
use crate::client::{Action, Deed, Family, KeyNumber, Outcome, Seen};
use crate::profile::Promise;
use crate::world::World;

/// What is known of a record during a query.
enum Known {
    /// It is there; with a number, if only one can be.
    There(Option<i64>),
    Gone,
    Unsure,
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
                let is_judged = query.client.is_none() || self.can_judge(query);
                for key in 0..self.clients.keys.count() {
                    self.check_query(query, key, is_judged).into_iter().for_each(&mut tell);
                }
            }
        }
    }

    /// Whether a query's answer is to be complete: nodes were of one view, and none had lost anything. What
    /// cannot be read is left out.
    fn can_judge(&self, query: &Query) -> bool {
        self.nemesis.profile.promise != Promise::Nothing
            && !self.was_divided(query.begun.saturating_sub(MAP_AGE), query.ended)
            && !self.was_unreadable(query.begun, query.ended)
    }

    fn check_query(&self, query: &Query, key: KeyNumber, is_judged: bool) -> Option<String> {
        let family = self.clients.keys.family(key);
        let rows: Vec<_> = query.rows.iter().filter(|(of, _)| *of == key).collect();
        if family.set() != query.wanted.set {
            return (!rows.is_empty()).then(|| format!("returns {key}, which is of another set"));
        }
        if let Some((_, seen)) = rows.iter().find(|(_, seen)| !query.wanted.has(seen)) {
            return Some(format!("returns {key} as {seen:?}, which was not asked for"));
        }
        let was_touched = self.clients.history.of(key).any(|(_, deed)| {
            deed.may_count() && deed.begun <= query.ended && deed.settled_at() >= query.begun
        });
        // In an index, a record that changes meanwhile may move ahead of the query.
        if rows.len() > 1 && (query.wanted.range.is_none() || !was_touched) {
            return Some(format!("returns {key} {} times", rows.len()));
        }
        let known = match query.client {
            None => self.known_by_audit(key),
            Some(_) if was_touched || !is_judged => Known::Unsure,
            Some(_) => self.known_before(key, family, query),
        };
        let (number, is_expected) = match known {
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
    fn known_before(&self, key: KeyNumber, family: Family, query: &Query) -> Known {
        // None is under way, so all were acknowledged.
        let before = |(_, deed): &(usize, &Deed)| deed.may_count() && deed.ended < query.begun;
        let deeds: Vec<_> = self.clients.history.of(key).filter(before).collect();
        let is_torn = self.nemesis.profile.promise == Promise::KeptUndivided;
        if is_torn && deeds.iter().any(|(_, deed)| self.was_divided(deed.begun, deed.ended)) {
            return Known::Unsure;
        }
        let Some((place, last)) = deeds.last() else { return Known::Gone };
        match family {
            Family::Counter | Family::Modified => Known::There(Some(deeds.len() as i64)),
            Family::Set => Known::There(None),
            // What was truncated may be gone since.
            Family::Brief if last.begun <= self.truncated_at(family) => Known::Unsure,
            _ if deeds.iter().any(|(of, deed)| of != place && deed.ended >= last.begun) => {
                Known::Unsure
            }
            _ if last.action == Action::Delete => Known::Gone,
            _ if self.may_expire(key, query.begun, query.ended) => Known::Unsure,
            _ if self.outlived_at(last).is_some_and(|at| at < query.begun) => Known::Gone,
            _ => Known::There(Some(*place as i64)),
        }
    }
}
