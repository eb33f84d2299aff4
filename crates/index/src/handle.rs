//! The first significant bits of a digest: what a set index or a secondary index stores of a record.
//!
//! Within a partition, digest byte 0 and the low half of byte 1 are the same for all. A handle is
//! the high half of byte 1 (the sprig) and the 60 bits that follow. Handles order as digests do;
//! only digests made on purpose share one. A stub is the first 40 bits of a handle.

use wire::Digest;

use crate::entry::RecordKey;
use crate::search::{Key, Keyed};

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Handle(pub(crate) u64);

/// Bits of a handle that follow the sprig's.
const KEY_BITS: u32 = 60;
/// Bits of those that a record key holds outside its prefix.
const REST_BITS: u32 = KEY_BITS - u32::BITS;
/// Bits of the first four bytes of a record key's rest that are not in the handle.
const UNUSED_BITS: u32 = u32::BITS - REST_BITS;

impl Handle {
    pub(crate) fn of(digest: &Digest) -> Self {
        let key = RecordKey::of(digest);
        let [r0, r1, r2, r3, ..] = key.rest;
        let rest = u32::from_be_bytes([r0, r1, r2, r3]) >> UNUSED_BITS;
        let sprig = u64::from(digest.0[1] >> 4);
        Self(sprig << KEY_BITS | u64::from(key.prefix) << REST_BITS | u64::from(rest))
    }

    /// The number of the sprig in its partition.
    pub(crate) fn sprig(self) -> usize {
        (self.0 >> KEY_BITS) as usize
    }

    /// The lowest and the highest record key of the sprig with this handle.
    pub(crate) fn keys(self) -> (RecordKey, RecordKey) {
        let prefix = (self.0 >> REST_BITS) as u32;
        let rest = (self.0 as u32) << UNUSED_BITS;
        let key = |rest: u32, fill: u8| {
            let mut bytes = [fill; 14];
            bytes[..4].copy_from_slice(&rest.to_be_bytes());
            RecordKey { prefix, rest: bytes }
        };
        (key(rest, 0), key(rest | ((1 << UNUSED_BITS) - 1), 0xFF))
    }

    /// The key by which a set index sorts it.
    pub(crate) fn key(self) -> Key<u32> {
        Key { prefix: (self.0 >> 32) as u32, rest: self.0 as u32 }
    }

    pub(crate) fn from_key(key: Key<u32>) -> Self {
        Self(u64::from(key.prefix) << 32 | u64::from(key.rest))
    }
}

/// The half of a handle that a set index stores in its entries; the other is the prefix.
#[derive(Clone, Copy)]
pub(crate) struct HandleRest(pub(crate) u32);

impl Keyed for HandleRest {
    type Rest = u32;

    fn rest(&self) -> u32 {
        self.0
    }
}

/// The first 40 bits of a handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Stub(pub(crate) u64);

/// Bits of a handle that are not in a stub.
const CUT_BITS: u32 = 24;

impl Stub {
    /// The lowest.
    pub(crate) const MIN: Self = Self(0);
    const MAX: u64 = u64::MAX >> CUT_BITS;

    pub(crate) fn of(digest: &Digest) -> Self {
        Self(Handle::of(digest).0 >> CUT_BITS)
    }

    /// The number of the sprig in its partition.
    pub(crate) fn sprig(self) -> usize {
        Handle(self.0 << CUT_BITS).sprig()
    }

    /// The lowest and the highest record key of the sprig with this stub.
    pub(crate) fn keys(self) -> (RecordKey, RecordKey) {
        let first = self.0 << CUT_BITS;
        let last = first | ((1 << CUT_BITS) - 1);
        (Handle(first).keys().0, Handle(last).keys().1)
    }

    /// Big-endian, so that the bytes order as stubs do.
    pub(crate) fn bytes(self) -> [u8; 5] {
        let [_, _, _, bytes @ ..] = self.0.to_be_bytes();
        bytes
    }

    pub(crate) fn from_bytes([b0, b1, b2, b3, b4]: [u8; 5]) -> Self {
        Self(u64::from_be_bytes([0, 0, 0, b0, b1, b2, b3, b4]))
    }

    /// The one that follows.
    pub(crate) fn next(self) -> Option<Self> {
        (self.0 < Self::MAX).then(|| Self(self.0 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::SprigId;

    #[test]
    fn keys_of_a_stub_enclose_its_digests() {
        let mut random = fastrand::Rng::with_seed(8);
        for _ in 0..10_000 {
            let digest = Digest(std::array::from_fn(|_| random.u8(..)));
            let stub = Stub::of(&digest);
            let (low, high) = stub.keys();
            let key = RecordKey::of(&digest);
            assert!(low <= key && key <= high);
            let sprig = SprigId::of(&digest);
            assert_eq!(stub.sprig(), sprig.number());
            for end in [low, high] {
                assert_eq!(Stub::of(&sprig.digest(&end)), stub);
            }
            assert_eq!(Stub::from_bytes(stub.bytes()), stub);
        }
        assert_eq!(Stub(Stub::MAX).next(), None);
    }

    #[test]
    fn keys_of_a_handle_enclose_its_digests() {
        let mut random = fastrand::Rng::with_seed(6);
        for _ in 0..10_000 {
            let digest = Digest(std::array::from_fn(|_| random.u8(..)));
            let handle = Handle::of(&digest);
            let (low, high) = handle.keys();
            let key = RecordKey::of(&digest);
            assert!(low <= key && key <= high);
            let sprig = SprigId::of(&digest);
            assert_eq!(handle.sprig(), sprig.number());
            for end in [low, high] {
                assert_eq!(Handle::of(&sprig.digest(&end)), handle);
            }
            assert_eq!(Handle::from_key(handle.key()), handle);
        }
    }

    #[test]
    fn handles_order_as_digests() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..10_000 {
            let [mut a, mut b]: [Digest; 2] =
                std::array::from_fn(|_| Digest(std::array::from_fn(|_| random.u8(..3))));
            (a.0[0], b.0[0]) = (0, 0);
            (a.0[1], b.0[1]) = (a.0[1] << 4, b.0[1] << 4);
            let by_handle = Handle::of(&a).cmp(&Handle::of(&b));
            assert!(by_handle == a.cmp(&b) || by_handle.is_eq());
        }
    }
}
