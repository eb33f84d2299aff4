//! The keys of a world, and what clients do with each.

use wire::Digest;

/// What kind of record a key is, which says what clients do with it and what must hold in the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Family {
    /// Written with values that are all different.
    Register,
    /// Counted up by one, also by functions.
    Counter,
    /// Gets different words appended.
    Set,
    /// Read, and written with the next number if nobody else did meanwhile.
    Modified,
    /// As a register, and deleted with a tombstone.
    Durable,
    /// As a register, and deleted without a trace.
    Expunged,
    /// As a register, in a set that is truncated from time to time.
    Brief,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Register,
        Self::Counter,
        Self::Set,
        Self::Modified,
        Self::Durable,
        Self::Expunged,
        Self::Brief,
    ];

    /// The set in which its records are.
    pub fn set(self) -> &'static str {
        if self == Self::Brief { BRIEF_SET } else { SET }
    }

    /// Whether its records hold the numbers of the requests that wrote them.
    pub fn is_register(self) -> bool {
        matches!(self, Self::Register | Self::Durable | Self::Expunged | Self::Brief)
    }
}

/// A key: its number among all.
pub type KeyNumber = usize;

/// The keys of a world.
#[derive(Clone, Debug)]
pub struct Keys {
    digests: Vec<Digest>,
    per_family: usize,
}

/// The set that most records are in.
pub const SET: &str = "set";
/// The set that is truncated.
pub const BRIEF_SET: &str = "brief";

impl Keys {
    /// So many of each family.
    pub fn new(per_family: usize) -> Self {
        let digest = |number: usize| {
            let (set, name) = (Family::ALL[number / per_family].set(), format!("key-{number}"));
            Digest::of_key(set.as_bytes(), wire::ParticleType::STRING, name.as_bytes())
        };
        Self { digests: (0..per_family * Family::ALL.len()).map(digest).collect(), per_family }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.digests.len()
    }

    /// The digest of a key.
    pub fn digest(&self, key: KeyNumber) -> Digest {
        self.digests[key]
    }

    /// The key with a digest.
    pub fn with(&self, digest: &[u8]) -> Option<KeyNumber> {
        self.digests.iter().position(|of| of.0 == digest)
    }

    /// What kind of record it is.
    pub fn family(&self, key: KeyNumber) -> Family {
        Family::ALL[key / self.per_family]
    }
}
