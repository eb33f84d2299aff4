//! Metadata of a record: what the primary index keeps beside the digest.

/// Unix time of the epoch from which void-times and last-update-times count: 2010-01-01T00:00:00Z.
pub const EPOCH_UNIX_SECONDS: u64 = 1_262_304_000;

/// When a record expires: seconds since 2010-01-01. Zero means never. 30 bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct VoidTime(pub u32);

impl VoidTime {
    /// The record never expires.
    pub const NEVER: Self = Self(0);

    /// Whether a record with this void-time is gone at `now`.
    pub fn is_expired(self, now: SecondsSince2010) -> bool {
        self != Self::NEVER && now.0 > self.0
    }
}

/// A moment: seconds since 2010-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct SecondsSince2010(pub u32);

/// When a record was last written: milliseconds since 2010-01-01. 40 bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct LastUpdateTime(pub u64);

impl LastUpdateTime {
    /// The same moment in whole seconds.
    pub fn seconds(self) -> SecondsSince2010 {
        SecondsSince2010((self.0 / 1000) as u32)
    }
}

/// Count of a record's writes: 1 when created, 65,535 wraps to 1. Zero means the record is absent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct Generation(pub u16);

impl Generation {
    /// The generation that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.checked_add(1).unwrap_or(1))
    }
}

/// A set of a namespace by its number: 1 to 4,095, or 0 for a record in no set. 12 bits are kept.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct SetId(pub u16);

impl SetId {
    /// The record belongs to no set.
    pub const NONE: Self = Self(0);
    /// The largest set number: sets a namespace can have.
    pub const MAX: u16 = 4095;
}

/// What is known of a record without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RecordMeta {
    /// When it was last written.
    pub last_update_time: LastUpdateTime,
    /// When it expires.
    pub void_time: VoidTime,
    /// How often it was written.
    pub generation: Generation,
    /// The set it was created in.
    pub set: SetId,
    /// Whether it is the trace of a durable delete: no bins, invisible to clients.
    pub tombstone: bool,
    /// Whether its last write came from cross-datacentre shipping.
    pub xdr_write: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generation_wraps_past_zero() {
        assert_eq!(Generation(65_535).next(), Generation(1));
    }

    #[test]
    fn zero_void_time_never_expires() {
        assert!(!VoidTime::NEVER.is_expired(SecondsSince2010(u32::MAX)));
        assert!(!VoidTime(10).is_expired(SecondsSince2010(10)));
        assert!(VoidTime(10).is_expired(SecondsSince2010(11)));
    }
}
