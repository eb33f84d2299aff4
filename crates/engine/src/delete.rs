//! The deletion of one record.

use record::RecordMeta;
use storage::Stored;
use wire::{Digest, FieldType, Info1, Info2, Request, ResultCode, reply};

use crate::namespace::{Namespace, Turn};
use crate::read::check_set_if_sent;
use crate::write::{admit_origin, check_generation, entombed};

impl Namespace {
    /// Answers a delete request on the record with this digest; returns how it ended.
    pub fn delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        out: &mut Vec<u8>,
    ) -> ResultCode {
        let result = match self.try_delete(request, digest, turn) {
            Ok(()) => ResultCode::OK,
            Err(result) => {
                self.count_failure(result, turn);
                result
            }
        };
        reply::header_only(out, result, 0, 0);
        result
    }

    fn try_delete(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
    ) -> Result<(), ResultCode> {
        let config = self.config();
        admit_origin(request, &config)?;
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY);
        }
        let durable = request.header.info2.contains(Info2::DURABLE_DELETE);
        let mut guard = self.records.write(digest);
        let found = guard.find().ok_or(ResultCode::NOT_FOUND)?;
        let meta = found.meta;
        self.check_delete(request, digest, &found, turn)?;
        if !durable {
            self.expunge(&mut guard);
            return Ok(());
        }
        let key = found.body().key();
        record::body::BodyWriter::new(turn.scratch, key).finish();
        let tombstone = entombed(RecordMeta {
            generation: meta.generation.next(),
            last_update_time: meta.last_update_time.max(turn.now),
            xdr_write: request.header.info1.contains(Info1::XDR),
            ..meta
        });
        let weight = self.weight(&tombstone, turn.scratch);
        self.place(&mut guard, tombstone, weight, turn.scratch)
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
        let gone =
            found.meta.tombstone || (durable && self.is_doomed(&found.meta, turn.now.seconds()));
        check_set_if_sent(set, request)?;
        if gone {
            return Err(ResultCode::NOT_FOUND);
        }
        check_generation(&request.header, found.meta.generation)?;
        self.scene(digest, set, turn.now, found.meta, Some(found)).check_filter(request)?;
        let body = found.body();
        record::key::check_key(body.key(), request.key)
    }
}
