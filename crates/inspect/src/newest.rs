//! The newest version of each record, whatever order they are met in.

use std::cmp::Ordering;
use std::collections::HashMap;

use storage::format::flat::Kind;
use wire::Digest;

use crate::seen::{Location, Seen, SetName};
use crate::version::Version;

/// What is kept of the newest version of a record.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    /// Its version.
    pub version: Version,
    /// What it is.
    pub kind: Kind,
    /// Where it lies.
    pub location: Location,
    /// Its set, a number of [`Newest::set`].
    pub set: SetNumber,
    /// Bytes it takes.
    pub size_bytes: u32,
    sequence: u64,
}

/// A set by the number that [`Newest`] gave it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SetNumber(u32);

/// The newest versions met so far. Takes about 100 bytes of memory a record.
#[derive(Debug, Default)]
pub struct Newest {
    records: HashMap<Digest, Best>,
    /// `None` for the set of encrypted records.
    sets: Vec<Option<Box<[u8]>>>,
    named: HashMap<Box<[u8]>, SetNumber>,
    hidden: Option<SetNumber>,
}

impl Newest {
    /// Meets a version.
    pub fn meet(&mut self, seen: &Seen<'_>) {
        let new = Best {
            version: seen.version,
            kind: seen.kind,
            location: seen.location,
            set: self.number(seen.set),
            size_bytes: seen.size_bytes,
            sequence: seen.sequence,
        };
        let best = self.records.entry(seen.digest).or_insert(new);
        // Defragmentation leaves equal copies; the one written last is that of the index.
        let written_later = (new.sequence, new.location.at) > (best.sequence, best.location.at);
        match new.version.compare(&best.version) {
            Ordering::Greater => *best = new,
            Ordering::Equal if written_later => *best = new,
            _ => {}
        }
    }

    /// What is kept of this version, if it is the newest of its record and not an equal copy of that.
    pub fn newest(&self, seen: &Seen<'_>) -> Option<&Best> {
        self.records.get(&seen.digest).filter(|best| best.location == seen.location)
    }

    /// The newest version of each record, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &Best)> {
        self.records.iter()
    }

    /// The name of a set; `None` for that of encrypted records.
    pub fn set(&self, number: SetNumber) -> Option<&[u8]> {
        self.sets.get(number.0 as usize)?.as_deref()
    }

    fn number(&mut self, set: SetName<'_>) -> SetNumber {
        let known = match set {
            SetName::Known(name) => self.named.get(name).copied(),
            SetName::Hidden => self.hidden,
        };
        if let Some(number) = known {
            return number;
        }
        let number = SetNumber(self.sets.len() as u32);
        match set {
            SetName::Known(name) => {
                self.sets.push(Some(name.into()));
                self.named.insert(name.into(), number);
            }
            SetName::Hidden => {
                self.sets.push(None);
                self.hidden = Some(number);
            }
        }
        number
    }
}
