//! The write of one record: create, update, replace, touch, and whatever operations say.

use config::Namespace as NamespaceConfig;
use record::key::key_to_store;
use record::{Generation, LastUpdateTime, RecordMeta, SetId, VoidTime, WritePolicy};
use storage::{Refusal, Stored, WriteGuard};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, MessageHeader, Request, ResultCode};

use crate::namespace::{Namespace, Seen, Turn, Weight};
use crate::sets::Set;
use crate::stats::NamespaceCounter;

/// What a write makes of a record.
enum Decision {
    /// The body in the turn's scratch space, with this metadata, takes its place.
    Store(RecordMeta),
    /// Its last bin is gone, and so is it.
    Delete,
    /// Its last bin is gone, durably: a tombstone with this metadata takes its place.
    Entomb(RecordMeta),
}

/// A write request with what is checked before any record is looked at.
struct Write<'w, 'a> {
    request: &'w Request<'a>,
    digest: &'w Digest,
    policy: WritePolicy,
    config: &'w NamespaceConfig,
    now: LastUpdateTime,
}

impl Namespace {
    /// Answers a write request on the record with this digest; returns how it ended.
    pub fn write(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> ResultCode {
        let mut reply = ReplyWriter::new(out);
        let mut seen = Seen::default();
        match self.try_write(request, digest, turn, &mut reply, &mut seen) {
            Ok(()) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                ResultCode::OK
            }
            Err(result) => {
                self.count_failure(result, turn);
                reply.fail(result, seen.generation, seen.void_time);
                result
            }
        }
    }

    fn try_write(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        reply: &mut ReplyWriter<'_>,
        seen: &mut Seen,
    ) -> Result<(), ResultCode> {
        let config = self.config();
        self.admit_write(request, &config)?;
        let policy = WritePolicy::of(request)?;
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        let write = Write { request, digest, policy, config: &config, now: turn.now };
        let mut guard = self.records.write(digest);
        let found = guard.find();
        if let Some(found) = &found {
            *seen = Seen::from(&found.meta);
        }
        let decision = self.decide(&write, found, reply, turn.scratch)?;
        self.commit(&write, &mut guard, &decision, turn.scratch)?;
        *seen = match &decision {
            Decision::Store(meta) => Seen::from(meta),
            Decision::Delete | Decision::Entomb(_) => {
                self.counters.raise(turn.stripe, NamespaceCounter::DeletedLastBin);
                Seen::default()
            }
        };
        Ok(())
    }

    /// Refuses writes that the namespace does not take, whatever the record.
    fn admit_write(
        &self,
        request: &Request<'_>,
        config: &NamespaceConfig,
    ) -> Result<(), ResultCode> {
        admit_origin(request, config)?;
        if self.gauges.stop_writes.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(ResultCode::OUT_OF_SPACE);
        }
        if config.disallow_null_setname && request.set.is_none() {
            return Err(ResultCode::PARAMETER);
        }
        Ok(())
    }

    /// Says what becomes of the record, and leaves its new body in `scratch`.
    ///
    /// The checks stand in the order of the protocol reference: the first that fails decides.
    fn decide(
        &self,
        write: &Write<'_, '_>,
        found: Option<Stored<'_>>,
        reply: &mut ReplyWriter<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<Decision, ResultCode> {
        let Write { request, digest, policy, config, now } = write;
        let existing = found.as_ref().filter(|found| !self.is_doomed(&found.meta, now.seconds()));
        let live = existing.filter(|found| !found.meta.tombstone);
        check_existence(policy, live.is_some())?;
        let live_generation = live.map_or(Generation(0), |found| found.meta.generation);
        check_generation(&request.header, live_generation)?;
        let set = self.set_of_write(request, existing.map(|found| found.meta.set), *now)?;
        if set.is_some_and(Set::is_oversize) {
            return Err(ResultCode::FORBIDDEN);
        }
        if let Some(live) = live {
            self.scene(digest, set, *now, live.meta, Some(live)).check_filter(request)?;
        }
        let stored_key = existing.and_then(|found| found.body().key());
        let key = key_to_store(stored_key, request.key)?;
        let void_time = self.ttl_rules(config, set).void_time(
            request.header.record_ttl,
            now.seconds(),
            live.map(|found| found.meta.void_time),
        )?;
        let last_generation = existing.map_or(Generation(0), |found| found.meta.generation);
        let last_update_time = found.as_ref().map(|found| found.meta.last_update_time);
        let meta = RecordMeta {
            last_update_time: last_update_time.map_or(*now, |last| last.max(*now)),
            void_time,
            generation: last_generation.next(),
            set: set.map_or(SetId::NONE, |set| set.id),
            tombstone: false,
            xdr_write: request.header.info1.contains(Info1::XDR),
        };
        let old_tombstone = existing.is_some_and(|found| found.meta.tombstone);
        let seen_meta = RecordMeta { tombstone: old_tombstone, ..meta };
        let scene = self.scene(digest, set, *now, seen_meta, existing);
        let bins = record::apply(request, policy, live.map(Stored::body), &scene, reply)?;
        bins.write_body(key, scratch);
        // A replace does not look at the old bins: to it there were none.
        let had_bins = live.is_some() && !policy.replace;
        match (bins.is_empty(), had_bins) {
            (false, _) => Ok(Decision::Store(meta)),
            (true, false) => Err(ResultCode::NOT_FOUND),
            (true, true) if policy.durable_delete => Ok(Decision::Entomb(entombed(meta))),
            (true, true) => Ok(Decision::Delete),
        }
    }

    /// Carries a decision out: storage, index and statistics change together.
    fn commit(
        &self,
        write: &Write<'_, '_>,
        guard: &mut WriteGuard<'_>,
        decision: &Decision,
        body: &[u8],
    ) -> Result<(), ResultCode> {
        match decision {
            Decision::Store(meta) => {
                let weight = self.weight(meta, body);
                if weight.size_bytes > write.config.max_record_size_bytes as usize {
                    return Err(ResultCode::RECORD_TOO_BIG);
                }
                self.place(guard, *meta, weight, body)
            }
            Decision::Entomb(meta) => self.place(guard, *meta, self.weight(meta, body), body),
            Decision::Delete => {
                self.expunge(guard);
                Ok(())
            }
        }
    }

    /// Puts a body and its metadata where the record was or will be.
    pub(crate) fn place(
        &self,
        guard: &mut WriteGuard<'_>,
        meta: RecordMeta,
        weight: Weight,
        body: &[u8],
    ) -> Result<(), ResultCode> {
        let old = guard.find().map(|stored| self.weight_of(&stored));
        let growth = weight.size_bytes as i64 - old.map_or(0, |old| old.size_bytes as i64);
        self.check_space(growth)?;
        guard.store(meta, body).map_err(|refusal| match refusal {
            Refusal::Body => ResultCode::OUT_OF_SPACE,
            Refusal::Index => ResultCode::UNKNOWN,
        })?;
        self.account(old, Some(weight));
        Ok(())
    }

    /// Removes the record without a trace.
    pub(crate) fn expunge(&self, guard: &mut WriteGuard<'_>) {
        let weight = guard.find().map(|stored| self.weight_of(&stored));
        if guard.remove() {
            self.account(weight, None);
        }
    }

    /// The set that a write names; a record keeps the one in which it was created.
    fn set_of_write(
        &self,
        request: &Request<'_>,
        existing: Option<SetId>,
        now: LastUpdateTime,
    ) -> Result<Option<&Set>, ResultCode> {
        if let Some(id) = existing {
            let set = self.sets.by_id(id);
            let same = set.map(|set| &*set.name) == request.set;
            return if same { Ok(set) } else { Err(ResultCode::PARAMETER) };
        }
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

/// Refuses what the namespace takes only from shipping, or not from it.
pub(crate) fn admit_origin(
    request: &Request<'_>,
    config: &NamespaceConfig,
) -> Result<(), ResultCode> {
    let shipped = request.header.info1.contains(Info1::XDR);
    let refused = if shipped { config.reject_xdr_writes } else { config.reject_non_xdr_writes };
    if refused { Err(ResultCode::FORBIDDEN) } else { Ok(()) }
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
