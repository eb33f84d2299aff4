//! The read of one record.

use record::ttl::read_touch;
use record::{RecordMeta, StoredRecord, VoidTime};
use storage::{Fetch, Miss, Pledges};
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Info1, Request, ResultCode};

use crate::copies::Written;
use crate::filter::check_filter;
use crate::namespace::{Namespace, Seen, Turn};
use crate::sets::Set;
use crate::stats::NamespaceCounter;
use crate::stop::Stop;

impl Namespace {
    /// Answers a read request on the record with this digest; returns how it ended.
    ///
    /// # Errors
    /// What has to be read first. The reply is none then, and the request has to be run again.
    pub fn read(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &mut Turn<'_>,
        mut reply: ReplyWriter<'_>,
    ) -> Result<ResultCode, Fetch> {
        let mut seen = Seen::default();
        match self.try_read(request, digest, turn, &mut reply, &mut seen) {
            Ok(renewal) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                if let Some(renewal) = renewal {
                    self.renew(digest, renewal, turn);
                }
                Ok(ResultCode::OK)
            }
            Err(Stop::Fails(result)) => {
                reply.fail(result, seen.generation, seen.void_time);
                Ok(result)
            }
            Err(Stop::Waits(fetch)) => Err(*fetch),
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
    ) -> Result<Option<Renewal>, Stop> {
        if request.present.contains(FieldType::MRT_ID) {
            return Err(ResultCode::ENTERPRISE_ONLY.into());
        }
        let now = turn.now.seconds();
        let mut guard = self.records.read(digest);
        let found = guard.find().ok_or(ResultCode::NOT_FOUND)?;
        let meta = found.meta;
        let set = self.sets.by_id(meta.set);
        let gone = meta.tombstone || self.is_doomed(&meta, set, now);
        // As in the original, also a record that has expired is told of; a tombstone never.
        if !meta.tombstone {
            *seen = Seen::from(&meta);
        }
        check_set_if_sent(set, request)?;
        if gone {
            return Err(ResultCode::NOT_FOUND.into());
        }
        let renewed_to = read_touch(
            request.header.record_ttl,
            self.settings.read_touch_pct(set.map(|set| &set.settings)),
            meta.void_time,
            meta.last_update_time,
            now,
        )?;
        let scene_of = |stored| {
            let size_bytes = Self::size_bytes_of(&found, set);
            self.scene(digest, set, turn.now, meta, size_bytes, stored)
        };
        if request.present.contains(FieldType::FILTER) {
            check_filter(request, scene_of(StoredRecord::Unread), || guard.body(turn.fetched))?;
        }
        let wants_bins = !request.header.info1.contains(Info1::GET_NO_BINS);
        if wants_bins || request.key.is_some() {
            let body = guard.body(turn.fetched)?;
            record::key::check_key(body.key(), request.key)?;
            if wants_bins {
                record::read(request, body, &scene_of(StoredRecord::Read(&body)), reply)?;
            }
        } else if renewed_to.is_some()
            && let Err(miss @ Miss::Elsewhere(_)) = guard.body(turn.fetched)
        {
            // Where metadata lie with the bins, changing them takes both.
            return Err(miss.into());
        }
        Ok(renewed_to.map(|void_time| Renewal { read: meta, void_time }))
    }

    /// Gives a record that was just read a new void-time, unless somebody changed it meanwhile. Its
    /// generation stays. The answer to the read is right whether or not this lasts, so it waits for no
    /// device.
    fn renew(&self, digest: &Digest, renewal: Renewal, turn: &mut Turn<'_>) {
        let mut guard = self.records.write(digest);
        let found = guard.find().filter(|found| found.meta == renewal.read);
        let last_update_time = renewal.read.last_update_time.max(turn.now);
        let renewed = RecordMeta { void_time: renewal.void_time, last_update_time, ..renewal.read };
        let set_name = self.sets.by_id(renewal.read.set).map_or(&[][..], |set| &set.name);
        let counter = match found.map(|found| {
            let changed = guard.set_meta(renewed, set_name, turn.fetched, &mut Pledges::default());
            changed.map(|()| found)
        }) {
            Some(Ok(found)) => {
                let renewed = guard.find().map(|renewed| self.weight_of(&renewed));
                self.account(Some(self.weight_of(&found)), renewed);
                turn.written = Written::Renewed;
                NamespaceCounter::ReadTouchSuccess
            }
            Some(Err(Some(_))) => NamespaceCounter::ReadTouchError,
            // Somebody changed or moved the record.
            Some(Err(None)) | None => NamespaceCounter::ReadTouchSkip,
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
