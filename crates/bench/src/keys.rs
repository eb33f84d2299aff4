//! Which record a request is about.
//!
//! Keys are integers in a set, as the official load generators make them, so that one tool may read
//! what another has written.

use wire::{Digest, ParticleType};

use crate::zipf::Zipf;

/// The records of a run: integer keys `first..first + count` of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySpace {
    /// Set name, empty for none.
    pub set: String,
    /// Lowest key.
    pub first: u64,
    /// Number of keys, at least 1.
    pub count: u64,
}

impl KeySpace {
    /// The key that is number `index` (taken round the end).
    pub fn key(&self, index: u64) -> u64 {
        self.first.wrapping_add(index % self.count.max(1))
    }

    /// The digest under which the server knows a key.
    pub fn digest(&self, key: u64) -> Digest {
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
            Distribution::Zipf { theta } => Some(Zipf::new(space.count, theta)),
        };
        Self { space, zipf }
    }

    /// The next key.
    pub fn pick(&self, random: &mut fastrand::Rng) -> u64 {
        let index = match &self.zipf {
            None => random.u64(..self.space.count.max(1)),
            Some(zipf) => zipf.sample(random),
        };
        self.space.key(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space() -> KeySpace {
        KeySpace { set: "testset".into(), first: 10, count: 5 }
    }

    #[test]
    fn digest_is_that_of_the_set_and_the_integer_key() {
        let digest = space().digest(7);
        let expected = Digest::of_key(b"testset", ParticleType::INTEGER, &[0, 0, 0, 0, 0, 0, 0, 7]);
        assert_eq!(digest, expected);
        assert_ne!(digest, KeySpace { set: String::new(), ..space() }.digest(7));
    }

    #[test]
    fn indexes_wrap_round_the_space() {
        let keys: Vec<u64> = (0..7).map(|index| space().key(index)).collect();
        assert_eq!(keys, [10, 11, 12, 13, 14, 10, 11]);
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
