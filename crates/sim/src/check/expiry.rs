//! Whether records live as long as they were to, and no longer.
//!
//! A node that writes a record notes when its time is over, in whole seconds of its clock, and any node finds the
//! record gone once its own clock is beyond that. Clocks are off, so what is known of the end of a record is a span.
//! Before it the record is there, after it no node has it, and none ever will: all versions of a record live equally
//! long, so no node can have an older one with more time left.

use std::time::Duration;

use record::SecondsSince2010;
use wire::PartitionId;

use super::{Finding, SUCCESSION, report};
use crate::client::change::ms_since_2010;
use crate::client::{Deed, KeyNumber, Outcome};
use crate::world::World;

/// How far seconds may be from the moments that they stand for.
const ROUNDING: Duration = Duration::from_secs(1);
/// How long it takes a supervisor to begin a pass that is due, and to end it.
const PASS_TIME: Duration = Duration::from_secs(1);

impl World {
    /// How far the clocks of whoever writes a record and whoever looks for it are apart, at most.
    fn clocks_apart(&self) -> Duration {
        self.skew() * 2 + SUCCESSION
    }

    /// What of a key was written before this moment may have expired at another one.
    pub(super) fn expired_at(&self, key: KeyNumber, when: Duration) -> Duration {
        let life = self.clients.keys.life(key);
        life.map_or(Duration::ZERO, |life| (when + self.clocks_apart()).saturating_sub(life))
    }

    /// When no node has any more what a deed has written, if that has an end.
    pub(super) fn outlived_at(&self, deed: &Deed) -> Option<Duration> {
        let life = self.clients.keys.life(deed.key)?;
        Some(deed.settled_at().saturating_add(life + ROUNDING + self.clocks_apart()))
    }

    /// Whether a version of a record may come to its end between two moments.
    pub(super) fn may_expire(&self, key: KeyNumber, from: Duration, to: Duration) -> bool {
        let least = self.expired_at(key, to);
        let ends = |deed: &Deed| {
            deed.may_count()
                && deed.begun < least
                && self.outlived_at(deed).is_some_and(|at| at >= from)
        };
        self.clients.history.of(key).any(|(_, deed)| ends(deed))
    }

    /// Looks for records that clients have seen after their time, and for such that are still there.
    pub fn check_expiry(&self, findings: &mut Vec<Finding>) {
        let mut already = 0;
        for (place, deed) in self.clients.history.deeds.iter().enumerate() {
            let number = deed.seen.as_ref().and_then(|seen| seen.number);
            if let Some(number) = number.filter(|_| !deed.action.writes()) {
                self.check_seen((deed.key, number), deed.begun, findings, &mut already, &|| {
                    format!("read {place}")
                });
            }
        }
        for (place, query) in self.clients.queries.iter().enumerate() {
            for (key, seen) in &query.rows {
                let Some(number) = seen.number else { continue };
                self.check_seen((*key, number), query.begun, findings, &mut already, &|| {
                    format!("query {place}")
                });
            }
        }
        for key in 0..self.clients.keys.count() {
            let last = self.audited(key, &mut Vec::new()).flatten();
            let Some(number) = last.and_then(|seen| seen.number) else { continue };
            let at = self.audited_at;
            self.check_seen((key, number), at, findings, &mut already, &|| "an audit".into());
        }
        self.check_removed(findings);
    }

    /// Compares what was seen of a record, or later, with when its time was over.
    fn check_seen(
        &self,
        (key, number): (KeyNumber, i64),
        at: Duration,
        findings: &mut Vec<Finding>,
        already: &mut usize,
        who: &dyn Fn() -> String,
    ) {
        if self.clients.keys.life(key).is_none() {
            return;
        }
        let written = self.clients.history.deeds.get(number as usize);
        let written = written.filter(|deed| deed.outcome == Outcome::Done);
        let Some(gone_at) = written.and_then(|deed| self.outlived_at(deed)) else { return };
        if at > gone_at {
            let who = who();
            let text = format_args!(
                "key {key}: {who} found {number} at {at:?}, which was over at {gone_at:?}"
            );
            report(findings, already, text);
        }
    }

    /// Looks for records that supervisors should have removed.
    fn check_removed(&self, findings: &mut Vec<Finding>) {
        let period = self.setup.nsup_period_seconds;
        if period == 0 {
            return;
        }
        let late = Duration::from_secs(period.into()) + PASS_TIME + ROUNDING + self.clocks_apart();
        let least = seconds(self.now.saturating_sub(late));
        let mut already = 0;
        for process in self.processes() {
            let me = process.node.cluster.me();
            for partition in PartitionId::all() {
                process.node.namespaces[0].visit_partition(partition, |digest, meta| {
                    if !meta.tombstone && meta.void_time.is_expired(least) {
                        let text = format_args!("{me} still has {digest:?}, which has expired");
                        report(findings, &mut already, text);
                    }
                });
            }
        }
    }

    /// The latest time of any clock.
    pub(super) fn latest_seconds(&self) -> SecondsSince2010 {
        seconds(self.now + self.clocks_apart())
    }
}

fn seconds(time: Duration) -> SecondsSince2010 {
    SecondsSince2010((ms_since_2010(time) / 1000).try_into().unwrap_or(u32::MAX))
}
