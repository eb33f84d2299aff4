//! The bins of a record while a request works on them.

use std::borrow::Cow;
use std::collections::HashMap;

use smallvec::SmallVec;
use value::StoredBytes;
use value::cdt::{Guide, Stored};
use wire::ParticleType;

use crate::body::{Body, BodyWriter};

/// A bin at work.
#[derive(Clone, Debug)]
pub(crate) struct Bin<'a> {
    pub name: &'a [u8],
    pub particle_type: ParticleType,
    pub value: StoredBytes<'a>,
    /// What is kept beside the value; see [`value::cdt::guide`]. Few bins have it, and a bin at work
    /// should be small.
    pub guide: Option<Box<Cow<'a, [u8]>>>,
}

impl<'a> Bin<'a> {
    /// The value as operations on lists and maps take it.
    pub fn stored(&self) -> Stored<'_> {
        let guide = Guide::new(self.guide_bytes());
        Stored { particle_type: self.particle_type, value: &self.value, guide }
    }

    /// A guide to keep, unless it is empty.
    pub fn keep_guide(guide: impl Into<Cow<'a, [u8]>>) -> Option<Box<Cow<'a, [u8]>>> {
        let guide = guide.into();
        (!guide.is_empty()).then(|| Box::new(guide))
    }

    fn guide_bytes(&self) -> &[u8] {
        self.guide.as_ref().map_or(&[], |guide| guide)
    }
}

/// The bins at work, in the order in which they will be stored.
///
/// A removed bin's place is taken by the last one: clients see that order in replies that return all
/// bins.
#[derive(Debug, Default)]
pub(crate) struct BinTable<'a> {
    bins: SmallVec<[Bin<'a>; 8]>,
    /// Place of each bin by name, once there are too many to compare one by one.
    places: Option<HashMap<&'a [u8], usize>>,
}

/// Bins up to which comparing one by one is faster than hashing.
const UNINDEXED_MAX: usize = 32;

impl<'a> BinTable<'a> {
    /// The bins of a stored record.
    pub fn of(body: Body<'a>) -> Self {
        let mut table = Self::default();
        table.load(body);
        table
    }

    /// Adds the bins of a stored record to an empty table.
    pub fn load(&mut self, body: Body<'a>) {
        self.bins.reserve(usize::from(body.bin_count()));
        for bin in body.bins() {
            self.bins.push(Bin {
                name: bin.name,
                particle_type: bin.particle_type,
                value: StoredBytes::Borrowed(bin.value),
                guide: Bin::keep_guide(bin.guide),
            });
        }
    }

    pub fn len(&self) -> usize {
        self.bins.len()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Bin<'a>> {
        self.bins.iter()
    }

    fn place(&mut self, name: &[u8]) -> Option<usize> {
        if self.bins.len() <= UNINDEXED_MAX && self.places.is_none() {
            return self.bins.iter().position(|bin| bin.name == name);
        }
        let bins = &self.bins;
        let places = self.places.get_or_insert_with(|| {
            bins.iter().enumerate().map(|(place, bin)| (bin.name, place)).collect()
        });
        places.get(name).copied()
    }

    /// The bin with this name.
    pub fn get(&mut self, name: &[u8]) -> Option<&Bin<'a>> {
        let place = self.place(name)?;
        self.bins.get(place)
    }

    /// The bin with this name, without making look-ups faster for later ones.
    pub fn peek(&self, name: &[u8]) -> Option<&Bin<'a>> {
        match &self.places {
            Some(places) => self.bins.get(*places.get(name)?),
            None => self.bins.iter().find(|bin| bin.name == name),
        }
    }

    /// Takes a bin's value out, to be set again; if that does not happen the bin is empty.
    pub fn take_value(&mut self, name: &[u8]) -> Option<(ParticleType, StoredBytes<'a>)> {
        let place = self.place(name)?;
        let bin = self.bins.get_mut(place)?;
        let value = std::mem::replace(&mut bin.value, StoredBytes::Borrowed(&[]));
        Some((bin.particle_type, value))
    }

    /// Sets a bin: in its place if it is there, else at the end.
    pub fn set(&mut self, bin: Bin<'a>) {
        match self.place(bin.name) {
            Some(place) => self.bins[place] = bin,
            None => {
                if let Some(places) = &mut self.places {
                    places.insert(bin.name, self.bins.len());
                }
                self.bins.push(bin);
            }
        }
    }

    /// Removes a bin, if it is there.
    pub fn remove(&mut self, name: &[u8]) {
        let Some(place) = self.place(name) else { return };
        self.bins.swap_remove(place);
        if let Some(places) = &mut self.places {
            places.remove(name);
            if let Some(moved) = self.bins.get(place) {
                places.insert(moved.name, place);
            }
        }
    }

    /// Removes all bins.
    pub fn clear(&mut self) {
        self.bins.clear();
        self.places = None;
    }

    /// Writes the bins as a stored body; returns its size by the original's arithmetic, as
    /// [`BodyWriter::finish`] does.
    pub fn write(&self, out: &mut Vec<u8>, key: Option<&[u8]>) -> usize {
        let mut writer = BodyWriter::new(out, key);
        for bin in &self.bins {
            writer.guided_bin(bin.name, bin.particle_type, &bin.value, bin.guide_bytes());
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(name: &[u8]) -> Bin<'_> {
        Bin {
            name,
            particle_type: ParticleType::BLOB,
            value: StoredBytes::Borrowed(name),
            guide: None,
        }
    }

    fn names<'a>(table: &BinTable<'a>) -> Vec<&'a [u8]> {
        table.iter().map(|bin| bin.name).collect()
    }

    #[test]
    fn last_bin_takes_the_place_of_a_removed_one() {
        let mut table = BinTable::default();
        for name in [b"a", b"b", b"c"] {
            table.set(bin(name));
        }
        table.remove(b"a");
        assert_eq!(names(&table), [b"c", b"b"]);
        table.remove(b"x");
        table.set(bin(b"b"));
        assert_eq!(names(&table), [b"c", b"b"]);
    }

    #[test]
    fn many_bins_behave_like_few() {
        let all: Vec<Vec<u8>> = (0..200u32).map(|n| n.to_string().into_bytes()).collect();
        let mut table = BinTable::default();
        let mut model: Vec<&[u8]> = Vec::new();
        for (step, name) in all.iter().chain(all.iter().step_by(3)).enumerate() {
            match model.iter().position(|known| known == name) {
                Some(place) if step % 2 == 0 => {
                    table.remove(name);
                    model.swap_remove(place);
                }
                Some(_) => table.set(bin(name)),
                None => {
                    table.set(bin(name));
                    model.push(name);
                }
            }
            assert_eq!(table.peek(name).is_some(), model.contains(&&name[..]));
            assert_eq!(table.get(name).is_some(), model.contains(&&name[..]));
        }
        assert_eq!(names(&table), model);
    }
}
