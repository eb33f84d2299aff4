//! What user-defined functions need of a namespace: a record to look at, and a write that only holds if
//! the record is still the one that was looked at.
//!
//! A function runs on a copy, without a lock, since it may take long. What it wants is then written as
//! an ordinary request, so that every rule of writes holds for it; if the record has changed meanwhile,
//! the function is run again.

use record::body::BodyWriter;
use record::{Body, Medium, RecordMeta, StoredRecord};
use storage::Fetch;
use wire::reply::ReplyWriter;
use wire::{Digest, FieldType, Request, ResultCode};

use crate::filter::check_filter;
use crate::namespace::{Namespace, Seen, Turn};
use crate::stop::Stop;
use crate::write::Basis;

/// A record as a function sees it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its digest.
    pub digest: Digest,
    /// Its metadata, if there is a live one.
    pub meta: Option<RecordMeta>,
    /// Name of its set; empty outside sets.
    pub set_name: Box<[u8]>,
    /// What it takes, in bytes.
    pub size_bytes: usize,
    /// Where its namespace keeps records.
    pub medium: Medium,
    body: Box<[u8]>,
    /// What is there, live or not.
    found: Option<RecordMeta>,
}

impl Loaded {
    /// Its body; empty without a live record.
    pub fn body(&self) -> Body<'_> {
        Body::new(&self.body)
    }
}

/// What became of a write for a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// It was carried out, or refused.
    Done(ResultCode),
    /// The record is not what the function saw any more. There is no reply.
    Changed,
}

impl Namespace {
    /// A copy of the record that a request calls a function for.
    ///
    /// # Errors
    /// The inner one if the request does not apply to it, the outer one is what has to be read first.
    pub fn load(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &Turn<'_>,
    ) -> Result<Result<Loaded, ResultCode>, Fetch> {
        match self.try_load(request, digest, turn) {
            Ok(loaded) => Ok(Ok(loaded)),
            Err(Stop::Fails(result)) => Ok(Err(result)),
            Err(Stop::Waits(fetch)) => Err(*fetch),
        }
    }

    fn try_load(
        &self,
        request: &Request<'_>,
        digest: &Digest,
        turn: &Turn<'_>,
    ) -> Result<Loaded, Stop> {
        let mut guard = self.records.read(digest);
        let stored = guard.find();
        let mut loaded = Loaded {
            digest: *digest,
            meta: None,
            set_name: request.set.unwrap_or_default().into(),
            size_bytes: 0,
            medium: self.medium,
            body: Box::default(),
            found: stored.map(|stored| stored.meta),
        };
        let Some(stored) = stored else { return Ok(loaded) };
        let (meta, set) = (stored.meta, self.sets.by_id(stored.meta.set));
        if meta.tombstone || self.is_doomed(&meta, set, turn.now.seconds()) {
            return Ok(loaded);
        }
        if set.map(|set| &*set.name) != request.set {
            return Err(ResultCode::PARAMETER.into());
        }
        loaded.size_bytes = Self::size_bytes_of(&stored, set);
        if request.present.contains(FieldType::FILTER) {
            let unread = StoredRecord::Unread;
            let scene = self.scene(digest, set, turn.now, meta, loaded.size_bytes, unread);
            check_filter(request, scene, || guard.body(turn.fetched))?;
        }
        let body = guard.body(turn.fetched)?;
        record::key::check_key(body.key(), request.key)?;
        loaded.body = copy_of(&body);
        loaded.meta = Some(meta);
        Ok(loaded)
    }

    /// [`Self::write`], provided that the record is still the one that was loaded. `drops_key`: the
    /// record is to have no user key.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn write_loaded(
        &self,
        request: &Request<'_>,
        loaded: &Loaded,
        drops_key: bool,
        turn: &mut Turn<'_>,
        mut reply: ReplyWriter<'_>,
    ) -> Result<Written, Fetch> {
        let basis = Basis { found: loaded.found, drops_key };
        let mut seen = Seen::default();
        let digest = &loaded.digest;
        match self.try_write_on(request, digest, Some(&basis), turn, &mut reply, &mut seen) {
            Ok(true) => {
                reply.finish(ResultCode::OK, seen.generation, seen.void_time);
                Ok(Written::Done(ResultCode::OK))
            }
            Ok(false) => Ok(Written::Changed),
            Err(Stop::Fails(result)) => {
                self.count_failure(result, turn);
                reply.fail(result, seen.generation, seen.void_time);
                Ok(Written::Done(result))
            }
            Err(Stop::Waits(fetch)) => Err(*fetch),
        }
    }
}

fn copy_of(body: &Body<'_>) -> Box<[u8]> {
    let mut copy = Vec::new();
    let mut writer = BodyWriter::new(&mut copy, body.key());
    for bin in body.bins() {
        writer.bin(bin.name, bin.particle_type, bin.value);
    }
    writer.finish();
    copy.into()
}
