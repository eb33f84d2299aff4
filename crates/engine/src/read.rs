//! The read of one record.

use record::ttl::read_touch;
use record::{RecordMeta, StoredRecord, VoidTime};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Request, ResultCode};

use crate::namespace::{Namespace, Seen, Turn};
use crate::sets::Set;
use crate::stats::NamespaceCounter;

impl Namespace {
    /// Answers a read request on the record with this digest; returns how it ended.
    pub fn read(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        mut reply: ReplyWriter<'_>,
    ) -> ResultCode {
        let mut seen = Seen::default();
        match self.try_read(request, digest, turn, &mut reply, &mut seen) {
            Ok(renewal) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                if let Some(renewal) = renewal {
                    self.renew(digest, renewal, turn);
                }
                ResultCode::OK
            }
            Err(result) => {
                reply.fail(result, seen.generation, seen.void_time);
                result
            }
        }
    }

    /// Returns the renewal that the read brings the record, if any.
    fn try_read(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &Turn<'_>,
        reply: &mut ReplyWriter<'_>,
        seen: &mut Seen,
    ) -> Result<Option<Renewal>, ResultCode> {
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        let now = turn.now.seconds();
        let guard = self.records.read(digest);
        let entry = guard.find().ok_or(ResultCode::NOT_FOUND)?;
        let meta = entry.meta;
        let set = self.sets.by_id(meta.set);
        let gone = meta.tombstone || self.is_doomed(&meta, set, now);
        // As in the original, also a record that has expired is told of; a tombstone never.
        if !meta.tombstone {
            *seen = Seen::from(&meta);
        }
        check_set_if_sent(set, request)?;
        if gone {
            return Err(ResultCode::NOT_FOUND);
        }
        let renewed_to = read_touch(
            request.header.record_ttl,
            self.settings.read_touch_pct(set.map(|set| &set.settings)),
            meta.void_time,
            meta.last_update_time,
            now,
        )?;
        let body = entry.body();
        let stored = StoredRecord { body, void_time: meta.void_time };
        let scene = self.scene(digest, set, turn.now, meta, Some(stored));
        scene.check_filter(request)?;
        record::key::check_key(body.key(), request.key)?;
        if !request.header.info1.contains(Info1::GET_NO_BINS) {
            record::read(request, body, &scene, reply)?;
        }
        Ok(renewed_to.map(|void_time| Renewal { read: meta, void_time }))
    }

    /// Gives a record that was just read a new void-time, unless somebody changed it meanwhile. Its
    /// generation stays.
    fn renew(&self, digest: &Digest, renewal: Renewal, turn: &Turn<'_>) {
        let mut guard = self.records.write(digest);
        let unchanged = guard.find().is_some_and(|entry| entry.meta == renewal.read);
        let last_update_time = renewal.read.last_update_time.max(turn.now);
        let renewed = RecordMeta { void_time: renewal.void_time, last_update_time, ..renewal.read };
        let counter = match unchanged.then(|| guard.set_meta(renewed)) {
            Some(Ok(())) => NamespaceCounter::ReadTouchSuccess,
            Some(Err(_)) => NamespaceCounter::ReadTouchError,
            None => NamespaceCounter::ReadTouchSkip,
        };
        self.counters.raise(turn.stripe, counter);
    }
}

/// A new void-time for a record as it was read.
struct Renewal {
    read: RecordMeta,
    void_time: VoidTime,
}

/// Reads and deletes may leave the set out; what they send must be the record's.
pub(crate) fn check_set_if_sent(
    set: Option<&Set>,
    request: &Request<'_>,
) -> Result<(), ResultCode> {
    match (request.set, set) {
        (Some(sent), Some(set)) if *sent == *set.name => Ok(()),
        (None, _) => Ok(()),
        (Some(_), _) => Err(ResultCode::PARAMETER),
    }
}
