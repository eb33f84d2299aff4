//! Which record a request is about.
//!
//! Keys are integers in a set, as the official load generators make them, so that one tool may read
//! what another has written.

use std::sync::{Arc, OnceLock};

use wire::{Digest, ParticleType};

use crate::zipf::Zipf;

/// Most keys whose digests are kept. Looking one up takes a fraction of the 0.2 µs that computing it
/// takes; 4 M of them are 80 MB.
const TABLE_KEYS_MAX: u64 = 4_000_000;

/// The records of a run: integer keys `first..first + count` of one set.
#[derive(Clone, Debug)]
pub struct KeySpace {
    set: String,
    first: u64,
    count: u64,
    /// Digests by index, computed once for all that share the space.
    digests: Arc<OnceLock<Box<[Digest]>>>,
    /// Indexes of the keys that belong to it, if not all do.
    chosen: Option<Arc<[u64]>>,
}

impl KeySpace {
    /// `count` keys (0 counts as 1) from `first` on, in a set, whose name may be empty for none.
    pub fn new(set: &str, first: u64, count: u64) -> Self {
        Self { set: set.into(), first, count: count.max(1), digests: Arc::default(), chosen: None }
    }

    /// Set name, empty for none.
    pub fn set(&self) -> &str {
        &self.set
    }

    /// Number of keys, at least 1.
    pub fn count(&self) -> u64 {
        self.chosen.as_ref().map_or(self.count, |chosen| chosen.len() as u64)
    }

    /// The part of a whole space whose digests are wanted; `None` if it is empty.
    pub fn part(&self, is_wanted: impl Fn(&Digest) -> bool) -> Option<Self> {
        self.prepare();
        let is_chosen =
            |index: &u64| is_wanted(&self.digest(self.first.wrapping_add(index % self.count)));
        let chosen: Arc<[u64]> = (0..self.count).filter(is_chosen).collect();
        (!chosen.is_empty()).then(|| Self { chosen: Some(chosen), ..self.clone() })
    }

    /// The key that is number `index` (taken round the end).
    pub fn key(&self, index: u64) -> u64 {
        let index = match &self.chosen {
            None => index % self.count,
            Some(chosen) => chosen[(index % chosen.len() as u64) as usize],
        };
        self.first.wrapping_add(index)
    }

    /// The digest under which the server knows a key of the space.
    pub fn digest(&self, key: u64) -> Digest {
        let index = key.wrapping_sub(self.first);
        match self.digests.get().and_then(|digests| digests.get(index as usize)) {
            Some(digest) => *digest,
            None => self.compute_digest(key),
        }
    }

    /// Computes all digests beforehand, unless they are too many.
    pub fn prepare(&self) {
        if self.count <= TABLE_KEYS_MAX {
            self.digests.get_or_init(|| {
                (0..self.count)
                    .map(|index| self.compute_digest(self.first.wrapping_add(index)))
                    .collect()
            });
        }
    }

    fn compute_digest(&self, key: u64) -> Digest {
        Digest::of_key(self.set.as_bytes(), ParticleType::INTEGER, &key.to_be_bytes())
    }
}

/// How often each key is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// All equally often.
    Uniform,
    /// The `r`-th key with a frequency of `1 / r^theta`.
    Zipf {
        /// Exponent, above zero.
        theta: f64,
    },
}

/// Draws keys of a space.
#[derive(Clone, Debug)]
pub struct KeyPicker {
    space: KeySpace,
    zipf: Option<Zipf>,
}

impl KeyPicker {
    /// Draws from `space`, distributed so.
    pub fn new(space: KeySpace, distribution: Distribution) -> Self {
        let zipf = match distribution {
            Distribution::Uniform => None,
            Distribution::Zipf { theta } => Some(Zipf::new(space.count(), theta)),
        };
        Self { space, zipf }
    }

    /// The next key.
    pub fn pick(&self, random: &mut fastrand::Rng) -> u64 {
        let index = match &self.zipf {
            None => random.u64(..self.space.count()),
            Some(zipf) => zipf.sample(random),
        };
        self.space.key(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> KeySpace {
        KeySpace::new("testset", 10, 5)
    }

    #[test]
    fn digest_is_that_of_the_set_and_the_integer_key() {
        let (space, prepared) = (space(), space());
        prepared.prepare();
        // 12 is in the space, 7 is not.
        for key in [12, 7] {
            let bytes = [0, 0, 0, 0, 0, 0, 0, key];
            let expected = Digest::of_key(b"testset", ParticleType::INTEGER, &bytes);
            assert_eq!(space.digest(key.into()), expected);
            assert_eq!(prepared.digest(key.into()), expected);
            assert_ne!(KeySpace::new("", 10, 5).digest(key.into()), expected);
        }
    }

    #[test]
    fn indexes_wrap_round_the_space() {
        let keys: Vec<u64> = (0..7).map(|index| space().key(index)).collect();
        assert_eq!(keys, [10, 11, 12, 13, 14, 10, 11]);
    }

    #[test]
    fn a_part_has_the_wanted_keys_only() {
        let even = |digest: &Digest| digest.0[0].is_multiple_of(2);
        let whole = KeySpace::new("testset", 10, 100);
        let part = whole.part(even).unwrap();
        let odd = whole.part(|digest| !even(digest)).unwrap();
        assert_eq!(part.count() + odd.count(), 100);
        assert!((0..part.count()).all(|index| even(&part.digest(part.key(index)))));
        assert_eq!(part.key(part.count()), part.key(0));
        assert!(whole.part(|_| false).is_none());
    }

    #[test]
    fn every_key_of_the_space_is_drawn_and_no_other() {
        let mut random = fastrand::Rng::with_seed(3);
        for distribution in [Distribution::Uniform, Distribution::Zipf { theta: 0.99 }] {
            let picker = KeyPicker::new(space(), distribution);
            let mut seen = [0; 5];
            for _ in 0..1_000 {
                seen[(picker.pick(&mut random) - 10) as usize] += 1;
            }
            assert!(seen.iter().all(|&count| count > 20), "{distribution:?}: {seen:?}");
        }
    }
}
