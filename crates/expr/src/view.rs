//! What an expression sees of a record.

use wire::{Digest, ParticleType};

/// What is known of a record without reading it from storage.
pub trait Metadata {
    /// Its digest.
    fn digest(&self) -> &Digest;
    /// Name of its set; empty if it is in none.
    fn set_name(&self) -> &[u8];
    /// The time of the request, in ms since 2010-01-01.
    fn now_ms(&self) -> u64;
    /// When the record was last written, in ms since 2010-01-01.
    fn last_update_time_ms(&self) -> u64;
    /// When it expires, in seconds since 2010-01-01; 0 means never.
    fn void_time_seconds(&self) -> u32;
    /// Whether its user key is stored with it; `None` if only a look at the record can tell.
    fn has_key(&self) -> Option<bool>;
    /// Whether it is the trace of a durable delete.
    fn is_tombstone(&self) -> bool;
    /// What it takes in storage by the original's arithmetic; 0 while it is being created.
    fn size_bytes(&self) -> usize;
    /// Where its namespace keeps records.
    fn medium(&self) -> Medium;
}

/// A whole record.
pub trait RecordView {
    /// Its metadata.
    fn metadata(&self) -> &dyn Metadata;
    /// Its stored user key: particle type, then the value.
    fn key(&self) -> Option<&[u8]>;
    /// Type and stored value of the bin with this name.
    fn bin(&self, name: &[u8]) -> Option<(ParticleType, &[u8])>;
}

/// Where a namespace keeps records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Medium {
    /// In memory only.
    Memory,
    /// In memory, persisted to files or devices.
    PersistedMemory,
    /// On devices, files or persistent memory.
    Device,
}
