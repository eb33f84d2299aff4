//! The side that gives a partition's records.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cluster::NodeId;
use cluster::fabric::migration::{Known, Step, What, put_record};
use cluster::partition::{Errand, Partition};
use engine::Namespace;
use engine::copies::Written;

use super::contents::{hashes, known, sprig_of};
use super::{Active, BUSY_PAUSE, Place};
use crate::host::Topic;
use crate::node::Node;
use crate::peers::{Cause, append_copy};

/// Records that are listed or sent together.
const CHUNK_RECORDS: usize = 256;

/// Bytes in which sending together ends.
const CHUNK_BYTES: usize = 256 << 10;

/// How often it is looked whether requests that began before are over.
const DRAIN_PAUSE: Duration = Duration::from_millis(1);

/// A partition that is being given.
pub(super) struct Giving {
    to: NodeId,
    cluster_key: u64,
    phase: Phase,
    /// What is still to be compared or sent, ascending.
    known: Vec<Known>,
    /// How much of it is done.
    at: usize,
    /// Sprigs in which the receiver has nothing, as a set.
    empty: u16,
    /// The number of the last part.
    number: u32,
    /// When the next thing is due: a part is sent again, or something is looked after.
    due: Duration,
}

enum Phase {
    /// The receiver is asked what it has.
    Begin,
    /// A list was sent, of so many records.
    Listed(usize),
    /// Records were sent.
    Sent(Shipment),
    /// The next record cannot be read, and is not to be left out.
    Unreadable,
    /// Requests that this node began to serve before have to be over.
    HandOver(Arc<Partition>),
    /// The receiver is told that this was all.
    End,
    /// The other node is told that everything has moved.
    Inform,
}

/// Records that are sent together, until the receiver has them.
struct Shipment {
    part: Part,
    /// How many it has.
    records: u64,
    /// How many of the known it does away with.
    passed: usize,
    was_sent: bool,
}

/// The same as bytes.
enum Part {
    Plain(Vec<u8>),
    Packed(Vec<u8>),
}

impl Part {
    /// Compressed, if that saves an eighth at least.
    fn of(plain: Vec<u8>) -> Self {
        let packed = lz4_flex::block::compress_prepend_size(&plain);
        match packed.len() < plain.len() / 8 * 7 {
            true => Self::Packed(packed),
            false => Self::Plain(plain),
        }
    }
}

impl Node {
    /// Begins with what waits, as far as there may be more.
    pub(super) fn start_giving(&self, active: &mut Active) {
        let most = self.config().service.migrate_threads as usize;
        let now = self.host.monotonic();
        if !self.are_truncations_known() {
            return;
        }
        let are_fills_free = self.fills_now();
        active.waiting.release(now, are_fills_free);
        let is_waiting_fill = |place| !are_fills_free && self.is_fill(place);
        while active.giving.len() < most
            && let Some(place) = active.waiting.pop(is_waiting_fill)
        {
            let partition = self.cluster.table(place.0).get(place.1);
            let (to, phase) = match partition.errand() {
                Some(Errand::Give { to, .. }) => {
                    self.tell_removals(place);
                    (to, Phase::Begin)
                }
                Some(Errand::Inform(to)) => (to, Phase::Inform),
                None => continue,
            };
            let known = match phase {
                Phase::Begin => known(&self.namespaces[place.0], place.1),
                _ => Vec::new(),
            };
            let cluster_key = partition.cluster_key;
            let (at, empty, number, due) = (0, 0, 0, now);
            let giving = Giving { to, cluster_key, phase, known, at, empty, number, due };
            active.giving.insert(place, giving);
        }
    }

    /// Whether nodes that have nothing yet are given something: a while after a balance.
    fn fills_now(&self) -> bool {
        let delay = Duration::from_secs(self.config().service.migrate_fill_delay_seconds.into());
        self.host.monotonic() >= self.cluster.state().rebalanced_at + delay
    }

    /// Whether what is to be given of a partition is a further copy, for a node that had nothing of it.
    fn is_fill(&self, (number, partition): Place) -> bool {
        let (state, namespace) = (self.cluster.state(), &self.namespaces[number]);
        if namespace.config().ignore_migrate_fill_delay {
            return false;
        }
        let of = self.cluster.table(number).look(partition);
        let Some(Errand::Give { to, leads: false }) = of.errand() else { return false };
        let offer = state.offers.get(&to).and_then(|offer| offer.namespace(&namespace.name));
        offer.is_some_and(|offer| !offer.versions.get(partition).has_data())
    }

    /// Has replicas hear of what was removed here of late: what one of them has of that was not taken over if
    /// it was older, and is still there; or another view had it removed here and kept there. Nothing is
    /// forgotten of a partition that moves.
    fn tell_removals(&self, place: Place) {
        let namespace = &self.namespaces[place.0];
        for (digest, at) in namespace.drops.of(place.1) {
            self.copy_from_thread(namespace, &digest, Written::Removed(at), Cause::NONE);
        }
    }

    /// Does what is due; returns how long it is until something is.
    pub(super) fn go_on_giving(&self, active: &mut Active) -> Option<Duration> {
        let now = self.host.monotonic();
        for (&place, giving) in &mut active.giving {
            if giving.due <= now {
                let namespace = &self.namespaces[place.0];
                let retry = namespace.config().migrate_retransmit_ms;
                giving.due = now + Duration::from_millis(retry.into());
                self.send_again(namespace, place, giving, now);
            }
        }
        self.postpone_unreadable(active, now);
        let postponed = active.waiting.next_due();
        let next = active.giving.values().map(|giving| giving.due).chain(postponed).min()?;
        Some(next.saturating_sub(now))
    }

    fn send_again(&self, namespace: &Namespace, place: Place, giving: &mut Giving, now: Duration) {
        let about = (giving.cluster_key, place.1);
        if let Phase::Sent(shipment) = &mut giving.phase
            && std::mem::replace(&mut shipment.was_sent, true)
        {
            let resent = &self.migrations.counts(place.0).records_resent;
            resent.fetch_add(shipment.records, Ordering::Relaxed);
        }
        let what = match &giving.phase {
            Phase::Begin => What::Begin(hashes(&giving.known)),
            Phase::Listed(count) => {
                let list = giving.list(*count);
                self.send_step(namespace, about, giving.to, What::List(giving.number, &list));
                return;
            }
            Phase::Sent(shipment) => match &shipment.part {
                Part::Plain(part) => What::Records(giving.number, part),
                Part::Packed(part) => What::Packed(giving.number, part),
            },
            Phase::Unreadable => return,
            Phase::HandOver(before) => {
                if Arc::strong_count(before) > 1 {
                    giving.due = now + DRAIN_PAUSE;
                    return;
                }
                giving.phase = Phase::End;
                What::End
            }
            Phase::End => What::End,
            Phase::Inform => What::AllDone,
        };
        self.send_step(namespace, about, giving.to, what);
    }

    /// Takes in what a receiver says.
    pub(super) fn given(
        &self,
        active: &mut Active,
        namespace: &Arc<Namespace>,
        place: Place,
        from: NodeId,
        step: &Step<'_>,
    ) {
        let now = self.host.monotonic();
        let Some(giving) = active.giving.get_mut(&place) else { return };
        if giving.to != from || giving.cluster_key != step.cluster_key {
            return;
        }
        match (step.what, &giving.phase) {
            (What::Busy, _) => giving.due = now + BUSY_PAUSE,
            (What::Ready { differ, empty }, Phase::Begin) => {
                let differs = |known: &Known| differ & 1 << sprig_of(&known.digest) != 0;
                let before = giving.known.len();
                giving.known.retain(differs);
                let skipped = (before - giving.known.len()) as u64;
                let counts = self.migrations.counts(place.0);
                counts.records_skipped.fetch_add(skipped, Ordering::Relaxed);
                giving.empty = empty;
                self.next_part(namespace, place, giving, now);
            }
            (What::Want(number, wanted), Phase::Listed(count)) if number == giving.number => {
                let count = *count;
                self.send_wanted(namespace, place, giving, count, wanted, now);
            }
            (What::Stored(number), Phase::Sent(shipment)) if number == giving.number => {
                giving.at += shipment.passed;
                self.next_part(namespace, place, giving, now);
            }
            (What::Ended, Phase::End | Phase::Begin) => self.end_giving(active, place, from),
            (What::GaveUp, Phase::Inform) => {
                let told = self.transition(place, |of| Ok((of.informed(from)?, ())));
                active.giving.remove(&place);
                if told.is_ok() {
                    self.look_for_errand(active, place);
                }
            }
            _ => {}
        }
    }

    fn end_giving(&self, active: &mut Active, place: Place, to: NodeId) {
        let gave = self.transition(place, |of| Ok((of.gave(to)?, ())));
        active.giving.remove(&place);
        if gave.is_ok() {
            self.cluster.partitions_changed();
            self.look_for_errand(active, place);
        }
    }

    /// Lists or sends the next records, or comes to the end.
    fn next_part(&self, namespace: &Namespace, place: Place, giving: &mut Giving, now: Duration) {
        giving.number += 1;
        giving.due = now;
        let Some(first) = giving.known.get(giving.at) else {
            giving.phase = self.last_phase(place, giving);
            return;
        };
        let is_empty = |known: &Known| giving.empty & 1 << sprig_of(&known.digest) != 0;
        let sends = is_empty(first);
        let rest = giving.known[giving.at..].iter().take(CHUNK_RECORDS);
        let count = rest.take_while(|known| is_empty(known) == sends).count();
        if sends {
            let wanted = vec![0xFF; count.div_ceil(8)];
            self.send_wanted(namespace, place, giving, count, &wanted, now);
        } else {
            giving.phase = Phase::Listed(count);
        }
    }

    /// Sends those of the next `count` records that are wanted, as many as go together.
    fn send_wanted(
        &self,
        namespace: &Namespace,
        place: Place,
        giving: &mut Giving,
        count: usize,
        wanted: &[u8],
        now: Duration,
    ) {
        let counts = self.migrations.counts(place.0);
        let (mut part, mut record, mut sent, mut passed) = (Vec::new(), Vec::new(), 0, 0);
        let mut is_stuck = false;
        for (number, known) in giving.known[giving.at..].iter().take(count).enumerate() {
            let is_wanted =
                wanted.get(number / 8).is_some_and(|bits| bits & 1 << (number % 8) != 0);
            if is_wanted && read(namespace, known, &mut record) {
                put_record(&mut part, &known.digest, &record);
                sent += 1;
            } else if is_wanted && namespace.meta_of(&known.digest).is_some() {
                if !namespace.config().migrate_skip_unreadable {
                    is_stuck = true;
                    break;
                }
                counts.records_unreadable.fetch_add(1, Ordering::Relaxed);
            }
            passed += 1;
            if part.len() >= CHUNK_BYTES {
                break;
            }
        }
        counts.records_sent.fetch_add(sent, Ordering::Relaxed);
        counts.records_skipped.fetch_add(passed as u64 - sent, Ordering::Relaxed);
        if part.is_empty() {
            giving.at += passed;
            if is_stuck {
                giving.phase = Phase::Unreadable;
                return;
            }
            return self.next_part(namespace, place, giving, now);
        }
        let (part, records, was_sent) = (Part::of(part), sent, false);
        giving.phase = Phase::Sent(Shipment { part, records, passed, was_sent });
        giving.number += 1;
        let pause = u64::from(namespace.config().migrate_sleep_micros) * sent;
        giving.due = now + Duration::from_micros(pause);
    }

    /// Leaves partitions alone for a while that have a record which cannot be read: others may move.
    fn postpone_unreadable(&self, active: &mut Active, now: Duration) {
        let is_stuck = |(_, giving): &(&Place, &Giving)| matches!(giving.phase, Phase::Unreadable);
        let stuck: Vec<_> =
            active.giving.iter().filter(is_stuck).map(|(place, _)| *place).collect();
        for place in stuck {
            let Some(Giving { to, .. }) = active.giving.remove(&place) else { continue };
            let namespace = &self.namespaces[place.0];
            let (name, number) = (&namespace.name, place.1.index());
            self.host.log().tell(
                Topic::PartitionTrouble,
                &format!(
                    "{{{name}}} partition {number} does not move to node {to}: a record of it cannot be read; \
                     mend the device, or set migrate-skip-unreadable to go without the record"
                ),
            );
            let pause = Duration::from_millis(namespace.config().migrate_retransmit_ms.into());
            active.waiting.postpone(place, now + pause);
        }
    }

    /// All records are there. If this node serves, requests go to the receiver from now on.
    fn last_phase(&self, place: Place, giving: &Giving) -> Phase {
        let to = giving.to;
        if !self.cluster.table(place.0).look(place.1).hands_over_to(to) {
            return Phase::End;
        }
        match self.transition(place, |of| Ok((of.handing_over(), ()))) {
            Ok((before, ())) => Phase::HandOver(before),
            // The view is over.
            Err(_) => Phase::End,
        }
    }
}

impl Giving {
    /// Whether it gives nothing, and only says that everything has moved.
    pub fn is_signal(&self) -> bool {
        matches!(self.phase, Phase::Inform)
    }

    fn list(&self, count: usize) -> Vec<u8> {
        let mut list = Vec::new();
        let listed = self.known.iter().skip(self.at).take(count);
        listed.for_each(|known| known.encode(&mut list));
        list
    }
}

/// Puts a record as it is now in place of what is in `out`; false if it is gone or cannot be read. Waits for its
/// device.
fn read(namespace: &Namespace, known: &Known, out: &mut Vec<u8>) -> bool {
    out.clear();
    storage::blocking(|fetched| append_copy(namespace, &known.digest, fetched, out)) == Ok(true)
}
