//! The deletion of one record.

use record::body::BodyWriter;
use record::{RecordMeta, StoredRecord};
use storage::{Fetch, WriteGuard};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, Request, ResultCode};

use crate::filter::check_filter;
use crate::namespace::{Found, Namespace, Turn};
use crate::read::check_set_if_sent;
use crate::stop::Stop;
use crate::write::{check_generation, entombed};

impl Namespace {
    /// Answers a delete request on the record with this digest; returns how it ended.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        reply: ReplyWriter<'_>,
    ) -> Result<ResultCode, Fetch> {
        let result = match self.try_delete(request, digest, turn) {
            Ok(()) => ResultCode::OK,
            Err(Stop::Fails(result)) => {
                self.count_failure(result, turn);
                result
            }
            Err(Stop::Waits(fetch)) => return Err(*fetch),
        };
        reply.finish(result, 0, 0);
        Ok(result)
    }

    fn try_delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
    ) -> Result<(), Stop> {
        self.admit_origin(request, turn)?;
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY.into());
        }
        let durable = request.header.info2.contains(Info2::DURABLE_DELETE);
        let mut guard = self.records.write(digest);
        let found = self.found(guard.find().ok_or(ResultCode::NOT_FOUND)?);
        let Found { meta, weight, .. } = found;
        self.check_delete(request, digest, &mut guard, found, turn)?;
        let old_keys = self.old_keys(Some(&meta), &mut guard, turn.fetched)?;
        if !durable {
            return Ok(self.expunge(&mut guard, weight, old_keys, turn)?);
        }
        let key = guard.body(turn.fetched)?.key();
        let new = BodyWriter::new(turn.scratch, key).finish();
        let tombstone = entombed(RecordMeta {
            generation: meta.generation.next(),
            last_update_time: meta.last_update_time.max(turn.now),
            xdr_write: request.header.info1.contains(Info1::XDR),
            ..meta
        });
        let flat_size_bytes = self.flat_size_bytes(&tombstone, new.content_size_bytes);
        Ok(self.place(&mut guard, Some(weight), old_keys, tombstone, flat_size_bytes, turn)?)
    }

    /// An expired record that is still there can be deleted, though not durably: it would come back
    /// as a tombstone.
    fn check_delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        guard: &mut WriteGuard<'_>,
        Found { meta, weight, .. }: Found,
        turn: &Turn<'_>,
    ) -> Result<(), Stop> {
        let durable = request.header.info2.contains(Info2::DURABLE_DELETE);
        let set = self.sets.by_id(meta.set);
        check_set_if_sent(set, request)?;
        let doomed = self.is_doomed(&meta, set, turn.now.seconds());
        if meta.tombstone || (durable && doomed) {
            return Err(ResultCode::NOT_FOUND.into());
        }
        check_generation(&request.header, meta.generation)?;
        if request.present.contains(FieldType::FILTER) {
            let unread = StoredRecord::Unread;
            let scene = self.scene(digest, set, turn.now, meta, weight.size_bytes, unread);
            check_filter(request, scene, || guard.body(turn.fetched))?;
        }
        if request.key.is_none() {
            return Ok(());
        }
        let body = guard.body(turn.fetched)?;
        Ok(record::key::check_key(body.key(), request.key)?)
    }
}
