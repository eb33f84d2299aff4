//! Where an entry of a secondary index stands: its number in the index's order, then its stub.

use crate::handle::Stub;
use crate::search::{Key, Keyed};

/// How the numbers of an index's values compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BvalOrder {
    /// As signed numbers.
    Signed,
    /// As unsigned numbers.
    Unsigned,
}

/// What an entry stores beside its prefix: the lower half of its number, then the stub.
#[derive(Clone, Copy)]
pub(super) struct SecondaryRest(pub [u8; 9]);

type EntryKey = Key<[u8; 9]>;

const _: () = assert!(size_of::<SecondaryRest>() == 9 && align_of::<SecondaryRest>() == 1);

impl Keyed for SecondaryRest {
    type Rest = [u8; 9];

    fn rest(&self) -> [u8; 9] {
        self.0
    }
}

/// A number in its place in an index's order, and a stub.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place {
    pub rank: u64,
    pub stub: Stub,
}

impl Place {
    pub fn key(self) -> EntryKey {
        let mut rest = [0; 9];
        rest[..4].copy_from_slice(&(self.rank as u32).to_be_bytes());
        rest[4..].copy_from_slice(&self.stub.bytes());
        Key { prefix: (self.rank >> 32) as u32, rest }
    }

    pub fn from_key(key: EntryKey) -> Self {
        let [r0, r1, r2, r3, stub @ ..] = key.rest;
        let low = u32::from_be_bytes([r0, r1, r2, r3]);
        let rank = u64::from(key.prefix) << 32 | u64::from(low);
        Self { rank, stub: Stub::from_bytes(stub) }
    }

    /// The one that follows.
    pub fn next(self) -> Option<Self> {
        match self.stub.next() {
            Some(stub) => Some(Self { stub, ..self }),
            None => Some(Self { rank: self.rank.checked_add(1)?, stub: Stub::MIN }),
        }
    }
}

impl BvalOrder {
    const SIGN: u64 = 1 << 63;

    /// Where a number stands.
    pub(super) fn rank(self, bval: i64) -> u64 {
        match self {
            Self::Signed => bval.cast_unsigned() ^ Self::SIGN,
            Self::Unsigned => bval.cast_unsigned(),
        }
    }

    pub(super) fn bval(self, rank: u64) -> i64 {
        match self {
            Self::Signed => (rank ^ Self::SIGN).cast_signed(),
            Self::Unsigned => rank.cast_signed(),
        }
    }

    /// Compares two numbers.
    pub fn compare(self, a: i64, b: i64) -> std::cmp::Ordering {
        self.rank(a).cmp(&self.rank(b))
    }
}
