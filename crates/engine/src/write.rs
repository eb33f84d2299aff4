//! The write of one record: create, update, replace, touch, and whatever operations say.

use std::sync::atomic::Ordering;

use record::key::key_to_store;
use record::size::occupied_size_bytes;
use record::{
    Generation, LastUpdateTime, NewBody, RecordMeta, SetId, StoredRecord, VoidTime, WritePolicy,
};
use storage::{Fetch, WriteGuard};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, MessageHeader, Request, ResultCode};

use crate::copies::Written;
use crate::filter::check_filter;
use crate::namespace::{Found, Namespace, Seen, Turn, Weight};
use crate::sets::Set;
use crate::sindex::OldKeys;
use crate::stats::NamespaceCounter;
use crate::stop::{Stop, result_of};

/// What a write makes of a record.
enum Decision {
    /// The body in the turn's scratch space takes its place, with this metadata.
    Store(RecordMeta, NewBody),
    /// Its last bin is gone, and so is it.
    Delete,
    /// Its last bin is gone, durably: a tombstone with this metadata takes its place.
    Entomb(RecordMeta, NewBody),
}

impl Decision {
    /// What becomes of a record that gets this metadata and body.
    fn of(
        meta: RecordMeta,
        new: NewBody,
        had_bins: bool,
        policy: &WritePolicy,
    ) -> Result<Self, ResultCode> {
        match (new.bin_count, had_bins) {
            (1.., _) => Ok(Self::Store(meta, new)),
            (0, false) => Err(ResultCode::NOT_FOUND),
            (0, true) if policy.durable_delete => Ok(Self::Entomb(entombed(meta), new)),
            (0, true) => Ok(Self::Delete),
        }
    }
}

/// A write request with what is checked before any record is looked at.
struct Write<'w, 'a> {
    request: &'w Request<'a>,
    digest: &'w Digest,
    policy: WritePolicy,
    now: LastUpdateTime,
    /// Whether the record has no user key afterwards.
    drops_key: bool,
}

/// What a write builds on that was thought out before.
pub(crate) struct Basis {
    /// The record as it was then.
    pub found: Option<RecordMeta>,
    /// Whether it has no user key afterwards.
    pub drops_key: bool,
}

impl Namespace {
    /// Answers a write request on the record with this digest; returns how it ended.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        mut reply: ReplyWriter<'_>,
    ) -> Result<ResultCode, Fetch> {
        let mut seen = Seen::default();
        match self.try_write_on(request, digest, None, turn, &mut reply, &mut seen) {
            Ok(_) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                Ok(ResultCode::OK)
            }
            Err(Stop::Fails(result)) => {
                self.count_failure(result, turn);
                reply.fail(result, seen.generation, seen.void_time);
                Ok(result)
            }
            Err(Stop::Waits(fetch)) => Err(*fetch),
        }
    }

    /// Says whether the record was what the write builds on; if not, nothing happens.
    pub(crate) fn try_write_on(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        basis: Option<&Basis>,
        turn: &mut Turn<'_>,
        reply: &mut ReplyWriter<'_>,
        seen: &mut Seen,
    ) -> Result<bool, Stop> {
        self.admit_write(request, turn)?;
        let policy = WritePolicy::of(request)?;
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY.into());
        }
        let drops_key = basis.is_some_and(|basis| basis.drops_key);
        let write = Write { request, digest, policy, now: turn.now, drops_key };
        let mut guard = self.records.write(digest);
        let found = guard.find().map(|stored| self.found(stored));
        if let Some(basis) = basis
            && basis.found != found.as_ref().map(|found| found.meta)
        {
            return Ok(false);
        }
        let (decision, old_keys) = self.decide(&write, &mut guard, found, turn, reply, seen)?;
        self.commit(&mut guard, found.map(|found| found.weight), old_keys, &decision, turn)?;
        *seen = match &decision {
            Decision::Store(meta, _) => Seen::from(meta),
            Decision::Delete | Decision::Entomb(..) => {
                self.counters.raise(turn.stripe, NamespaceCounter::DeletedLastBin);
                Seen::default()
            }
        };
        Ok(true)
    }

    /// Refuses writes that the namespace does not take, whatever the record.
    fn admit_write(&self, request: &Request<'_>, turn: &Turn<'_>) -> Result<(), ResultCode> {
        self.admit_origin(request, turn)?;
        if self.gauges.stop_writes.load(Ordering::Relaxed) {
            return Err(ResultCode::OUT_OF_SPACE);
        }
        if request.set.is_none() && self.settings.demands_set() {
            return Err(ResultCode::PARAMETER);
        }
        Ok(())
    }

    /// Refuses what the namespace takes only from shipping, or not from it.
    pub(crate) fn admit_origin(
        &self,
        request: &Request<'_>,
        turn: &Turn<'_>,
    ) -> Result<(), ResultCode> {
        if self.settings.rejects_origin(request.header.info1.contains(Info1::XDR)) {
            self.counters.raise(turn.stripe, NamespaceCounter::FailXdrForbidden);
            return Err(ResultCode::FORBIDDEN);
        }
        Ok(())
    }

    /// Says what becomes of the record, and leaves its new body in the turn's scratch space. `found`
    /// is the record under the guard. Says also where secondary indexes have it.
    ///
    /// The checks stand in the order of the protocol reference: the first that fails decides.
    fn decide(
        &self,
        write: &Write<'_, '_>,
        guard: &mut WriteGuard<'_>,
        found: Option<Found>,
        turn: &mut Turn<'_>,
        reply: &mut ReplyWriter<'_>,
        seen: &mut Seen,
    ) -> Result<(Decision, OldKeys), Stop> {
        let Write { request, digest, policy, now, drops_key } = write;
        let set_of_found = found.as_ref().and_then(|found| self.sets.by_id(found.meta.set));
        let existing = found
            .as_ref()
            .filter(|found| !self.is_doomed(&found.meta, set_of_found, now.seconds()));
        let live = existing.filter(|found| !found.meta.tombstone);
        // As in the original, a refusal also tells of a record that has expired; never of a tombstone.
        if let Some(found) = found.as_ref().filter(|found| !found.meta.tombstone) {
            *seen = Seen::from(&found.meta);
        }
        check_existence(policy, live.is_some())?;
        let live_generation = live.map_or(Generation(0), |found| found.meta.generation);
        check_generation(&request.header, live_generation)?;
        let set = match existing {
            Some(_) => same_set(request, set_of_found)?,
            None => self.set_to_create_in(request, *now)?,
        };
        if set.is_some_and(Set::is_oversize) {
            return Err(ResultCode::FORBIDDEN.into());
        }
        let size_bytes = existing.map_or(0, |found| found.weight.size_bytes);
        let scene_of = |meta, stored| self.scene(digest, set, *now, meta, size_bytes, stored);
        if let Some(live) = live.filter(|_| request.present.contains(FieldType::FILTER)) {
            let unread = scene_of(live.meta, StoredRecord::Unread);
            check_filter(request, unread, || guard.body(turn.fetched))?;
        }
        // Also of a record that is dead but still there: indexes have it as long.
        let old_meta = found.as_ref().map(|found| &found.meta);
        let old_keys = self.old_keys(old_meta, guard, turn.fetched)?;
        // A replace looks at nothing of the old body but the key, so it need not be read without one.
        let to_read = existing.filter(|found| !(policy.replace && found.is_keyless));
        let body = to_read.map(|_| guard.body(turn.fetched)).transpose()?;
        let stored = body.as_ref().map_or(StoredRecord::Absent, StoredRecord::Read);
        let stored_key = body.and_then(|body| body.key());
        let key = key_to_store(stored_key, request.key)?.filter(|_| !drops_key);
        let void_time = self.settings.ttl_rules(set.map(|set| &set.settings)).void_time(
            request.header.record_ttl,
            now.seconds(),
            live.map(|found| found.meta.void_time),
        )?;
        let last_generation = existing.map_or(Generation(0), |found| found.meta.generation);
        let last_update_time = found.as_ref().map(|found| found.meta.last_update_time);
        let meta = RecordMeta {
            last_update_time: match last_update_time {
                Some(last) => last.max(*now),
                None => self.drops.after(digest, *now),
            },
            void_time,
            generation: last_generation.next(),
            set: set.map_or(SetId::NONE, |set| set.id),
            tombstone: false,
            xdr_write: request.header.info1.contains(Info1::XDR),
        };
        let tombstone = existing.is_some_and(|found| found.meta.tombstone);
        let scene = scene_of(RecordMeta { tombstone, ..meta }, stored);
        let old = body.filter(|_| live.is_some());
        let new = record::apply(request, policy, old, key, &scene, turn.scratch, reply)?;
        // A replace does not look at the old bins: to it there were none.
        let had_bins = live.is_some() && !policy.replace;
        Ok((Decision::of(meta, new, had_bins, policy)?, old_keys))
    }

    /// Carries a decision out: storage, indexes and statistics change together. `old` is the weight of the
    /// record as it was.
    fn commit(
        &self,
        guard: &mut WriteGuard<'_>,
        old: Option<Weight>,
        old_keys: OldKeys,
        decision: &Decision,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        match (decision, old) {
            (Decision::Store(meta, new), _) => {
                let flat_size_bytes = self.flat_size_bytes(meta, new.content_size_bytes);
                if flat_size_bytes > self.settings.record_size_bytes_max() {
                    return Err(ResultCode::RECORD_TOO_BIG);
                }
                self.place(guard, old, old_keys, *meta, flat_size_bytes, turn)
            }
            (Decision::Entomb(meta, new), _) => {
                let flat_size_bytes = self.flat_size_bytes(meta, new.content_size_bytes);
                self.place(guard, old, old_keys, *meta, flat_size_bytes, turn)
            }
            (Decision::Delete, Some(old)) => self.expunge(guard, old, old_keys, turn),
            (Decision::Delete, None) => Ok(()),
        }
    }

    /// Puts the body in the turn's scratch space and its metadata where the record was, with the weight
    /// `old`, or will be.
    pub(crate) fn place(
        &self,
        guard: &mut WriteGuard<'_>,
        old: Option<Weight>,
        old_keys: OldKeys,
        meta: RecordMeta,
        flat_size_bytes: usize,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        let new_size_bytes = occupied_size_bytes(flat_size_bytes);
        let growth = new_size_bytes as i64 - old.map_or(0, |old| old.size_bytes as i64);
        self.check_space(growth)?;
        let set_name = self.sets.by_id(meta.set).map_or(&[][..], |set| &set.name);
        let shift = self.shift_keys(old_keys, guard, &meta, turn.scratch)?;
        if let Err(refusal) = guard.store(meta, set_name, turn.scratch, turn.pledges) {
            shift.take_back(guard.digest());
            return Err(result_of(refusal));
        }
        shift.complete(guard.digest());
        let new = self.weight_stored(guard).unwrap_or(Weight::new(&meta, new_size_bytes));
        self.account(old, Some(new));
        turn.written = Written::Stored(meta);
        Ok(())
    }

    /// Removes a record of this weight without a trace.
    pub(crate) fn expunge(
        &self,
        guard: &mut WriteGuard<'_>,
        weight: Weight,
        old_keys: OldKeys,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        let last = guard.find().map_or(turn.now, |found| found.meta.last_update_time);
        self.expunge_at(guard, weight, old_keys, last.max(turn.now), turn)
    }

    /// The same, so that no version of this time or before counts any more.
    pub(crate) fn expunge_at(
        &self,
        guard: &mut WriteGuard<'_>,
        weight: Weight,
        old_keys: OldKeys,
        at: LastUpdateTime,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        if guard.remove(turn.now, turn.pledges).map_err(result_of)? {
            self.drop_keys(old_keys, guard);
            self.account(Some(weight), None);
            self.drops.note(guard.digest(), at, turn.now);
            turn.written = Written::Removed(at);
        }
        Ok(())
    }

    /// The set that a write creates a record in.
    fn set_to_create_in(
        &self,
        request: &Request<'_>,
        now: LastUpdateTime,
    ) -> Result<Option<&Set>, ResultCode> {
        let set = request.set.map(|name| self.sets.get_or_create(name)).transpose()?;
        if set.is_some_and(Set::is_full) || self.is_truncated(set, now) {
            return Err(ResultCode::FORBIDDEN);
        }
        Ok(set)
    }

    pub(crate) fn count_failure(&self, result: ResultCode, turn: &Turn<'_>) {
        let counter = match result {
            ResultCode::GENERATION => NamespaceCounter::FailGeneration,
            ResultCode::RECORD_TOO_BIG => NamespaceCounter::FailRecordTooBig,
            _ => return,
        };
        self.counters.raise(turn.stripe, counter);
    }
}

/// The metadata of a record that is deleted durably.
pub(crate) fn entombed(meta: RecordMeta) -> RecordMeta {
    RecordMeta { tombstone: true, void_time: VoidTime::NEVER, ..meta }
}

/// A record keeps the set in which it was created, and a write must name it.
fn same_set<'s>(
    request: &Request<'_>,
    set: Option<&'s Set>,
) -> Result<Option<&'s Set>, ResultCode> {
    let same = set.map(|set| &*set.name) == request.set;
    if same { Ok(set) } else { Err(ResultCode::PARAMETER) }
}

/// Compares the generation sent, if the request asks for it, with the record's.
pub(crate) fn check_generation(
    header: &MessageHeader,
    current: Generation,
) -> Result<(), ResultCode> {
    let current = u32::from(current.0);
    let passes = if header.info2.contains(Info2::GENERATION) {
        header.generation == current
    } else if header.info2.contains(Info2::GENERATION_GT) {
        header.generation > current
    } else {
        true
    };
    if passes { Ok(()) } else { Err(ResultCode::GENERATION) }
}

fn check_existence(policy: &WritePolicy, exists: bool) -> Result<(), ResultCode> {
    match exists {
        false if policy.must_exist => Err(ResultCode::NOT_FOUND),
        true if policy.must_not_exist => Err(ResultCode::RECORD_EXISTS),
        _ => Ok(()),
    }
}
