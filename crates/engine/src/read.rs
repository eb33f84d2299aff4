//! The read of one record.

use config::SetOverride;
use record::VoidTime;
use record::ttl::read_touch;
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
        out: &mut Vec<u8>,
    ) -> ResultCode {
        let mut reply = ReplyWriter::new(out);
        let mut seen = Seen::default();
        match self.try_read(request, digest, turn, &mut reply, &mut seen) {
            Ok(renewal) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                if let Some(void_time) = renewal {
                    self.renew(digest, void_time, turn);
                }
                ResultCode::OK
            }
            Err(result) => {
                reply.fail(result, seen.generation, seen.void_time);
                result
            }
        }
    }

    /// Returns the void-time that the read gives the record, if it renews it.
    fn try_read(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &Turn<'_>,
        reply: &mut ReplyWriter<'_>,
        seen: &mut Seen,
    ) -> Result<Option<VoidTime>, ResultCode> {
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        let now = turn.now.seconds();
        let guard = self.records.read(digest);
        let entry = guard.find().ok_or(ResultCode::NOT_FOUND)?;
        let meta = entry.meta;
        *seen = Seen::from(&meta);
        let set = self.sets.by_id(meta.set);
        check_set_if_sent(set, request)?;
        if self.is_doomed(&meta, now) || meta.tombstone {
            return Err(ResultCode::NOT_FOUND);
        }
        let renewal = read_touch(
            request.header.record_ttl,
            self.default_read_touch_pct(set),
            meta.void_time,
            meta.last_update_time,
            now,
        )?;
        let scene = self.scene(digest, set, turn.now, meta, Some(&entry));
        scene.check_filter(request)?;
        let body = entry.body();
        record::key::check_key(body.key(), request.key)?;
        if !request.header.info1.contains(Info1::GET_NO_BINS) {
            record::read(request, body, &scene, reply)?;
        }
        Ok(renewal)
    }

    fn default_read_touch_pct(&self, set: Option<&Set>) -> u32 {
        let of_set =
            set.map_or(SetOverride::Inherit, |set| set.config.load().default_read_touch_ttl_pct);
        match of_set {
            SetOverride::Inherit => self.config().default_read_touch_ttl_pct,
            SetOverride::Never => 0,
            SetOverride::Value(percent) => percent,
        }
    }

    /// Gives a record that was just read a new void-time; its generation stays.
    fn renew(&self, digest: &Digest, void_time: VoidTime, turn: &Turn<'_>) {
        let mut guard = self.records.write(digest);
        let found = guard.find().map(|entry| entry.meta);
        let live =
            found.filter(|meta| !meta.tombstone && !self.is_doomed(meta, turn.now.seconds()));
        let counter = match live {
            Some(mut meta) => {
                meta.void_time = void_time;
                meta.last_update_time = meta.last_update_time.max(turn.now);
                match guard.set_meta(meta) {
                    Ok(()) => NamespaceCounter::ReadTouchSuccess,
                    Err(_) => NamespaceCounter::ReadTouchError,
                }
            }
            None => NamespaceCounter::ReadTouchSkip,
        };
        self.counters.raise(turn.stripe, counter);
    }
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
