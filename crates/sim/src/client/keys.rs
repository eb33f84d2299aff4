//! The keys of a world, and what clients do with each.

use std::time::Duration;

use record::ttl::{TTL_DEFAULT, TTL_NEVER};
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
    /// As a register, in a set whose records have a time to live, if anything expires.
    Mortal,
    /// As a counter, in a set over which jobs go that count up, too.
    Tallied,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Register,
        Self::Counter,
        Self::Set,
        Self::Modified,
        Self::Durable,
        Self::Expunged,
        Self::Brief,
        Self::Mortal,
        Self::Tallied,
    ];

    /// The set in which its records are.
    pub fn set(self) -> &'static str {
        match self {
            Self::Brief => BRIEF_SET,
            Self::Mortal => MORTAL_SET,
            Self::Tallied => TALLIED_SET,
            _ => SET,
        }
    }

    /// Whether its records hold the numbers of the requests that wrote them.
    pub fn is_register(self) -> bool {
        matches!(self, Self::Register | Self::Durable | Self::Expunged | Self::Brief | Self::Mortal)
    }
}

/// A key: its number among all.
pub type KeyNumber = usize;

/// The keys of a world.
#[derive(Clone, Debug)]
pub struct Keys {
    digests: Vec<Digest>,
    per_family: usize,
    /// Whether records may have a time to live.
    expires: bool,
}

/// The set that most records are in.
pub const SET: &str = "set";
/// The set that is truncated.
pub const BRIEF_SET: &str = "brief";
/// The set whose records expire.
pub const MORTAL_SET: &str = "mortal";
/// The set whose records jobs change.
pub const TALLIED_SET: &str = "tallied";
/// All of them.
pub const SETS: [&str; 4] = [SET, BRIEF_SET, MORTAL_SET, TALLIED_SET];

/// How long records of the set that expires live if whoever writes them does not say, in seconds.
pub const LIFE_DEFAULT_SECONDS: u32 = 4;
/// How long records of that set live, in seconds, by their keys; 0: as long as is the default. All versions of a
/// record live equally long, so that none is outlived by an older one.
const LIVES_SECONDS: [u32; 6] = [1, 0, 2, 10, 40, 600];

impl Keys {
    /// So many of each family.
    pub fn new(per_family: usize, expires: bool) -> Self {
        let digest = |number: usize| {
            let (set, name) = (Family::ALL[number / per_family].set(), format!("key-{number}"));
            Digest::of_key(set.as_bytes(), wire::ParticleType::STRING, name.as_bytes())
        };
        let digests = (0..per_family * Family::ALL.len()).map(digest).collect();
        Self { digests, per_family, expires }
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

    /// The time to live that whoever writes a record asks for, as the protocol has it.
    pub fn ttl(&self, key: KeyNumber) -> u32 {
        match self.family(key) {
            Family::Mortal if self.expires => LIVES_SECONDS[key % LIVES_SECONDS.len()],
            // Its set has a default.
            Family::Mortal => TTL_NEVER,
            _ => TTL_DEFAULT,
        }
    }

    /// How long a record lives once it is written; `None`: for ever.
    pub fn life(&self, key: KeyNumber) -> Option<Duration> {
        let is_mortal = self.expires && self.family(key) == Family::Mortal;
        let seconds = match self.ttl(key) {
            TTL_DEFAULT => LIFE_DEFAULT_SECONDS,
            seconds => seconds,
        };
        is_mortal.then(|| Duration::from_secs(seconds.into()))
    }
}
