//! A record as expressions see it: filters of a request, and operations that evaluate.

use expr::{Filter, Metadata, RecordView};
use wire::{Digest, FieldType, ParticleType, Request, ResultCode};

pub use expr::Medium;

use crate::bins::BinTable;
use crate::body::Body;
use crate::meta::{LastUpdateTime, RecordMeta};
use crate::policy::WritePolicy;

/// The metadata that expressions of a request see, and the record it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The record's digest.
    pub digest: &'a Digest,
    /// Name of its set; empty if it is in none.
    pub set_name: &'a [u8],
    /// The time of the request.
    pub now: LastUpdateTime,
    /// Where the namespace keeps records.
    pub medium: Medium,
    /// Its metadata. To operations of a write they are already those that the write gives it, but
    /// for the tombstone mark.
    pub meta: RecordMeta,
    /// What the stored record takes, in bytes; 0 while it is being created.
    pub size_bytes: usize,
    /// The record as it is stored.
    pub stored: StoredRecord<'a>,
}

/// A stored record, as far as it is at hand.
#[derive(Clone, Copy, Debug)]
pub enum StoredRecord<'a> {
    /// There is none: it is being created.
    Absent,
    /// It has not been read so far.
    Unread,
    /// Its body.
    Read(&'a Body<'a>),
}

impl<'a> StoredRecord<'a> {
    /// The body, if it is at hand.
    pub fn body(self) -> Option<&'a Body<'a>> {
        match self {
            Self::Read(body) => Some(body),
            Self::Absent | Self::Unread => None,
        }
    }

    fn key(self) -> Option<&'a [u8]> {
        self.body()?.key()
    }
}

impl Scene<'_> {
    /// Lets a request's filter, if it has one, decide about the record by its metadata. Returns the
    /// filter if that is not enough: [`Self::check`] decides then.
    ///
    /// # Errors
    /// `PARAMETER` for an invalid filter, `FILTERED_OUT` if the request does not apply.
    pub fn undecided_filter<'r>(
        &self,
        request: &Request<'r>,
    ) -> Result<Option<Filter<'r>>, ResultCode> {
        let Some(source) = request.field(FieldType::FILTER) else { return Ok(None) };
        let filter = Filter::build(source)?;
        match filter.decide(self) {
            None => Ok(Some(filter)),
            Some(true) => Ok(None),
            Some(false) => Err(ResultCode::FILTERED_OUT),
        }
    }

    /// Lets a filter decide about the record, which has been read.
    ///
    /// # Errors
    /// `FILTERED_OUT` if the request does not apply.
    pub fn check(&self, filter: &Filter<'_>) -> Result<(), ResultCode> {
        if filter.matches(&StoredView(self)) { Ok(()) } else { Err(ResultCode::FILTERED_OUT) }
    }
}

impl Metadata for Scene<'_> {
    fn digest(&self) -> &Digest {
        self.digest
    }

    fn set_name(&self) -> &[u8] {
        self.set_name
    }

    fn now_ms(&self) -> u64 {
        self.now.0
    }

    fn last_update_time_ms(&self) -> u64 {
        self.meta.last_update_time.0
    }

    fn void_time_seconds(&self) -> u32 {
        self.meta.void_time.0
    }

    fn has_key(&self) -> Option<bool> {
        match self.stored {
            StoredRecord::Unread => None,
            stored => Some(stored.key().is_some()),
        }
    }

    fn is_tombstone(&self) -> bool {
        self.meta.tombstone
    }

    fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn medium(&self) -> Medium {
        self.medium
    }
}

/// The record as it is stored.
pub(crate) struct StoredView<'v>(pub &'v Scene<'v>);

impl RecordView for StoredView<'_> {
    fn metadata(&self) -> &dyn Metadata {
        self.0
    }

    fn key(&self) -> Option<&[u8]> {
        self.0.stored.key()
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        let bin = self.0.stored.body()?.bin(name)?;
        Some((bin.particle_type, bin.value))
    }
}

/// The record between two operations of a request.
pub(crate) struct WorkView<'v, 'a> {
    pub scene: &'v Scene<'v>,
    pub bins: &'v BinTable<'a>,
    pub policy: &'v WritePolicy,
}

impl RecordView for WorkView<'_, '_> {
    fn metadata(&self) -> &dyn Metadata {
        self.scene
    }

    fn key(&self) -> Option<&[u8]> {
        // A replace does not look at the old record, not even at its key.
        if self.policy.replace { None } else { self.scene.stored.key() }
    }

    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])> {
        self.bins.peek(name).map(|bin| (bin.particle_type, &*bin.value))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::meta::VoidTime;
    use crate::size::stored_size_bytes;

    /// A scene around a record, for tests.
    pub fn scene<'a>(stored: Option<&'a Body<'a>>) -> Scene<'a> {
        const DIGEST: &Digest = &Digest([7; Digest::SIZE]);
        Scene {
            digest: DIGEST,
            set_name: b"set",
            now: LastUpdateTime(5_000),
            medium: Medium::Memory,
            meta: RecordMeta { last_update_time: LastUpdateTime(2_000), ..RecordMeta::default() },
            size_bytes: stored.map_or(0, |body| stored_size_bytes(*body, 3, VoidTime::NEVER)),
            stored: stored.map_or(StoredRecord::Absent, StoredRecord::Read),
        }
    }
}
