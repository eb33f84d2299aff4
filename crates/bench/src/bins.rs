//! What records are made of: the specification of bins, and values for them.
//!
//! A specification is a list such as `I,S20,3*B100`: an integer, a text of 20 characters, three blobs
//! of 100 bytes. Bins are named `testbin`, `testbin_2`, `testbin_3` and so on, as the official load
//! generator names them.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail, ensure};
use wire::ParticleType;

/// Largest value of one bin in bytes: no server takes records beyond 8 MiB.
const VALUE_BYTES_MAX: usize = 8 << 20;

/// Most bins of a record that the generator makes.
const BINS_MAX: usize = 1024;

/// Random content is cut from a pool of at least this many bytes, at a random place: cheaper than
/// drawing every byte, and as incompressible from one record to the next.
const POOL_BYTES_MIN: usize = 1 << 20;

/// What a bin holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// A 64-bit integer.
    Integer,
    /// Text of that many letters and digits.
    Text(usize),
    /// That many bytes.
    Blob(usize),
}

impl Value {
    /// Bytes of the value on the wire.
    pub fn size_bytes(self) -> usize {
        match self {
            Self::Integer => 8,
            Self::Text(size) | Self::Blob(size) => size,
        }
    }

    /// Its type on the wire.
    pub fn particle_type(self) -> ParticleType {
        match self {
            Self::Integer => ParticleType::INTEGER,
            Self::Text(_) => ParticleType::STRING,
            Self::Blob(_) => ParticleType::BLOB,
        }
    }
}

/// The bins of every record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bins(pub Vec<Value>);

impl Bins {
    /// Name of the bin at `index`.
    pub fn name(index: usize) -> String {
        if index == 0 { "testbin".into() } else { format!("testbin_{}", index + 1) }
    }

    /// Bytes of a record's values together.
    pub fn size_bytes(&self) -> usize {
        self.0.iter().map(|value| value.size_bytes()).sum()
    }
}

impl FromStr for Bins {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut bins = Vec::new();
        for part in text.split(',') {
            let (count, value) = parse_part(part.trim())
                .with_context(|| format!("'{part}' is no bin: write I, S<size> or B<size>"))?;
            ensure!(bins.len() + count <= BINS_MAX, "more than {BINS_MAX} bins");
            bins.extend(std::iter::repeat_n(value, count));
        }
        Ok(Self(bins))
    }
}

fn parse_part(part: &str) -> anyhow::Result<(usize, Value)> {
    let (count, value) = match part.split_once('*') {
        Some((count, value)) => (count.trim().parse()?, value.trim()),
        None => (1, part),
    };
    ensure!((1..=BINS_MAX).contains(&count), "the number of bins must be 1 to {BINS_MAX}");
    let mut letters = value.chars();
    let kind = letters.next().context("nothing there")?;
    let size = || -> anyhow::Result<usize> {
        let size = letters.as_str().parse()?;
        ensure!((1..=VALUE_BYTES_MAX).contains(&size), "the size must be 1 to {VALUE_BYTES_MAX}");
        Ok(size)
    };
    let value = match kind {
        // The official tool writes I4, a number of bytes below which values stay; accepted, unused.
        'I' => Value::Integer,
        'S' => Value::Text(size()?),
        'B' => Value::Blob(size()?),
        _ => bail!("unknown kind"),
    };
    Ok((count, value))
}

impl fmt::Display for Bins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.0.chunk_by(|a, b| a == b).enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if run.len() > 1 {
                write!(f, "{}*", run.len())?;
            }
            match run.first() {
                Some(Value::Integer) => f.write_str("I")?,
                Some(Value::Text(size)) => write!(f, "S{size}")?,
                Some(Value::Blob(size)) => write!(f, "B{size}")?,
                None => {}
            }
        }
        Ok(())
    }
}

/// Makes values.
#[derive(Clone, Debug)]
pub struct ValueSource {
    random: fastrand::Rng,
    blobs: Vec<u8>,
    texts: Vec<u8>,
}

impl ValueSource {
    /// A source for these bins; equal seeds give equal values.
    pub fn new(bins: &Bins, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let largest = bins.0.iter().map(|value| value.size_bytes()).max().unwrap_or(0);
        let mut pool = |wanted: bool| {
            let mut bytes = vec![0; if wanted { POOL_BYTES_MIN.max(2 * largest) } else { 0 }];
            random.fill(&mut bytes);
            bytes
        };
        let blobs = pool(bins.0.iter().any(|value| matches!(value, Value::Blob(_))));
        let mut texts = pool(bins.0.iter().any(|value| matches!(value, Value::Text(_))));
        for byte in &mut texts {
            *byte = LETTERS[usize::from(*byte) % LETTERS.len()];
        }
        Self { random, blobs, texts }
    }

    /// Fills `place`, which has the value's size, with new content.
    pub fn fill(&mut self, value: Value, place: &mut [u8]) {
        let pool = match value {
            Value::Integer => {
                let number = self.random.u64(..).to_be_bytes();
                return place.copy_from_slice(&number);
            }
            Value::Text(_) => &self.texts,
            Value::Blob(_) => &self.blobs,
        };
        let at = self.random.usize(..=pool.len() - place.len());
        place.copy_from_slice(&pool[at..at + place.len()]);
    }
}

const LETTERS: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifications_are_read_and_printed() {
        for (text, printed, bytes) in [
            ("B100", "B100", 100),
            ("I", "I", 8),
            ("I4", "I", 8),
            ("I,S20,3*B100", "I,S20,3*B100", 328),
            ("2*I, S5 ,S5", "2*I,2*S5", 26),
        ] {
            let bins: Bins = text.parse().unwrap();
            assert_eq!((bins.to_string().as_str(), bins.size_bytes()), (printed, bytes));
        }
    }

    #[test]
    fn what_is_no_specification_is_refused() {
        for text in
            ["", "X5", "B", "B0", "Bx", "0*I", "x*I", "I,,I", "B9999999999", "2000*I", "S-1"]
        {
            assert!(text.parse::<Bins>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_are_those_of_the_official_tool() {
        assert_eq!([0, 1, 2].map(Bins::name), ["testbin", "testbin_2", "testbin_3"]);
    }

    #[test]
    fn values_have_their_kind_and_differ() {
        let bins: Bins = "I,S20,B100,B3000000".parse().unwrap();
        let mut source = ValueSource::new(&bins, 1);
        for &value in &bins.0 {
            let [mut a, mut b] = [0, 0].map(|_| vec![0; value.size_bytes()]);
            source.fill(value, &mut a);
            source.fill(value, &mut b);
            assert_ne!(a, b, "{value:?}");
            if let Value::Text(_) = value {
                assert!(a.iter().all(|byte| LETTERS.contains(byte)));
            }
        }
    }
}
