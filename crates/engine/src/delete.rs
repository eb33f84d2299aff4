//! The deletion of one record.

use record::body::BodyWriter;
use record::{RecordMeta, StoredRecord};
use storage::Stored;
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Info2, Request, ResultCode};

use crate::namespace::{Namespace, Turn};
use crate::read::check_set_if_sent;
use crate::write::{check_generation, entombed};

impl Namespace {
    /// Answers a delete request on the record with this digest; returns how it ended.
    pub fn delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        reply: ReplyWriter<'_>,
    ) -> ResultCode {
        let result = match self.try_delete(request, digest, turn) {
            Ok(()) => ResultCode::OK,
            Err(result) => {
                self.count_failure(result, turn);
                result
            }
        };
        reply.finish(result, 0, 0);
        result
    }

    fn try_delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        self.admit_origin(request, turn)?;
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        let durable = request.header.info2.contains(Info2::DURABLE_DELETE);
        let mut guard = self.records.write(digest);
        let found = guard.find().ok_or(ResultCode::NOT_FOUND)?;
        let (meta, weight) = (found.meta, self.weight_of(&found));
        self.check_delete(request, digest, &found, turn)?;
        if !durable {
            self.expunge(&mut guard, weight);
            return Ok(());
        }
        let key = found.body().key();
        let new = BodyWriter::new(turn.scratch, key).finish();
        let tombstone = entombed(RecordMeta {
            generation: meta.generation.next(),
            last_update_time: meta.last_update_time.max(turn.now),
            xdr_write: request.header.info1.contains(Info1::XDR),
            ..meta
        });
        let flat_size_bytes = self.flat_size_bytes(&tombstone, new.content_size_bytes);
        self.place(&mut guard, Some(weight), tombstone, flat_size_bytes, turn.scratch)
    }

    /// An expired record that is still there can be deleted, though not durably: it would come back
    /// as a tombstone.
    fn check_delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        found: &Stored<'_>,
        turn: &Turn<'_>,
    ) -> Result<(), ResultCode> {
        let durable = request.header.info2.contains(Info2::DURABLE_DELETE);
        let set = self.sets.by_id(found.meta.set);
        check_set_if_sent(set, request)?;
        let doomed = self.is_doomed(&found.meta, set, turn.now.seconds());
        if found.meta.tombstone || (durable && doomed) {
            return Err(ResultCode::NOT_FOUND);
        }
        check_generation(&request.header, found.meta.generation)?;
        let stored = StoredRecord { body: found.body(), void_time: found.meta.void_time };
        self.scene(digest, set, turn.now, found.meta, Some(stored)).check_filter(request)?;
        record::key::check_key(stored.body.key(), request.key)
    }
}
